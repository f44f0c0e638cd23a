//! GitHub's API as far as it is used: the App's installation and its token, and lists page by page.

use super::app::AppKey;
use super::fault::GitHubFault;
use crate::outbound::{Answer, Auth, OutboundClient};
use crate::place;
use jiff::Timestamp;
use oam_model::issuer::GitHubSettings;
use oam_model::name::SourceName;
use oam_model::refusal::Refusal;
use oam_model::secret::{Secret, wire};
use oam_policy::teams::pace::{RateHeaders, pause_ms};
use oam_system::clock;
use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LINK};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A token is renewed this long before its end, seconds.
const RENEWED_S: i64 = 300;
/// Most pages of a list: more than GitHub has members of any organization.
const PAGES: usize = 2_000;
/// Most pages whose answers are remembered.
const REMEMBERED: usize = 20_000;

/// The version of the API.
const fn version() -> (HeaderName, HeaderValue) {
    (
        HeaderName::from_static("x-github-api-version"),
        HeaderValue::from_static("2022-11-28"),
    )
}

/// An App in an organization.
pub struct GitHubApp {
    /// Whose people it speaks of.
    pub source: SourceName,
    /// How it is read.
    pub settings: GitHubSettings,
    key: AppKey,
    webhook_secret: Option<Secret>,
    outside: Arc<OutboundClient>,
    token: Mutex<Option<InstallationToken>>,
    pages: Mutex<HashMap<String, Page>>,
    /// GitHub is left alone until then, by a clock that does not leap, ms.
    rests_until_ms: Mutex<u64>,
}

struct InstallationToken {
    token: Arc<Secret>,
    /// Unix seconds.
    until_s: i64,
}

/// One entry of a list: a team or a member. Nothing else of it is read, above all no login.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ListEntry {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) slug: Option<String>,
    #[serde(default)]
    pub(super) parent: Option<ListParent>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ListParent {
    pub(super) id: u64,
}

/// A page as it was answered last: GitHub says whether it is still so.
#[derive(Clone)]
struct Page {
    tag: Option<HeaderValue>,
    entries: Arc<Vec<ListEntry>>,
    next: Option<String>,
}

/// A list, and of how many pages it is.
pub(super) struct WholeList {
    pub(super) entries: Vec<ListEntry>,
    pub(super) pages: usize,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
    suspended_at: Option<String>,
    account: Account,
}

#[derive(Deserialize)]
struct Account {
    id: u64,
}

#[derive(Serialize)]
struct TokenOrder {
    permissions: BTreeMap<&'static str, &'static str>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(with = "wire")]
    token: Secret,
    expires_at: String,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
}

impl GitHubApp {
    /// Reads the App's secrets; nothing is asked yet.
    ///
    /// # Errors
    /// A secret is not where the settings say, or is none.
    pub fn new(
        source: SourceName,
        settings: GitHubSettings,
        outside: Arc<OutboundClient>,
    ) -> Result<Self, Refusal> {
        let pem = place::secret(&settings.private_key, "private_key")?;
        let webhook_secret = settings.webhook_secret.as_ref();
        let webhook_secret = webhook_secret.map(|place| place::secret(place, "webhook_secret"));
        Ok(Self {
            key: AppKey::of_pem(&pem)?,
            webhook_secret: webhook_secret.transpose()?,
            source,
            settings,
            outside,
            token: Mutex::default(),
            pages: Mutex::default(),
            rests_until_ms: Mutex::default(),
        })
    }

    /// With what GitHub signs its events.
    pub const fn webhook_secret(&self) -> Option<&Secret> {
        self.webhook_secret.as_ref()
    }

