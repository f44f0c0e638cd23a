use super::SourceText;
use super::fixture::{ISSUER, issuer_of, settings, told};
use super::read_settings;
use oam_model::issuer::{AccessTokenCheck, Backend, SecretPlace, SigningAlgorithm, SourceKeys};
use oam_model::organization::SubjectKind;
use oam_model::principal::PrincipalKind;
use proptest::prelude::*;

const EXAMPLE: &str = include_str!("../../../packaging/issuer.example.toml");

/// The only fault of the smallest file, whose text `from` becomes `to`.
fn fault(from: &str, to: &str) -> String {
    assert!(ISSUER.contains(from), "{from}");
    let faults = issuer_of(&ISSUER.replacen(from, to, 1)).expect_err(to);
    assert_eq!(faults.len(), 1, "{}", told(&faults));
    told(&faults)
}

/// The only fault of the smallest file with these lines in front of its tables.
fn top(lines: &str) -> String {
    fault("\n[sources.okta]", &format!("\n{lines}\n[sources.okta]"))
}

/// The only fault of the smallest file with these lines in its source of people.
fn source(lines: &str) -> String {
    fault(
        "audiences = [\"oam\"]",
        &format!("audiences = [\"oam\"]\n{lines}"),
    )
}

#[test]
fn a_well_known_host_that_takes_no_foreign_token_is_refused_with_backend_jwt() {
    for host in ["github.com", "gitlab.com", "huggingface.co"] {
        let said = told(&issuer_of(&ISSUER.replace("hub.acme.example", host)).unwrap_err());
        assert!(
            said.contains(&format!("{host} takes no tokens that this issuer signs")),
            "{said}"
        );
    }
    assert!(issuer_of(&ISSUER.replace("hub.acme.example", "gitlab.acme.example")).is_ok());
}

#[test]
fn the_example_file_is_read_without_a_fault() {
    let settings = issuer_of(EXAMPLE).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    assert_eq!(settings.url, "https://issuer.acme.example");
    assert_eq!(settings.signing.algorithm, SigningAlgorithm::Es256);
    // A file, so that the service and an administrator's shell read the same.
    let file = SecretPlace::File("/etc/oam/secrets/master.key".to_owned());
    assert_eq!(settings.master_key, file);
    let credential = EXAMPLE.replace(
        "file = \"/etc/oam/secrets/master.key\"",
        "credential = \"oam-master-key\"",
    );
    let settings_by_credential =
        issuer_of(&credential).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    assert_eq!(
        settings_by_credential.master_key,
        SecretPlace::Credential("oam-master-key".to_owned())
    );
    let okta = &settings.sources[0];
    assert_eq!(
        (okta.kind, okta.subject),
        (PrincipalKind::Person, SubjectKind::AccessToken)
    );
    assert!(okta.groups_from_userinfo);
    let github = settings
        .sources
        .iter()
        .find(|s| s.name.as_str() == "github");
    let github = github.unwrap();
    assert_eq!(github.kind, PrincipalKind::Job);
    assert_eq!(github.issuer, "https://token.actions.githubusercontent.com");
    assert_eq!(github.audiences, ["https://issuer.acme.example"]);
    assert_eq!(github.algorithms, ["RS256"]);
    assert_eq!(github.key_claim.as_deref(), Some("repository_id"));
    assert_eq!(settings.hubs.len(), 3);
    assert_eq!(settings.transmitters[0].source.as_str(), "okta");
    assert_eq!(settings.limits.exchanges_per_minute, 120);
}

/// The lines that are settings without the mark before them; the rest stays as it is.
fn uncommented(text: &str) -> String {
    let mut bare_text = String::new();
    for line in text.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let key = bare.split(" = ").next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        let setting = key != bare && !key.is_empty() && key.chars().all(plain);
        let keep = setting || (bare.starts_with('[') && bare.ends_with(']'));
        bare_text.push_str(if keep { bare } else { line });
        bare_text.push('\n');
    }
    bare_text
}

/// The example in three: what stands before and after the table of a directory that is read, and that table.
fn around_directory() -> (&'static str, &'static str, &'static str) {
    let (before, rest) = EXAMPLE.split_once("# [sources.okta.directory]").unwrap();
    let (table, after) = rest.split_once("\n\n").unwrap();
    (before, table, after)
}

