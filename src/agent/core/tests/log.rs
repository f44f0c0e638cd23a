//! Promise 4: a log that is not as it was left is found at every later start, and never certified.

use super::*;
use oam_audit::record::{GENESIS, KnownEntry, Verifier, chain};
use oam_model::log_break::{BreakKind, LogBreak};
use oam_model::record::{Entry, EventKind, Record};
use oam_model::report::AnchorReport;
use proptest::prelude::*;

fn anchor_of(agent: &mut TestAgent) -> AnchorReport {
    match agent.reported(Request::Anchor) {
        Reply::Anchor(report) => report,
        _ => panic!("another outcome"),
    }
}

fn warnings_of(agent: &mut TestAgent) -> Vec<String> {
    match agent.reported(Request::Status { proof: false }) {
        Reply::Status(report) => report.warnings,
        _ => panic!("another outcome"),
    }
}

/// Whether the log is called whole, with what the agent knows of it.
fn is_certified(fake: &Fake, report: &AnchorReport) -> bool {
    let known = |seq, hash: &str| KnownEntry {
        seq,
        hash: hash.to_owned(),
    };
    let mut verifier = Verifier::new([
        known(report.sequence, &report.hash),
        known(report.anchored_sequence, &report.anchored_hash),
    ]);
    verifier.file("audit.jsonl");
    for line in fake.lines.borrow().iter() {
        verifier.line(line.as_bytes());
    }
    verifier.finish().intact() && report.breaks.is_empty()
}

/// A log with a sign-in and a grant, whole and anchored; the agent is down.
async fn left_behind() -> Rc<Fake> {
    let mut agent = TestAgent::signed_in(&settings()).await;
    let _outcome = agent.get();
    agent.mint("token").await;
    agent.core.sync_log();
    let report = anchor_of(&mut agent);
    assert!(is_certified(&agent.fake, &report) && report.sequence >= 3);
    Rc::clone(&agent.fake)
}

/// The same records in a chain of their own, which is whole in itself.
fn chained_anew(lines: &[String]) -> Vec<String> {
    let (mut seq, mut hash) = (0, GENESIS.to_owned());
    let anew = lines.iter().map(|line| {
        let entry: Entry = serde_json::from_str(line).unwrap();
        let link = chain(seq + 1, &hash, &entry.record).unwrap();
        (seq, hash) = (link.seq, link.hash);
        link.line
    });
    anew.collect()
}

fn forged(line: &str) -> String {
    let mut entry: Entry = serde_json::from_str(line).unwrap();
    entry.record.at_ms += 1;
    serde_json::to_string(&entry).unwrap()
}

async fn started_after(edit: impl FnOnce(&mut Vec<String>)) -> TestAgent {
    let fake = left_behind().await;
    edit(&mut fake.lines.borrow_mut());
    fake.trace.borrow_mut().clear();
    TestAgent::start(&fake, &settings()).await
}

#[test]
fn a_log_whose_last_record_was_cut_is_not_filled_up_by_the_start() {
    story(async {
        let mut agent = started_after(|lines| drop(lines.pop())).await;
        let report = anchor_of(&mut agent);
        assert_eq!(report.breaks[0].kind, BreakKind::Cut);
        assert!(!is_certified(&agent.fake, &report));
        let lines = agent.fake.lines.borrow();
        let found = report.breaks[0].found_seq;
        let after = &lines[usize::try_from(found).unwrap()];
        assert!(
            after.starts_with(&format!("{{\"seq\":{},", found + 2)),
            "{after}"
        );
    });
}

#[test]
fn a_log_that_was_written_anew_goes_on_from_the_hash_that_is_sealed() {
    story(async {
        let fake = left_behind().await;
        let known = fake.on_disk().unwrap().anchor.unwrap();
        let mut lines = fake.lines.borrow().clone();
        lines[1] = forged(&lines[1]);
        *fake.lines.borrow_mut() = chained_anew(&lines);
        let mut agent = TestAgent::start(&fake, &settings()).await;
        let report = anchor_of(&mut agent);
        assert_eq!(report.breaks[0].kind, BreakKind::Rewritten);
        let next: Entry = serde_json::from_str(&fake.lines.borrow()[lines.len()]).unwrap();
        assert_eq!((next.seq, next.prev), (known.seq + 1, known.hash));
        assert_eq!(next.record.what, EventKind::Alarm);
    });
}

