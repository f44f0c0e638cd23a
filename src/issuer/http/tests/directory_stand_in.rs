//! A directory in the REST dialects as their makers document them: Keycloak, Okta, Microsoft Graph, Google's Admin SDK.
//! Lists come in pages of two; a trouble can lie on any of them.

use super::directory_dialects::{entra, google, keycloak, okta};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use url::form_urlencoded;

pub const DIALECTS: [&str; 4] = ["keycloak", "okta", "entra", "google"];

/// What one request is answered instead.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    Status(u16),
    /// Put off, then answered.
    PutOff,
    /// The page before once more.
    Again,
    Page,
    Nobody,
    /// No answer at all.
    Late,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Employee {
    pub id: String,
    pub name: String,
    pub active: bool,
}

#[derive(Default)]
pub struct Company {
    pub people: Vec<Employee>,
    /// Names of groups with ids of people.
    pub groups: BTreeMap<String, Vec<String>>,
    /// At which page of people.
    pub trouble: Option<(usize, Trouble)>,
    /// Tokens end after so many requests.
    pub short: bool,
    /// Addresses that were asked for.
    pub asked: Vec<String>,
    /// Who is told as changed since the last reading.
    pub changed: BTreeSet<String>,
    pub removed: BTreeSet<String>,
    tokens: usize,
    put_off: bool,
}

#[derive(Clone)]
pub struct StandIn {
    pub url: String,
    company: Arc<Mutex<Company>>,
}

impl StandIn {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stand_in = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            company: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(stand_in.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stand_in
    }

    pub fn company(&self) -> MutexGuard<'_, Company> {
        self.company.lock().unwrap()
    }

    /// The settings of it, with its secret in this folder.
    pub fn settings(&self, dialect: &str, folder: &Path, more: &str) -> String {
        let secret = match dialect {
            "google" => account_key(),
            "okta" => "okta-secret".to_owned(),
            _ => "client-secret".to_owned(),
        };
        let path = folder.join("directory.secret");
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let url = &self.url;
        let own = match dialect {
            "keycloak" => format!("url = \"{url}/realms/acme\"\nclient_id = \"oam\""),
            "okta" => format!("url = \"{url}\""),
            "entra" => format!(
                "url = \"{url}\"\nlogin_url = \"{url}\"\ntenant = \"acme\"\nclient_id = \"oam\"\ngroup = \"displayName\""
            ),
            _ => format!(
                "url = \"{url}\"\ntoken_url = \"{url}/token\"\nadministrator = \"root@acme.example\"\ngroup = \"name\""
            ),
        };
        let secret = path.display();
        format!(
            "[sources.okta.directory]\nkind = \"{dialect}\"\n{own}\nsecret = {{ file = \"{secret}\" }}\n{more}\n"
        )
    }
}

fn account_key() -> String {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    json!({ "client_email": "oam@acme.iam.example", "private_key": pem, "private_key_id": "k1" })
        .to_string()
}

impl Company {
    pub fn hire(&mut self, name: &str) {
        self.people.push(Employee {
            id: name.to_owned(),
            name: format!("{name}@acme.example"),
            active: true,
        });
        self.people.sort_by(|a, b| a.name.cmp(&b.name));
        self.changed.insert(name.to_owned());
    }

    pub fn employee(&mut self, id: &str) -> &mut Employee {
        self.changed.insert(id.to_owned());
        self.people.iter_mut().find(|one| one.id == id).unwrap()
    }

    pub fn fire(&mut self, id: &str) {
        self.people.retain(|one| one.id != id);
        self.removed.insert(id.to_owned());
    }
}

pub struct Asked {
    path: String,
    pub query: HashMap<String, String>,
    bearer: String,
}

pub fn status(code: u16) -> Response {
    StatusCode::from_u16(code).unwrap().into_response()
}

pub fn ok(value: &Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}