/// In the place of `scim` and of each other, so not among the rest.
#[test]
fn the_examples_directories_that_are_read_are_right_for_their_kinds() {
    let (before, table, after) = around_directory();
    let (common, _) = table.split_once("\n# Okta:").unwrap();
    let (_, ldap) = table.split_once("\n# LDAP:").unwrap();
    let (_, ldap) = ldap.split_once('\n').unwrap();
    let as_ldap = common.replace("\"okta\"", "\"ldap\"") + "\n" + ldap;
    for (kind, table) in [("okta", common), ("ldap", &as_ldap)] {
        let table = uncommented(table);
        let text = format!("{before}[sources.okta.directory]{table}\n{after}");
        assert!(text.contains(&format!("\nkind = \"{kind}\"")), "{text}");
        let settings = issuer_of(&text).unwrap_or_else(|faults| panic!("{}", told(&faults)));
        assert!(settings.sources[0].directory.is_some());
    }
}

#[test]
fn the_commented_lines_of_the_example_are_right_too() {
    let (before, _, after) = around_directory();
    let text = uncommented(&format!("{before}\n{after}"));
    assert!(text.contains("\nca_file") && text.contains("\n[sources.google]"));
    let settings = issuer_of(&text).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    assert!(settings.proxy.is_some() && settings.tls.is_some());
    assert!(settings.sources[0].scim.is_some());
    let names: Vec<&str> = settings.sources.iter().map(|s| s.name.as_str()).collect();
    for wanted in "entra keycloak google gitlab buildkite kubernetes".split(' ') {
        assert!(names.contains(&wanted), "{wanted} is not in {names:?}");
    }
}

#[test]
fn what_is_not_set_has_the_documented_default() {
    let settings = settings();
    assert_eq!(settings.listen, ["127.0.0.1:8443"]);
    assert_eq!(settings.heartbeat_ms, 15_000);
    assert_eq!(settings.signing.announce_ms, 3_600_000);
    assert_eq!(settings.limits.body_bytes, 1 << 20);
    let okta = &settings.sources[0];
    assert_eq!(okta.algorithms, ["RS256", "ES256"]);
    assert_eq!(
        (okta.groups_claim.as_str(), okta.key_claim.as_deref()),
        ("groups", None)
    );
    assert_eq!(okta.username_claim, "preferred_username");
    assert_eq!(okta.keys, SourceKeys::Discovery);
    assert_eq!(okta.longest_age_ms, 86_400_000);
    assert_eq!(settings.hubs[0].backend, Backend::Jwt { audience: None });
}

#[test]
fn algorithms_with_which_anybody_could_sign_are_refused() {
    for word in ["none", "NONE", "HS256", "hs512"] {
        let said = source(&format!("algorithms = [\"{word}\"]"));
        assert!(said.contains("anybody can make tokens"), "{said}");
        assert!(said.starts_with("issuer.toml:10:15: "), "{said}");
    }
    assert!(source("algorithms = [\"RS265\"]").contains("did you mean `RS256`?"));
    assert!(source("algorithms = []").contains("is empty"));
}

#[test]
fn a_secret_is_never_in_the_file_and_never_in_a_fault() {
    let said = fault("{ file = \"/etc/oam/master.key\" }", "\"hunter2\"");
    assert!(
        said.contains("holds no secret itself") && !said.contains("hunter2"),
        "{said}"
    );
    let two = fault(
        "{ file = \"/etc/oam/master.key\" }",
        "{ file = \"/a\", env = \"A\" }",
    );
    assert!(two.contains("exactly one place"), "{two}");
    let none = fault("{ file = \"/etc/oam/master.key\" }", "{}");
    assert!(none.contains("exactly one place"), "{none}");
    let relative = fault("/etc/oam/master.key", "master.key");
    assert!(relative.contains("absolute"), "{relative}");
    let outside = fault(
        "{ file = \"/etc/oam/master.key\" }",
        "{ credential = \"../x\" }",
    );
    assert!(outside.contains("credential"), "{outside}");
}

#[test]
fn addresses_are_https_or_loopback() {
    assert!(fault("https://issuer.acme.example", "http://issuer.acme.example").contains("is http"));
    assert!(fault("https://login.acme.example", "http://login.acme.example").contains("is http"));
    assert!(fault("https://hub.acme.example", "http://hub.acme.example").contains("is http"));
    assert!(source("jwks_uri = \"http://login.acme.example/keys\"").contains("is http"));
    assert!(
        fault("https://issuer.acme.example", "https://acme.example/oam").contains("has a path")
    );
    let loopback = ISSUER.replace("https://", "http://127.0.0.1:80/");
    assert!(
        issuer_of(&loopback).is_err(),
        "an issuer with a path is refused"
    );
    let loopback = ISSUER.replace("https://issuer.acme.example", "http://127.0.0.1:8443");
    assert!(issuer_of(&loopback).is_ok());
}

