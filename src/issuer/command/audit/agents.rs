//! The agents' logs, as far as the organization holds them.

use super::reading::{PAGE, Progress};
use crate::issuer::store::Store;
use crate::model::claimant::ClaimantKey;
use crate::model::refusal::Refusal;
use crate::rules::record::{FaultKind, GENESIS, Known, Verifier, placed};
use serde::Serialize;
use std::collections::BTreeMap;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Agents {
    /// Logs held.
    pub(super) logs: u64,
    /// Records in them.
    pub(super) records: u64,
    /// Faults in the order found, the first [`Verifier::MAX_FAULTS`]: whose log, and what.
    pub(super) faults: Vec<String>,
    /// Faults beyond those.
    pub(super) more_faults: u64,
}

impl Agents {
    fn fault(&mut self, whose: &(ClaimantKey, String), what: &str) {
        if self.faults.len() == Verifier::MAX_FAULTS {
            self.more_faults += 1;
        } else {
            self.faults
                .push(format!("log {} of {}: {what}", whose.1, whose.0));
        }
    }
}

/// Checks every record that is held; the memory is that of the last hash of each log.
///
/// # Errors
/// The store's fault.
pub(super) async fn check(
    store: &dyn Store,
    progress: &mut Progress<'_>,
) -> Result<Agents, Refusal> {
    let mut found = Agents::default();
    let mut ends: BTreeMap<(ClaimantKey, String), Known> = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = store
            .agent_records(after, PAGE)
            .await
            .map_err(|fault| fault.refusal())?;
        let Some((last, ..)) = page.last() else { break };
        after = *last;
        for (_, key, log, line) in page {
            found.records += 1;
            let whose = (key, log);
            let end = ends.get(&whose);
            let (end, fault) = follow(end, &line);
            if let Some(what) = fault {
                found.fault(&whose, &what);
            }
            if let Some(end) = end {
                ends.insert(whose, end);
            }
        }
        progress.at(found.records, "agents' records");
    }
    found.logs = ends.len() as u64;
    for (whose, end) in &ends {
        let row = store
            .agent_log(whose.0.clone(), whose.1.clone())
            .await
            .map_err(|fault| fault.refusal())?;
        if row.is_none_or(|row| row.seq != end.seq || row.hash != end.hash) {
            let what = format!(
                "it ends at record {}, and another end had been held",
                end.seq
            );
            found.fault(whose, &what);
        }
    }
    Ok(found)
}

/// The end of a log after one more line of it, and what is wrong with that line.
fn follow(end: Option<&Known>, line: &str) -> (Option<Known>, Option<String>) {
    let (last, hash) = end.map_or((0, GENESIS), |end| (end.seq, end.hash.as_str()));
    let (record, prev) = match placed(line) {
        Ok(placed) => placed,
        Err(FaultKind::Changed) => {
            let what = format!("the record after {last} was changed while it was held");
            return (end.cloned(), Some(what));
        }
        Err(_) => {
            let what = format!("what is held after record {last} is not a record");
            return (end.cloned(), Some(what));
        }
    };
    let fault = if record.seq <= last {
        Some(format!("record {} stands after record {last}", record.seq))
    } else if record.seq > last + 1 {
        Some(format!(
            "records {} to {} are missing",
            last + 1,
            record.seq - 1
        ))
    } else if prev != hash {
        Some(format!(
            "record {} does not follow from record {last}",
            record.seq
        ))
    } else {
        None
    };
    let known = Known {
        seq: record.seq,
        hash: record.hash,
    };
    (Some(known), fault)
}
