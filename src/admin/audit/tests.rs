use super::export::{csv, jsonl};
use super::filter::FilterArgs;
use super::reading::{Progress, head};
use super::tail::last;
use super::verify::{VerifyReport, anchor, check};
use super::{AuditArgs, before_ms};
use oam_store::AuditTrail;
mod known;

use super::agents;
use crate::show::{Output, Printer};
use clap::{Args, FromArgMatches};
use oam_audit::record::{FaultKind, GENESIS, KnownEntry, chain};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::principal::PrincipalKey;
use oam_model::record::{EventKind, Record};
use oam_store::sqlite::SqliteStore;
use oam_store::{AgentLogRow, AuditFilter, AuditLine, Batch, Store, StoreChange};
use std::future::Future;
use std::path::PathBuf;

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
    store: SqliteStore,
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    crate::opening::wait(future).unwrap()
}

fn place(entries: u64) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.db");
    let store = SqliteStore::open(&path, &"acme".parse().unwrap()).unwrap();
    let entries = (1..=entries).map(|number| entry(number, AuditEvent::Exchange));
    let batch = Batch {
        changes: vec![],
        entries: entries.collect(),
    };
    wait(store.commit(batch)).unwrap();
    Place {
        _folder: folder,
        path,
        store,
    }
}

fn entry(number: u64, event: AuditEvent) -> AuditRecord {
    let mut entry = AuditRecord::new(event, "acme".parse().unwrap(), number * 1000);
    entry.role = Some(
        if number.is_multiple_of(3) {
            "third"
        } else {
            "other"
        }
        .parse()
        .unwrap(),
    );
    entry
}

impl Place {
    fn verify(&self, anchors: Vec<KnownEntry>) -> VerifyReport {
        let show = Printer::new(Output::default(), PathBuf::new());
        wait(check(&self.store, anchors, &mut Progress::new(&show))).unwrap()
    }

    fn sql(&self, sql: &str) {
        rusqlite::Connection::open(&self.path)
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    }

    fn hash_of(&self, seq: u64) -> KnownEntry {
        let line = wait(self.store.audit(AuditFilter::default(), seq - 1, 1)).unwrap();
        KnownEntry {
            seq,
            hash: oam_audit::record::link(&line[0].line).unwrap().hash,
        }
    }
}

fn kinds(report: &VerifyReport) -> Vec<FaultKind> {
    report
        .summary
        .faults
        .iter()
        .map(|fault| fault.kind)
        .collect()
}

#[test]
fn a_whole_log_is_verified_up_to_its_last_entry() {
    let place = place(2_500);
    let known = place.hash_of(2_000);
    let report = place.verify(vec![known]);
    assert!(report.ok, "{report:?}");
    assert_eq!((report.summary.last, report.issued), (2_500, 2_500));
    assert_eq!(report.summary.anchored_up_to, 2_000);
    assert_eq!(report.summary.last_hash, place.hash_of(2_500).hash);
    assert!(place_is_empty().ok);
}

fn place_is_empty() -> VerifyReport {
    place(0).verify(vec![])
}

#[test]
fn whatever_is_done_to_the_table_is_told() {
    for (sql, kind) in [
        (
            "UPDATE audit SET line = replace(line, 'other', 'third') WHERE seq = 7",
            FaultKind::Changed,
        ),
        ("DELETE FROM audit WHERE seq = 7", FaultKind::Missing),
        ("DELETE FROM audit WHERE seq < 7", FaultKind::Missing),
        (
            "UPDATE audit SET line = 'x' WHERE seq = 7",
            FaultKind::Unreadable,
        ),
        ("DELETE FROM audit WHERE seq > 15", FaultKind::Cut),
    ] {
        let place = place(20);
        let known = place.hash_of(20);
        place.sql(sql);
        let report = place.verify(vec![known]);
        assert!(!report.ok, "{sql}");
        assert_eq!(kinds(&report)[0], kind, "{sql}");
    }
    let place = place(20);
    let mut forged = place.hash_of(5);
    forged.hash = "0".repeat(64);
    assert_eq!(kinds(&place.verify(vec![forged])), [FaultKind::Rewritten]);
}

#[test]
fn a_pruned_log_is_whole_and_says_where_it_begins() {
    let place = place(20);
    let old = place.hash_of(3);
    assert_eq!(wait(place.store.prune(11_000, 99_000)).unwrap().entries, 10);
    // An anchor in what was dropped proves nothing, and is no fault.
    let report = place.verify(vec![old]);
    assert!(report.ok, "{report:?}");
    assert_eq!((report.dropped_up_to, report.summary.first), (10, 11));
    // More is gone than was said.
    place.sql("DELETE FROM audit WHERE seq = 11");
    let report = place.verify(vec![]);
    assert!(!report.ok);
    assert!(
        report.summary.faults[0]
            .sentence
            .ends_with("dropped: entries 1 to 11")
    );
}