#[test]
fn an_issuer_that_speaks_for_strangers_is_refused_with_the_remedy() {
    let any = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let said = fault("https://login.acme.example", any);
    assert!(
        said.contains("every Entra tenant") && said.contains("TENANT-ID"),
        "{said}"
    );
    let said = fault("https://login.acme.example", "https://accounts.google.com");
    assert!(said.contains("required = { hd ="), "{said}");
    let pinned = ISSUER
        .replace("https://login.acme.example", "https://accounts.google.com")
        .replace(
            "[\"oam\"]",
            "[\"oam\"]\nrequired = { hd = \"acme.example\" }",
        );
    assert!(issuer_of(&pinned).is_ok());
    let loose = pinned.replace("\"acme.example\" }", "\"*.example\" }");
    assert!(issuer_of(&loose).is_err(), "a wildcard pins nothing");
}

#[test]
fn an_access_token_needs_to_be_checked_somehow() {
    assert!(source("subject = \"access-token\"").contains("how one is checked"));
    let said = source("groups_from_userinfo = true");
    assert!(said.contains("needs an access token"), "{said}");
    let said = source("access_tokens = { check = \"introspection\", client_id = \"x\" }");
    assert!(said.contains("has no `client_secret`"), "{said}");
    let said = source("access_tokens = { check = \"userinfo\", client_id = \"x\" }");
    assert!(said.contains("is not used"), "{said}");
    let text = ISSUER.replace(
        "[\"oam\"]",
        "[\"oam\"]\nsubject = \"access-token\"\ngroups_from_userinfo = true\naccess_tokens = { check = \"userinfo\" }",
    );
    let settings = issuer_of(&text).unwrap();
    let check = |any_client| AccessTokenCheck::UserInfo {
        endpoint: None,
        any_client,
    };
    assert_eq!(settings.sources[0].access_tokens, Some(check(false)));
    let said = source(
        "access_tokens = { check = \"introspection\", client_id = \"x\", client_secret = { env = \"X\" }, any_client = true }",
    );
    assert!(said.contains("any_client` is not used"), "{said}");
    let text = text.replace("\"userinfo\" }", "\"userinfo\", any_client = true }");
    let settings = issuer_of(&text).unwrap();
    assert_eq!(settings.sources[0].access_tokens, Some(check(true)));
}

#[test]
fn a_token_is_of_one_source_for_certain() {
    let twin =
        "[sources.other]\nissuer = \"https://login.acme.example\"\naudiences = [\"x\", \"oam\"]\n";
    let said = fault("[hubs.models]", &format!("{twin}[hubs.models]"));
    assert!(said.starts_with("issuer.toml:12:"), "{said}");
    assert!(
        said.contains("`okta` and `other`") && said.contains("`oam`"),
        "{said}"
    );
    let apart = twin.replace(", \"oam\"", "");
    assert!(issuer_of(&ISSUER.replace("[hubs", &format!("{apart}[hubs"))).is_ok());
    assert!(fault("[\"oam\"]", "[]").contains("no proof"));
    assert!(fault("audiences = [\"oam\"]\n", "").contains("has no `audiences`"));
    assert!(fault("github-actions", "github-action").contains("did you mean `github-actions`?"));
    let said = fault(
        "\"github-actions\"",
        "\"github-actions\"\nkind = \"person\"",
    );
    assert!(said.contains("a source of jobs"), "{said}");
}

#[test]
fn hubs_and_their_backends_are_checked() {
    let twin =
        "[hubs.twin]\nurl = \"https://HUB.acme.example:443\"\nbackend = { kind = \"jwt\" }\n";
    assert!(fault("[hubs.models]", &format!("{twin}[hubs.models]")).contains("same host and port"));
    assert!(fault("{ kind = \"jwt\" }", "{ kind = \"jvt\" }").contains("did you mean `jwt`?"));
    assert!(fault("{ kind = \"jwt\" }", "{ kind = \"huggingface-org\" }").contains("`client_id`"));
    let said = fault(
        "{ kind = \"jwt\" }",
        "{ kind = \"jwt\", client_id = \"x\" }",
    );
    assert!(
        said.contains("only for kind = \"huggingface-org\""),
        "{said}"
    );
    assert!(fault("backend = { kind = \"jwt\" }\n", "").contains("has no `backend`"));
}

