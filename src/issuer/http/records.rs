//! `POST /v1/records`: the records of the bearer's own agent. Faults of the log are alarms; what is held
//! is never replaced.

use super::answer;
use super::bearer;
use super::body;
use crate::grant::RequestOrigin;
use crate::history;
use crate::overtaken::{CanBeOvertaken, until_kept};
use crate::record;
use crate::refused::{OAuthError, Refused};
use crate::state::{Issuer, LiveConfig};
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use oam_audit::agent_log::{self, AcceptedBatch, AcceptedHead, BatchError};
use oam_audit::record::KnownEntry;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::count::counted;
use oam_model::feed::{Upload, UploadAnswer};
use oam_model::organization::VERSION;
use oam_model::principal::{Principal, PrincipalKey, PrincipalKind};
use oam_model::refusal::Refusal;
use oam_policy::policy;
use oam_policy::rate::Rate;
use oam_store::{AgentLogRow, Batch, RecordQuota, StoreChange, StoreFault};
use oam_system::clock;
use std::sync::Arc;

/// Largest batch, bytes: an agent that comes back after an outage sends several.
const MOST: usize = 1024 * 1024;
/// Most lines of a batch.
const LINES: usize = 2_000;
/// Most logs that one person can begin: one for each agent there ever was of theirs. They stay for ever.
pub(super) const LOGS: u64 = 1_000;
/// Hex digits of a log's name.
const NAME: usize = 32;
/// Uploads of one person at once.
const AT_ONCE: usize = 4;
/// Alarms that one person's logs raise: beyond them nothing is taken that would raise another one.
const ALARMS: Rate = Rate::daily(100, 10);
/// How often it is told that a person's share of a day is used up.
const USED_UP: Rate = Rate::daily(1, 1);
const DAY_MS: u64 = 86_400_000;
/// How often a batch is looked at again when another one of the same log came first.
const ATTEMPTS: usize = 3;

/// Takes a batch.
pub async fn records(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match taken(&issuer, &origin, &headers, body).await {
        Ok(answer) => answer::json(200, &answer),
        Err(refused) => answer::refused(&refused, &origin.request_id),
    }
}

async fn taken(
    issuer: &Issuer,
    origin: &RequestOrigin,
    headers: &HeaderMap,
    body: Body,
) -> Result<UploadAnswer, Refused> {
    let live_config = issuer.live_config();
    // Who asks comes before what they send: a stranger's megabyte is not read.
    let admitted = bearer::admitted(issuer, &live_config, headers, origin).await?;
    let principal = &admitted.principal;
    let outcome = async {
        may_send(&live_config, principal)?;
        let share = issuer.uploads.take(&principal.key, AT_ONCE);
        let _share = share.ok_or_else(|| Refused::too_many("this identity", 5))?;
        let upload = read(issuer, headers, body).await?;
        is_own(issuer, principal, &upload).await?;
        if let Some(head) = &upload.known_head {
            history::shown(issuer, &format!("the agent of {}", principal.key), head).await;
        }
        let held = until_kept(ATTEMPTS, || hold(issuer, origin, principal, &upload));
        match held.await {
            Ok(answer) => Ok(answer),
            Err(NotHeld::Store(StoreFault::Overtaken)) => {
                let refusal = StoreFault::Overtaken.refusal();
                Err(Refused::of_exchange(refusal, false))
            }
            Err(NotHeld::Store(fault)) => Err(not_held(issuer, origin, principal, &fault).await),
            Err(NotHeld::Slowed(wait_s)) => {
                Err(Refused::too_many("the alarms of this log", wait_s))
            }
        }
    };
    match outcome.await {
        Ok(answer) => Ok(answer),
        Err(refused) => Err(bearer::refuse(issuer, origin, Some(principal), refused).await),
    }
}

/// Why a batch is not held.
enum NotHeld {
    Store(StoreFault),
    /// It would raise one alarm too many: seconds to wait.
    Slowed(u64),
}

impl CanBeOvertaken for NotHeld {
    fn is_overtaken(&self) -> bool {
        matches!(self, Self::Store(fault) if fault.is_overtaken())
    }
}

impl From<StoreFault> for NotHeld {
    fn from(fault: StoreFault) -> Self {
        Self::Store(fault)
    }
}

