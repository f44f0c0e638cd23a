//! What the core holds for one organization: the session machine that decides, and the secrets it decides
//! about.

use super::command::{EpochGate, ReplySender};
use super::entitlements::roles_unknown;
use super::issuer_client::IssuerClientState;
use super::ports::{Minted, UserInfo};
use super::state::{SealedSession, SessionTokens, Tombstone};
use super::watcher::Watcher;
use oam_config::agent::{Org, SubjectToken};
use oam_model::caller::Caller;
use oam_model::granted::{Granted, Scheme};
use oam_model::name::{HubName, OrgName, Repository};
use oam_model::organization::Granting;
use oam_model::record::Record;
use oam_model::refusal::Refusal;
use oam_model::report::{TokenOut, TokenState};
use oam_model::role::OfflineRule;
use oam_model::secret::Secret;
use oam_model::time::Moment;
use oam_model::token_key::TokenKey;
use oam_session::cache::TokenId;
use oam_session::machine::{Effect, Event, SessionMachine};
use oam_session::role::{Choice, Roles};
use oam_session::state::{Live, SessionLimits};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All of them.
pub(super) type OrgSessions = BTreeMap<OrgName, OrgSession>;

/// One organization: its session, and all that is known and done with it.
pub(super) struct OrgSession {
    pub name: OrgName,
    /// Decides.
    pub machine: SessionMachine,
    /// Shared with the tasks that write answers.
    pub gate: EpochGate,
    /// The session's secrets.
    pub session: Option<Session>,
    /// The organization's settings that the session is bound to (promise 9): tokens go where it was
    /// signed in to, also after an edit. None: restored under an edited configuration.
    pub signed_in_to: Option<Org>,
    /// Role tokens held.
    pub held: BTreeMap<TokenId, CachedSecret>,
    /// Tokens handed out, newest last, by hash.
    pub outstanding: Vec<TokenOut>,
    /// Unix seconds until which the last link or token for another host is good that a gateway passed on.
    pub elsewhere_until: u64,
    /// Gateways that hear of the session's end.
    pub watchers: Vec<Watcher>,
    /// What is known through the organization's own issuer.
    pub issuer_client: IssuerClientState,
}

/// The secrets of a session.
pub(super) struct Session {
    pub tokens: SessionTokens,
    pub signed_in_at_ms: u64,
    pub digest: String,
    pub in_flight: Option<u8>,
    /// These tokens are on disk. Until then an agent that is killed loses the session.
    pub durable: bool,
    /// The last renewal brought no ID token: the one of the sign-in, and the groups in it, grow old.
    pub id_not_renewed: bool,
    /// Userinfo named the groups of this session: they don't grow old.
    pub groups_by_userinfo: bool,
}

impl Session {
    /// As a sign-in leaves it.
    pub(super) const fn begun(tokens: SessionTokens, signed_in_at_ms: u64, digest: String) -> Self {
        Self {
            tokens,
            signed_in_at_ms,
            digest,
            in_flight: None,
            durable: true,
            id_not_renewed: false,
            groups_by_userinfo: false,
        }
    }

    /// The groups after a renewal. Providers leave an empty list out: userinfo that named groups before, and is
    /// silent now, says that there are none. One that never named any says nothing.
    pub(super) fn groups_after(&mut self, said: UserInfo, known: Vec<String>) -> Vec<String> {
        match said {
            UserInfo::Groups(groups) => {
                self.groups_by_userinfo = true;
                groups
            }
            UserInfo::Silent if self.groups_by_userinfo => Vec::new(),
            UserInfo::Silent | UserInfo::Unread => known,
        }
    }
}

/// A role token held.
pub(super) struct CachedSecret {
    pub token: Arc<Secret>,
    pub sha256: String,
    pub expires_at: u64,
    pub wider_than_asked: bool,
    /// The issuer's word about it: the rule, and the request that both sides have on record.
    pub granting: Option<Granting>,
}

impl CachedSecret {
    pub(super) fn new(minted: Minted, now: Moment) -> Self {
        Self {
            expires_at: now.unix() + minted.expires_in_s,
            token: minted.token,
            sha256: minted.sha256,
            wider_than_asked: minted.wider_than_asked,
            granting: minted.granting,
        }
    }

    /// Puts on record by which rule it was granted: the issuer's, where there is one.
    pub(super) fn sign(&self, record: &mut Record, own: &str) {
        let granting = self.granting.as_ref();
        record.rule = Some(granting.map_or(own, |g| g.rule.as_str()).to_owned());
        record.request_id = granting.map(|g| g.request_id.clone());
    }
}

/// An ask whose role is chosen, and who wants the answer.
pub(super) struct Chosen {
    pub org: OrgName,
    pub hub: HubName,
    pub hub_url: String,
    pub hub_kind: &'static str,
    pub variables: Vec<String>,
    pub scheme: Scheme,
    pub username: String,
    pub repository: Option<Repository>,
    pub intent: oam_model::token_request::Intent,
    pub choice: Choice,
    pub front: String,
    pub caller: Caller,
}

/// An ask that waits for its one answer.
pub(super) struct Ticket {
    pub chosen: Chosen,
    pub answers: ReplySender,
}

impl Chosen {
    pub(super) fn order(&self) -> TokenKey {
        TokenKey {
            hub_url: self.hub_url.clone(),
            role: self.choice.role.clone(),
            repository: self.repository.clone(),
            action: self.choice.action,
            lifetime_s: self.choice.lifetime_s,
        }
    }

    pub(super) const fn offline(&self) -> OfflineRule {
        self.choice.offline
    }

