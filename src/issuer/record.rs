//! Entries of the server: refusals, and what became of tokens at their hubs.

use super::grant::RequestOrigin;
use super::http::address::neighbourhood;
use super::refused::Refused;
use super::state::Issuer;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::principal::{PrincipalKey, PrincipalKind};
use oam_model::time::SteadyTime;
use oam_policy::rate::Rate;
use oam_store::{Batch, TokenRow};
use oam_system::clock;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Failures of one address that are answered in full. Beyond it the answer is "slow down". Good requests of
/// the same address never wait.
const FAILURES: Rate = Rate::new(600, 200);
/// Failures of one address, and of all strangers together, that are on record one by one; the others are on
/// record as a sum. At 800 bytes each that is 350 MB on the worst day.
const RECORDED: Rate = Rate::new(60, 100);
const RECORDED_OF_ALL: Rate = Rate::new(300, 1_000);
/// Refusals of one identity, and of all jobs of one source, each of them on record. Beyond it the answer is
/// "slow down": a denial that is not on record does not leave.
const DENIALS: Rate = Rate::new(60, 120);
const DENIALS_OF_JOBS: Rate = Rate::new(600, 1_200);

/// Adds where a request comes from to an entry.
pub fn origin(entry: &mut AuditRecord, origin: &RequestOrigin) {
    entry.request_id = Some(origin.request_id.clone());
    entry.from = Some(origin.from.to_string());
}

/// Puts a refusal on record, and tells what leaves: the refusal itself, or "slow down". An entry that names
/// who asks is paced by them, any other by the address. Nothing is given with a refusal: it leaves also when
/// the database is not there, and is counted then.
pub async fn refusal(
    issuer: &Issuer,
    entry: AuditRecord,
    refused: Refused,
    from: IpAddr,
) -> Refused {
    let from = neighbourhood(from);
    let who = match (&entry.source, &entry.person) {
        (Some(source), Some(key)) => Some(PrincipalKey {
            source: source.clone(),
            key: key.clone(),
        }),
        _ => None,
    };
    let now = clock::steady();
    let paced = match &who {
        Some(key) => of_identity(issuer, key, now),
        None => of_stranger(issuer, from, now),
    };
    match paced {
        Paced::Written => written(issuer, entry, refused, from).await,
        Paced::Counted => {
            unwritten(issuer, &refused, from);
            refused
        }
        Paced::Slowed(wait_s) => {
            unwritten(issuer, &refused, from);
            let what = if who.is_some() {
                "this identity"
            } else {
                "this address"
            };
            Refused::too_many(what, wait_s)
        }
    }
}

/// What becomes of a refusal.
enum Paced {
    /// It has an entry of its own.
    Written,
    /// It is in the next sum.
    Counted,
    /// It is in the next sum, and does not leave as it is: seconds to wait.
    Slowed(u64),
}

fn of_identity(issuer: &Issuer, key: &PrincipalKey, now: SteadyTime) -> Paced {
    let live_config = issuer.peek_live_config();
    let source = live_config.identities.source(&key.source);
    let job = source.is_some_and(|source| source.kind == PrincipalKind::Job);
    let own = issuer.denials.ask(DENIALS, key, now);
    let paced = own.and_then(|()| {
        let of_jobs = || issuer.job_denials.ask(DENIALS_OF_JOBS, &key.source, now);
        if job { of_jobs() } else { Ok(()) }
    });
    paced.map_or_else(Paced::Slowed, |()| Paced::Written)
}

fn of_stranger(issuer: &Issuer, from: IpAddr, now: SteadyTime) -> Paced {
    if let Err(wait_s) = issuer.failure_limiter.ask(FAILURES, &from, now) {
        return Paced::Slowed(wait_s);
    }
    let recorded = &issuer.recorded;
    let all = || recorded.ask(RECORDED_OF_ALL, &None, now);
    match recorded
        .ask(RECORDED, &Some(from), now)
        .and_then(|()| all())
    {
        Ok(()) => Paced::Written,
        Err(_) => Paced::Counted,
    }
}