/// Records are sent by the agents of people who hold a role: a job has no agent, and of a shared CI system
/// it may be anybody's.
fn may_send(live_config: &LiveConfig, principal: &Principal) -> Result<(), Refused> {
    let refusal = if principal.kind == PrincipalKind::Job {
        Refusal::denied(
            "a job has no records to send",
            "its requests are on record here already",
        )
    } else if policy::held_names(&live_config.policy, principal).is_empty() {
        Refusal::denied(
            "records are taken from people who hold a role, and this one holds none",
            "ask the administrators for a role; the agent keeps its records until then",
        )
    } else {
        return Ok(());
    };
    Err(Refused::new(OAuthError::AccessDenied, refusal))
}

/// The refusal of a batch that the store did not take. That somebody's day is full a person must see, once.
async fn not_held(
    issuer: &Issuer,
    origin: &RequestOrigin,
    principal: &Principal,
    fault: &StoreFault,
) -> Refused {
    let mut refused = Refused::of_exchange(fault.refusal(), false);
    if *fault != StoreFault::Exhausted {
        return refused;
    }
    refused.retry_after_s = Some(3_600);
    let now = clock::steady();
    let first = issuer.full_days.ask(USED_UP, &principal.key, now).is_ok();
    if first {
        issuer.metrics.alarm("record-quota");
        tracing::error!(person = %principal.key, "a person's agents sent as many records as are taken in a day");
        let words = "the agents of this person sent as many records as are taken in one day; more are refused until tomorrow";
        let batch = Batch {
            changes: Vec::new(),
            entries: vec![entry(
                issuer,
                origin,
                principal,
                AuditEvent::Alarm,
                words.to_owned(),
            )],
        };
        if issuer.commit(batch).await.is_err() {
            issuer.full_days.give_back(USED_UP, &principal.key);
        }
    }
    refused
}

