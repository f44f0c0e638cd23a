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

fn served(agent: &mut TestAgent, until: Option<u64>) {
    let repository = ServedRepository {
        repository: "acme/model".parse().ok(),
        reads: 2,
        ..ServedRepository::default()
    };
    let mut outcome = agent.asks(Request::Served {
        org: acme(),
        hub: "hub".parse().unwrap(),
        served: ServedTraffic {
            repositories: vec![repository],
            outstanding_until: until,
            ..ServedTraffic::default()
        },
    });
    assert!(matches!(outcome.try_recv(), Ok(Reply::Done)));
}

fn elsewhere(agent: &mut TestAgent) -> Option<u64> {
    match agent.reported(Request::Status) {
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
