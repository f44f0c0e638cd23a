//! Entries of the server: refusals, and what became of tokens at their hubs.

use super::clock;
use super::grant::Origin;
use super::refused::Refused;
use super::state::Issuer;
use super::store::{Batch, TokenRow};
use crate::model::audit::{AuditEvent, AuditRecord};
use crate::rules::rate::Rate;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Failures of one address a minute that are answered in full and put on record. Beyond it the answer
/// is "slow down", and a flood does not fill the disk. Good requests of the same address never wait.
const FAILURES: Rate = Rate::new(600, 200);

/// Adds where a request comes from to an entry.
pub fn origin(entry: &mut AuditRecord, origin: &Origin) {
    entry.request_id = Some(origin.request_id.clone());
    entry.from = Some(origin.from.to_string());
}

/// What a stranger's failure is answered with: itself, or "slow down" when there were too many.
pub fn paced(issuer: &Issuer, refused: Refused, from: IpAddr) -> Refused {
    let from = super::http::address::neighbourhood(from);
    match issuer.strangers.look(FAILURES, &from, clock::now_us()) {
        Ok(()) => refused,
        Err(wait_s) => Refused::too_many("this address", wait_s),
    }
}

/// Puts a refusal on record. It leaves even when that fails: nothing is given with it.
pub async fn refusal(issuer: &Issuer, mut entry: AuditRecord, refused: &Refused, from: IpAddr) {
    let from = super::http::address::neighbourhood(from);
    if issuer
        .strangers
        .ask(FAILURES, &from, clock::now_us())
        .is_err()
    {
        issuer.metrics.unrecorded.inc();
        return;
    }
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
        issuer.metrics.unrecorded.inc();
        tracing::warn!(
            code = refused.refusal.code.word(),
            "a refusal could not be put on record"
        );
    }
}

/// Ends tokens at their hubs that a committed change made inactive, without letting anybody wait for it.
/// The issuer's own are inactive with the commit: there is nothing to tell of them.
pub fn settle(issuer: &Issuer, mut rows: Vec<TokenRow>) {
    rows.retain(|row| row.sealed.is_some());
    if rows.is_empty() {
        return;
    }
    let (in_force, settling) = (issuer.in_force(), issuer.settling.clone());
    settling.send_modify(|count| *count += 1);
    tokio::spawn(async move {
        if let Err(refusal) = in_force.mint.settle(&rows, clock::now_ms()).await {
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

/// The sweep of tokens that outlive their role at a hub, and of revocations that failed before.
pub async fn sweep(issuer: &Arc<Issuer>) {
    let in_force = issuer.in_force();
    if let Err(refusal) = in_force.mint.due_revocations(clock::now_ms()).await {
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