async fn written(
    issuer: &Issuer,
    mut entry: AuditRecord,
    refused: Refused,
    from: IpAddr,
) -> Refused {
    entry.event = AuditEvent::Refusal;
    entry.at_ms = clock::now_ms();
    entry.refusal = Some(refused.refusal.code);
    // For the organization's own eyes what is missing belongs to the rule.
    entry.rule = Some(format!(
        "{}; {}",
        refused.refusal.sentence, refused.refusal.next
    ));
    let batch = Batch {
        changes: Vec::new(),
        entries: vec![entry],
    };
    if issuer.commit(batch).await.is_err() {
        unwritten(issuer, &refused, from);
        tracing::warn!(
            code = refused.refusal.code.word(),
            "a refusal could not be put on record"
        );
    }
    refused
}

fn unwritten(issuer: &Issuer, refused: &Refused, from: IpAddr) {
    issuer.metrics.unrecorded.inc();
    issuer.unwritten.count(refused.refusal.code, from);
}

/// Puts the sum of what has no entry of its own on record. What can't be written is in the next sum.
pub async fn sum(issuer: &Issuer) {
    let Some(sum) = issuer.unwritten.take() else {
        return;
    };
    let entry = AuditRecord {
        detail: Some(sum.words()),
        ..issuer.entry(AuditEvent::RefusalSum)
    };
    let batch = Batch {
        changes: Vec::new(),
        entries: vec![entry],
    };
    if issuer.commit(batch).await.is_err() {
        issuer.unwritten.put_back(sum);
    }
}

/// Ends tokens at their hubs that a committed change made inactive, without letting anybody wait for it.
/// The issuer's own are inactive with the commit: there is nothing to tell of them.
pub fn settle(issuer: &Issuer, mut rows: Vec<TokenRow>) {
    rows.retain(|row| row.sealed.is_some());
    if rows.is_empty() {
        return;
    }
    let (live_config, settling) = (issuer.live_config(), issuer.settling.clone());
    settling.send_modify(|count| *count += 1);
    tokio::spawn(async move {
        if let Err(refusal) = live_config.mint.settle(&rows, clock::now_ms()).await {
            tracing::warn!(why = refusal.sentence, "outcomes at hubs are not on record");
        }
        settling.send_modify(|count| *count = count.saturating_sub(1));
    });
}

/// Waits until what [`settle`] began is done, no longer than `limit`: what is not is tried again at the
/// next start.
pub async fn settled(settling: &watch::Sender<usize>, limit: Duration) {
    let mut count = settling.subscribe();
    if tokio::time::timeout(limit, count.wait_for(|count| *count == 0))
        .await
        .is_err()
    {
        tracing::warn!("tokens at hubs that a change made inactive are ended at the next start");
    }
}

/// The sweep of tokens that outlive their role at a hub, and of revocations that failed before. `sure_ms`: see
/// [`super::mint::Mint::due_revocations`].
pub async fn sweep(issuer: &Arc<Issuer>, sure_ms: u64) {
    let live_config = issuer.live_config();
    if let Err(refusal) = live_config
        .mint
        .due_revocations(clock::now_ms(), sure_ms)
        .await
    {
        tracing::warn!(why = refusal.sentence, "tokens at hubs could not be swept");
    }
}

#[cfg(test)]
mod tests {
    use super::settled;
    use std::time::Duration;
    use tokio::sync::watch;

    #[tokio::test]
    async fn an_ending_server_waits_for_what_it_tells_hubs_and_not_for_ever() {
        let settling = watch::Sender::new(1);
        // Nobody ends it: only the limit does.
        settled(&settling, Duration::ZERO).await;
        let other = settling.clone();
        let telling = tokio::spawn(async move { other.send_modify(|count| *count -= 1) });
        settled(&settling, Duration::from_mins(1)).await;
        assert_eq!(*settling.borrow(), 0);
        telling.await.unwrap();
    }
}