fn held(lines: std::ops::Range<u64>) -> Batch {
    let key = PrincipalKey {
        source: "okta".parse().unwrap(),
        key: "00u".into(),
    };
    let mut prev = GENESIS.to_owned();
    let mut all = Vec::new();
    for seq in 1..lines.end {
        let link = chain(seq, &prev, &Record::new(EventKind::Grant, seq)).unwrap();
        prev.clone_from(&link.hash);
        if seq >= lines.start {
            all.push(link.line);
        }
    }
    let row = AgentLogRow {
        key,
        log: "ab".repeat(16),
        seq: lines.end - 1,
        hash: prev,
        head_seq: lines.end - 1,
        at_ms: lines.end,
        dropped: KnownEntry::none(),
    };
    Batch {
        changes: vec![StoreChange::AgentLog(row, all)],
        entries: vec![],
    }
}

#[test]
fn agents_logs_are_verified_as_far_as_they_are_held() {
    let place = place(1);
    wait(place.store.commit(held(1..5))).unwrap();
    wait(place.store.commit(held(5..9))).unwrap();
    let report = place.verify(vec![]);
    assert!(report.ok, "{report:?}");
    assert_eq!((report.agents.logs, report.agents.records), (1, 8));
    place.sql("UPDATE agent_records SET line = replace(line, 'grant', 'erase') WHERE seq = 8");
    let report = place.verify(vec![]);
    assert!(report.agents.faults[0].contains("the record after 7 was changed while it was held"));
    place.sql("DELETE FROM agent_records WHERE seq = 8");
    let report = place.verify(vec![]);
    assert!(
        report.agents.faults[0].contains("it ends at record 7"),
        "{report:?}"
    );
    place.sql("DELETE FROM agent_records WHERE seq = 3");
    let report = place.verify(vec![]);
    assert!(report.agents.faults[0].contains("record 3 is missing"));
    assert!(!report.ok);
    assert_eq!(report.code(), 3, "the organization's own log is whole");
}

/// A log with 15 records, of which all but the last two were dropped in two prunes.
fn dropped_twice() -> Place {
    let place = place(3);
    for lines in [1..5, 5..9, 9..12] {
        wait(place.store.commit(held(lines))).unwrap();
    }
    // Those that arrived at 5 and at 9; of the entries all three are younger.
    let pruned = wait(place.store.prune(10, 99_000)).unwrap();
    assert_eq!((pruned.entries, pruned.records), (0, 8));
    let report = place.verify(vec![]);
    assert!(report.ok, "{report:?}");
    assert_eq!((report.agents.logs, report.agents.records), (1, 3));
    // The log goes on, and what is dropped later says anew from where the records go on.
    wait(place.store.commit(held(12..14))).unwrap();
    let pruned = wait(place.store.prune(100_000, 200_000)).unwrap();
    assert_eq!((pruned.entries, pruned.records), (4, 5));
    let report = place.verify(vec![]);
    assert!(report.ok, "{report:?}");
    assert_eq!((report.agents.logs, report.agents.records), (1, 0));
    wait(place.store.commit(held(14..16))).unwrap();
    place
}

#[test]
fn agents_records_are_dropped_by_age_and_their_logs_go_on_from_what_the_log_says() {
    let report = dropped_twice().verify(vec![]);
    assert!(report.ok, "{report:?}");
    assert_eq!((report.agents.logs, report.agents.records), (1, 2));
    for forged in [
        "UPDATE agent_logs SET dropped_seq = 14",
        "UPDATE agent_logs SET dropped_hash = replace(dropped_hash, 'a', 'b')",
        "DELETE FROM agent_records",
        "DELETE FROM agent_records; DELETE FROM agent_logs",
    ] {
        let place = dropped_twice();
        place.sql(forged);
        assert!(!place.verify(vec![]).ok, "{forged}");
    }
}

#[test]
fn a_changed_record_is_not_dropped_by_age() {
    let place = place(1);
    wait(place.store.commit(held(1..5))).unwrap();
    place.sql("UPDATE agent_records SET line = 'x' WHERE seq = 4");
    let refused = wait(place.store.prune(100, 99_000)).unwrap_err();
    assert!(format!("{refused:?}").contains("record 4 of an agent's log is not as it was written"));
    let report = place.verify(vec![]);
    assert_eq!((report.summary.last, report.agents.records), (1, 4));
}

/// As if the agent had sent more after the log's end was read: verification of a server that runs.
#[test]
fn records_that_arrive_during_a_verification_are_no_fault() {
    let place = place(1);
    wait(place.store.commit(held(1..5))).unwrap();
    wait(place.store.commit(held(5..9))).unwrap();
    let fourth: String = rusqlite::Connection::open(&place.path)
        .unwrap()
        .query_row(
            "SELECT line ->> 'hash' FROM agent_records WHERE seq = 4",
            [],
            |row| row.get(0),
        )
        .unwrap();
    place.sql(&format!("UPDATE agent_logs SET seq = 4, hash = '{fourth}'"));
    let report = place.verify(vec![]);
    assert!(report.ok, "{report:?}");
    place.sql("UPDATE agent_logs SET hash = 'x'");
    assert!(!place.verify(vec![]).ok);
}

