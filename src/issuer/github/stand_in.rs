//! GitHub's API for tests, as it is documented: an App's installation, its token, lists by pages with `Link` and
//! `ETag`, limits.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// The App and the organization acme.
pub(crate) const APP: u64 = 12;
pub(crate) const ORGANIZATION: u64 = 34;

/// A team as GitHub has it.
#[derive(Clone, Default)]
pub(crate) struct TeamRow {
    pub(crate) slug: String,
    pub(crate) parent: Option<u64>,
    pub(crate) members: BTreeSet<u64>,
}

/// Status, headers and body of an answer.
pub(crate) type Instead = (u16, Vec<(&'static str, String)>, String);
/// What happens to the teams between two requests.
pub(crate) type Then = Box<dyn FnOnce(&mut BTreeMap<u64, TeamRow>) + Send>;

/// What GitHub answers.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) teams: BTreeMap<u64, TeamRow>,
    /// Everybody in the organization; members of teams are in it besides.
    pub(crate) others: BTreeSet<u64>,
    /// Logins by account, which nobody reads.
    pub(crate) logins: BTreeMap<u64, String>,
    pub(crate) suspended: bool,
    pub(crate) uninstalled: bool,
    pub(crate) organization: Option<u64>,
    pub(crate) permissions: Option<Value>,
    /// Entries in a page.
    pub(crate) page: usize,
    /// The next answers have this status, headers and body instead, each once.
    pub(crate) instead: Vec<Instead>,
    /// Addresses with this text in them answer 502.
    pub(crate) broken: Option<&'static str>,
    /// `x-ratelimit-remaining` of all answers.
    pub(crate) remaining: Option<u64>,
    /// Method, path and status of every request.
    pub(crate) asked: Vec<(String, u16)>,
    /// Happens after the members of a team were answered.
    pub(crate) then: Option<Then>,
    tokens: u64,
}

pub(crate) struct GitHub {
    pub(crate) url: String,
    /// The App's private key, PEM.
    pub(crate) pem: String,
    answers: Arc<Mutex<Answers>>,
}

impl GitHub {
    pub(crate) async fn start() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        // Without what PKCS#8 puts before it: as GitHub gives it.
        let text = STANDARD.encode(&der.as_ref()[26..]);
        let lines: Vec<&str> = (0..text.len())
            .step_by(64)
            .map(|at| &text[at..text.len().min(at + 64)])
            .collect();
        let pem = format!(
            "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
            lines.join("\n")
        );
        let public = pair.public_key().as_ref().to_vec();
        let answers = Arc::new(Mutex::new(Answers {
            page: 100,
            ..Answers::default()
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (known, base) = (Arc::clone(&answers), url.clone());
        let serve = move |method: Method, uri: Uri, headers: HeaderMap, _body: Bytes| {
            let answer = answered(&known, &base, &method, &uri, &headers, &public);
            async move { answer }
        };
        let app = Router::new().fallback(serve);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, pem, answers }
    }

    pub(crate) fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap()
    }

    pub(crate) fn team(&self, id: u64, slug: &str, members: &[u64]) {
        let row = TeamRow {
            slug: slug.to_owned(),
            parent: None,
            members: members.iter().copied().collect(),
        };
        self.answers().teams.insert(id, row);
    }

    /// How often addresses with this text were answered with this status.
    pub(crate) fn count(&self, text: &str, status: u16) -> usize {
        let answers = self.answers();
        let asked = answers.asked.iter();
        asked
            .filter(|(path, with)| path.contains(text) && *with == status)
            .count()
    }
}

fn answered(
    known: &Mutex<Answers>,
    base: &str,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    public: &[u8],
) -> Response {
    let mut answers = known.lock().unwrap();
    let mut response = answer(&mut answers, base, method, uri, headers, public);
    if let Some(left) = answers.remaining {
        let headers = response.headers_mut();
        headers.insert("x-ratelimit-remaining", left.to_string().parse().unwrap());
        let reset = oam_system::clock::now_s() + 3_000;
        headers.insert("x-ratelimit-reset", reset.to_string().parse().unwrap());
    }
    let status = response.status().as_u16();
    answers.asked.push((format!("{method} {uri}"), status));
    response
}

fn answer(
    answers: &mut Answers,
    base: &str,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    public: &[u8],
) -> Response {
    let path = uri.path();
    if answers
        .broken
        .is_some_and(|text| uri.to_string().contains(text))
    {
        return (StatusCode::BAD_GATEWAY, "<html>").into_response();
    }
    if !answers.instead.is_empty() {
        let (status, headers, body) = answers.instead.remove(0);
        let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        return response;
    }
    let bearer = headers
        .get("authorization")
        .map_or("", |v| v.to_str().unwrap());
    let bearer = bearer.strip_prefix("Bearer ").unwrap_or_default();
    if path == "/orgs/acme/installation" || path.starts_with("/app/") {
        return of_app(answers, method, is_app(bearer, public));
    }
    if answers.suspended || answers.uninstalled {
        return json_of(
            403,
            &json!({ "message": "This installation has been suspended" }),
        );
    }
    if bearer != format!("ghs_{}.a-b_c", answers.tokens) {
        return json_of(401, &json!({ "message": "Bad credentials" }));
    }
    let Some(all) = listed(answers, path) else {
        return json_of(404, &json!({ "message": "Not Found" }));
    };
    let response = page(answers.page, base, uri, headers, &all);
    if path.ends_with("/members")
        && path.contains("/teams/")
        && let Some(then) = answers.then.take()
    {
        then(&mut answers.teams);
    }
    response
}

/// What only the App may ask.
fn of_app(answers: &mut Answers, method: &Method, is_app: bool) -> Response {
    if !is_app {
        return json_of(
            401,
            &json!({ "message": "A JSON web token could not be decoded" }),
        );
    }
    if answers.uninstalled {
        return json_of(404, &json!({ "message": "Not Found" }));
    }
    if *method == Method::GET {
        let account = answers.organization.unwrap_or(ORGANIZATION);
        let suspended = answers.suspended.then_some("2026-11-01T00:00:00Z");
        json_of(
            200,
            &json!({ "id": 99, "suspended_at": suspended, "account": { "id": account } }),
        )
    } else {
        answers.tokens += 1;
        let usual = json!({ "members": "read", "metadata": "read" });
        let permissions = answers.permissions.clone().unwrap_or(usual);
        json_of(
            201,
            &json!({
                "token": format!("ghs_{}.a-b_c", answers.tokens),
                "expires_at": jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(1)).unwrap().to_string(),
                "permissions": permissions,
            }),
        )
    }
}

