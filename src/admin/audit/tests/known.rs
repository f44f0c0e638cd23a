//! What an administrator says: faults that are known, and dates that mean themselves.

use super::{held, place, wait};
use crate::audit::{acknowledge, before_ms};
use crate::show::{Output, Printer};
use oam_store::Store;
use std::path::PathBuf;

#[test]
fn a_fault_of_an_agents_log_is_acknowledged_on_record_and_another_one_is_not() {
    let place = place(1);
    wait(place.store.commit(held(1..9))).unwrap();
    place.sql("DELETE FROM agent_records WHERE seq = 3");
    assert_eq!(place.verify(vec![]).code(), 3);
    let show = Printer::new(
        Output {
            json: true,
            ..Output::default()
        },
        PathBuf::new(),
    );
    let org = "acme".parse().unwrap();
    let took = || wait(acknowledge::run(&show, &place.store, vec![], &org, 9_000)).unwrap();
    assert_eq!(took(), 0);
    let report = place.verify(vec![]);
    assert_eq!(
        (report.code(), report.agents.acknowledged),
        (0, 1),
        "{report:?}"
    );
    assert_eq!(report.summary.last, 2, "one entry says so");
    assert_eq!(took(), 0);
    assert_eq!(place.verify(vec![]).summary.last, 2, "nothing more to say");
    place.sql("DELETE FROM agent_records WHERE seq = 6");
    let report = place.verify(vec![]);
    assert_eq!((report.code(), report.agents.faults.len()), (3, 1));
    place.sql("UPDATE audit SET line = replace(line, 'other', 'third') WHERE seq = 1");
    assert_eq!(place.verify(vec![]).code(), 1, "the own log comes first");
    assert!(wait(acknowledge::run(&show, &place.store, vec![], &org, 9_000)).is_err());
}

#[test]
fn a_clock_that_leapt_drops_nothing_by_age() {
    let day = 86_400_000;
    let (last, now) = (Some(100 * day), 108 * day);
    for by_age in [None, Some("1d")] {
        let refused = before_ms(by_age, 90, now, last).unwrap_err();
        assert!(
            refused.sentence.contains("more than a week"),
            "{}",
            refused.sentence
        );
        assert!(before_ms(by_age, 90, 107 * day, last).is_ok());
    }
    assert!(
        before_ms(Some("1970-03-01"), 90, now, last).is_ok(),
        "a date means itself"
    );
}