#[test]
fn a_break_is_noticed_once_and_warned_of_until_it_is_acknowledged_on_record() {
    story(async {
        let mut agent = started_after(|lines| drop(lines.pop())).await;
        assert_eq!(agent.fake.traced("notice"), 1);
        assert_eq!(warnings_of(&mut agent).len(), 1);
        let fake = Rc::clone(&agent.fake);
        let mut agent = TestAgent::start(&fake, &settings()).await;
        assert_eq!(fake.traced("notice"), 1, "told once");
        assert_eq!(warnings_of(&mut agent).len(), 1, "and kept over a restart");
        agent.core.acknowledge_log(Caller::default());
        assert_eq!(fake.traced("record Acknowledgement"), 1);
        assert!(warnings_of(&mut agent).is_empty());
        agent.core.acknowledge_log(Caller::default());
        assert_eq!(fake.traced("record Acknowledgement"), 1, "nothing was open");
        let mut agent = TestAgent::start(&fake, &settings()).await;
        assert!(warnings_of(&mut agent).is_empty());
        let report = anchor_of(&mut agent);
        assert!(!is_certified(&fake, &report), "the break stays for ever");
    });
}

#[test]
fn a_log_without_the_sealed_state_that_was_beside_it_is_an_alarm() {
    story(async {
        let fake = left_behind().await;
        *fake.sealed.borrow_mut() = None;
        let mut agent = TestAgent::start(&fake, &settings()).await;
        let report = anchor_of(&mut agent);
        assert_eq!(report.breaks[0].kind, BreakKind::Unsealed);
        assert_eq!(warnings_of(&mut agent).len(), 1);
    });
}

#[test]
fn a_log_of_an_agent_that_nobody_signed_in_to_or_that_sealed_nothing_is_no_alarm() {
    story(async {
        let fake = Fake::new();
        drop(TestAgent::start(&fake, &settings()).await);
        *fake.sealed.borrow_mut() = None;
        let mut agent = TestAgent::start(&fake, &settings()).await;
        assert!(anchor_of(&mut agent).breaks.is_empty());

        let mut heard = agent.login_to("acme", StoreChoice::Memory);
        agent.settle().await;
        let arrival = fake.logins.borrow_mut().pop().unwrap();
        arrival.send(Ok(arrived("rt1", identity()))).ok().unwrap();
        agent.settle().await;
        assert!(matches!(heard.try_recv(), Ok(Reply::Challenge { .. })));
        agent.core.sync_log();
        *fake.sealed.borrow_mut() = None;
        let mut agent = TestAgent::start(&fake, &settings()).await;
        let report = anchor_of(&mut agent);
        assert_eq!(report.breaks[0].kind, BreakKind::Unanchored);
        assert!(warnings_of(&mut agent).is_empty());
    });
}

#[test]
fn after_a_last_line_that_can_not_be_read_the_log_does_not_begin_anew() {
    story(async {
        let fake = left_behind().await;
        let head = fake.on_disk().unwrap().anchor.unwrap();
        fake.lines.borrow_mut().push("{\"seq\":9,\"x\"".into());
        let mut agent = TestAgent::start(&fake, &settings()).await;
        let report = anchor_of(&mut agent);
        assert_eq!(report.breaks[0].kind, BreakKind::Unreadable);
        let lines = fake.lines.borrow();
        let at = usize::try_from(head.seq).unwrap() + 1;
        let next: Entry = serde_json::from_str(&lines[at]).unwrap();
        assert_eq!((next.seq, next.prev), (head.seq + 1, head.hash));
    });
}