#[test]
fn the_end_of_the_log_is_found_and_its_last_entries() {
    let place = place(5_000);
    assert_eq!(wait(head(&place.store)).unwrap(), 5_000);
    let third = AuditFilter {
        role: Some("third".into()),
        ..AuditFilter::default()
    };
    for (filter, count, seqs) in [
        (AuditFilter::default(), 3, vec![4_998, 4_999, 5_000]),
        (third.clone(), 2, vec![4_995, 4_998]),
        (
            AuditFilter {
                to_ms: Some(6_500),
                ..third
            },
            9,
            vec![3, 6],
        ),
    ] {
        let found = wait(last(&place.store, &filter, count, 5_000)).unwrap();
        let found: Vec<u64> = found.into_iter().map(|line| line.seq).collect();
        assert_eq!(found, seqs);
    }
    assert_eq!(wait(head(&self::place(0).store)).unwrap(), 0);
}

#[test]
fn an_export_is_the_hashed_bytes_or_rows_that_no_spreadsheet_calculates() {
    let mut odd = entry(1, AuditEvent::Exchange);
    odd.name = Some("=HYPERLINK(\"http://x\")".into());
    odd.detail = Some("a, \"quoted\"\nline".into());
    odd.person = Some("-1".into());
    let link = chain(1, GENESIS, &odd).unwrap();
    let page = [AuditLine {
        seq: 1,
        line: link.line.clone(),
    }];
    assert_eq!(jsonl(&page, false), format!("{}\n", link.line).into_bytes());
    let mut unreadable = 0;
    let mut text = csv(&[], true, &mut unreadable);
    text.extend(csv(&page, false, &mut unreadable));
    let mut reader = csv::Reader::from_reader(&*text);
    let header = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!((rows.len(), unreadable), (1, 0));
    let cell = |name: &str| {
        let at = header.iter().position(|column| column == name).unwrap();
        rows[0][at].to_owned()
    };
    assert_eq!(cell("name"), "'=HYPERLINK(\"http://x\")");
    assert_eq!(cell("person"), "'-1");
    assert_eq!(cell("detail"), "a, \"quoted\"\nline");
    assert_eq!(cell("time"), "1970-01-01T00:00:01Z");
    assert_eq!(cell("seq"), "1");
    assert_eq!(cell("hash"), link.hash);
    let broken = [AuditLine {
        seq: 2,
        line: "{".into(),
    }];
    csv(&broken, false, &mut unreadable);
    assert_eq!(unreadable, 1);
}

#[test]
fn filters_are_read_as_people_write_them() {
    let line =
        "export --since 2h --until 1970-01-01T03:00:00Z --repo /acme/model.git --token-sha256 AB";
    let command = AuditArgs::augment_args(clap::Command::new("audit").no_binary_name(true));
    let args = AuditArgs::from_arg_matches(&command.get_matches_from(line.split(' '))).unwrap();
    let super::AuditWhat::Export { filter, .. } = args.what else {
        panic!("export")
    };
    let read = filter.read(10_000_000).unwrap();
    assert_eq!(read.from_ms, Some(2_800_000));
    assert_eq!(read.to_ms, Some(10_800_000));
    assert_eq!(read.repository.as_deref(), Some("acme/model"));
    assert_eq!(read.token_sha256.as_deref(), Some("ab"));
    let odd = FilterArgs {
        since: Some("someday".into()),
        ..FilterArgs::default()
    };
    assert_eq!(odd.read(0).unwrap_err().code.exit_code(), 2);
}

#[test]
fn a_prune_needs_a_time_or_a_setting() {
    let day = 86_400_000;
    assert_eq!(before_ms(None, 2, 5 * day, None), Ok(3 * day));
    assert_eq!(
        before_ms(Some("1d"), 2, 5 * day, Some(5 * day)),
        Ok(4 * day)
    );
    assert!(before_ms(None, 0, 5 * day, None).is_err());
    assert!(before_ms(Some("x"), 2, 5 * day, None).is_err());
}

#[test]
fn an_anchor_is_read_as_it_is_printed() {
    let text = format!("12:{}", "aF".repeat(32));
    let known = anchor(&text).unwrap();
    assert_eq!((known.seq, known.hash), (12, "af".repeat(32)));
    for odd in ["", "12", "0:af", "x:y", &text[..40]] {
        assert!(anchor(odd).is_err(), "{odd:?}");
    }
    assert_eq!(agents::Agents::default().logs, 0);
}
