//! The agents' logs, as far as the organization holds them.

use super::reading::{PAGE, Progress};
use oam_audit::record::{ChainEntry, FaultKind, KnownEntry, Verifier, are_missing, placed};
use oam_audit::retention::{DroppedRecords, Marks};
use oam_issuer::keys::sha256;
use oam_model::principal::PrincipalKey;
use oam_model::refusal::Refusal;
use oam_store::{AgentLogRow, AgentRecords, Store};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

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
    /// Faults that an administrator has acknowledged; they are not among the others.
    pub(super) acknowledged: u64,
    /// Digests of those.
    #[serde(skip)]
    known: BTreeSet<String>,
}

impl Agents {
    fn fault(&mut self, whose: &(PrincipalKey, String), what: &str) {
        self.found(format!("log {} of {}: {what}", whose.1, whose.0));
    }

    fn found(&mut self, fault: String) {
        if self.known.contains(&sha256(fault.as_bytes())) {
            self.acknowledged += 1;
        } else if self.faults.len() == Verifier::MAX_FAULTS {
            self.more_faults += 1;
        } else {
            self.faults.push(fault);
        }
    }
}

/// A log while its records are read.
struct Log {
    row: AgentLogRow,
    end: KnownEntry,
    /// The end that the row tells was met. More may follow: agents go on sending while this is read.
    met: bool,
}

impl Log {
    fn new(row: AgentLogRow) -> Self {
        let end = match row.dropped.seq {
            0 => KnownEntry::none(),
            _ => row.dropped.clone(),
        };
        let mut log = Self {
            row,
            end: KnownEntry::none(),
            met: false,
        };
        log.at(end);
        log
    }

    fn at(&mut self, end: KnownEntry) {
        self.met |= end.seq == self.row.seq && end.hash == self.row.hash;
        self.end = end;
    }
}

/// By person and name: the order in which the entry about dropped records has them.
type Logs = BTreeMap<(PrincipalKey, String), Log>;

/// Checks every record that is held, from where its log goes on; `said` is what the audit log says of
/// records that were dropped, `acknowledged` holds the digests of faults that somebody knows of. The memory is that of the last hash of each log.
///
/// # Errors
/// The store's fault.
pub(super) async fn check(
    store: &dyn Store,
    said: Option<&DroppedRecords>,
    acknowledged: BTreeSet<String>,
    progress: &mut Progress<'_>,
) -> Result<Agents, Refusal> {
    let mut found = Agents {
        known: acknowledged,
        ..Agents::default()
    };
    let mut logs = begun(store).await?;
    found.marks(&logs, said);
    let mut after = 0;
    loop {
        let page = store
            .agent_records(after, PAGE)
            .await
            .map_err(|fault| fault.refusal())?;
        let Some((last, ..)) = page.last() else { break };
        after = *last;
        for (_, key, name, line) in page {
            let whose = (key, name);
            if !logs.contains_key(&whose) {
                // It began while this is read.
                let row = store.agent_log(whose.0.clone(), whose.1.clone()).await;
                let row = row.map_err(|fault| fault.refusal())?;
                logs.extend(row.map(|row| (whose.clone(), Log::new(row))));
            }
            found.record(&whose, &line, &mut logs);
        }
        progress.at(found.records, "agents' records");
    }
    found.logs = logs.len() as u64;
    for (whose, log) in &logs {
        if !log.met {
            let what = format!(
                "it ends at record {}, and another end had been held",
                log.end.seq
            );
            found.fault(whose, &what);
        }
    }
    Ok(found)
}

/// All logs, each at its beginning.
async fn begun(store: &dyn AgentRecords) -> Result<Logs, Refusal> {
    let mut logs = Logs::new();
    let mut after = 0;
    loop {
        let page = store.agent_logs(after, PAGE).await;
        let page = page.map_err(|fault| fault.refusal())?;
        let Some((last, _)) = page.last() else {
            return Ok(logs);
        };
        after = *last;
        for (_, row) in page {
            logs.insert((row.key.clone(), row.log.clone()), Log::new(row));
        }
    }
}

impl Agents {
    /// Whether the logs go on from where the audit log says.
    fn marks(&mut self, logs: &Logs, said: Option<&DroppedRecords>) {
        let mut marks = Marks::default();
        for ((key, name), log) in logs.iter().filter(|(_, log)| log.row.dropped.seq > 0) {
            marks.add(key, name, &log.row.dropped);
        }
        if marks.finish().as_ref() != said {
            self.found(
                "the agents' logs do not go on from where the audit log says that they were dropped to"
                    .to_owned(),
            );
        }
    }

    fn record(&mut self, whose: &(PrincipalKey, String), line: &str, logs: &mut Logs) {
        let Some(log) = logs.get_mut(whose) else {
            self.fault(whose, "records of it are held, and it is not");
            return;
        };
        // What a prune that is not finished has left.
        let left = |(record, _): &(ChainEntry, String)| record.seq <= log.row.dropped.seq;
        if log.end.seq == log.row.dropped.seq && placed(line).is_ok_and(|placed| left(&placed)) {
            return;
        }
        self.records += 1;
        let (end, fault) = follow(&log.end, line);
        if let Some(end) = end {
            log.at(end);
        }
        if let Some(what) = fault {
            self.fault(whose, &what);
        }
    }
}

/// The end of a log after one more line of it, where that is another one, and what is wrong with the line.
fn follow(end: &KnownEntry, line: &str) -> (Option<KnownEntry>, Option<String>) {
    let last = end.seq;
    let (record, prev) = match placed(line) {
        Ok(placed) => placed,
        Err(FaultKind::Changed) => {
            let what = format!("the record after {last} was changed while it was held");
            return (None, Some(what));
        }
        Err(_) => {
            let what = format!("what is held after record {last} is not a record");
            return (None, Some(what));
        }
    };
    let fault = if record.seq <= last {
        Some(format!("record {} stands after record {last}", record.seq))
    } else if record.seq > last + 1 {
        Some(are_missing("record", "records", last + 1, record.seq - 1))
    } else if prev != end.hash {
        Some(format!(
            "record {} does not follow from record {last}",
            record.seq
        ))
    } else {
        None
    };
    let known = KnownEntry {
        seq: record.seq,
        hash: record.hash,
    };
    (Some(known), fault)
}