async fn answer(
    State(own): State<StandIn>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let asked = Asked {
        path: uri.path().to_owned(),
        query: query.into_owned().collect(),
        bearer: headers
            .get("authorization")
            .map_or("", |v| v.to_str().unwrap())
            .to_owned(),
    };
    let late = matches!(own.company().trouble, Some((_, Trouble::Late)));
    if late && method == Method::GET {
        std::future::pending::<()>().await;
    }
    let mut company = own.company();
    company.asked.push(uri.to_string());
    if method == Method::POST {
        return token(&mut company, &asked, &body);
    }
    let tokens = company.tokens;
    let good = if asked.path.starts_with("/api/") {
        asked.bearer == "SSWS okta-secret"
    } else {
        asked.bearer == format!("Bearer t-{tokens}")
    };
    if company.short && company.asked.len().is_multiple_of(3) {
        company.tokens += 1;
        return status(401);
    }
    if !good {
        return status(401);
    }
    let path: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
    match path.as_slice() {
        ["admin", "realms", "acme", rest @ ..] => keycloak(&mut company, rest, &asked),
        ["api", "v1", rest @ ..] => okta(&mut company, rest, &asked, &own.url),
        ["v1.0", rest @ ..] => entra(&mut company, rest, &asked, &own.url),
        ["admin", "directory", "v1", rest @ ..] => google(&mut company, rest, &asked),
        _ => status(404),
    }
}

fn token(company: &mut Company, asked: &Asked, body: &[u8]) -> Response {
    let form: HashMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
    let has = |name: &str, value: &str| form.get(name).is_some_and(|has| has == value);
    let good = match asked.path.as_str() {
        "/realms/acme/protocol/openid-connect/token" => {
            let basic = STANDARD.encode("oam:client-secret");
            has("grant_type", "client_credentials") && asked.bearer == format!("Basic {basic}")
        }
        "/acme/oauth2/v2.0/token" => {
            has("grant_type", "client_credentials")
                && has("client_secret", "client-secret")
                && form["scope"].ends_with("/.default")
        }
        "/token" => {
            let claims = form["assertion"].split('.').nth(1).unwrap();
            let claims: Value =
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
            has("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
                && claims["sub"] == "root@acme.example"
                && claims["iss"] == "oam@acme.iam.example"
        }
        _ => false,
    };
    if !good {
        return (
            [("content-type", "application/json")],
            (StatusCode::UNAUTHORIZED, "{\"error\":\"invalid_client\"}"),
        )
            .into_response();
    }
    company.tokens += 1;
    ok(
        &json!({ "access_token": format!("t-{}", company.tokens), "expires_in": 300, "token_type": "Bearer" }),
    )
}

/// A page of people from `first`, and what follows it; or the trouble.
pub fn people(
    company: &mut Company,
    first: usize,
    size: usize,
) -> Result<(Vec<Employee>, Option<usize>), Box<Response>> {
    let page = first / 2;
    if let Some((at, trouble)) = company.trouble.clone()
        && (at == page || trouble == Trouble::Nobody)
    {
        match trouble {
            Trouble::Status(code) => return Err(Box::new(status(code))),
            Trouble::Page => {
                return Err(Box::new(
                    ([("content-type", "text/html")], "<html>sign in</html>").into_response(),
                ));
            }
            Trouble::Nobody => return Ok((Vec::new(), None)),
            Trouble::PutOff if !company.put_off => {
                company.put_off = true;
                return Err(Box::new(
                    (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response(),
                ));
            }
            Trouble::PutOff | Trouble::Late => {}
            Trouble::Again => {
                let before = first.saturating_sub(2);
                let end = company.people.len().min(before + 2);
                return Ok((company.people[before..end].to_vec(), Some(first)));
            }
        }
    }
    let end = company.people.len().min(first + size);
    let next = (end < company.people.len()).then_some(end);
    Ok((
        company.people.get(first..end).unwrap_or_default().to_vec(),
        next,
    ))
}
