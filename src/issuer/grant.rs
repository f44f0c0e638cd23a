//! An exchange in five steps: identity, admission, policy, token, record. The answer leaves only after
//! its record is committed (promise 4), and no step is taken back by a caller that goes away.

mod on_record;

use super::authorize::{self, AuthorizeError, AuthorizedPrincipal};
use super::given_up;
use super::http::connections::ConnectionGuard;
use super::identity::SubjectTokenKind;
use super::mint::{self, MintRequest, MintedToken};
use super::once::OnceToken;
use super::overtaken::{CanBeOvertaken, until_kept};
use super::record;
use super::refused::Refused;
use super::state::{Issuer, LiveConfig};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::organization::Granting;
use oam_model::policy::{Decision, PolicyRequest};
use oam_model::principal::{Principal, PrincipalKey};
use oam_model::refusal::Refusal;
use oam_model::role::Action;
use oam_model::secret::Secret;
use oam_policy::policy;
use oam_policy::rate::Rate;
use oam_store::StoreFault;
use oam_system::clock;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Mutex;

/// What every request brings along.
#[derive(Clone)]
pub struct RequestOrigin {
    /// Shared by the records of both sides.
    pub request_id: String,
    /// The client, as the socket or a trusted proxy says.
    pub from: IpAddr,
    /// The connection it came on.
    pub connection: Option<Arc<ConnectionGuard>>,
}

impl RequestOrigin {
    /// Somebody proved on this connection who they are.
    pub fn proven(&self, key: &PrincipalKey) {
        if let Some(connection) = &self.connection {
            connection.proven(key);
        }
    }
}

/// A request for a token, read but not believed.
pub struct ExchangeRequest {
    /// The subject token.
    pub token: Secret,
    /// What it is said to be.
    pub kind: SubjectTokenKind,
    /// What is asked for.
    pub wanted: PolicyRequest,
    /// Where it comes from.
    pub origin: RequestOrigin,
}

/// A token that may leave: its record is on disk.
pub struct IssuedToken {
    pub token: Secret,
    /// What is left of it, seconds.
    pub expires_in_s: u64,
    /// What RFC 8693 has no field for.
    pub granting: Granting,
}

/// Why an attempt did not end in a grant.
enum Stop {
    /// Something of this person ended since they were admitted.
    Overtaken,
    Refused(Refused),
}

