//! `oam log --verify`: the chain, and how far it is anchored.

use super::{Where, files};
use crate::Done;
use crate::when;
use oam_audit::record::{Fault, FaultKind, KnownEntry, Summary, Verifier};
use oam_model::log_break::LogBreak;
use oam_model::refusal::Refusal;
use oam_model::report::{AnchorReport, HeldAt};
use oam_terminal::{Line, Show, Style};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `oam log --verify --json`.
#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    folder: &'a PathBuf,
    files: Vec<String>,
    lines: u64,
    first_at_ms: Option<u64>,
    last_at_ms: Option<u64>,
    /// Where the anchor lies: `sealed` or `memory`; none when the agent can't be reached.
    anchored_in: Option<&'a str>,
    /// Why it is not anchored.
    not_anchored: Option<&'a str>,
    /// What organizations hold of it, as the agent knows.
    #[serde(skip_serializing_if = "<[HeldAt]>::is_empty")]
    held: &'a [HeldAt],
    /// Where it was found to be not as it was left.
    #[serde(skip_serializing_if = "<[LogBreak]>::is_empty")]
    breaks: &'a [LogBreak],
    #[serde(flatten)]
    summary: &'a Summary,
}

/// What is shown besides the chain.
#[derive(Default)]
struct Seen {
    files: Vec<String>,
    lines: u64,
    first_at_ms: Option<u64>,
    last_at_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Stamp {
    at_ms: u64,
}

/// Exit code of a log with no fault of which nothing outside it says that it is whole: a cut or rewritten
/// one may look like this.
const NOT_ANCHORED: u8 = 3;

/// Verifies and tells what was checked. Exits 1 when something is wrong, and 3 when nothing outside the log
/// says that it is whole.
pub fn run(show: &Show, place: &Where) -> Done {
    let (seen, summary) = check(place)?;
    let code = exit_code(place, &summary);
    if show.json() {
        let anchor = place.anchor.as_ref();
        show.value(&Report {
            ok: code == 0,
            folder: &place.folder,
            files: seen.files,
            lines: seen.lines,
            first_at_ms: seen.first_at_ms,
            last_at_ms: seen.last_at_ms,
            anchored_in: anchor.ok().map(|anchor| anchor.anchored_in.as_str()),
            not_anchored: anchor.err().map(|refusal| refusal.sentence.as_str()),
            held: anchor.map_or(&[], |anchor| &anchor.held),
            breaks: anchor.map_or(&[], |anchor| &anchor.breaks),
            summary: &summary,
        });
    } else {
        tell(show, place, &seen, &summary);
    }
    Ok(code)
}

fn exit_code(place: &Where, summary: &Summary) -> u8 {
    let breaks = place.anchor.iter().flat_map(|anchor| &anchor.breaks);
    if !summary.intact() || breaks.into_iter().any(LogBreak::is_alarm) {
        1
    } else if unanchored(place.anchor.as_ref(), summary).is_some() {
        NOT_ANCHORED
    } else {
        0
    }
}

/// Why a log with no fault is not known to be whole; none when it is.
fn unanchored(anchor: Result<&AnchorReport, &Refusal>, summary: &Summary) -> Option<String> {
    let anchor = match anchor {
        Ok(anchor) => anchor,
        Err(refusal) => return Some(refusal.sentence.clone()),
    };
    // What an organization holds can't have been written anew, whatever is sealed here.
    let held = anchor.held.iter().map(|held| held.sequence).max();
    let held = held.unwrap_or(0).min(summary.anchored_up_to);
    let before = anchor
        .breaks
        .iter()
        .rev()
        .find(|found| found.found_seq > held);
    if let Some(found) = before {
        return Some(found.sentence());
    }
    let sealed = anchor.anchored_in == "sealed" && anchor.anchored_sequence > 0;
    let lasting = anchor.anchored_sequence.min(summary.anchored_up_to);
    if (sealed && lasting > 0) || held > 0 {
        return None;
    }
    Some("there is no sealed state on this machine".to_owned())
}

/// What the agent knows of the log: its head, the record that the sealed state anchors, and those that
/// organizations hold.
fn known(anchor: &AnchorReport) -> Vec<KnownEntry> {
    let known = |seq, hash: &str| KnownEntry {
        seq,
        hash: hash.to_owned(),
    };
    let own = [
        known(anchor.sequence, &anchor.hash),
        known(anchor.anchored_sequence, &anchor.anchored_hash),
    ];
    let held = anchor
        .held
        .iter()
        .map(|held| known(held.sequence, &held.hash));
    own.into_iter().chain(held).collect()
}

fn check(place: &Where) -> Result<(Seen, Summary), Refusal> {
    let mut verifier = Verifier::new(place.anchor.iter().flat_map(known));
    let mut seen = Seen::default();
    for path in files::list(&place.folder)? {
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy();
        verifier.file(&name);
        seen.files.push(name.into_owned());
        files::each_of(&path, |line, whole| {
            if whole {
                verifier.line(line);
            } else {
                verifier.rest(line);
            }
            seen.lines += 1;
            if let Ok(stamp) = serde_json::from_slice::<Stamp>(line) {
                seen.first_at_ms.get_or_insert(stamp.at_ms);
                seen.last_at_ms = Some(stamp.at_ms);
            }
            true
        })?;
    }
    Ok((seen, verifier.finish()))
}

fn tell(show: &Show, place: &Where, seen: &Seen, summary: &Summary) {
    show.line(format!(
        "checked {}, {} in {}",
        count(seen.files.len(), "file"),
        count(seen.lines, "line"),
        place.folder.display()
    ));
    if let (Some(first), Some(last)) = (seen.first_at_ms, seen.last_at_ms) {
        show.line(format!(
            "records {} to {}, from {} to {}: {}, {}",
            summary.first,
            summary.last,
            when::full(first / 1000),
            when::full(last / 1000),
            count(summary.grants, "grant"),
            count(summary.refusals, "refusal")
        ));
    }
    let breaks = place.anchor.iter().flat_map(|anchor| &anchor.breaks);
    let alarms: Vec<&LogBreak> = breaks.filter(|found| found.is_alarm()).collect();
    for found in &alarms {
        show.line(broken(found));
    }
    for fault in &summary.faults {
        tell_fault(show, fault);
    }
    if summary.more_faults > 0 {
        show.line(format!("and {} more", summary.more_faults));
    }
    if !summary.intact() || !alarms.is_empty() {
        show.line(Line::new().look(Style::Bad, "the log is not as it was written"));
        show.line(known_of(place.anchor.as_ref()));
        show.next(next(summary));
        return;
    }
    show.line(Line::new().look(Style::Good, "chain ok"));
    show.line(anchored(place.anchor.as_ref(), summary));
    for held in place.anchor.iter().flat_map(|anchor| &anchor.held) {
        show.line(format!(
            "anchored at {} up to record {} of {}",
            held.org, held.sequence, summary.last
        ));
    }
}

/// `1 file`, `2 files`.
fn count(number: impl std::fmt::Display, word: &str) -> String {
    let number = number.to_string();
    let many = if number == "1" { "" } else { "s" };
    format!("{number} {word}{many}")
}

fn tell_fault(show: &Show, fault: &Fault) {
    let place = match fault.line {
        0 => String::new(),
        line => format!("{}:{line}: ", fault.file),
    };
    show.line(
        Line::new()
            .look(Style::Bad, place)
            .text(fault.sentence.clone()),
    );
}

fn broken(found: &LogBreak) -> Line {
    let acknowledged = found.acknowledged_at_ms.map_or_else(String::new, |at_ms| {
        format!(", acknowledged {}", when::full(at_ms / 1000))
    });
    let at = when::full(found.at_ms / 1000);
    Line::new()
        .look(Style::Bad, format!("found {at}{acknowledged}: "))
        .text(found.sentence())
}

/// The next step, once for all faults.
fn next(summary: &Summary) -> &'static str {
    let torn = |fault: &Fault| fault.kind == FaultKind::Partial;
    if !summary.faults.is_empty() && summary.faults.iter().all(torn) && summary.more_faults == 0 {
        return "the agent repairs a torn last line when it writes next; then verify again";
    }
    "keep the files as they are and tell the administrators of your organization; `oam log --acknowledge` ends the warnings, and the break stays on record"
}

