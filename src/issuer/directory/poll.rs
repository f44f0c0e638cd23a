//! One reading of a directory: read to its end, judged against what is known, and written as any other word of a
//! directory, or not at all.

use super::written::{self, Written};
use super::{ReadOrder, WholeReading, read};
use crate::outbound::OutboundClient;
use crate::overtaken::until_kept;
use crate::state::{Issuer, LiveConfig};
use oam_http::Via;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::directory::DirectoryPoll;
use oam_model::name::SourceName;
use oam_policy::directory::{
    Difference, DirectoryReading, Fall, FallLimits, Known, KnownGroup, KnownUser, ReadUser,
    ReadingFault, ReadingVerdict, judge,
};
use oam_policy::evidence::EvidenceKind;
use oam_store::{
    Batch, DirectoryFilter, DirectoryGroup, DirectoryUser, HeldFall, PollState, StoreChange,
    StoreFault,
};
use oam_system::clock;
use std::collections::{BTreeMap, BTreeSet};

/// A confirmation is for the readings of this time, ms.
const CONFIRMED_MS: u64 = 24 * 3_600_000;
/// How often it is noted anew what a reading came to, when a command notes something else meanwhile.
const ATTEMPTS: usize = 4;
/// Rows of one question.
const ROWS: usize = 10_000;

/// Whether what was read is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollMode {
    /// Where it may be taken, it is written.
    Take,
    /// Nothing is written, not even that it was tried.
    Show,
}

/// What a reading came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PollOutcome {
    /// It is written, or would be.
    Taken(Box<PollSummary>),
    /// Somebody has to confirm it.
    Held(Fall),
    /// It was not read to its end, contradicts itself, or could not be written.
    Failed(String),
}

/// What a reading changes, or would.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PollSummary {
    pub users: u64,
    pub groups: u64,
    /// User names of people whose accounts end.
    pub ended: Vec<String>,
    /// User names of people who are active again, or new.
    pub new: Vec<String>,
    /// Groups with how many come in and how many go.
    pub moved: Vec<(String, usize, usize)>,
    pub groups_gone: Vec<String>,
}

/// All that is kept of a directory.
pub(crate) struct KeptDirectory {
    pub(crate) users: BTreeMap<String, DirectoryUser>,
    pub(crate) groups: BTreeMap<String, DirectoryGroup>,
    pub(crate) known: Known,
}

/// Reads a directory and takes what it says.
///
/// # Errors
/// The store is not there.
pub async fn poll(
    issuer: &Issuer,
    source: &SourceName,
    settings: &DirectoryPoll,
    mode: PollMode,
) -> Result<PollOutcome, StoreFault> {
    let as_of_ms = clock::now_ms();
    let live_config = issuer.live_config();
    let before = issuer.store.directory_poll(source.clone()).await?;
    let read = whole(issuer, &live_config, source, settings, &before).await?;
    // What others write of directories meanwhile would be compared with something else.
    let turn = issuer.directories.turn().await;
    let state = issuer.store.directory_poll(source.clone()).await?;
    if state.as_of_ms.is_some_and(|taken| taken > as_of_ms) {
        let why = "a later reading was taken meanwhile".to_owned();
        return Ok(PollOutcome::Failed(why));
    }
    let outcome = match judged(issuer, source, settings, (&state, as_of_ms), read).await? {
        Err(why) => PollOutcome::Failed(why),
        Ok(Judged::Held(fall)) => PollOutcome::Held(fall),
        Ok(Judged::Taken(all)) => {
            let (kept, whole, difference) = *all;
            let summary = summary(&kept, &whole.reading, &difference);
            let taken = PollOutcome::Taken(Box::new(summary));
            if mode == PollMode::Show {
                return Ok(taken);
            }
            let write = Written {
                issuer,
                live_config: &live_config,
                source,
                kept: &kept,
                as_of_ms,
                first: state.as_of_ms.is_none(),
                state: PollState {
                    tried_at_ms: Some(as_of_ms),
                    cursor: whole.cursor,
                    ..PollState::default()
                },
            };
            match written::write(write, &whole.reading, &difference).await {
                Ok(()) => taken,
                Err(StoreFault::Overtaken | StoreFault::Taken) => {
                    PollOutcome::Failed("others changed what is kept meanwhile".to_owned())
                }
                Err(other) => return Err(other),
            }
        }
    };
    if mode == PollMode::Take {
        until_kept(ATTEMPTS, || note(issuer, source, &outcome, as_of_ms)).await?;
    }
    drop(turn);
    Ok(outcome)
}

