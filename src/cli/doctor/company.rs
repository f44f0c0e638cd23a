//! How the organization's own issuer is reached: asked now, feed, roles, records.

use super::Check;
use crate::agent_client::{ANSWER, settled};
use oam_config::agent::Settings;
use oam_config::organization::issuer_of;
use oam_model::count::counted;
use oam_model::name::OrgName;
use oam_model::report::{OrgStatus, StatusReport};
use oam_model::time::span;
use oam_wire::client::Client;
use oam_wire::message::{Reply, Request};
use oam_wire::socket_path::SocketPath;

/// Asks each issuer for what it publishes, by the agent: its way out is the one that counts.
pub(super) fn checks(settings: Option<&Settings>, report: &StatusReport) -> Vec<Check> {
    let mut checks = Vec::new();
    for org in settings.iter().flat_map(|settings| &settings.orgs) {
        if let Some(url) = issuer_of(org) {
            checks.push(reach(url));
        }
    }
    checks.extend(report.orgs.iter().flat_map(told));
    checks
}

fn reach(url: &str) -> Check {
    let request = Request::Organization {
        url: url.to_owned(),
        route: None,
    };
    let asked = SocketPath::find()
        .and_then(|place| Client::connect_or_start(&place))
        .and_then(|mut client| client.ask(request, ANSWER))
        .and_then(settled);
    match asked {
        Ok(Reply::Organization { .. }) => {
            Check::good("issuer", format!("the issuer {url} answers"))
        }
        Ok(_) => Check::hint(
            "issuer",
            format!("the issuer {url} could not be asked: the agent is another version"),
            "run `oam status`: it replaces the agent when it is idle",
        ),
        Err(refusal) => Check::bad("issuer", refusal.sentence, refusal.next),
    }
}

/// What the company publishes and is not taken over here.
pub(super) fn set_up(report: &StatusReport) -> Vec<Check> {
    let changed = report.orgs.iter().filter_map(|org| {
        let changes = org.setup.as_ref()?.changes.join("; ");
        Some(Check::hint(
            "set-up",
            format!("{} changed its set-up: {changes}", org.org),
            format!("run `oam update {}`", org.org),
        ))
    });
    changed.collect()
}

/// Clocks that differ by as much as this make tokens seem over or of the future, ms.
const CLOCK_MS: u64 = 60_000;

/// Our own clock against the issuer's.
fn clock(name: &OrgName, ahead_ms: i64) -> Check {
    if ahead_ms.unsigned_abs() < CLOCK_MS {
        return Check::good(
            "clock",
            format!("the clock agrees with that of the issuer of {name}"),
        );
    }
    let side = if ahead_ms > 0 { "ahead of" } else { "behind" };
    let much = span(ahead_ms.unsigned_abs());
    Check::bad(
        "clock",
        format!(
            "the clock of this machine is {much} {side} that of the issuer of {name}: tokens seem over, or of the future"
        ),
        "set it by NTP (`timedatectl set-ntp true`); if it is right, tell the administrators that the issuer's is not",
    )
}

/// What the agent knows of it.
fn told(org: &OrgStatus) -> Vec<Check> {
    let mut checks = Vec::new();
    let name = &org.org;
    if let Some(why) = &org.roles_unknown {
        let next = "run `oam roles`, which asks again";
        checks.push(Check::bad("roles", why.clone(), next));
    }
    let ahead = org.feed.as_ref().and_then(|feed| feed.clock_ahead_ms);
    checks.extend(ahead.map(|ahead| clock(name, ahead)));
    if let Some(feed) = org
        .feed
        .as_ref()
        .filter(|_| org.roles_unknown.is_none() || org.subject.is_some())
    {
        checks.extend(match feed.state.as_str() {
            "down" => Some(Check::bad(
                "feed",
                format!("the feed of {name} is down: an end is heard only when a token is asked for"),
                "see the check of the issuer; a proxy on the way must let server-sent events through",
            )),
            "buffered" | "late" => Some(Check::hint(
                "feed",
                format!("the feed of {name} is {}: it proves nothing, so that it is polled", feed.state),
                "let the proxy between here and the issuer pass text/event-stream unbuffered",
            )),
            "connected" => Some(Check::good("feed", format!("the feed of {name} is connected"))),
            _ => None,
        });
    }
    if let Some(records) = &org.records {
        if let Some(alarm) = &records.alarm {
            checks.push(Check::bad(
                "records",
                format!("{name} finds the audit log of this machine amiss: {alarm}"),
                "run `oam log --verify`, and tell the administrators",
            ));
        }
        if let Some(why) = &records.trouble {
            let left = records.written.saturating_sub(records.held);
            let are = if left == 1 { "is" } else { "are" };
            let left = counted(left, "record", "records");
            checks.push(Check::bad(
                "records",
                format!("{left} {are} not sent to {name}: {why}"),
                "they are kept and sent when the issuer takes them; see the check of the issuer",
            ));
        }
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::told;

    fn org(more: &str) -> oam_model::report::OrgStatus {
        serde_json::from_str(&format!(
            r#"{{"org": "acme", "issuer": "https://idp", "standing": "active", "detail": null,
            "next": null, "subject": "ada", "email": null, "signed_in_at": null,
            "last_proof_at": null, "session_ends_at": null, "epoch": 0, "roles": [],
            "hubs": [], "tokens": []{more}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn a_feed_that_is_down_and_records_that_are_not_taken_are_no_green() {
        assert!(told(&org("")).is_empty());
        let stopped = org(r#", "feed": {"state": "down", "as_of": null},
            "records": {"held": 2, "written": 5, "trouble": "it could not be reached"}"#);
        let checks = told(&stopped);
        let bad: Vec<&str> = checks
            .iter()
            .filter(|check| check.verdict == Verdict::Bad)
            .map(|check| check.name)
            .collect();
        assert_eq!(bad, ["feed", "records"]);
        assert!(checks[1].sentence.starts_with("3 records"));
    }

    #[test]
    fn a_clock_that_is_wrong_by_a_minute_is_named_with_its_direction() {
        for (ahead, said) in [
            ("59999", None),
            ("-59999", None),
            ("60000", Some("1 minute ahead of")),
            ("-5400000", Some("1 hour 30 minutes behind")),
        ] {
            let feed = format!(
                r#", "feed": {{"state": "connected", "as_of": null, "clock_ahead_ms": {ahead}}}"#
            );
            let checks = told(&org(&feed));
            let clock = checks.iter().find(|check| check.name == "clock").unwrap();
            assert_eq!(clock.verdict == Verdict::Bad, said.is_some(), "{ahead}");
            let said = said.unwrap_or("agrees");
            assert!(clock.sentence.contains(said), "{}", clock.sentence);
        }
    }
}
