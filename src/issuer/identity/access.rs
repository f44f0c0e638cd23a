//! Access tokens: the provider is asked, by introspection (RFC 7662) or by userinfo (OIDC Core §5.3).

use super::jose::{self, Token};
use super::metadata_cache::MetadataCache;
use super::single_flight::SingleFlight;
use super::words;
use crate::http::address::neighbourhood;
use crate::http::limiter::{Limiter, Recent, Shares};
use crate::outbound::{Auth, OutboundClient};
use crate::place;
use oam_model::answer::EndpointFault;
use oam_model::issuer::{AccessTokenCheck, IdentitySource};
use oam_model::name::SourceName;
use oam_model::principal::Principal;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::secret::Secret;
use oam_model::time::Moment;
use oam_policy::claims::{self, Claims};
use oam_policy::rate::Rate;
use oam_system::clock;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions to one provider at once.
const AT_ONCE: usize = 64;
/// Of them, those about tokens that the provider has not called good yet: the others are always left to
/// people who are known.
const UNKNOWN_AT_ONCE: usize = 32;
/// Questions about unknown tokens of one address at once, those that wait included.
const OF_ADDRESS: usize = 8;
/// Questions about unknown tokens of one address. One that turned out good is not counted: behind one
/// address there may be a whole company.
const UNKNOWN: Rate = Rate::new(120, 60);
/// Longest wait of an unknown token for its question.
const QUEUE: Duration = Duration::from_secs(2);
/// Tokens that are remembered as good.
const KNOWN: usize = 100_000;
/// Addresses whose questions are counted.
const ADDRESSES: usize = 20_000;

/// A token as it was shown.
#[derive(Clone, Copy)]
pub(super) struct PresentedToken {
    /// Its SHA-256.
    pub(super) digest: [u8; 32],
    /// The address that showed it.
    pub(super) from: IpAddr,
}

enum Way {
    Introspection {
        endpoint: Option<String>,
        client_id: String,
        client_secret: Secret,
    },
    UserInfo {
        endpoint: Option<String>,
        any_client: bool,
    },
}

/// How the access tokens of one source are checked.
pub(super) struct AccessTokenChecker {
    way: Way,
    /// Asked at userinfo besides an introspection.
    groups_from_userinfo: bool,
    outside: Arc<OutboundClient>,
    directory: Arc<MetadataCache>,
    asked: SingleFlight,
    open: Semaphore,
    unknown: Semaphore,
    of_address: Arc<Shares<IpAddr>>,
    questions: Limiter<IpAddr>,
    /// SHA-256 of tokens that were good when last asked about.
    good: Mutex<Recent<[u8; 32], ()>>,
}

impl AccessTokenChecker {
    pub(super) fn new(
        source: &IdentitySource,
        check: &AccessTokenCheck,
        outside: &Arc<OutboundClient>,
        directory: &Arc<MetadataCache>,
    ) -> Result<Self, Refusal> {
        let way = match check {
            AccessTokenCheck::Introspection {
                endpoint,
                client_id,
                client_secret,
            } => Way::Introspection {
                endpoint: endpoint.clone(),
                client_id: client_id.clone(),
                client_secret: place::secret(client_secret, "client_secret")?,
            },
            AccessTokenCheck::UserInfo {
                endpoint,
                any_client,
            } => Way::UserInfo {
                endpoint: endpoint.clone(),
                any_client: *any_client,
            },
        };
        Ok(Self {
            way,
            groups_from_userinfo: source.groups_from_userinfo,
            outside: Arc::clone(outside),
            directory: Arc::clone(directory),
            asked: SingleFlight::default(),
            open: Semaphore::new(AT_ONCE),
            unknown: Semaphore::new(UNKNOWN_AT_ONCE),
            of_address: Arc::default(),
            questions: Limiter::new(ADDRESSES),
            good: Mutex::new(Recent::new(KNOWN)),
        })
    }

    /// Who the token speaks of. One question for all who show the same token within a few seconds. One that
    /// was good before is asked about first; of those that nobody knows each address has a rate and a share,
    /// so that a stranger's garbage neither floods the provider nor keeps people waiting.
    pub(super) async fn principal(
        &self,
        source: &IdentitySource,
        token: &Secret,
        shown: PresentedToken,
        now: Moment,
    ) -> Result<Principal, Refusal> {
        if let Some(outcome) = self.asked.known(&shown.digest, now) {
            return outcome;
        }
        let known = self.good().get(&shown.digest).is_some();
        let address = neighbourhood(shown.from);
        let busy = || busy(&source.name);
        let share = if known {
            None
        } else {
            let counted = self.questions.ask(UNKNOWN, &address, clock::steady());
            counted.map_err(|_| busy())?;
            Some(
                self.of_address
                    .take(&address, OF_ADDRESS)
                    .ok_or_else(busy)?,
            )
        };
        let question = async {
            let unknown = if share.is_none() {
                None
            } else {
                let queued = timeout(QUEUE, self.unknown.acquire()).await;
                Some(queued.map_err(|_| busy())?.map_err(|_| busy())?)
            };
            let open = self.open.acquire().await.map_err(|_| busy())?;
            let answer = self.ask(source, token, now).await;
            drop((open, unknown));
            answer
        };
        let outcome = self.asked.once(shown.digest, now, question).await;
        match &outcome {
            Ok(_) => {
                self.good().put(&shown.digest, ());
                if !known {
                    self.questions.give_back(UNKNOWN, &address);
                }
            }
            Err(refusal) if refusal.code == RefusalCode::BadRequest => {
                self.good().remove(&shown.digest);
            }
            Err(_) => {}
        }
        outcome
    }