async fn read(issuer: &Issuer, headers: &HeaderMap, body: Body) -> Result<Upload, Refused> {
    let bytes = body::read(issuer, headers, body, &["application/json"], MOST).await?;
    let upload: Upload = serde_json::from_slice(&bytes).map_err(|_| {
        Refused::bad_request(
            "the body is no batch of records",
            "send it as the agent does; it may be of another version than the issuer",
        )
    })?;
    let hex = |text: &str, length: usize| {
        text.len() == length
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let sound = upload.v == VERSION
        && hex(&upload.log, NAME)
        && hex(&upload.head_hash, 64)
        && upload.lines.len() <= LINES
        && upload.lines.iter().all(|line| !line.contains(['\n', '\r']));
    if sound {
        return match agent_log::fit(&upload) {
            Ok(()) => Ok(upload),
            Err(BatchError::Line) => Err(Refused::bad_request(
                "the batch has a line that is longer than 64 KiB",
                "find out what writes such records: an agent's are shorter",
            )),
            Err(BatchError::Number) => Err(Refused::bad_request(
                "the batch has a number that no log reaches",
                "find out what writes such records: an agent counts from 1",
            )),
        };
    }
    Err(Refused::bad_request(
        format!(
            "the batch is not of version {VERSION}, or its log's name, head or lines are not as they must be"
        ),
        format!("send at most {LINES} lines of one log"),
    ))
}

/// A log belongs to whoever sent it first: nobody else adds to it under their own name.
async fn is_own(issuer: &Issuer, principal: &Principal, upload: &Upload) -> Result<(), Refused> {
    let unavailable = |fault: StoreFault| Refused::of_exchange(fault.refusal(), false);
    let owner = issuer.store.agent_log_owner(upload.log.clone()).await;
    let refusal = match owner.map_err(unavailable)? {
        Some(owner) if owner == principal.key => return Ok(()),
        Some(_) => Refusal::denied(
            "this log belongs to somebody else",
            "an agent sends its records with the token of the person whose log it is",
        ),
        None => {
            let begun = issuer.store.agent_logs_of(principal.key.clone()).await;
            if begun.map_err(unavailable)? < LOGS {
                return Ok(());
            }
            Refusal::denied(
                format!("this person's agents have begun {LOGS} logs, and no more are taken"),
                "find out what begins them: an agent keeps its log in its state folder",
            )
        }
    };
    Err(Refused::new(OAuthError::AccessDenied, refusal))
}

/// One try: what is held, what is taken, both in one transaction with its entries.
async fn hold(
    issuer: &Issuer,
    origin: &RequestOrigin,
    principal: &Principal,
    upload: &Upload,
) -> Result<UploadAnswer, NotHeld> {
    let held = held(issuer, &principal.key, &upload.log).await?;
    let kept = match agent_log::needs(&held, upload) {
        None => None,
        Some(seq) => {
            let store = &issuer.store;
            store
                .agent_record(principal.key.clone(), upload.log.clone(), seq)
                .await?
        }
    };
    let taken = agent_log::take(&held, upload, kept.as_deref());
    let answer = UploadAnswer {
        v: VERSION,
        held_seq: taken.held.last.seq,
        held_hash: taken.held.last.hash.clone(),
        alarm: taken.alarm.clone(),
        head: issuer.heads.told().map(|head| head.text.to_string()),
    };
    if taken.held == held && taken.alarm.is_none() {
        // Nothing new: a batch that was sent again.
        return Ok(answer);
    }
    if taken.alarm.is_some() {
        let now = clock::steady();
        let may = issuer.alarms.ask(ALARMS, &principal.key, now);
        may.map_err(NotHeld::Slowed)?;
    }
    let count = taken.lines.len();
    let batch = batch(issuer, origin, principal, upload, taken);
    let committed = issuer.commit(batch).await?;
    record::settle(issuer, committed.revoked);
    issuer
        .metrics
        .agent_records
        .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    if let Some(why) = &answer.alarm {
        issuer.metrics.alarm("agent-log");
        tracing::error!(person = %principal.key, why, "an agent's log is not as it must be");
    }
    Ok(answer)
}

async fn held(issuer: &Issuer, key: &PrincipalKey, log: &str) -> Result<AcceptedHead, StoreFault> {
    let row = issuer.store.agent_log(key.clone(), log.to_owned()).await?;
    Ok(row.map_or_else(AcceptedHead::nothing, |row| AcceptedHead {
        last: KnownEntry {
            seq: row.seq,
            hash: row.hash,
        },
        head_seq: row.head_seq,
        dropped_seq: row.dropped.seq,
    }))
}

fn entry(
    issuer: &Issuer,
    origin: &RequestOrigin,
    principal: &Principal,
    event: AuditEvent,
    detail: String,
) -> AuditRecord {
    let mut entry = AuditRecord {
        detail: Some(detail),
        ..issuer.entry(event)
    };
    record::origin(&mut entry, origin);
    crate::authorize::name(&mut entry, principal);
    entry
}

fn batch(
    issuer: &Issuer,
    origin: &RequestOrigin,
    principal: &Principal,
    upload: &Upload,
    taken: AcceptedBatch,
) -> Batch {
    let entry = |event, detail| entry(issuer, origin, principal, event, detail);
    let mut entries = Vec::new();
    if !taken.lines.is_empty() {
        entries.push(entry(
            AuditEvent::AgentRecords,
            format!(
                "{} of log {} taken, held up to {}",
                counted(taken.lines.len() as u64, "record", "records"),
                upload.log,
                taken.held.last.seq
            ),
        ));
    }
    if let Some(why) = taken.alarm {
        let words = format!("the agent's log {}: {why}", upload.log);
        entries.push(entry(AuditEvent::Alarm, words));
    }
    let row = AgentLogRow {
        key: principal.key.clone(),
        log: upload.log.clone(),
        seq: taken.held.last.seq,
        hash: taken.held.last.hash,
        head_seq: taken.held.head_seq,
        at_ms: clock::now_ms(),
        dropped: KnownEntry::none(),
    };
    let limits = issuer.peek_live_config().settings.limits;
    let quota = RecordQuota {
        key: principal.key.clone(),
        day: row.at_ms / DAY_MS,
        records: taken.lines.len() as u64,
        bytes: taken.lines.iter().map(|line| line.len() as u64).sum(),
        most_records: limits.records_per_day,
        most_bytes: limits.record_bytes_per_day,
    };
    Batch {
        changes: vec![
            StoreChange::RecordQuota(quota),
            StoreChange::AgentLog(row, taken.lines),
        ],
        entries,
    }
}
