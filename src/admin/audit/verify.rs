//! `audit verify`: the chain from its first entry to its last, and the agents' logs.

use super::acknowledge;
use super::agents::{self, Agents};
use super::reading::{Progress, pages};
use crate::show::{Line, Printer, Style};
use oam_audit::record::{Fault, FaultKind, KnownEntry, Summary, Verifier, placed};
use oam_audit::retention::{self, DroppedRecords};
use oam_issuer::when::when;
use oam_model::audit::{AuditEvent, AuditFact};
use oam_model::count::{counted, span};
use oam_model::refusal::Refusal;
use oam_store::{AuditFilter, AuditLine, Store};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Reads `NUMBER:HASH`.
///
/// # Errors
/// A sentence for the person who wrote it.
pub(super) fn anchor(text: &str) -> Result<KnownEntry, String> {
    let known = text.split_once(':').and_then(|(seq, hash)| {
        let hex = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        Some(KnownEntry {
            seq: seq.parse().ok().filter(|seq| *seq > 0)?,
            hash: hex.then(|| hash.to_ascii_lowercase())?,
        })
    });
    known.ok_or_else(|| "write it as `audit verify` prints it: NUMBER:HASH".to_owned())
}

/// What verification needs of an entry besides its place.
#[derive(Deserialize)]
struct Seen {
    at_ms: u64,
    event: AuditEvent,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    fact: Option<AuditFact>,
}

/// `audit verify --json`.
#[derive(Debug, Serialize)]
pub(super) struct VerifyReport {
    /// Whether nothing is wrong.
    pub(super) ok: bool,
    /// Tokens issued.
    pub(super) issued: u64,
    /// Requests refused.
    pub(super) refused: u64,
    /// Alarms raised.
    pub(super) alarms: u64,
    /// Entries up to this one were dropped by age; 0: none.
    pub(super) dropped_up_to: u64,
    /// Time of the first and last entry, RFC 3339.
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    #[serde(flatten)]
    pub(super) summary: Summary,
    /// The agents' logs.
    pub(super) agents: Agents,
}

/// Exit status when the organization's own log is whole and an agent's is not.
pub(super) const AGENTS_LOG: u8 = 3;

impl VerifyReport {
    /// Exit status: the organization's own log comes first.
    pub(super) fn code(&self) -> u8 {
        if !self.summary.intact() {
            1
        } else if self.ok {
            0
        } else {
            AGENTS_LOG
        }
    }
}

/// Verifies and tells what was checked. Exits 1 when the organization's log is wrong, 3 when only an agent's is.
///
/// # Errors
/// The store's fault.
pub(super) async fn run(
    show: &Printer,
    store: &dyn Store,
    anchors: Vec<KnownEntry>,
) -> Result<u8, Refusal> {
    let mut progress = Progress::new(show);
    let report = check(store, anchors, &mut progress).await?;
    drop(progress);
    let code = report.code();
    if show.json() {
        show.value(&report);
    } else {
        tell(show, &report);
    }
    Ok(code)
}

/// The chain being read.
struct Reading {
    verifier: Option<Verifier>,
    anchors: Vec<KnownEntry>,
    /// The entry before the first one that is there, when it was dropped.
    before: Option<KnownEntry>,
    /// An entry says that what is not there was dropped.
    explained: bool,
    /// What the last such entry says of the agents' records.
    records: Option<DroppedRecords>,
    /// Digests of what was acknowledged of agents' logs.
    acknowledged: BTreeSet<String>,
    count: u64,
    issued: u64,
    refused: u64,
    alarms: u64,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
}

impl Reading {
    fn line(&mut self, line: &AuditLine) {
        if self.verifier.is_none() {
            self.begin(line);
        }
        if let Some(verifier) = &mut self.verifier {
            verifier.line(line.line.as_bytes());
        }
        self.count += 1;
        let Ok(seen) = serde_json::from_str::<Seen>(&line.line) else {
            return;
        };
        self.from_ms.get_or_insert(seen.at_ms);
        self.to_ms = Some(seen.at_ms);
        match seen.event {
            AuditEvent::Exchange => self.issued += 1,
            AuditEvent::Refusal => self.refused += 1,
            AuditEvent::Alarm => self.alarms += 1,
            AuditEvent::Retention => {
                let (fact, detail) = (seen.fact.as_ref(), seen.detail.as_deref());
                let records = retention::dropped_records(fact, detail);
                self.records = records.or_else(|| self.records.take());
                let dropped = retention::last_dropped(fact, detail);
                // A prune that is not finished yet left some of what it said it would drop.
                self.explained |= matches!((&dropped, &self.before), (Some(dropped), Some(before))
                    if dropped == before || dropped.seq > before.seq);
            }
            AuditEvent::Acknowledged => {
                let (fact, detail) = (seen.fact.as_ref(), seen.detail.as_deref());
                self.acknowledged.extend(acknowledge::digests(fact, detail));
            }
            _ => {}
        }
    }

