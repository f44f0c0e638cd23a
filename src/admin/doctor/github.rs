//! The teams at GitHub: whether the App may read, when they were read, and whether anybody is known by account.

use super::{Finding, State};
use oam_issuer::github::{self, GitHubApp, GitHubFault};
use oam_issuer::outbound::OutboundClient;
use oam_model::count::counted;
use oam_model::issuer::IssuerSettings;
use oam_model::name::OrgName;
use oam_store::sqlite::SqliteStore;
use oam_store::{Teams, TeamsState};
use oam_terminal::moment::local;
use std::sync::Arc;

/// A reading that is so many times older than it should be is late.
const LATE: u64 = 3;

pub(super) async fn look(
    settings: &IssuerSettings,
    org: &OrgName,
    now_ms: u64,
    findings: &mut Vec<Finding>,
) {
    if settings.sources.iter().all(|one| one.github.is_none()) {
        return;
    }
    let apps = OutboundClient::new(settings)
        .and_then(|outside| github::apps(settings, &Arc::new(outside)));
    let apps = match apps {
        Ok(apps) => apps,
        Err(refusal) => return findings.push(Finding::of("github", &refusal)),
    };
    let store = SqliteStore::open_existing(settings, org).ok();
    for (source, app) in &apps {
        let part = format!("github of {source}");
        findings.push(asked(&part, app, app.check().await.err()));
        if let Some(store) = &store {
            match store.teams_state(source.clone()).await {
                Ok(state) => findings.push(read(&part, app.settings.every_ms, &state, now_ms)),
                Err(fault) => findings.push(Finding::of(part, &fault.refusal())),
            }
        }
    }
}

/// What GitHub says of the App now.
pub(super) fn asked(part: &str, app: &GitHubApp, fault: Option<GitHubFault>) -> Finding {
    let Some(fault) = fault else {
        let words = format!(
            "the App may read the members of {}",
            app.settings.organization
        );
        return Finding::ok(part, words);
    };
    let state = if fault.is_alarm() {
        State::Fault
    } else {
        State::Warning
    };
    Finding::bad(part, state, fault.sentence(), fault.next())
}

/// How the server read it.
pub(super) fn read(part: &str, every_ms: u64, state: &TeamsState, now_ms: u64) -> Finding {
    let next = "look at the server's log and at `oam-issuer audit export` for its alarms; `oam-issuer github read SOURCE` reads now";
    let Some(at_ms) = state.read_at_ms else {
        let words = "its teams were never read, so nobody is in one";
        return Finding::bad(part, State::Warning, words, next);
    };
    let words = format!(
        "{} with {}, known here: {}; last read {}, last event {}",
        counted(state.teams, "team", "teams"),
        counted(state.members, "member", "members"),
        state.accounts,
        local(at_ms / 1000),
        state
            .heard_at_ms
            .map_or_else(|| "never".to_owned(), |at_ms| local(at_ms / 1000))
    );
    if let Some((why, since_ms)) = &state.fault {
        let since = local(*since_ms / 1000);
        let words = format!("it can't be read since {since} ({why}), and stays as it was: {words}");
        return Finding::bad(part, State::Fault, words, next);
    }
    if now_ms.saturating_sub(at_ms) > every_ms.saturating_mul(LATE) {
        let words = format!("it was not read for long, so nobody hears who left a team: {words}");
        return Finding::bad(part, State::Warning, words, next);
    }
    if state.accounts == 0 {
        let words = format!("nobody's account is known, so no team counts for anybody: {words}");
        let next = "let the identity provider send the number as `account_claim`, or write `accounts_file`";
        return Finding::bad(part, State::Warning, words, next);
    }
    Finding::ok(part, words)
}