/// The file without its proxy, with these lines in its place.
fn behind(lines: &str) -> String {
    ISSUER.replacen("trusted_proxies = [\"192.0.2.0/24\"]", lines, 1)
}

#[test]
fn plain_http_is_not_offered_to_others() {
    let said = |lines: &str| words(&behind(lines));
    let open = said("listen = [\"0.0.0.0:80\"]");
    assert!(
        open.contains("without TLS") && open.contains("trusted_proxies"),
        "{open}"
    );
    assert!(said("listen = [\"localhost:80\"]").contains("not an address"));
    assert!(said("listen = []").contains("is empty"));
    assert!(said("trusted_proxies = [\"0.0.0.0/0\"]").contains("is everybody"));
    for lines in [
        "listen = [\"0.0.0.0:80\"]\ntrusted_proxies = [\"10.0.0.0/8\"]",
        "listen = [\"[::]:443\"]\ntls = { certificate = \"/c.pem\", key = \"/k.pem\" }",
        "listen = [\"127.0.0.1:0\", \"[::1]:0\"]\ntrusted_proxies = [\"127.0.0.1/32\"]",
    ] {
        assert!(issuer_of(&behind(lines)).is_ok(), "{lines}");
    }
    let local = behind("listen = [\"127.0.0.1:0\"]");
    let local = local.replacen("https://issuer.acme.example", "http://127.0.0.1:8443", 1);
    assert!(issuer_of(&local).is_ok());
}

#[test]
fn a_proxy_that_is_not_named_is_a_fault_because_everybody_would_be_this_machine() {
    for lines in ["", "listen = [\"127.0.0.1:8443\"]"] {
        let said = words(&behind(lines));
        assert!(
            said.contains("where TLS ends") && said.contains("trusted_proxies"),
            "{said}"
        );
    }
}

fn words(text: &str) -> String {
    let faults = issuer_of(text).err().unwrap_or_default();
    let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
    all.join("\n")
}

#[test]
fn a_transmitter_speaks_of_people_who_are_there() {
    let with = |lines: &str| {
        let own = format!(
            "[transmitters.okta]\nissuer = \"https://login.acme.example\"\naudiences = [\"https://issuer.acme.example\"]\n{lines}\n[hubs.models]"
        );
        fault("[hubs.models]", &own)
    };
    assert!(with("source = \"octa\"").contains("did you mean `okta`?"));
    assert!(with("source = \"github\"").contains("have no session"));
    assert!(with("source = \"okta\"\nauthorization = \"Bearer x\"").contains("no secret itself"));
    assert!(
        with("source = \"okta\"\njwks_uri = \"https://a.example\"\njwks_file = \"/k\"")
            .contains("has both")
    );
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_the_nearest_known_one() {
    assert_eq!(
        top("  heartbeet = \"15s\""),
        "issuer.toml:7:3: the configuration has no key `heartbeet`; did you mean `heartbeat`?"
    );
    assert!(source("audience = \"x\"").contains("did you mean `audiences`?"));
    assert!(top("limits = { burst = 0 }").contains("choose 1 to 100000"));
}

#[test]
fn all_faults_are_told_at_once_and_in_order() {
    let text = ISSUER
        .replace("url = \"https://issuer", "url = \"ftp://issuer")
        .replace("database = \"/", "database = \"")
        .replace("[\"oam\"]", "[]")
        .replace("kind = \"jwt\"", "kind = \"x\"");
    let faults = issuer_of(&text).unwrap_err();
    let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [2, 4, 9, 14], "{}", told(&faults));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let _ = read_settings(SourceText { name: "f", text: &text });
    }

    #[test]
    fn the_example_with_a_hole_or_noise_in_it_never_panics(
        at in 0..EXAMPLE.len(), cut in 0usize..40, noise in "[\\[\\]{}=.\"'a-z0-9\n\u{fc}#-]{0,8}",
    ) {
        let start = EXAMPLE.floor_char_boundary(at);
        let end = EXAMPLE.ceil_char_boundary((start + cut).min(EXAMPLE.len()));
        let text = format!("{}{noise}{}", &EXAMPLE[..start], &EXAMPLE[end..]);
        if let Err(faults) = read_settings(SourceText { name: "f", text: &text }) {
            prop_assert!(faults.iter().all(|f| f.line > 0 && !f.next.is_empty()));
        }
    }
}
