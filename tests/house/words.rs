//! One thing has one word, and it is the field's. What a thing was called when only we knew what it meant is listed
//! here with the word that it has now, and names nothing any more.

use super::collect;
use super::text::Text;
use std::path::Path;

/// Names that are not used again, each with the word in its place.
const FORMER: &[(&str, &str)] = &[
    ("Keeper", "AgentCore"),
    ("keeper", "core"),
    ("Desk", "SessionMachine"),
    ("desk", "machine"),
    ("Office", "OrgSession"),
    ("office", "org_session"),
    ("Issuing", "IssuerClientState"),
    ("Holdings", "EffectiveRoles"),
    ("Wish", "AccessRequest"),
    ("MintOrder", "TokenKey"),
    ("HeldSecret", "CachedSecret"),
    ("Seats", "ConnectionQuota"),
    ("Seat", "Subscriber"),
    ("seat", "subscriber"),
    ("Barred", "DeniedPrincipal"),
    ("Turned", "RequestError"),
    ("Untaken", "SignalError"),
    ("Unclear", "ParameterError"),
    ("Undone", "ApplyError"),
    ("Dice", "Rng"),
    ("dice", "rng"),
    ("Patience", "WaitPolicy"),
    ("patience", "wait_policy"),
    ("Journey", "DelayEstimator"),
    ("Beat", "Heartbeat"),
    ("InForce", "LiveConfig"),
    ("in_force", "live_config"),
    ("Foundation", "Deps"),
    ("foundation", "deps"),
    ("Shelf", "MemoryStore"),
    ("Later", "BoxFuture"),
    ("Board", "Reporter"),
    ("Tour", "Scenario"),
    ("KeyRing", "JwksCache"),
    ("Happening", "EventKind"),
    ("Occasion", "NotificationKind"),
    ("occasion", "kind"),
    ("Claimant", "Principal"),
    ("claimant", "principal"),
    ("claimants", "principals"),
    ("bury", "persist_tombstone"),
    ("strays", "orphaned"),
    ("paces", "exchange_limiter"),
    ("bearers", "bearer_limiter"),
];

fn faults(path: &str, source: &str) -> Vec<String> {
    let text = Text::read(path, source);
    let found = text.words().filter_map(|word| {
        let (former, now) = FORMER.iter().find(|(former, _)| word.is(former))?;
        Some(format!("{path}:{}: `{former}` is `{now}`", word.line))
    });
    found.collect()
}

#[test]
fn a_thing_is_called_by_the_fields_word() {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let mut files = Vec::new();
    collect(&Path::new(&root).join("src"), "src", &mut files);
    let found: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| faults(path, text))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_former_word_is_caught_in_code_and_not_in_text() {
    let source = "// The desk.\nlet desk = \"desk\";\nstruct Desks;";
    assert_eq!(
        faults("src/a/b.rs", source),
        ["src/a/b.rs:2: `desk` is `machine`"]
    );
}