    /// An address of the API.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.api)
    }

    /// A list to its end. Any page that is not there leaves no list.
    pub(super) async fn list(&self, path: &str) -> Result<WholeList, GitHubFault> {
        let mut whole = WholeList {
            entries: Vec::new(),
            pages: 0,
        };
        let mut at = Some(self.url(path));
        while let Some(url) = at {
            if whole.pages == PAGES {
                return Err(GitHubFault::Unreadable("the list does not end"));
            }
            let page = self.page(&url).await?;
            whole.entries.extend_from_slice(&page.entries);
            whole.pages += 1;
            at = page.next;
        }
        Ok(whole)
    }

    async fn page(&self, url: &str) -> Result<Page, GitHubFault> {
        let token = self.token().await?;
        let known = held(&self.pages).get(url).cloned();
        let mut headers = Auth::Bearer(&token).headers()?;
        headers.extend([version()]);
        if let Some(tag) = known.as_ref().and_then(|page| page.tag.clone()) {
            headers.insert(IF_NONE_MATCH, tag);
        }
        let (headers, answer) = self.get(url, headers).await?;
        match (answer.status, known) {
            (304, Some(known)) => Ok(known),
            (200, _) => {
                let entries = serde_json::from_slice(&answer.body)
                    .map_err(|_| GitHubFault::Unreadable("it is no list of teams or members"))?;
                let page = Page {
                    tag: headers.get(ETAG).cloned(),
                    entries: Arc::new(entries),
                    next: self.next(&headers)?,
                };
                let mut pages = held(&self.pages);
                if pages.len() >= REMEMBERED {
                    pages.clear();
                }
                pages.insert(url.to_owned(), page.clone());
                Ok(page)
            }
            _ => Err(self.refused(answer)),
        }
    }

    /// The page that follows (RFC 8288). The token goes to the API and nowhere else.
    fn next(&self, headers: &HeaderMap) -> Result<Option<String>, GitHubFault> {
        let links = headers.get_all(LINK).iter();
        let links = links.filter_map(|value| value.to_str().ok());
        let next = links.flat_map(|value| value.split(',')).find_map(|link| {
            let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
            rest.split(';')
                .any(|one| matches!(one.trim(), "rel=\"next\"" | "rel=next"))
                .then(|| target.to_owned())
        });
        match next {
            Some(url) if !url.starts_with(&format!("{}/", self.settings.api)) => {
                Err(GitHubFault::Unreadable("it leads to another place"))
            }
            next => Ok(next),
        }
    }

    /// One request, while GitHub does not want to be left alone.
    async fn get(&self, url: &str, headers: HeaderMap) -> Result<(HeaderMap, Answer), GitHubFault> {
        self.rested()?;
        let (headers, answer) = self.outside.get_with_headers(url, headers).await?;
        self.heed(&headers, &answer)?;
        Ok((headers, answer))
    }

    fn rested(&self) -> Result<(), GitHubFault> {
        let rest_ms = held(&self.rests_until_ms).saturating_sub(clock::steady().ms());
        if rest_ms > 0 {
            return Err(GitHubFault::Limited(rest_ms));
        }
        Ok(())
    }

    /// Takes down how long GitHub wants to be left alone. An answer that is good all the same is taken.
    fn heed(&self, headers: &HeaderMap, answer: &Answer) -> Result<(), GitHubFault> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
        let rate = RateHeaders {
            retry_after_s: answer.retry_after_s,
            remaining: number("x-ratelimit-remaining"),
            reset_s: number("x-ratelimit-reset"),
        };
        let text = String::from_utf8_lossy(&answer.body[..answer.body.len().min(4096)]);
        let says_limit = answer.status == 403 && text.to_ascii_lowercase().contains("rate limit");
        let Some(pause) = pause_ms(answer.status, rate, says_limit, clock::now_s()) else {
            return Ok(());
        };
        let until = clock::steady().ms().saturating_add(pause);
        *held(&self.rests_until_ms) = until;
        if matches!(answer.status, 403 | 429) {
            return Err(GitHubFault::Limited(pause));
        }
        Ok(())
    }

    /// What another status says. A token that is not taken is not used again.
    fn refused(&self, answer: Answer) -> GitHubFault {
        match answer.status {
            401 => {
                *held(&self.token) = None;
                GitHubFault::Key
            }
            403 | 404 => {
                *held(&self.token) = None;
                GitHubFault::NotAllowed(answer.status)
            }
            _ => GitHubFault::Endpoint(match answer.ok() {
                Err(fault) => fault,
                Ok(_) => return GitHubFault::Unreadable("it has no content"),
            }),
        }
    }

    /// The installation's token, which may read members and nothing else.
    async fn token(&self) -> Result<Arc<Secret>, GitHubFault> {
        let now_s = i64::try_from(clock::now_s()).unwrap_or(i64::MAX);
        if let Some(known) = held(&self.token).as_ref()
            && known.until_s > now_s.saturating_add(RENEWED_S)
        {
            return Ok(Arc::clone(&known.token));
        }
        let app = self.key.token(self.settings.app_id, clock::now_s())?;
        let id = self.installation(&app).await?;
        let made = self.made(&app, id).await?;
        let token = Arc::clone(&made.token);
        *held(&self.token) = Some(made);
        Ok(token)
    }

    /// The App's installation in the organization, by GitHub's word on both.
    ///
    /// # Errors
    /// There is none, it is suspended, or the organization is another one.
    async fn installation(&self, app: &Secret) -> Result<u64, GitHubFault> {
        let url = self.url(&format!(
            "/orgs/{}/installation",
            self.settings.organization
        ));
        let mut headers = Auth::Bearer(app).headers()?;
        headers.extend([version()]);
        let (_, answer) = self.get(&url, headers).await?;
        let found: Installation = match answer.status {
            200 => answer.json()?,
            404 => return Err(GitHubFault::NotInstalled),
            _ => return Err(self.refused(answer)),
        };
        if found.account.id != self.settings.organization_id {
            return Err(GitHubFault::OtherOrganization(found.account.id));
        }
        if found.suspended_at.is_some() {
            return Err(GitHubFault::Suspended);
        }
        Ok(found.id)
    }

    async fn made(&self, app: &Secret, id: u64) -> Result<InstallationToken, GitHubFault> {
        self.rested()?;
        let url = self.url(&format!("/app/installations/{id}/access_tokens"));
        let order = TokenOrder {
            permissions: BTreeMap::from([("members", "read")]),
        };
        let answer = self
            .outside
            .post_json(&url, &order, Auth::Bearer(app))
            .await?;
        self.heed(&HeaderMap::new(), &answer)?;
        if answer.status == 422 {
            return Err(GitHubFault::NotAllowed(422));
        }
        if answer.status != 201 {
            return Err(self.refused(answer));
        }
        let made: TokenAnswer = serde_json::from_slice(&answer.body)
            .map_err(|_| GitHubFault::Unreadable("there is no token in it"))?;
        as_asked(&made.permissions)?;
        let until: Timestamp = made
            .expires_at
            .parse()
            .map_err(|_| GitHubFault::Unreadable("it does not say how long the token is good"))?;
        Ok(InstallationToken {
            token: Arc::new(made.token),
            until_s: until.as_second(),
        })
    }

    /// Whether GitHub knows the App, and the App may read: for the doctor.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<(), GitHubFault> {
        self.token().await.map(drop)
    }
}

/// A token may do what was asked, and what GitHub adds to everything (`metadata`).
fn as_asked(permissions: &BTreeMap<String, String>) -> Result<(), GitHubFault> {
    let other = permissions
        .iter()
        .find(|(name, may)| !matches!(name.as_str(), "members" | "metadata") || *may != "read");
    if let Some((name, may)) = other {
        let (name, may): (String, String) = (
            name.escape_debug().take(40).collect(),
            may.escape_debug().take(40).collect(),
        );
        return Err(GitHubFault::OtherPermissions(format!("{name}: {may}")));
    }
    if permissions.contains_key("members") {
        return Ok(());
    }
    Err(GitHubFault::OtherPermissions(
        "it has no `members`".to_owned(),
    ))
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
