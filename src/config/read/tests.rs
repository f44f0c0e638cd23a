use crate::agent::{Exchange, HubKind, Settings, SourceText, UnknownIntent, read};
use crate::fault::ConfigFault;
use oam_model::role::{Action, OfflineRule};
use proptest::prelude::*;

const EXAMPLE: &str = include_str!("../../../packaging/config.example.toml");

/// The smallest organization, to which each test adds its own lines.
const ACME: &str = r#"
[orgs.acme]
issuer = "https://login.acme.example"
client_id = "oam"
[orgs.acme.exchange]
kind = "rfc8693"
token_endpoint = "https://tokens.acme.example/token"
[orgs.acme.hubs.models]
url = "https://hub.acme.example"
"#;

#[expect(clippy::unnecessary_wraps, reason = "as `read` takes it")]
fn company(text: &str) -> Option<SourceText<'_>> {
    Some(SourceText {
        name: "/etc/oam/config.toml",
        text,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "as `read` takes it")]
fn user(text: &str) -> Option<SourceText<'_>> {
    Some(SourceText {
        name: "config.toml",
        text,
    })
}

fn good(text: &str) -> Settings {
    read(None, user(text)).unwrap_or_else(|faults| panic!("{}\n{text}", told(&faults)))
}

fn faults(text: &str) -> Vec<ConfigFault> {
    read(None, user(text)).expect_err(text)
}

fn told(faults: &[ConfigFault]) -> String {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// The only fault of the smallest organization with `lines` put at its top or, after a `|`, end.
fn fault_with(lines: &str) -> String {
    let (top, end) = lines.split_once('|').unwrap_or((lines, ""));
    let text = ACME.replacen("[orgs.acme]\n", &format!("[orgs.acme]\n{top}\n"), 1) + end;
    let faults = faults(&text);
    assert_eq!(faults.len(), 1, "{}", told(&faults));
    told(&faults)
}

#[test]
fn the_example_file_is_read_without_a_fault() {
    let settings = good(EXAMPLE);
    assert_eq!(settings.unknown_intent, UnknownIntent::Write);
    assert_eq!(settings.default_org.unwrap().as_str(), "acme");
    let org = &settings.orgs[0];
    assert_eq!(org.provider.issuer, "https://login.acme.example");
    assert_eq!(org.provider.extra["prompt"], "consent");
    assert_eq!((org.fresh_ms, org.lease_ms), (60_000, 600_000));
    assert_eq!(org.session_age_ms, 604_800_000);
    let Exchange::Rfc8693(exchange) = &org.exchange else {
        panic!("another kind of exchange");
    };
    assert_eq!(exchange.scope.as_deref(), Some("role:{role} {action}"));
    assert_eq!(org.hubs[0].kind, HubKind::HuggingFace);
    assert_eq!(org.hubs[1].url, "https://git.acme.example:8443");
    assert_eq!(org.hubs[1].username, "oam");
    let publisher = &org.roles[1];
    assert_eq!(publisher.name.as_str(), "model-publisher");
    assert_eq!(publisher.offline, OfflineRule::Strict);
    assert_eq!(publisher.lifetime_s, 600);
    assert_eq!(publisher.grants[1].action, Action::Write);
}

#[test]
fn the_commented_lines_of_the_example_are_right_too() {
    let mut text = String::new();
    for line in EXAMPLE.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let setting = bare.contains(" = ") && !bare.starts_with(char::is_uppercase);
        let keep = setting || bare.starts_with("[enforce");
        text.push_str(if keep { bare } else { line });
        text.push('\n');
    }
    assert!(text.contains("\nca_file") && text.contains("\n[enforce.orgs.acme]"));
    let settings = read(company(&text), None).unwrap_or_else(|f| panic!("{}", told(&f)));
    assert_eq!(settings.orgs[0].session_age_ms, 86_400_000);
    assert!(settings.orgs[0].provider.proxy.is_some());
}