    fn good(&self) -> MutexGuard<'_, Recent<[u8; 32], ()>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(
        &self,
        source: &IdentitySource,
        token: &Secret,
        now: Moment,
    ) -> Result<Principal, Refusal> {
        let failed = |fault: EndpointFault| refusal_of(&source.name, &fault);
        match &self.way {
            Way::Introspection {
                endpoint,
                client_id,
                client_secret,
            } => {
                let auth = Auth::Basic {
                    id: client_id,
                    secret: client_secret,
                };
                let endpoint = endpoint.as_deref();
                let answer = self
                    .introspection(endpoint, token, auth, now)
                    .await
                    .map_err(failed)?;
                // Userinfo is not asked about a token that is refused anyway.
                let alone = claims::introspected(source, &answer, None, now.unix())?;
                if !self.groups_from_userinfo {
                    return Ok(alone);
                }
                let info = self.userinfo(None, token, now).await;
                let info = info.map_err(|fault| userinfo_refusal(&source.name, &fault))?;
                claims::introspected(source, &answer, Some(&info), now.unix())
            }
            Way::UserInfo {
                endpoint,
                any_client,
            } => {
                // One that looks like a JWT and can't be read is not taken for an opaque one.
                let read = if jose::looks_signed(token) {
                    Some(Token::read(token)?.into_claims())
                } else {
                    None
                };
                // Nor is the provider asked about a token that is refused whatever it answers.
                claims::says_for_whom(source, read.as_deref(), *any_client)?;
                let info = self.userinfo(endpoint.as_deref(), token, now).await;
                let info = info.map_err(|fault| userinfo_refusal(&source.name, &fault))?;
                claims::by_userinfo(source, &info, read.as_deref(), *any_client, now.unix())
            }
        }
    }

    async fn introspection(
        &self,
        endpoint: Option<&str>,
        token: &Secret,
        auth: Auth<'_>,
        now: Moment,
    ) -> Result<Claims, EndpointFault> {
        let address = if let Some(address) = endpoint {
            address.to_owned()
        } else {
            let document = self.directory.document(now).await?;
            named(
                document.introspection_endpoint.clone(),
                "introspection_endpoint",
            )?
        };
        let form = [
            ("token", token.expose()),
            ("token_type_hint", "access_token"),
        ];
        let outside = self.outside.within(PATIENCE);
        outside.post_form(&address, &form, auth).await?.json()
    }

    async fn userinfo(
        &self,
        endpoint: Option<&str>,
        token: &Secret,
        now: Moment,
    ) -> Result<Claims, EndpointFault> {
        let address = if let Some(address) = endpoint {
            address.to_owned()
        } else {
            let document = self.directory.document(now).await?;
            named(document.userinfo_endpoint.clone(), "userinfo_endpoint")?
        };
        let outside = self.outside.within(PATIENCE);
        outside.get_json(&address, Some(token)).await?.json()
    }
}

fn busy(source: &SourceName) -> Refusal {
    Refusal::new(
        RefusalCode::Busy,
        format!("{source} is being asked about too many tokens"),
        "try again in a few seconds",
    )
}

fn named(address: Option<String>, name: &str) -> Result<String, EndpointFault> {
    address.ok_or_else(|| EndpointFault::Check {
        name: name.to_owned(),
        why: "the provider's metadata does not name it, and the source does not either".to_owned(),
    })
}

fn refusal_of(source: &SourceName, fault: &EndpointFault) -> Refusal {
    if matches!(fault, EndpointFault::Status { status: 401, .. }) {
        return Refusal::unavailable(
            format!("{source} does not take this issuer's client secret for introspection"),
            "correct `client_id` and `client_secret` of `access_tokens` of the source",
        );
    }
    Refusal::unavailable(
        format!(
            "{source} could not be asked about an access token: {}",
            words(fault)
        ),
        "try again in a few seconds; if it stays, look at `access_tokens` of the source",
    )
}

/// 401 is a verdict on the token there (RFC 6750 §3.1); anything else is none.
fn userinfo_refusal(source: &SourceName, fault: &EndpointFault) -> Refusal {
    if matches!(fault, EndpointFault::Status { status: 401, .. }) {
        return Refusal::bad_request(
            format!("{source} does not take this access token"),
            "renew the session and try again; if that is refused, sign in again",
        );
    }
    refusal_of(source, fault)
}