#[test]
fn a_disk_that_fails_to_read_is_no_break_and_nothing_is_granted_meanwhile() {
    story(async {
        let fake = left_behind().await;
        fake.breaks("line");
        let mut agent = TestAgent::start(&fake, &settings()).await;
        assert!(anchor_of(&mut agent).breaks.is_empty());
        assert!(agent.core.durable.audit_chain.trouble.is_some());
        let before = fake.lines.borrow().len();
        let record = Record::new(EventKind::Refusal, 1);
        assert!(!agent.core.write(&record));
        assert_eq!(fake.lines.borrow().len(), before);
        fake.mend();
        assert!(agent.core.write(&record));
        let report = anchor_of(&mut agent);
        assert!(is_certified(&fake, &report), "{:?}", report.breaks);
    });
}

/// What somebody does to the log while the agent is down.
#[derive(Debug, Clone)]
enum Attack {
    Edit(prop::sample::Index),
    Cut(prop::sample::Index),
    Remove(prop::sample::Index, bool),
    Swap(prop::sample::Index, bool),
    Rewrite(prop::sample::Index),
    Prolong(prop::sample::Index, usize),
    Empty,
}

fn attack() -> impl Strategy<Value = Attack> {
    let index = || any::<prop::sample::Index>();
    prop_oneof![
        index().prop_map(Attack::Edit),
        index().prop_map(Attack::Cut),
        (index(), any::<bool>()).prop_map(|(at, anew)| Attack::Remove(at, anew)),
        (index(), any::<bool>()).prop_map(|(at, anew)| Attack::Swap(at, anew)),
        index().prop_map(Attack::Rewrite),
        (index(), 1..4usize).prop_map(|(at, more)| Attack::Prolong(at, more)),
        Just(Attack::Empty),
    ]
}

fn attacked(attack: &Attack, lines: &[String]) -> Vec<String> {
    let mut lines = lines.to_vec();
    let mut anew = true;
    match attack {
        Attack::Edit(at) => {
            let at = at.index(lines.len());
            lines[at] = forged(&lines[at]);
            anew = false;
        }
        Attack::Cut(at) => lines.truncate(at.index(lines.len())),
        Attack::Remove(at, chained) => {
            lines.remove(at.index(lines.len()));
            anew = *chained;
        }
        Attack::Swap(at, chained) => {
            let at = at.index(lines.len() - 1);
            lines.swap(at, at + 1);
            anew = *chained;
        }
        Attack::Rewrite(at) => {
            let at = at.index(lines.len());
            lines[at] = forged(&lines[at]);
        }
        Attack::Prolong(at, more) => {
            let at = at.index(lines.len());
            lines[at] = forged(&lines[at]);
            let last = lines[lines.len() - 1].clone();
            lines.extend(std::iter::repeat_n(last, *more));
        }
        Attack::Empty => lines.clear(),
    }
    if anew { chained_anew(&lines) } else { lines }
}

/// Whether what is left looks like a machine where nobody ever signed in: nothing on it could tell.
fn looks_new(lines: &[String]) -> bool {
    let tells = |line: &String| {
        serde_json::from_str::<Entry>(line).is_ok_and(|entry| entry.record.what != EventKind::Start)
    };
    !lines.iter().any(tells)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn whatever_is_done_to_the_log_is_found_after_every_later_start(
        attack in attack(),
        keeps_seal in any::<bool>(),
        starts in 1..4usize,
        acknowledges in any::<bool>(),
    ) {
        story(async {
            let fake = left_behind().await;
            let before = fake.lines.borrow().clone();
            let after = attacked(&attack, &before);
            if after == before || (!keeps_seal && looks_new(&after)) {
                return;
            }
            *fake.lines.borrow_mut() = after;
            if !keeps_seal {
                *fake.sealed.borrow_mut() = None;
            }
            for _ in 0..starts {
                let mut agent = TestAgent::start(&fake, &settings()).await;
                if keeps_seal {
                    let _outcome = agent.get();
                }
                let report = anchor_of(&mut agent);
                assert!(!is_certified(&fake, &report), "{attack:?} {report:?}");
                if acknowledges {
                    agent.core.acknowledge_log(Caller::default());
                    let report = anchor_of(&mut agent);
                    assert!(!report.breaks.iter().any(LogBreak::is_open));
                    assert!(!is_certified(&fake, &report), "{attack:?} {report:?}");
                }
            }
        });
    }
}