enum Judged {
    Taken(Box<(KeptDirectory, WholeReading, Difference)>),
    Held(Fall),
}

/// What becomes of what was read, by what is kept now.
async fn judged(
    issuer: &Issuer,
    source: &SourceName,
    settings: &DirectoryPoll,
    (state, as_of_ms): (&PollState, u64),
    read: Result<WholeReading, String>,
) -> Result<Result<Judged, String>, StoreFault> {
    let whole = match read {
        Ok(whole) => whole,
        Err(why) => return Ok(Err(why)),
    };
    let kept = kept(issuer, source).await?;
    let limits = FallLimits {
        percent: settings.hold_percent,
        confirmed: confirmed(state, as_of_ms),
    };
    Ok(match judge(&kept.known, &whole.reading, limits) {
        ReadingVerdict::Refused(fault) => Err(refused(&fault)),
        ReadingVerdict::Held(fall) => Ok(Judged::Held(fall)),
        ReadingVerdict::Taken(difference) => Ok(Judged::Taken(Box::new((kept, whole, difference)))),
    })
}

/// Reads it to its end.
async fn whole(
    issuer: &Issuer,
    live_config: &LiveConfig,
    source: &SourceName,
    settings: &DirectoryPoll,
    state: &PollState,
) -> Result<Result<WholeReading, String>, StoreFault> {
    let own = &live_config.settings;
    let via = Via {
        ca_file: settings.ca_file.clone().or_else(|| own.ca_file.clone()),
        ca_sha256: None,
        proxy: own.proxy.clone(),
        proxy_auth_file: own.proxy_auth_file.clone(),
    };
    let outside = match OutboundClient::through(via) {
        Ok(outside) => outside,
        Err(why) => return Ok(Err(why)),
    };
    let known = match state.cursor {
        Some(_) => kept(issuer, source).await?.known,
        None => Known::default(),
    };
    let wanted = wanted(live_config, source);
    let order = ReadOrder::new(settings, &outside, &wanted, &known, state.cursor.as_deref());
    Ok(read(&order).await.map_err(|fault| fault.to_string()))
}

/// The groups of this source that the policy names.
fn wanted(live_config: &LiveConfig, source: &SourceName) -> BTreeSet<String> {
    let roles = live_config.policy.policy().roles.iter();
    let members = roles.flat_map(|role| &role.members);
    let own = members.filter(|member| member.source == *source);
    own.flat_map(|member| member.groups.iter().cloned())
        .collect()
}

fn confirmed(state: &PollState, now_ms: u64) -> Option<Fall> {
    let fall = state.confirmed?;
    (now_ms.saturating_sub(fall.at_ms) < CONFIRMED_MS).then_some(Fall {
        people: fall.people,
        people_of: fall.people_of,
        memberships: fall.memberships,
        memberships_of: fall.memberships_of,
    })
}

fn refused(fault: &ReadingFault) -> String {
    match fault {
        ReadingFault::Twice { what, value } => {
            let value: String = value.escape_debug().take(100).collect();
            format!("the {what} is the same: {value}")
        }
        ReadingFault::Nameless(what) => format!("the {what} is empty for one"),
    }
}

/// All that is kept of a source's directory.
async fn kept(issuer: &Issuer, source: &SourceName) -> Result<KeptDirectory, StoreFault> {
    let store = &issuer.store;
    let mut kept = KeptDirectory {
        users: BTreeMap::new(),
        groups: BTreeMap::new(),
        known: Known::default(),
    };
    let mut skip = 0;
    loop {
        let filter = DirectoryFilter::default();
        let page = store
            .directory_users(source.clone(), filter, skip, ROWS)
            .await?;
        skip += page.rows.len() as u64;
        let more = page.rows.len() == ROWS;
        kept.known.users.extend(page.rows.iter().map(known_user));
        kept.users
            .extend(page.rows.into_iter().map(|user| (user.id.clone(), user)));
        if !more {
            break;
        }
    }
    let filter = DirectoryFilter::default();
    let groups = store
        .directory_groups(source.clone(), filter, 0, usize::MAX)
        .await?;
    for group in groups.rows {
        let members = store
            .directory_members(source.clone(), group.id.clone())
            .await?;
        let keys = members.iter().filter_map(|id| kept.users.get(id));
        kept.known.groups.push(KnownGroup {
            record: group.id.clone(),
            id: group.external_id.clone().unwrap_or_default(),
            name: group.name.clone(),
            display_name: group.display_name.clone(),
            members: keys.map(|user| user.key.clone()).collect(),
        });
        kept.groups.insert(group.id.clone(), group);
    }
    Ok(kept)
}

