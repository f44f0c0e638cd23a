//! `oam log --verify`: the chain, and how far it is anchored.

use super::{Where, files};
use crate::cli::Done;
use crate::cli::show::{Line, Look, Show};
use crate::cli::when;
use crate::model::refusal::Refusal;
use crate::model::report::{AnchorReport, HeldAt};
use crate::rules::record::{Fault, Known, Summary, Verifier};
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

/// Verifies and tells what was checked. Exits 1 when something is wrong.
pub fn run(show: &Show, place: &Where) -> Done {
    let (seen, summary) = check(place)?;
    if show.json() {
        let anchor = place.anchor.as_ref();
        show.value(&Report {
            ok: summary.intact(),
            folder: &place.folder,
            files: seen.files,
            lines: seen.lines,
            first_at_ms: seen.first_at_ms,
            last_at_ms: seen.last_at_ms,
            anchored_in: anchor.ok().map(|anchor| anchor.anchored_in.as_str()),
            not_anchored: anchor.err().map(|refusal| refusal.sentence.as_str()),
            held: anchor.map_or(&[], |anchor| &anchor.held),
            summary: &summary,
        });
    } else {
        tell(show, place, &seen, &summary);
    }
    Ok(u8::from(!summary.intact()))
}

/// What the agent knows of the log: its head, the record that the sealed state anchors, and those that
/// organizations hold.
fn known(anchor: &AnchorReport) -> Vec<Known> {
    let known = |seq, hash: &str| Known {
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
    for fault in &summary.faults {
        tell_fault(show, fault);
    }
    if summary.more_faults > 0 {
        show.line(format!("and {} more", summary.more_faults));
    }
    if summary.intact() {
        show.line(Line::new().look(Look::Good, "chain ok"));
    } else {
        show.line(Line::new().look(Look::Bad, "the log is not as it was written"));
    }
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
            .look(Look::Bad, place)
            .text(fault.sentence.clone()),
    );
    show.line(
        Line::new()
            .look(Look::Strong, "  next: ")
            .text(fault.next.clone()),
    );
}

fn anchored(anchor: Result<&AnchorReport, &Refusal>, summary: &Summary) -> Line {
    match anchor {
        Err(refusal) => Line::new().look(
            Look::Warn,
            format!(
                "not anchored: {} (a cut tail can't be seen)",
                refusal.sentence
            ),
        ),
        Ok(anchor) => {
            let place = match anchor.anchored_in.as_str() {
                "sealed" => "sealed state",
                other => other,
            };
            // The agent's own head proves more while it runs; the lasting anchor is what is named.
            let lasting = anchor.anchored_sequence.min(summary.anchored_up_to);
            if lasting == 0 {
                return Line::from(format!(
                    "not anchored in a sealed state (there is none), up to {} of {} while this agent runs",
                    summary.anchored_up_to, summary.last
                ));
            }
            Line::from(format!(
                "anchored up to record {lasting} of {} ({place}), up to {} while this agent runs",
                summary.last, summary.anchored_up_to
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Where, check};
    use crate::model::record::{Happening, Record};
    use crate::model::refusal::Refusal;
    use crate::model::report::{AnchorReport, HeldAt};
    use crate::rules::record::{FaultKind, GENESIS, chain};
    use std::fs;
    use std::path::Path;

    fn lines(count: u64) -> Vec<(String, String)> {
        let mut prev = GENESIS.to_owned();
        (1..=count)
            .map(|seq| {
                let link = chain(seq, &prev, &Record::new(Happening::Grant, seq * 1000)).unwrap();
                prev.clone_from(&link.hash);
                (link.line, link.hash)
            })
            .collect()
    }

    fn place(folder: &Path, head: Option<(u64, &str)>) -> Where {
        let anchor = head.map(|(seq, hash)| AnchorReport {
            folder: folder.display().to_string(),
            sequence: seq,
            hash: hash.into(),
            anchored_sequence: seq,
            anchored_hash: hash.into(),
            anchored_in: "sealed".into(),
            held: Vec::new(),
        });
        Where {
            folder: folder.to_owned(),
            anchor: anchor.ok_or_else(|| Refusal::unavailable("no agent", "start it")),
        }
    }

    #[test]
    fn a_rotated_log_is_one_chain_and_a_cut_tail_is_found_by_the_anchor() {
        let folder = tempfile::tempdir().unwrap();
        let made = lines(5);
        let join = |part: &[(String, String)]| {
            part.iter()
                .fold(String::new(), |text, (line, _)| text + line + "\n")
        };
        fs::write(
            folder.path().join("audit-000000000001.jsonl"),
            join(&made[..3]),
        )
        .unwrap();
        fs::write(folder.path().join("audit.jsonl"), join(&made[3..])).unwrap();
        let head = Some((5, made[4].1.as_str()));
        let (seen, summary) = check(&place(folder.path(), head)).unwrap();
        assert!(summary.intact(), "{:?}", summary.faults);
        assert_eq!((seen.lines, summary.anchored_up_to), (5, 5));
        assert_eq!(
            (seen.first_at_ms, seen.last_at_ms),
            (Some(1000), Some(5000))
        );

        fs::write(folder.path().join("audit.jsonl"), join(&made[3..4])).unwrap();
        let (_, cut) = check(&place(folder.path(), head)).unwrap();
        assert_eq!(cut.faults[0].kind, FaultKind::Cut);
        let (_, unanchored) = check(&place(folder.path(), None)).unwrap();
        assert!(
            unanchored.intact(),
            "without an anchor a cut tail can't be seen"
        );
    }

    #[test]
    fn what_an_organization_holds_can_t_be_written_anew_or_cut() {
        let folder = tempfile::tempdir().unwrap();
        let made = lines(4);
        let write = |count: usize| {
            let text = made[..count]
                .iter()
                .fold(String::new(), |text, (line, _)| text + line + "\n");
            fs::write(folder.path().join("audit.jsonl"), text).unwrap();
        };
        let mut place = place(folder.path(), Some((1, made[0].1.as_str())));
        let held = |hash: &str| HeldAt {
            org: "acme".parse().unwrap(),
            sequence: 3,
            hash: hash.into(),
        };
        write(4);
        place.anchor.as_mut().unwrap().held = vec![held(&made[2].1)];
        let (_, summary) = check(&place).unwrap();
        assert!(summary.intact() && summary.anchored_up_to == 3);
        place.anchor.as_mut().unwrap().held = vec![held(&made[1].1)];
        assert_eq!(
            check(&place).unwrap().1.faults[0].kind,
            FaultKind::Rewritten
        );
        write(2);
        assert_eq!(check(&place).unwrap().1.faults[0].kind, FaultKind::Cut);
    }

    #[test]
    fn a_half_written_last_line_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let made = lines(1);
        fs::write(
            folder.path().join("audit.jsonl"),
            format!("{}\n{{\"seq\"", made[0].0),
        )
        .unwrap();
        let (_, summary) = check(&place(folder.path(), None)).unwrap();
        assert_eq!(
            (summary.faults[0].kind, summary.faults[0].line),
            (FaultKind::Partial, 2)
        );
    }
}
