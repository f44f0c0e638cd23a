//! Gateways of `oam exec`.

use super::*;
use oam_model::refusal::Refusal;
use oam_model::served::{ServedRepository, ServedTraffic};

fn watch(agent: &mut TestAgent) -> Heard {
    agent.asks(Request::Watch { ask: ask() })
}

fn withdrawn(heard: &mut Heard) -> Refusal {
    match heard.try_recv() {
        Ok(Reply::Withdrawn { refusal }) => refusal,
        _ => panic!("not withdrawn"),
    }
}

fn traffic(reads: u64) -> ServedTraffic {
    ServedTraffic {
        repositories: vec![ServedRepository {
            repository: "acme/model".parse().ok(),
            reads,
            ..ServedRepository::default()
        }],
        ..ServedTraffic::default()
    }
}

fn served(agent: &mut TestAgent, until: Option<u64>) {
    let mut outcome = agent.asks(Request::Served {
        org: acme(),
        hub: "hub".parse().unwrap(),
        served: ServedTraffic {
            outstanding_until: until,
            ..traffic(2)
        },
    });
    assert!(matches!(outcome.try_recv(), Ok(Reply::Done)));
}

/// A request of the gateway in this process.
fn tells(agent: &mut TestAgent, pid: u32, request: Request) -> Heard {
    let caller = Caller {
        pid,
        ..Caller::default()
    };
    agent.asks_as(caller, request)
}

fn serving(agent: &mut TestAgent, pid: u32, reads: u64) {
    let request = Request::Serving {
        org: acme(),
        served: traffic(reads),
    };
    let mut outcome = tells(agent, pid, request);
    assert!(matches!(outcome.try_recv(), Ok(Reply::Done)));
}

fn finish(agent: &mut TestAgent, pid: u32, reads: u64) {
    let request = Request::Served {
        org: acme(),
        hub: "hub".parse().unwrap(),
        served: traffic(reads),
    };
    assert!(matches!(
        tells(agent, pid, request).try_recv(),
        Ok(Reply::Done)
    ));
}

fn elsewhere(agent: &mut TestAgent) -> Option<u64> {
    match agent.reported(Request::Status { proof: false }) {
        Reply::Status(report) => report.orgs[0].elsewhere_until,
        _ => panic!("no status"),
    }
}

#[test]
fn every_gateway_hears_of_the_end_once_and_later_ones_are_refused() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let (mut one, mut two) = (watch(&mut agent), watch(&mut agent));
        for heard in [&mut one, &mut two] {
            assert!(matches!(heard.try_recv(), Ok(Reply::Watching(_))));
        }
        let over = IssuerEvent::Over(StandingWord::Revoked, None);
        agent.core.step(&acme(), over);
        agent.settle().await;
        for heard in [&mut one, &mut two] {
            assert_eq!(withdrawn(heard).code, RefusalCode::Revoked);
            assert!(heard.try_recv().is_err());
        }
        assert_eq!(withdrawn(&mut watch(&mut agent)).code, RefusalCode::Revoked);
    });
}

#[test]
fn what_passed_is_on_record_and_what_is_good_at_other_hosts_is_told_until_it_ends() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        assert_eq!(elsewhere(&mut agent), None);
        let now = agent.core.now().unix();
        for until in [Some(now + 60), Some(now + 30), None] {
            served(&mut agent, until);
        }
        assert_eq!(agent.fake.traced("record Served"), 3);
        assert_eq!(elsewhere(&mut agent), Some(now + 60));
        // Also after the end: nobody can take it back.
        let _signed_out = agent.logout();
        agent.settle().await;
        assert_eq!(elsewhere(&mut agent), Some(now + 60));
        agent.fake.pass(61_000);
        assert_eq!(elsewhere(&mut agent), None);
    });
}

/// The sums on record: the process, requests that read, and whether that is all.
fn sums(agent: &TestAgent) -> Vec<(u32, u64, bool)> {
    let lines = agent.fake.lines.borrow();
    let sums = lines.iter().filter_map(|line| {
        let record: oam_model::record::Record = serde_json::from_str(line).unwrap();
        let (served, caller) = (record.served?, record.caller?);
        Some((caller.pid, served.repositories[0].reads, !served.incomplete))
    });
    sums.collect()
}

#[test]
fn a_gateway_that_is_killed_is_on_record_with_what_it_told_last_and_every_other_once() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let watch = || Request::Watch { ask: ask() };
        let [killed, done, unused] = [7, 8, 9].map(|pid| tells(&mut agent, pid, watch()));
        serving(&mut agent, 7, 1);
        serving(&mut agent, 8, 3);
        serving(&mut agent, 7, 2);
        // Nobody's, and nothing comes of it.
        serving(&mut agent, 70, 5);
        finish(&mut agent, 8, 4);
        // Told before the sum, and overtaken by it.
        serving(&mut agent, 8, 3);
        drop((killed, done, unused));
        agent.settle().await;
        assert_eq!(sums(&agent), [(8, 4, true), (7, 2, false)]);
    });
}

#[test]
fn a_gateway_that_was_told_of_the_end_is_still_heard_when_it_goes() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let watch = || Request::Watch { ask: ask() };
        let [mut killed, mut done] = [7, 8].map(|pid| tells(&mut agent, pid, watch()));
        serving(&mut agent, 7, 1);
        serving(&mut agent, 8, 1);
        let _signed_out = agent.logout();
        agent.settle().await;
        for heard in [&mut killed, &mut done] {
            assert!(matches!(heard.try_recv(), Ok(Reply::Watching(_))));
            withdrawn(heard);
        }
        assert!(sums(&agent).is_empty());
        finish(&mut agent, 8, 6);
        drop((killed, done));
        agent.settle().await;
        assert_eq!(sums(&agent), [(8, 6, true), (7, 1, false)]);
    });
}
