//! `POST /v1/records`: the records of the bearer's own agent. Faults of the log are alarms; what is held
//! is never replaced.

use super::answer;
use super::bearer;
use super::body;
use crate::issuer::clock;
use crate::issuer::grant::Origin;
use crate::issuer::record;
use crate::issuer::refused::{OAuthError, Refused};
use crate::issuer::state::Issuer;
use crate::issuer::store::{AgentLogRow, Batch, Change, StoreFault};
use crate::model::audit::{AuditEvent, AuditRecord};
use crate::model::claimant::{Claimant, ClaimantKey};
use crate::model::feed::{Upload, UploadAnswer};
use crate::model::organization::VERSION;
use crate::model::refusal::Refusal;
use crate::rules::agent_log::{self, Held, Taken};
use crate::rules::record::Known;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use std::sync::Arc;

/// Largest batch, bytes: an agent that comes back after an outage sends several.
const MOST: usize = 1024 * 1024;
/// Most lines of a batch.
const LINES: usize = 2_000;
/// Most logs that one person can begin: one for each agent there ever was of theirs. They stay for ever.
pub(super) const LOGS: u64 = 1_000;
/// Hex digits of a log's name.
const NAME: usize = 32;
/// How often a batch is looked at again when another one of the same log came first.
const TRIES: usize = 3;

/// Takes a batch.
pub async fn records(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<Origin>,
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
    origin: &Origin,
    headers: &HeaderMap,
    body: Body,
) -> Result<UploadAnswer, Refused> {
    let in_force = issuer.in_force();
    // Who asks comes before what they send: a stranger's megabyte is not read.
    let admitted = bearer::admitted(issuer, &in_force, headers, origin).await?;
    let claimant = &admitted.claimant;
    let outcome = async {
        let upload = read(issuer, headers, body).await?;
        is_own(issuer, claimant, &upload).await?;
        for _ in 0..TRIES {
            match hold(issuer, origin, claimant, &upload).await {
                Err(StoreFault::Overtaken) => {}
                Err(fault) => return Err(Refused::of_exchange(fault.refusal(), false)),
                Ok(answer) => return Ok(answer),
            }
        }
        Err(Refused::of_exchange(StoreFault::Overtaken.refusal(), false))
    };
    match outcome.await {
        Ok(answer) => Ok(answer),
        Err(refused) => {
            bearer::refuse(issuer, origin, Some(claimant), &refused).await;
            Err(refused)
        }
    }
}

async fn read(issuer: &Issuer, headers: &HeaderMap, body: Body) -> Result<Upload, Refused> {
    let bytes = body::read(issuer, headers, body, "application/json", MOST).await?;
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
        return Ok(upload);
    }
    Err(Refused::bad_request(
        format!(
            "the batch is not of version {VERSION}, or its log's name, head or lines are not as they must be"
        ),
        format!("send at most {LINES} lines of one log"),
    ))
}

/// A log belongs to whoever sent it first: nobody else adds to it under their own name.
async fn is_own(issuer: &Issuer, claimant: &Claimant, upload: &Upload) -> Result<(), Refused> {
    let unavailable = |fault: StoreFault| Refused::of_exchange(fault.refusal(), false);
    let owner = issuer.store.agent_log_owner(upload.log.clone()).await;
    let refusal = match owner.map_err(unavailable)? {
        Some(owner) if owner == claimant.key => return Ok(()),
        Some(_) => Refusal::denied(
            "this log belongs to somebody else",
            "an agent sends its records with the token of the person whose log it is",
        ),
        None => {
            let begun = issuer.store.agent_logs_of(claimant.key.clone()).await;
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
    origin: &Origin,
    claimant: &Claimant,
    upload: &Upload,
) -> Result<UploadAnswer, StoreFault> {
    let held = held(issuer, &claimant.key, &upload.log).await?;
    let kept = match agent_log::needs(&held, upload) {
        None => None,
        Some(seq) => {
            let store = &issuer.store;
            store
                .agent_record(claimant.key.clone(), upload.log.clone(), seq)
                .await?
        }
    };
    let taken = agent_log::take(&held, upload, kept.as_deref());
    let answer = UploadAnswer {
        v: VERSION,
        held_seq: taken.held.last.seq,
        held_hash: taken.held.last.hash.clone(),
        alarm: taken.alarm.clone(),
    };
    if taken.held == held && taken.alarm.is_none() {
        // Nothing new: a batch that was sent again.
        return Ok(answer);
    }
    let count = taken.lines.len();
    let batch = batch(issuer, origin, claimant, upload, taken);
    let committed = issuer.commit(batch).await?;
    record::settle(issuer, committed.revoked);
    issuer
        .metrics
        .agent_records
        .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    if let Some(why) = &answer.alarm {
        issuer.metrics.alarm("agent-log");
        tracing::error!(person = %claimant.key, why, "an agent's log is not as it must be");
    }
    Ok(answer)
}

async fn held(issuer: &Issuer, key: &ClaimantKey, log: &str) -> Result<Held, StoreFault> {
    let row = issuer.store.agent_log(key.clone(), log.to_owned()).await?;
    Ok(row.map_or_else(Held::nothing, |row| Held {
        last: Known {
            seq: row.seq,
            hash: row.hash,
        },
        head_seq: row.head_seq,
        dropped_seq: row.dropped.seq,
    }))
}

fn batch(
    issuer: &Issuer,
    origin: &Origin,
    claimant: &Claimant,
    upload: &Upload,
    taken: Taken,
) -> Batch {
    let entry = |event: AuditEvent, detail: String| {
        let mut entry = AuditRecord {
            detail: Some(detail),
            ..issuer.entry(event)
        };
        record::origin(&mut entry, origin);
        crate::issuer::admitted::name(&mut entry, claimant);
        entry
    };
    let mut entries = Vec::new();
    if !taken.lines.is_empty() {
        entries.push(entry(
            AuditEvent::AgentRecords,
            format!(
                "{} records of log {} taken, held up to {}",
                taken.lines.len(),
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
        key: claimant.key.clone(),
        log: upload.log.clone(),
        seq: taken.held.last.seq,
        hash: taken.held.last.hash,
        head_seq: taken.held.head_seq,
        at_ms: clock::now_ms(),
        dropped: Known::none(),
    };
    Batch {
        changes: vec![Change::AgentLog(row, taken.lines)],
        entries,
    }
}