    /// What the answer says about the token `held`.
    pub(super) fn granted(&self, held: &CachedSecret, epoch: u64, now: Moment) -> Granted {
        Granted {
            org: self.org.clone(),
            hub: self.hub.clone(),
            hub_url: self.hub_url.clone(),
            role: self.choice.role.clone(),
            repository: self.repository.clone(),
            action: self.choice.action,
            wider_than_asked: held.wider_than_asked,
            expires_at: held.expires_at,
            token_sha256: held.sha256.clone(),
            epoch,
            scheme: self.scheme,
            username: self.username.clone(),
            expires_in_s: held.expires_at.saturating_sub(now.unix()),
        }
    }
}

impl OrgSession {
    pub(super) fn new(org: &Org, tombstone: Option<&Tombstone>, jitter: u16) -> Self {
        let epoch = tombstone.map_or(0, |t| t.epoch);
        let mut machine = SessionMachine::new(org.name.as_str(), limits(org), epoch, jitter);
        if let Some(tombstone) = tombstone {
            machine = machine.over(tombstone.standing, tombstone.detail.clone());
        }
        Self {
            name: org.name.clone(),
            gate: EpochGate::new(machine.epoch()),
            machine,
            session: None,
            signed_in_to: None,
            held: BTreeMap::new(),
            watchers: Vec::new(),
            elsewhere_until: 0,
            outstanding: tombstone.map(|t| t.outstanding.clone()).unwrap_or_default(),
            issuer_client: IssuerClientState::default(),
        }
    }

    /// Lets the session machine decide: nobody else asks it. What it decided is still to be carried out.
    pub(super) fn decide(&mut self, event: impl Into<Event>, now: Moment) -> Vec<Effect> {
        self.machine.step(event, now)
    }

    /// The token that is exchanged, and when it expires.
    pub(super) fn subject(&self, org: &Org) -> Option<Arc<Secret>> {
        let tokens = &self.session.as_ref()?.tokens;
        Some(match subject_kind(org) {
            SubjectToken::IdToken => Arc::clone(&tokens.id),
            SubjectToken::AccessToken => Arc::clone(&tokens.access),
        })
    }

    /// Remembers a token that is handed out, and forgets those that have expired; `true`: it was not
    /// out before.
    pub(super) fn goes_out(&mut self, granted: &Granted, now: Moment) -> bool {
        self.forget_expired(now);
        let mut out = self.outstanding.iter();
        if out.any(|out| out.granted.token_sha256 == granted.token_sha256) {
            return false;
        }
        self.outstanding.push(TokenOut {
            granted: granted.clone(),
            state: TokenState::Held,
        });
        true
    }

    /// Who is signed in.
    pub(super) fn person(&self) -> Option<String> {
        let live = self.machine.standing().live()?;
        Some(live.identity.subject.clone())
    }

    pub(super) fn forget_expired(&mut self, now: Moment) {
        self.outstanding
            .retain(|out| out.granted.expires_at > now.unix());
    }

    /// What is sealed of this session.
    pub(super) fn sealed(&self) -> Option<SealedSession> {
        let session = self.session.as_ref()?;
        let live = self.machine.standing().live()?;
        Some(SealedSession {
            tokens: session.tokens.share(),
            identity: live.identity.clone(),
            epoch: self.machine.epoch(),
            signed_in_at_ms: session.signed_in_at_ms,
            digest: session.digest.clone(),
            in_flight: session.in_flight,
            groups_by_userinfo: session.groups_by_userinfo,
            outstanding: self.outstanding.clone(),
            issuer: self.issuer_client.kept(),
        })
    }
}

pub(super) const fn limits(org: &Org) -> SessionLimits {
    SessionLimits {
        fresh_ms: org.fresh_ms,
        lease_ms: org.lease_ms,
        session_age_ms: org.session_age_ms,
    }
}

pub(super) const fn subject_kind(org: &Org) -> SubjectToken {
    org.exchange.subject()
}

/// When the token that is exchanged expires, Unix seconds.
pub(super) fn subject_expires(
    org: &Org,
    tokens: &SessionTokens,
    id_token_expires: Option<u64>,
) -> Option<u64> {
    match subject_kind(org) {
        SubjectToken::IdToken => id_token_expires,
        SubjectToken::AccessToken => tokens.access_expires,
    }
}

/// The pure half of a session that was stored or has just arrived.
pub(super) fn live_of(
    org: &Org,
    tokens: &SessionTokens,
    identity: oam_model::identity::Identity,
    signed_in_at_ms: u64,
    last_proof: Option<Moment>,
) -> Box<Live> {
    Box::new(Live {
        subject_expires: subject_expires(org, tokens, identity.id_token_expires),
        identity,
        signed_in_at_ms,
        last_proof,
        trouble: None,
        failed_at: None,
        doubt: false,
        suspicion: None,
        flight: None,
        bound: true,
    })
}

/// The organization with the roles that count: its own, or those that its issuer says.
///
/// # Errors
/// Its issuer has not said them.
pub(super) fn with_roles<'a>(
    org_session: Option<&'a OrgSession>,
    org: &'a Org,
) -> Result<Roles<'a>, Refusal> {
    if org.exchange.issuer().is_none() {
        let roles = &org.roles;
        return Ok(Roles { org, roles });
    }
    let roles = match org_session {
        Some(org_session) => org_session.issuer_client.entitlements.roles(&org.name)?,
        None => return Err(roles_unknown(&org.name, None, false)),
    };
    Ok(Roles { org, roles })
}