#[test]
fn what_is_not_set_has_the_documented_default() {
    let settings = good(ACME);
    let org = &settings.orgs[0];
    let scopes = ["openid", "offline_access", "profile", "email"];
    assert_eq!(org.provider.scopes, scopes);
    assert_eq!(org.provider.redirect_path, "/callback");
    assert_eq!(org.provider.groups_claim, "groups");
    assert_eq!((org.fresh_ms, org.lease_ms), (60_000, 600_000));
    assert!(settings.default_org.is_none() && org.roles.is_empty());
    assert_eq!(read(None, None), Ok(Settings::default()));
}

#[test]
fn defaults_of_a_hub_follow_its_kind() {
    for (kind, username, variables) in [
        ("git", "oam", vec![]),
        ("huggingface", "hf_user", vec![]),
        ("github", "x-access-token", vec!["GH_TOKEN", "GITHUB_TOKEN"]),
        ("gitlab", "oauth2", vec!["GITLAB_TOKEN"]),
    ] {
        let hub = good(&format!("{ACME}kind = \"{kind}\"")).orgs[0].hubs[0].clone();
        assert_eq!(hub.username, username);
        assert_eq!(hub.variables, variables);
    }
}

#[test]
fn the_user_lays_keys_over_the_company_and_lists_are_replaced() {
    let above = "[orgs.acme]\nscopes = [\"openid\"]\nlease = \"5m\"\n[orgs.acme.hubs.code]\nurl = \"https://git.acme.example\"";
    let settings = read(company(ACME), user(above)).unwrap();
    let org = &settings.orgs[0];
    assert_eq!(org.provider.scopes, ["openid"]);
    assert_eq!(org.lease_ms, 300_000);
    assert_eq!(org.provider.client_id, "oam");
    assert_eq!(org.hubs.len(), 2);
}

#[test]
fn an_enforced_key_can_not_be_changed_and_the_fault_names_it() {
    let below = format!("{ACME}[enforce.orgs.acme]\nsession_age = \"1d\"\nfresh = \"30s\"\n");
    let settings = read(company(&below), None).unwrap();
    assert_eq!(settings.orgs[0].session_age_ms, 86_400_000);
    let above = "[orgs.acme]\nfresh = \"30s\"\nsession_age = \"90d\"\n";
    let faults = read(company(&below), user(above)).unwrap_err();
    assert_eq!(
        told(&faults),
        "config.toml:3:1: `orgs.acme.session_age` is set by your company and can't be changed here; \
         remove the key; `/etc/oam/config.toml` has its value under [enforce]"
    );
}

#[test]
fn enforcement_is_not_got_around_by_another_shape_of_the_same_key() {
    let below = format!("{ACME}[enforce]\nunknown_intent = \"refuse\"\norgs.acme.lease = \"5m\"\n");
    for above in [
        "orgs.acme.lease = \"1h\"",
        "orgs = { acme = { lease = \"1h\" } }",
        "[orgs.\"acme\"]\n\"lease\" = \"1h\"",
        "orgs = \"none\"",
        "orgs.acme = []",
        "unknown_intent = \"write\"",
    ] {
        let faults = read(company(&below), user(above)).expect_err(above);
        assert!(told(&faults).contains("set by your company"), "{above}");
    }
    let settings = read(company(&below), None).unwrap();
    assert_eq!(settings.unknown_intent, UnknownIntent::Refuse);
    assert_eq!(settings.orgs[0].lease_ms, 300_000);
}