impl CanBeOvertaken for Stop {
    fn is_overtaken(&self) -> bool {
        matches!(self, Self::Overtaken)
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Exchanges a subject token for a role token. A refusal is on record too, as far as that can be: it
/// leaves in any case.
///
/// # Errors
/// The refusal.
pub async fn exchange(issuer: Arc<Issuer>, ask: ExchangeRequest) -> Result<IssuedToken, Refused> {
    let live_config = issuer.live_config();
    let mut entry = issuer.entry(AuditEvent::Exchange);
    record::origin(&mut entry, &ask.origin);
    wanted(&mut entry, &ask.wanted);
    let granted = granted(&issuer, &live_config, &ask, &mut entry).await;
    match granted {
        Ok(grant) => {
            issuer.metrics.issued();
            Ok(grant)
        }
        Err(refused) => {
            let refused = record::refusal(&issuer, entry, refused, ask.origin.from).await;
            issuer.metrics.refused_exchange(refused.refusal.code);
            Err(refused)
        }
    }
}

async fn granted(
    issuer: &Arc<Issuer>,
    live_config: &LiveConfig,
    ask: &ExchangeRequest,
    entry: &mut AuditRecord,
) -> Result<IssuedToken, Refused> {
    let principal = identity(live_config, ask).await?;
    authorize::name(entry, &principal);
    pace(issuer, live_config, &principal)?;
    // Once more, for an end or another policy that came in between: a second one is answered with a refusal.
    let entry = Mutex::new(entry);
    // By an attempt whose token was taken back.
    let used = AtomicBool::new(false);
    let granted = until_kept(2, || async {
        let live_config = issuer.live_config();
        // One attempt at a time has it.
        let mut entry = entry.lock().await;
        let principal = principal.clone();
        attempt(issuer, &live_config, ask, principal, &mut entry, &used).await
    });
    granted.await.map_err(|stop| match stop {
        Stop::Overtaken => Refused::of_exchange(StoreFault::Overtaken.refusal(), false),
        Stop::Refused(refused) => refused,
    })
}

/// Step 1: who asks.
async fn identity(live_config: &LiveConfig, ask: &ExchangeRequest) -> Result<Principal, Refused> {
    let verified =
        live_config
            .identities
            .verify(&ask.token, ask.kind, ask.origin.from, clock::now());
    let principal = verified
        .await
        .map_err(|refusal| Refused::of_exchange(refusal, false))?;
    ask.origin.proven(&principal.key);
    Ok(principal)
}

fn pace(issuer: &Issuer, live_config: &LiveConfig, principal: &Principal) -> Result<(), Refused> {
    let limits = &live_config.settings.limits;
    let rate = Rate::new(limits.exchanges_per_minute, limits.burst);
    issuer
        .exchange_limiter
        .ask(rate, &principal.key, clock::steady())
        .map_err(|wait_s| Refused::too_many("this identity", wait_s))
}

/// Steps 2 to 5.
async fn attempt(
    issuer: &Issuer,
    live_config: &LiveConfig,
    ask: &ExchangeRequest,
    principal: Principal,
    entry: &mut AuditRecord,
    used: &AtomicBool,
) -> Result<IssuedToken, Stop> {
    let admitted = admission(issuer, live_config, principal).await?;
    let token = given_up::not_given_up(issuer, live_config, &admitted.principal, &ask.token);
    token
        .await
        .map_err(|refusal| Refused::of_exchange(refusal, false))?;
    let once = OnceToken::of(live_config, &admitted.principal, &ask.token)
        .filter(|_| !used.load(Ordering::Relaxed));
    if let Some(token) = &once {
        token.is_new(issuer).await?;
    }
    let wanted = &ask.wanted;
    let decision = decision(live_config, &admitted.principal, wanted)?;
    newest(&admitted, &decision)?;
    decided(entry, &decision);
    let hub = live_config.hub(&wanted.hub).ok_or_else(gone)?;
    if mint::asks_hub(hub) {
        on_record::announced(issuer, entry).await?;
    }
    let now_ms = clock::now_ms();
    let order = MintRequest {
        principal: &admitted.principal,
        decision: &decision,
        hub,
        repository: wanted.repository.as_ref(),
        request_id: &ask.origin.request_id,
        now_ms,
        // Only a hub can be unable to make a token that reads.
        may_write: mint::asks_hub(hub) && may_write(live_config, &admitted.principal, wanted),
    };
    let minted = minted(live_config, &order).await?;
    let using = on_record::Using { once, used };
    on_record::kept(
        issuer,
        live_config,
        &admitted,
        &order,
        minted,
        entry,
        &using,
    )
    .await
    .map(|minted| grant(ask, decision, minted))
}

/// Step 2: whether they are still admitted.
async fn admission(
    issuer: &Issuer,
    live_config: &LiveConfig,
    principal: Principal,
) -> Result<AuthorizedPrincipal, Refused> {
    let admitted = authorize::admit(issuer, live_config, principal).await;
    admitted.map_err(|not| match not {
        AuthorizeError::Denied(barred) => Refused::of_exchange(barred.refusal, false),
        AuthorizeError::Unknown(refused) => refused,
    })
}

/// Step 3: whether they may.
fn decision(
    live_config: &LiveConfig,
    principal: &Principal,
    wanted: &PolicyRequest,
) -> Result<Decision, Refused> {
    policy::decide(&live_config.policy, principal, wanted).map_err(|refusal| {
        let role_at_fault = is_beyond_the_role(live_config, principal, wanted);
        Refused::of_exchange(refusal, role_at_fault)
    })
}

/// A later token gave the roles that are held: by an older one there is no other.
fn newest(admitted: &AuthorizedPrincipal, decision: &Decision) -> Result<(), Refused> {
    let held = admitted.row.as_ref().map_or(&[][..], |row| &row.held);
    if !admitted.is_older() || held.contains(&decision.role) {
        return Ok(());
    }
    let refusal = Refusal::denied(
        format!(
            "a later token of the same identity does not give the role {}",
            decision.role
        ),
        "renew the token and try again",
    );
    Err(Refused::of_exchange(refusal, false))
}

/// Whether the role that is named is what can't be had: it is not held, or allows the action nowhere on this
/// hub. Otherwise it is the repository that it does not cover.
fn is_beyond_the_role(
    live_config: &LiveConfig,
    principal: &Principal,
    wanted: &PolicyRequest,
) -> bool {
    wanted.role.as_ref().is_some_and(|name| {
        let held = policy::holdings(&live_config.policy, principal);
        let mut grants = held
            .iter()
            .filter(|held| held.role == *name)
            .flat_map(|held| &held.grants);
        !grants.any(|grant| grant.hub == wanted.hub && grant.action >= wanted.action)
    })
}

/// A read may be served by a token that can write only to somebody who may write there anyway.
fn may_write(live_config: &LiveConfig, principal: &Principal, wanted: &PolicyRequest) -> bool {
    let write = PolicyRequest {
        action: Action::Write,
        role: None,
        ..wanted.clone()
    };
    wanted.action >= Action::Write || policy::covers(&live_config.policy, principal, &write)
}

/// Step 4: a token.
async fn minted(live_config: &LiveConfig, order: &MintRequest<'_>) -> Result<MintedToken, Refused> {
    live_config.mint.mint(order).await.map_err(|fault| {
        if let Some(answer) = &fault.at_hub {
            tracing::warn!(
                request_id = order.request_id,
                hub = %order.hub.name,
                answer = ?answer,
                "the hub made no token"
            );
        }
        Refused::of_exchange(fault.refusal, false)
    })
}

fn gone() -> Stop {
    // The hub was there when the request was read: a reload took it in between.
    Stop::Refused(Refused::of_exchange(Refusal::no_hub(), false))
}

fn grant(ask: &ExchangeRequest, decision: Decision, minted: MintedToken) -> IssuedToken {
    IssuedToken {
        expires_in_s: minted.expires_in_s,
        granting: Granting {
            role: decision.role,
            action: decision.action,
            rule: decision.rule,
            wider_than_asked: minted.wider_than_asked,
            request_id: ask.origin.request_id.clone(),
        },
        token: minted.token,
    }
}

fn wanted(entry: &mut AuditRecord, wanted: &PolicyRequest) {
    entry.hub = Some(wanted.hub.clone());
    entry.repository.clone_from(&wanted.repository);
    entry.action = Some(wanted.action);
    entry.role.clone_from(&wanted.role);
}

fn decided(entry: &mut AuditRecord, decision: &Decision) {
    entry.role = Some(decision.role.clone());
    entry.action = Some(decision.action);
    entry.rule = Some(format!("{}; {}", decision.rule, decision.because));
}
