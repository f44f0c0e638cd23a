//! `audit acknowledge`: what is wrong with agents' logs is known to an administrator, on record.
//!
//! A gap in the log of somebody's laptop must not keep `audit verify` red for ever, and must not be forgotten either.
//! The entry holds a digest of each fault as it was found: another fault, or one that grew, is red again.

use super::reading::Progress;
use super::verify::{self, AGENTS_LOG};
use crate::show::Printer;
use oam_audit::record::KnownEntry;
use oam_issuer::keys::sha256;
use oam_model::audit::{AuditEvent, AuditFact, AuditRecord};
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;
use oam_store::{Batch, Store};
use serde::Serialize;

/// `audit acknowledge --json`.
#[derive(Serialize)]
struct Acknowledgement {
    /// What was acknowledged now.
    faults: Vec<String>,
    /// Number of the entry that says so; none: there was nothing.
    entry: Option<u64>,
}

/// The digests of an entry. In one of before there were facts they are words of 64 hex digits.
pub(super) fn digests(fact: Option<&AuditFact>, detail: Option<&str>) -> Vec<String> {
    match fact {
        Some(AuditFact::FaultsAcknowledged(digests)) => digests.clone(),
        Some(_) => Vec::new(),
        None => {
            let hex = |word: &str| word.bytes().all(|b| b.is_ascii_hexdigit());
            let is_digest = |word: &&str| word.len() == 64 && hex(word);
            let words = detail.unwrap_or_default().split(' ');
            words.filter(is_digest).map(str::to_owned).collect()
        }
    }
}

/// Verifies, and puts the agents' faults on record.
///
/// # Errors
/// The organization's own log is not whole, or the store's fault.
pub(super) async fn run(
    show: &Printer,
    store: &dyn Store,
    anchors: Vec<KnownEntry>,
    org: &OrgName,
    now_ms: u64,
) -> Result<u8, Refusal> {
    let mut progress = Progress::new(show);
    let report = verify::check(store, anchors, &mut progress).await?;
    drop(progress);
    if report.code() == 1 {
        return Err(Refusal::unavailable(
            "the organization's own log is not as it was written, which nobody can acknowledge",
            "run `oam-issuer audit verify`",
        ));
    }
    let faults = report.agents.faults;
    let mut entry = None;
    if !faults.is_empty() {
        let hashes: Vec<String> = faults
            .iter()
            .map(|fault| sha256(fault.as_bytes()))
            .collect();
        let record = AuditRecord {
            detail: Some(format!("faults of agents' logs: {}", hashes.join(" "))),
            fact: Some(AuditFact::FaultsAcknowledged(hashes)),
            ..AuditRecord::new(AuditEvent::Acknowledged, org.clone(), now_ms)
        };
        let batch = Batch {
            changes: Vec::new(),
            entries: vec![record],
        };
        let committed = store.commit(batch).await.map_err(|fault| fault.refusal())?;
        entry = Some(committed.audit_seq);
    }
    let code = if report.agents.more_faults > 0 {
        AGENTS_LOG
    } else {
        0
    };
    if show.json() {
        show.value(&Acknowledgement { faults, entry });
        return Ok(code);
    }
    match entry {
        None => show.line("nothing is wrong with the agents' logs that was not acknowledged"),
        Some(entry) => {
            for fault in &faults {
                show.line(fault.clone());
            }
            show.line(format!("acknowledged, as entry {entry} says"));
        }
    }
    if code != 0 {
        show.next("there are more: run this again");
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::digests;
    use oam_model::audit::AuditFact;

    #[test]
    fn digests_are_read_of_the_fact_and_whole_ones_of_the_words_of_before() {
        let digest = "0a".repeat(32);
        let detail = format!("faults of agents' logs: {digest} {} zz", &digest[1..]);
        assert_eq!(digests(None, Some(&detail)), std::slice::from_ref(&digest));
        let fact = AuditFact::FaultsAcknowledged(vec!["1b".repeat(32)]);
        for words in [Some(detail.as_str()), Some("reworded"), None] {
            assert_eq!(digests(Some(&fact), words), ["1b".repeat(32)]);
        }
        let other = AuditFact::RecordsDropped { logs: 1, digest };
        assert!(digests(Some(&other), Some(&detail)).is_empty());
    }
}