fn known_user(user: &DirectoryUser) -> KnownUser {
    let id = user
        .external_id
        .clone()
        .filter(|_| user.kind == EvidenceKind::Poll);
    KnownUser {
        record: user.id.clone(),
        read: ReadUser {
            // Of one that was pushed nothing is known by the directory's own name: it is written anew.
            id: id.unwrap_or_default(),
            key: user.key.clone(),
            user_name: user.user_name.clone(),
            emails: user.emails.clone(),
            active: user.active,
        },
    }
}

fn summary(
    kept: &KeptDirectory,
    reading: &DirectoryReading,
    difference: &Difference,
) -> PollSummary {
    let was_active = |record: &Option<String>| {
        record
            .as_ref()
            .and_then(|record| kept.users.get(record))
            .map(|user| user.active)
    };
    let gone = difference
        .gone
        .iter()
        .filter_map(|record| kept.users.get(record));
    let gone = gone
        .filter(|user| user.active)
        .map(|user| user.user_name.clone());
    let changes = || difference.users.iter();
    let ended = changes().filter(|one| !one.user.active && was_active(&one.record) != Some(false));
    let new = changes().filter(|one| one.user.active && was_active(&one.record) != Some(true));
    let groups_gone = difference
        .groups_gone
        .iter()
        .filter_map(|record| kept.groups.get(record));
    PollSummary {
        users: reading.users.len() as u64,
        groups: reading.groups.as_ref().map_or(0, Vec::len) as u64,
        ended: gone
            .chain(ended.map(|one| one.user.user_name.clone()))
            .collect(),
        new: new.map(|one| one.user.user_name.clone()).collect(),
        moved: difference
            .groups
            .iter()
            .map(|group| (group.name.clone(), group.added.len(), group.removed.len()))
            .collect(),
        groups_gone: groups_gone.map(|group| group.name.clone()).collect(),
    }
}

/// Keeps why it was not taken; the first time with an alarm. A confirmation that came meanwhile stays.
async fn note(
    issuer: &Issuer,
    source: &SourceName,
    outcome: &PollOutcome,
    now_ms: u64,
) -> Result<(), StoreFault> {
    let before = issuer.store.directory_poll(source.clone()).await?;
    let mut after = PollState {
        tried_at_ms: Some(now_ms),
        fault_since_ms: before.fault_since_ms.or(Some(now_ms)),
        ..before.clone()
    };
    match outcome {
        PollOutcome::Taken(_) => return Ok(()),
        PollOutcome::Failed(why) => {
            after.fault = Some(format!("the directory was not read: {why}"));
        }
        PollOutcome::Held(fall) => {
            after.held = Some(HeldFall {
                people: fall.people,
                people_of: fall.people_of,
                memberships: fall.memberships,
                memberships_of: fall.memberships_of,
                at_ms: now_ms,
            });
            after.fault = Some(format!(
                "what was read is held: {} of {} people and {} of {} memberships would be gone",
                fall.people, fall.people_of, fall.memberships, fall.memberships_of
            ));
        }
    }
    let mut entries = Vec::new();
    if after.fault != before.fault {
        tracing::warn!(%source, why = after.fault, "a directory is not taken");
        issuer.metrics.alarm("directory");
        entries.push(AuditRecord {
            source: Some(source.clone()),
            detail: after.fault.clone(),
            ..issuer.entry(AuditEvent::Alarm)
        });
    }
    let change = StoreChange::PollNoted {
        source: source.clone(),
        state: after,
        from: Some(Box::new(before)),
    };
    let batch = Batch {
        changes: vec![change],
        entries,
    };
    issuer.commit(batch).await.map(drop)
}