#[test]
fn only_the_company_enforces() {
    let faults = faults("[enforce]\nunknown_intent = \"read\"\n");
    assert!(told(&faults).starts_with("config.toml:1:2: only the company's file"));
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_the_nearest_known_one() {
    let text = format!(
        "{ACME}[orgs.acme.roles.r]\n  lifetim = \"15m\"\ngrants = [{{ hub = \"models\", repositories = [\"**\"], action = \"read\" }}]"
    );
    assert_eq!(
        told(&faults(&text)),
        "config.toml:11:3: `orgs.acme.roles.r` has no key `lifetim`; did you mean `lifetime`?"
    );
}

#[test]
fn all_faults_of_both_files_are_told_in_order() {
    let below = ACME.replace("client_id", "clientid");
    let above = "[orgs.acme]\nfresh = 60\n[orgs.acme.hubs.models]\nkind = \"gitbub\"\nurl = \"http://hub.acme.example\"\n";
    let faults = read(company(&below), user(above)).unwrap_err();
    let all = told(&faults);
    let expected = [
        "/etc/oam/config.toml:2:7: `orgs.acme` has no `client_id`",
        "/etc/oam/config.toml:4:1: `orgs.acme` has no key `clientid`; did you mean `client_id`?",
        "config.toml:2:9: `orgs.acme.fresh` is a number, not a text in quotes",
        "config.toml:4:8: `orgs.acme.hubs.models.kind` can't be `gitbub`; did you mean `github`?",
        "config.toml:5:7: `orgs.acme.hubs.models.url` is http",
    ];
    assert_eq!(faults.len(), expected.len(), "{all}");
    for (line, expected) in all.lines().zip(expected) {
        assert!(line.starts_with(expected), "{line}\n{expected}");
    }
}

#[test]
fn settings_that_weaken_the_sign_in_are_refused() {
    for (lines, said) in [
        ("|[orgs.acme.extra]\nstate = \"x\"", "can't set `state`"),
        (
            "|[orgs.acme.extra]\nredirect_uri = \"x\"",
            "can't set `redirect_uri`",
        ),
        (
            "|[orgs.acme.extra]\nrequest_uri = \"x\"",
            "can't set `request_uri`",
        ),
        ("redirect_path = \"callback\"", "plain path"),
        ("redirect_path = \"/a?x\"", "plain path"),
        ("redirect_path = \"//evil\"", "plain path"),
        ("redirect_port = 65536", "not a port"),
        ("ca_file = \"acme.pem\"", "absolute"),
        ("proxy = \"http://u:p@proxy:1\"", "user name or password"),
        ("scopes = \"email\"", "write it as a list: [\"email\"]"),
        (
            "groups_claim = [\"groups\"]",
            "without brackets: \"groups\"",
        ),
        ("redirect_port = \"8080\"", "without quotes: 8080"),
        ("device = \"true\"", "without quotes: true"),
        ("proxy = \"http://u:p@proxy:1\"", "`proxy_auth_file` names"),
        ("proxy_auth_file = \"/home/ada/proxy\"", "none is named"),
        (
            "proxy = \"http://p:1\"\nproxy_auth_file = \"p\"",
            "absolute",
        ),
        ("scopes = [\"openid email\"]", "not a scope"),
        ("scopes = [\"email\", \"email\"]", "twice"),
        ("groups_claim = \"\"", "empty"),
    ] {
        let fault = fault_with(lines);
        assert!(fault.contains(said), "{lines}: {fault}");
    }
}

#[test]
fn durations_have_ranges_and_an_order() {
    for (lines, said) in [
        (
            "fresh = \"61m\"",
            "out of range; choose 0 seconds to 1 hour",
        ),
        ("lease = \"25h\"", "out of range"),
        ("session_age = \"91d\"", "out of range"),
        (
            "lease = \"30s\"",
            "`fresh` (1 minute) is longer than `lease` (30 seconds)",
        ),
        (
            "session_age = \"5m\"",
            "`lease` (10 minutes) is longer than `session_age`",
        ),
        ("fresh = \"1 minute\"", "is not a duration"),
    ] {
        let fault = fault_with(lines);
        assert!(fault.contains(said), "{lines}: {fault}");
    }
}

#[test]
fn a_role_grants_what_exists_in_patterns_that_can_match() {
    let role = |lines: &str| fault_with(&format!("|[orgs.acme.roles.r]\n{lines}"));
    let grant = |grant: &str| role(&format!("grants = [{{ {grant} }}]"));
    for (lines, said) in [
        (
            "hub = \"model\", repositories = [\"*\"], action = \"read\"",
            "no hub `model`; did you mean `models`?",
        ),
        (
            "hub = \"models\", repositories = [], action = \"read\"",
            "is empty",
        ),
        (
            "hub = \"models\", repositories = [\"acme//x\"], action = \"read\"",
            "write `acme/x`",
        ),
        (
            "hub = \"models\", repositories = [\"*\"]",
            "has no `action`",
        ),
        (
            "hub = \"models\", repositories = [\"*\"], actions = []",
            "is empty",
        ),
        (
            "hub = \"models\", repositories = [\"*\"], action = \"admin\"",
            "use one of `read`",
        ),
        (
            "hub = \"models\", repositories = [\"*\"], action = \"read\", actions = [\"read\"]",
            "has both",
        ),
    ] {
        let fault = grant(lines);
        assert!(fault.contains(said), "{lines}: {fault}");
    }
    assert!(role("description = \"x\"").contains("has no `grants`"));
    assert!(role("grants = []").contains("allows nothing"));
    let fine = "grants = [{ hub = \"models\", repositories = [\"*\"], action = \"read\" }]";
    assert!(role(&format!("lifetime = \"60s\"\n{fine}")).contains("out of range"));
}

#[test]
fn a_host_and_a_name_belong_to_one_hub_in_all_organizations() {
    let other = ACME
        .replace("acme]", "beta]")
        .replace("acme.exchange", "beta.exchange");
    let twin = |name: &str, url: &str| {
        let tail = other.replace("orgs.acme.hubs.models", &format!("orgs.beta.hubs.{name}"));
        told(&faults(&format!(
            "{ACME}{}",
            tail.replace("https://hub.acme.example", url)
        )))
    };
    assert!(twin("other", "https://HUB.acme.example:443/").contains("same host and port"));
    assert!(twin("models", "https://hub.beta.example").contains("named `models`"));
}

#[test]
fn the_default_organization_exists() {
    let fault = told(&faults(&format!("default_org = \"acne\"\n{ACME}")));
    assert!(fault.contains("did you mean `acme`?"), "{fault}");
}

#[test]
fn the_default_hub_exists() {
    let fault = told(&faults(&format!("default_hub = \"model\"\n{ACME}")));
    assert!(fault.contains("did you mean `models`?"), "{fault}");
    let settings = good(&format!("default_hub = \"models\"\n{ACME}"));
    assert_eq!(settings.default_hub.unwrap().as_str(), "models");
}

#[test]
fn broken_toml_is_told_with_its_place_and_nothing_else() {
    let told = told(&faults(
        "[orgs.acme]\nissuer = \"https://x\nclient_id = 'a'\n",
    ));
    assert!(told.starts_with("config.toml:2:"), "{told}");
    assert!(!told.contains("has no"), "{told}");
}

#[test]
fn a_file_nested_without_end_is_a_fault_and_not_a_crash() {
    for text in [
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{a=".repeat(100_000)),
        format!("{}a = 1", "a.".repeat(100_000)),
        format!("[{}a]", "a.".repeat(100_000)),
    ] {
        assert!(read(None, user(&text)).is_err());
        assert!(read(company(&text), user(&text)).is_err());
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(below in ".{0,200}", above in "\\PC{0,200}") {
        let _ = read(company(&below), user(&above));
    }

    #[test]
    fn the_example_with_a_hole_or_noise_in_it_never_panics(
        at in 0..EXAMPLE.len(), cut in 0usize..40, noise in "[\\[\\]{}=.\"'a-z0-9\n\u{fc}#-]{0,8}",
    ) {
        let start = EXAMPLE.floor_char_boundary(at);
        let end = EXAMPLE.ceil_char_boundary((start + cut).min(EXAMPLE.len()));
        let text = format!("{}{noise}{}", &EXAMPLE[..start], &EXAMPLE[end..]);
        if let Err(faults) = read(company(&text), user(&text)) {
            prop_assert!(faults.iter().all(|f| f.line > 0 && !f.next.is_empty()));
        }
    }
}