    /// A log that does not begin with its first entry goes on from the hash that its first line names; that
    /// is true only if an entry of the log says so.
    fn begin(&mut self, first: &AuditLine) {
        self.before = placed(&first.line)
            .ok()
            .filter(|(link, _)| link.seq > 1)
            .map(|(link, prev)| KnownEntry {
                seq: link.seq - 1,
                hash: prev,
            });
        let begins = self.before.as_ref().map_or(0, |before| before.seq);
        let anchors = std::mem::take(&mut self.anchors);
        let verifier = Verifier::new(anchors.into_iter().filter(|known| known.seq > begins));
        let mut verifier = match &self.before {
            Some(before) => verifier.going_on_from(before),
            None => verifier,
        };
        verifier.file("audit");
        self.verifier = Some(verifier);
    }

    fn finish(self, agents: Agents) -> VerifyReport {
        let anchors = self.anchors;
        let verifier = self.verifier.unwrap_or_else(|| Verifier::new(anchors));
        let mut summary = verifier.finish();
        if let Some(before) = self.before.as_ref().filter(|_| !self.explained) {
            summary.faults.insert(
                0,
                Fault {
                    kind: FaultKind::Missing,
                    file: "audit".to_owned(),
                    line: 1,
                    seq: Some(before.seq),
                    sentence: format!(
                        "missing, and no entry says that it was dropped: {}",
                        span("entry", "entries", 1, before.seq)
                    ),
                    next: NEXT.to_owned(),
                },
            );
        }
        for fault in &mut summary.faults {
            NEXT.clone_into(&mut fault.next);
        }
        VerifyReport {
            ok: summary.intact() && agents.faults.is_empty(),
            issued: self.issued,
            refused: self.refused,
            alarms: self.alarms,
            dropped_up_to: self.before.map_or(0, |before| before.seq),
            from: self.from_ms.map(when),
            to: self.to_ms.map(when),
            summary,
            agents,
        }
    }
}

const NEXT: &str = "keep a copy of the database as it is, and compare it with the last backup and with the agents' logs";

/// Checks everything.
///
/// # Errors
/// The store's fault.
pub(super) async fn check(
    store: &dyn Store,
    anchors: Vec<KnownEntry>,
    progress: &mut Progress<'_>,
) -> Result<VerifyReport, Refusal> {
    let mut reading = Reading {
        verifier: None,
        anchors,
        before: None,
        explained: false,
        records: None,
        acknowledged: BTreeSet::new(),
        count: 0,
        issued: 0,
        refused: 0,
        alarms: 0,
        from_ms: None,
        to_ms: None,
    };
    pages(store, &AuditFilter::default(), 0, |page| {
        for line in page {
            reading.line(line);
        }
        progress.at(reading.count, "entries verified");
        true
    })
    .await?;
    let acknowledged = std::mem::take(&mut reading.acknowledged);
    let agents = agents::check(store, reading.records.as_ref(), acknowledged, progress).await?;
    Ok(reading.finish(agents))
}

fn tell(show: &Printer, report: &VerifyReport) {
    let summary = &report.summary;
    match (&report.from, &report.to) {
        (Some(from), Some(to)) => show.line(format!(
            "{}, from {from} to {to}: {} issued, {} refused, {} alarms",
            span("entry", "entries", summary.first, summary.last),
            report.issued,
            report.refused,
            report.alarms
        )),
        _ => show.line("the log is empty"),
    }
    if report.dropped_up_to > 0 && summary.intact() {
        show.line(format!(
            "entries up to {} were dropped by age, as the log says",
            report.dropped_up_to
        ));
    }
    for fault in &summary.faults {
        show.line(Line::new().look(Style::Bad, fault.sentence.clone()));
    }
    if summary.more_faults > 0 {
        show.line(format!("and {} more", summary.more_faults));
    }
    let agents = &report.agents;
    show.line(format!(
        "agents' logs: {} with {}",
        agents.logs,
        counted(agents.records, "record", "records")
    ));
    for fault in &agents.faults {
        show.line(Line::new().look(Style::Bad, fault.clone()));
    }
    if agents.more_faults > 0 {
        show.line(format!("and {} more", agents.more_faults));
    }
    if agents.acknowledged > 0 {
        show.line(format!(
            "{} of what is wrong with agents' logs was acknowledged",
            agents.acknowledged
        ));
    }
    if summary.anchored_up_to > 0 {
        show.line(format!("anchored up to entry {}", summary.anchored_up_to));
    }
    if !summary.intact() {
        show.line(Line::new().look(Style::Bad, "the log is not as it was written"));
        return show.next(NEXT);
    }
    show.line(
        Line::new()
            .look(Style::Good, "chain ok")
            .text(format!(" up to {}:{}", summary.last, summary.last_hash)),
    );
    if !report.ok {
        show.line(Line::new().look(Style::Bad, "logs of agents are not as they were written"));
        show.next("ask whose they are, then put on record that you know of it: `oam-issuer audit acknowledge`");
    }
}
