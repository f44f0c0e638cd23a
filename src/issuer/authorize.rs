//! Whether a verified principal is still admitted, by what the store keeps; and what their sight changes
//! there.

use super::github;
use super::overtaken::until_kept;
use super::record;
use super::refused::Refused;
use super::signal_processor;
use super::state::{Issuer, LiveConfig};
use oam_model::audit::AuditRecord;
use oam_model::feed::FeedEvent;
use oam_model::organization::Reauth;
use oam_model::principal::{Groups, Principal, PrincipalKind};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_policy::account::Account;
use oam_policy::admission;
use oam_policy::policy;
use oam_store::{Batch, Compared, PersonRow, PersonSeen, StoreChange, StoreFault};
use oam_system::clock;

/// How often a sight is decided anew that others overtake.
const ATTEMPTS: usize = 4;
/// How exact the time of the last sight of a person is kept, milliseconds.
const SEEN_AGAIN_MS: u64 = 60_000;

/// A principal that may ask.
pub struct AuthorizedPrincipal {
    /// With the groups that count: those of a later signal, where there is one.
    pub principal: Principal,
    /// The groups of the token itself, for the store.
    groups: Groups,
    /// As kept; none for who was never seen.
    pub row: Option<PersonRow>,
}

/// A principal that may not.
pub struct DeniedPrincipal {
    /// As verified.
    pub principal: Principal,
    /// Why.
    pub refusal: Refusal,
    /// As kept, with the end.
    pub row: Option<PersonRow>,
}

/// Why nobody was admitted.
pub enum AuthorizeError {
    /// The identity or session ended.
    Denied(Box<DeniedPrincipal>),
    /// The store is not there.
    Unknown(Refused),
}

/// Admits a principal by what the store says now.
///
/// # Errors
/// Why not.
pub async fn admit(
    issuer: &Issuer,
    live_config: &LiveConfig,
    principal: Principal,
) -> Result<AuthorizedPrincipal, AuthorizeError> {
    let unknown =
        |fault: StoreFault| AuthorizeError::Unknown(Refused::of_exchange(fault.refusal(), false));
    let row = person(issuer, live_config, &principal)
        .await
        .map_err(unknown)?;
    let since = session_since(issuer, live_config, &principal, row.as_ref()).await;
    admit_by(live_config, principal, row, since.map_err(unknown)?)
}

/// Admits a bearer, and writes the sight of them when it is news: a person who only listens must be found by a
/// signal too. What overtakes it can be an end, or the sight of an older token: it is decided anew.
///
/// # Errors
/// Why not.
pub async fn admit_and_keep(
    issuer: &Issuer,
    principal: Principal,
) -> Result<AuthorizedPrincipal, AuthorizeError> {
    let kept = until_kept(ATTEMPTS, || async {
        // By the policy of now: another one can be what overtook it.
        let live_config = issuer.live_config();
        let admitted = match admit(issuer, &live_config, principal.clone()).await {
            Ok(admitted) => admitted,
            Err(error) => return Ok::<_, StoreFault>(Err(error)),
        };
        admitted.keep(issuer, &live_config).await?;
        Ok(Ok(admitted))
    });
    kept.await.unwrap_or_else(|fault| {
        let refused = Refused::of_exchange(fault.refusal(), false);
        Err(AuthorizeError::Unknown(refused))
    })
}

/// What is kept of a principal. One who comes for the first time takes over what the provider said of them before.
async fn person(
    issuer: &Issuer,
    live_config: &LiveConfig,
    principal: &Principal,
) -> Result<Option<PersonRow>, StoreFault> {
    let mut row = issuer.store.person(principal.key.clone()).await?;
    // In a place of its own: hardly any exchange tells another account.
    if let Some(account) = github::news(live_config, principal, row.as_ref())
        && Box::pin(github::link(issuer, &principal.key, account)).await?
    {
        row = issuer.store.person(principal.key.clone()).await?;
    }
    if row.as_ref().is_some_and(|row| !row.is_never_seen()) {
        return Ok(row);
    }
    let seen = seen(principal, &principal.groups, clock::now_ms());
    if !issuer.store.is_spoken_of(seen.clone()).await? {
        return Ok(row);
    }
    let batch = Batch {
        changes: vec![StoreChange::TakeOver(seen)],
        entries: Vec::new(),
    };
    issuer.commit(batch).await?;
    issuer.store.person(principal.key.clone()).await
}

/// The first evidence of the principal's session, where the token does not tell its sign-in. At a provider that tells
/// neither its time nor its session, that of the newest exchange of a code.
///
/// # Errors
/// The store is not there.
pub async fn session_since(
    issuer: &Issuer,
    live_config: &LiveConfig,
    principal: &Principal,
    row: Option<&PersonRow>,
) -> Result<Option<u64>, StoreFault> {
    let Some(row) = row.filter(|_| principal.auth_time.is_none()) else {
        return Ok(None);
    };
    let is_person = principal.kind == PrincipalKind::Person;
    let key = || principal.key.clone();
    match &principal.session {
        Some(sid) if is_person || row.account.session.is_some() => {
            issuer.store.session_since(key(), sid.clone()).await
        }
        None if is_person && names_no_session(live_config, principal) => {
            issuer.store.code_exchanged(key()).await
        }
        _ => Ok(None),
    }
}

fn names_no_session(live_config: &LiveConfig, principal: &Principal) -> bool {
    let source = live_config.identities.source(&principal.key.source);
    source.is_some_and(|source| source.reauth == Reauth::None)
}

