use super::{NOT_ANCHORED, Where, check, exit_code};
use oam_audit::record::{FaultKind, GENESIS, chain};
use oam_model::record::{EventKind, Record};
use oam_model::refusal::Refusal;
use oam_model::report::{AnchorReport, HeldAt};
use std::fs;
use std::path::Path;

fn lines(count: u64) -> Vec<(String, String)> {
    let mut prev = GENESIS.to_owned();
    (1..=count)
        .map(|seq| {
            let link = chain(seq, &prev, &Record::new(EventKind::Grant, seq * 1000)).unwrap();
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
        breaks: Vec::new(),
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
    let alone = place(folder.path(), None);
    let (_, unanchored) = check(&alone).unwrap();
    assert!(
        unanchored.intact(),
        "without an anchor a cut tail can't be seen"
    );
    assert_eq!(
        exit_code(&alone, &unanchored),
        NOT_ANCHORED,
        "and so it is never certified"
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