fn listed(answers: &Answers, path: &str) -> Option<Vec<Value>> {
    let member = |id: &u64| {
        let login = answers.logins.get(id).cloned();
        json!({ "login": login.unwrap_or_else(|| format!("user-{id}")), "id": id, "type": "User" })
    };
    match path.strip_prefix("/orgs/acme/")? {
        "teams" => {
            let teams = answers.teams.iter().map(|(id, team)| {
                let parent = team.parent.map(|id| json!({ "id": id }));
                json!({ "id": id, "slug": team.slug, "name": team.slug, "parent": parent })
            });
            Some(teams.collect())
        }
        "members" => {
            let of_teams = answers.teams.values().flat_map(|team| &team.members);
            let all: BTreeSet<&u64> = answers.others.iter().chain(of_teams).collect();
            Some(all.into_iter().map(member).collect())
        }
        other => {
            let slug = other.strip_prefix("teams/")?.strip_suffix("/members")?;
            let (id, team) = answers.teams.iter().find(|(_, team)| team.slug == slug)?;
            let mut all = team.members.clone();
            let children = answers.teams.values().filter(|one| one.parent == Some(*id));
            all.extend(children.flat_map(|one| one.members.clone()));
            Some(all.iter().map(member).collect())
        }
    }
}

fn page(size: usize, base: &str, uri: &Uri, headers: &HeaderMap, all: &[Value]) -> Response {
    let query = uri.query().unwrap_or_default();
    let at = query.split('&').find_map(|pair| pair.strip_prefix("page="));
    let at: usize = at.map_or(1, |text| text.parse().unwrap());
    let some: Vec<&Value> = all.iter().skip((at - 1) * size).take(size).collect();
    let body = json!(some).to_string();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    let tag = format!("W/\"{}\"", hex::encode(digest.as_ref()));
    let mut response = if headers.get("if-none-match").is_some_and(|v| *v == *tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (StatusCode::OK, body).into_response()
    };
    response.headers_mut().insert("etag", tag.parse().unwrap());
    if at * size < all.len() {
        let rest: Vec<&str> = query
            .split('&')
            .filter(|pair| !pair.starts_with("page="))
            .collect();
        let next = format!("{base}{}?{}&page={}", uri.path(), rest.join("&"), at + 1);
        let last = all.len().div_ceil(size);
        let link = format!(
            "<{next}>; rel=\"next\", <{base}{}?page={last}>; rel=\"last\"",
            uri.path()
        );
        response.headers_mut().insert("link", link.parse().unwrap());
    }
    response
}

/// An App's token as GitHub takes it: signed, of the past, and good for ten minutes at most.
fn is_app(token: &str, public: &[u8]) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        return false;
    };
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public);
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let claims_of: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let now = oam_system::clock::now_s();
    let (iat, exp) = (
        claims_of["iat"].as_u64().unwrap(),
        claims_of["exp"].as_u64().unwrap(),
    );
    key.verify(format!("{header}.{claims}").as_bytes(), &signature)
        .is_ok()
        && claims_of["iss"].as_str() == Some(&APP.to_string())
        && iat < now
        && exp > now
        && exp <= now + 600
}

fn json_of(status: u16, body: &Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
}