/// What is known from outside of a log that is not whole; no part of it is certified.
fn known_of(anchor: Result<&AnchorReport, &Refusal>) -> Line {
    match anchor {
        Err(refusal) => Line::from(format!("not anchored: {}", refusal.sentence)),
        Ok(anchor) if anchor.anchored_in == "sealed" && anchor.anchored_sequence > 0 => {
            Line::from(format!(
                "not certified: the sealed state knows record {}, and the chain to it is broken",
                anchor.anchored_sequence
            ))
        }
        Ok(_) => {
            Line::from("not certified, and not anchored: there is no sealed state on this machine")
        }
    }
}

fn anchored(anchor: Result<&AnchorReport, &Refusal>, summary: &Summary) -> Line {
    if let Some(why) = unanchored(anchor, summary) {
        return Line::new().look(
            Style::Warn,
            format!("not anchored: {why} (a log that was cut or written anew may look the same)"),
        );
    }
    let sealed = anchor.map_or(0, |anchor| anchor.anchored_sequence);
    // The agent's own head proves more while it runs; the lasting anchor is what is named.
    let lasting = sealed.min(summary.anchored_up_to);
    if lasting == 0 {
        return Line::from(format!(
            "not anchored in a sealed state on this machine, up to {} of {} while this agent runs",
            summary.anchored_up_to, summary.last
        ));
    }
    Line::from(format!(
        "anchored up to record {lasting} of {} (sealed state), up to {} while this agent runs",
        summary.last, summary.anchored_up_to
    ))
}

#[cfg(test)]
mod tests;