/// Admits a principal by this row, and by [`session_since`].
///
/// # Errors
/// [`AuthorizeError::Denied`].
pub fn admit_by(
    live_config: &LiveConfig,
    mut principal: Principal,
    row: Option<PersonRow>,
    session_since: Option<u64>,
) -> Result<AuthorizedPrincipal, AuthorizeError> {
    let facts = row
        .as_ref()
        .map(|row| signal_processor::facts(row, session_since));
    let org = live_config.org();
    if let Err(refusal) = admission::admit(facts.as_ref(), &principal, org, clock::now_ms()) {
        let barred = DeniedPrincipal {
            principal,
            refusal,
            row,
        };
        return Err(AuthorizeError::Denied(Box::new(barred)));
    }
    let counting = admission::groups(facts.as_ref(), &principal);
    let groups = std::mem::replace(&mut principal.groups, counting);
    Ok(AuthorizedPrincipal {
        principal,
        groups,
        row,
    })
}

impl AuthorizedPrincipal {
    /// The epoch that a token is bound to.
    pub fn epoch(&self) -> u64 {
        self.row.as_ref().map_or(0, |row| row.epoch)
    }

    /// Whether later evidence than this one is kept: it gave the roles that are held, and this one gives no
    /// other.
    pub fn is_older(&self) -> bool {
        let proven_at = self.principal.proven_at;
        let row = self.row.as_ref();
        row.is_some_and(|row| proven_at < row.seen.proven_at)
    }

    /// What this sight changes in the store: the person or job as seen, and the roles where they are others
    /// than when last compared. Evidence older than what is kept compares nothing: a second session with
    /// an older token would take away and give back the same role with every ask.
    pub fn seen_changes(&self, live_config: &LiveConfig) -> Vec<StoreChange> {
        let at_ms = clock::now_ms();
        let seen = seen(&self.principal, &self.groups, at_ms);
        let mut changes = Vec::with_capacity(2);
        if !self.row.as_ref().is_some_and(|row| is_kept(row, &seen)) {
            changes.push(StoreChange::Seen(seen));
        }
        if !self.is_older() {
            let held = policy::held_names(&live_config.policy, &self.principal);
            let before = self.row.as_ref().map_or(&[][..], |row| &row.held);
            let after = admission::roles_after_signal(before, held);
            if after.changed {
                // Nobody listens yet to a person who was never seen.
                let feed = self.row.is_some().then(|| FeedEvent::RolesChanged {
                    at_ms,
                    held: after.held.clone(),
                    lost: after.lost.clone(),
                });
                changes.push(StoreChange::Held {
                    key: self.principal.key.clone(),
                    from: Compared::of(self.row.as_ref()),
                    held: after.held,
                    lost: after.lost,
                    at_ms,
                    feed,
                });
            }
        }
        changes
    }

    /// Whether the store knows less of this person than this token says.
    fn is_news(&self) -> bool {
        self.row
            .as_ref()
            .is_none_or(|row| row.seen.proven_at < self.principal.proven_at || row.is_never_seen())
    }

    async fn keep(&self, issuer: &Issuer, live_config: &LiveConfig) -> Result<(), StoreFault> {
        if !self.is_news() {
            return Ok(());
        }
        let mut changes = self.seen_changes(live_config);
        changes.push(StoreChange::AtEpoch {
            key: self.principal.key.clone(),
            epoch: self.epoch(),
        });
        let batch = Batch {
            changes,
            entries: Vec::new(),
        };
        let committed = issuer.commit(batch).await?;
        record::settle(issuer, committed.revoked);
        Ok(())
    }
}

fn seen(principal: &Principal, groups: &Groups, at_ms: u64) -> PersonSeen {
    PersonSeen {
        key: principal.key.clone(),
        issuer: principal.issuer.clone(),
        subject: principal.subject.clone(),
        username: principal.username.clone(),
        email: principal.email.clone(),
        groups: match groups {
            Groups::Known(groups) => Some(groups.clone()),
            Groups::Unknown { .. } => None,
        },
        session: principal.session.clone(),
        proven_at: principal.proven_at,
        at_ms,
    }
}

/// Whether what the store keeps of a person already says what this sight does: then it is not written again
/// with every token.
fn is_kept(row: &PersonRow, seen: &PersonSeen) -> bool {
    let kept = &row.seen;
    let recent = seen.at_ms < kept.at_ms.saturating_add(SEEN_AGAIN_MS);
    let same = seen.proven_at == kept.proven_at
        && row.groups_changed_at_ms.is_none()
        && (&seen.issuer, &seen.subject, &seen.username)
            == (&kept.issuer, &kept.subject, &kept.username)
        && (&seen.email, &seen.groups) == (&kept.email, &kept.groups);
    recent && seen.session == kept.session && same
}

impl DeniedPrincipal {
    /// The end as the feed says it: the one of the row, or the age of the sign-in, which no event told.
    pub fn event(&self) -> FeedEvent {
        let account = self.row.as_ref().map(|row| &row.account);
        let ended = account.and_then(Account::ended).map(|(_, end)| end);
        let session = account.and_then(|account| account.session.as_ref());
        if self.refusal.code == RefusalCode::Revoked
            && let Some(end) = ended.or(session)
        {
            return FeedEvent::Revoked {
                at_ms: end.at_ms,
                reason: end.reason.clone(),
            };
        }
        let doubt = account.and_then(|account| account.doubt.as_ref());
        FeedEvent::Doubt {
            at_ms: doubt.map_or_else(clock::now_ms, |end| end.at_ms),
            reason: doubt.map_or_else(|| self.refusal.sentence.clone(), |end| end.reason.clone()),
        }
    }
}

/// Adds who asks to an entry.
pub fn name(entry: &mut AuditRecord, principal: &Principal) {
    entry.source = Some(principal.key.source.clone());
    entry.person = Some(principal.key.key.clone());
    entry.name = principal
        .username
        .clone()
        .or_else(|| principal.email.clone());
}
