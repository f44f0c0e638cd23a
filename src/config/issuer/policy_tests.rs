use super::fixture::{ISSUER, POLICY, issuer_of, policy_of, told};
use super::{SourceText, org_name, read_policy};
use crate::fault::ConfigFault;
use oam_model::policy::Policy;
use oam_model::role::{Action, OfflineRule};
use proptest::prelude::*;

const EXAMPLE: &str = include_str!("../../../packaging/policy.example.toml");
const ISSUER_EXAMPLE: &str = include_str!("../../../packaging/issuer.example.toml");

fn example(text: &str) -> Result<Policy, Vec<ConfigFault>> {
    let settings = issuer_of(ISSUER_EXAMPLE).unwrap();
    let name = "policy.toml";
    read_policy(SourceText { name, text }, &settings)
}

/// The only fault of the smallest policy, whose text `from` becomes `to`.
fn fault(from: &str, to: &str) -> String {
    assert!(POLICY.contains(from), "{from}");
    let faults = policy_of(&POLICY.replacen(from, to, 1)).expect_err(to);
    assert_eq!(faults.len(), 1, "{}", told(&faults));
    told(&faults)
}

/// The only fault of the smallest policy with another member.
fn member(member: &str) -> String {
    fault(
        "{ source = \"okta\", groups = [\"ml-publishers\"] }",
        member,
    )
}

fn allowed_member(member: &str) -> Policy {
    let text = POLICY.replace(
        "{ source = \"okta\", groups = [\"ml-publishers\"] }",
        member,
    );
    policy_of(&text).unwrap_or_else(|faults| panic!("{member}: {}", told(&faults)))
}

#[test]
fn a_source_of_jobs_that_nothing_pins_is_refused_unless_every_job_is_meant() {
    let source = "[sources.tfc]\nkind = \"job\"\nissuer = \"https://jobs.acme.example\"\n";
    let role = |claims: &str| {
        format!(
            "{POLICY}[roles.plan]\nmembers = [{{ source = \"tfc\"{claims} }}]\ngrants = [{{ hub = \"models\", repositories = [\"acme/*\"], action = \"read\" }}]\n"
        )
    };
    let read = |source: &str, policy: &str| {
        let settings =
            issuer_of(&ISSUER.replace("[hubs.models]", &format!("{source}[hubs.models]")));
        let settings = settings.unwrap_or_else(|faults| panic!("{}", told(&faults)));
        read_policy(
            SourceText {
                name: "policy.toml",
                text: policy,
            },
            &settings,
        )
    };
    for loose in ["", ", claims = { terraform_workspace_name = \"prod-*\" }"] {
        let said = told(&read(source, &role(loose)).unwrap_err());
        assert!(
            said.contains("every job of https://jobs.acme.example"),
            "{said}"
        );
        assert!(said.contains("every_job = true"), "{said}");
    }
    let pinned = ", claims = { terraform_organization_id = \"org-1\" }";
    assert!(read(source, &role(pinned)).is_ok());
    assert!(
        read(
            &format!("{source}required = {{ terraform_organization_id = \"org-1\" }}\n"),
            &role("")
        )
        .is_ok()
    );
    assert!(read(&format!("{source}every_job = true\n"), &role("")).is_ok());
}

#[test]
fn characters_that_nobody_sees_are_told_in_names_and_in_comments() {
    for hidden in ["ml-publi\u{200b}shers", "ml-publishers\u{202e}"] {
        let text = POLICY.replace("ml-publishers", hidden);
        let said = told(&policy_of(&text).unwrap_err());
        assert!(said.contains("invisible character, U+20"), "{said}");
        assert!(said.contains("policy.toml:7:"), "{said}");
    }
    let said = told(&policy_of(&format!("{POLICY}# allowed \u{2066}\n")).unwrap_err());
    assert!(said.contains("U+2066"), "{said}");
    assert!(policy_of(&format!("\u{feff}{POLICY}# ümlaut\n")).is_ok());
}

#[test]
fn the_example_file_is_read_without_a_fault() {
    let policy = example(EXAMPLE).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    assert_eq!(policy.org.name.as_str(), "acme");
    assert_eq!(policy.org.sign_in.as_str(), "okta");
    assert_eq!(
        (policy.org.fresh_ms, policy.org.lease_ms),
        (60_000, 600_000)
    );
    let role = |name: &str| policy.roles.iter().find(|r| r.name.as_str() == name);
    let publisher = role("model-publisher").unwrap();
    assert_eq!(publisher.offline, OfflineRule::Strict);
    assert_eq!(publisher.members[0].groups, ["ml-publishers", "ml-leads"]);
    let ci = role("ci-publisher").unwrap();
    assert!(ci.members[0].claims.contains_key("repository_id"));
    let admin = role("model-admin").unwrap();
    assert!(
        admin.grants.len() > 1,
        "an included role's grants are there"
    );
}

#[test]
fn the_commented_lines_of_the_example_are_right_too() {
    let mut text = String::new();
    for line in EXAMPLE.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let key = bare.split(" = ").next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        let setting = key != bare && !key.is_empty() && key.chars().all(plain);
        let keep = setting || (bare.starts_with('[') && bare.ends_with(']'));
        text.push_str(if keep { bare } else { line });
        text.push('\n');
    }
    assert!(text.contains("\n[org.extra]"));
    let policy = example(&text).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    assert!(!policy.org.extra.is_empty());
}

#[test]
fn lines_of_members_and_grants_are_kept() {
    let policy = policy_of(POLICY).unwrap();
    let role = &policy.roles[0];
    assert_eq!((role.members[0].line, role.grants[0].line), (7, 8));
    assert_eq!(role.lifetime_s, 900);
    assert!(
        !policy.org.device_login,
        "what does not exist is not offered"
    );
}

#[test]
fn unknown_sources_hubs_and_words_are_told_with_their_place() {
    assert_eq!(
        member("{ source = \"otka\", groups = [\"x\"] }"),
        "policy.toml:7:23: there is no source `otka`; did you mean `okta`?"
    );
    assert_eq!(
        fault("hub = \"models\"", "hub = \"model\""),
        "policy.toml:8:19: there is no hub `model`; did you mean `models`?"
    );
    assert_eq!(
        fault("action = \"write\"", "action = \"wirte\""),
        "policy.toml:8:65: `roles.publisher.grants.action` can't be `wirte`; did you mean `write`?"
    );
    assert!(fault("sign_in = \"okta\"", "sign_in = \"github\"").contains("no source of people"));
    let said = fault("client_id = \"oam\"", "client_id = \"oan\"");
    assert!(
        said.contains("not among the audiences") && said.contains("add \"oan\""),
        "{said}"
    );
    assert!(
        fault("[roles.publisher]", "[roles.publisher]\ngroups = [\"x\"]").contains("has no key")
    );
}

#[test]
fn what_is_empty_is_a_fault() {
    assert!(member("").contains("`roles.publisher.members` is empty"));
    assert!(member("{ source = \"okta\", groups = [] }").contains("groups` is empty"));
    assert!(member("{ source = \"okta\", claims = {} }").contains("claims` is empty"));
    assert!(member("{ source = \"okta\", claims = { a = [] } }").contains("claims.a` is empty"));
    assert!(member("{ source = \"okta\", claims = { a = \"\" } }").contains("is empty"));
    assert!(member("{ source = \"okta\", groups = [\"\"] }").contains("is empty"));
    let none = fault(
        "members = [{ source = \"okta\", groups = [\"ml-publishers\"] }]\n",
        "",
    );
    assert!(
        none.contains("nobody holds it") && none.starts_with("policy.toml:6:8: "),
        "{none}"
    );
    assert!(fault("[\"acme/*\"]", "[]").contains("is empty"));
    assert!(fault("[\"acme/*\"]", "[\"\"]").contains("is empty"));
    assert!(
        fault(
            "[{ hub = \"models\", repositories = [\"acme/*\"], action = \"write\" }]",
            "[]"
        )
        .contains("allows nothing")
    );
}

#[test]
fn bad_patterns_are_told() {
    for (pattern, said) in [
        ("acme/***", "more than two"),
        ("/acme/*", "empty segment"),
        ("acme/../x", "`..`"),
        ("acme/m?", "no repository has"),
    ] {
        let told = fault("acme/*", pattern);
        assert!(
            told.starts_with("policy.toml:8:") && told.contains(said),
            "{told}"
        );
    }
    assert!(member("{ source = \"okta\", claims = { a = \"x***\" } }").contains("more than two"));
    assert!(member("{ source = \"okta\", claims = { a = \"**\" } }").contains("matches anything"));
    assert!(member("{ source = \"okta\", groups = [\"ml-*\"] }").contains("no patterns"));
}

#[test]
fn a_job_of_github_is_told_by_an_id_and_not_by_a_name() {
    for names in [
        "repository = \"acme/model\"",
        "sub = \"repo:acme/model:ref:refs/heads/main\"",
        "repository_owner = \"acme\"",
        "repository_id = \"*1\"",
    ] {
        let said = member(&format!(
            "{{ source = \"github\", claims = {{ {names} }} }}"
        ));
        assert!(said.starts_with("policy.toml:7:"), "{said}");
        assert!(
            said.contains("add `repository_id = \"…\"`"),
            "{names}: {said}"
        );
    }
    assert!(member("{ source = \"github\" }").contains("not pinned"));
    allowed_member(
        "{ source = \"github\", claims = { repository_id = 42, ref = \"refs/heads/main\" } }",
    );
    allowed_member(
        "{ source = \"github\", claims = { repository_owner_id = \"7\", repository = \"acme/*\" } }",
    );
}

#[test]
fn an_email_counts_only_when_it_is_verified() {
    let said = member("{ source = \"okta\", claims = { email = \"*@acme.example\" } }");
    assert!(said.contains("email_verified = true"), "{said}");
    allowed_member(
        "{ source = \"okta\", claims = { email = \"*@acme.example\", email_verified = true } }",
    );
}

#[test]
fn claims_may_be_written_as_tables_and_values_as_numbers() {
    let nested = allowed_member(
        "{ source = \"okta\", claims = { kubernetes.io.namespace = \"ml\", level = 3 } }",
    );
    let claims = &nested.roles[0].members[0].claims;
    assert_eq!(claims["kubernetes.io.namespace"], ["ml"]);
    assert_eq!(claims["level"], ["3"]);
    let twice = member("{ source = \"okta\", claims = { a.b = \"x\", \"a.b\" = \"y\" } }");
    assert!(twice.contains("two conditions"), "{twice}");
}

#[test]
fn roles_that_include_each_other_are_told_as_the_path() {
    let text = format!(
        "{POLICY}include = [\"b\"]\n[roles.b]\ninclude = [\"c\"]\n[roles.c]\ninclude = [\"publisher\"]\n"
    );
    let faults = policy_of(&text).unwrap_err();
    assert_eq!(
        told(&faults),
        "policy.toml:13:12: roles include each other in a circle: publisher → b → c → publisher; remove one of the includes"
    );
    let own = policy_of(&format!("{POLICY}include = [\"publisher\"]\n")).unwrap_err();
    assert!(
        told(&own).contains("publisher → publisher"),
        "{}",
        told(&own)
    );
    let unknown = policy_of(&format!("{POLICY}include = [\"publishr\"]\n")).unwrap_err();
    assert!(told(&unknown).starts_with("policy.toml:9:12: there is no role `publishr`"));
}

#[test]
fn a_role_has_the_grants_of_those_it_includes_and_their_lines() {
    let text = format!(
        "{POLICY}include = [\"reader\"]\n[roles.reader]\ngrants = [{{ hub = \"models\", repositories = [\"**\"], action = \"read\" }}]\n"
    );
    let policy = policy_of(&text).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    let lines: Vec<usize> = policy.roles[0].grants.iter().map(|g| g.line).collect();
    assert_eq!(lines, [8, 11]);
    assert_eq!(policy.roles[0].grants[1].grant.action, Action::Read);
    assert!(
        policy.roles[1].members.is_empty(),
        "nobody holds the included role itself"
    );
}

#[test]
fn a_long_chain_of_includes_is_no_overflow() {
    let mut text = format!("{POLICY}include = [\"r0\"]\n");
    let one = |at: usize| format!("[roles.r{at}]\ninclude = [\"r{}\"]\n", at + 1);
    text.extend((0..3_000).map(one));
    text.push_str("[roles.r3000]\ngrants = [{ hub = \"models\", repositories = [\"**\"], action = \"read\" }]\n");
    let policy = policy_of(&text).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    assert_eq!(policy.roles[0].grants.len(), 2);
}

#[test]
fn the_organization_is_known_also_from_a_policy_with_faults() {
    let acme = "acme".parse().ok();
    assert_eq!(org_name(POLICY), acme);
    assert_eq!(org_name(&format!("{POLICY}\nmembers = [{{ source")), acme);
    assert_eq!(org_name(&POLICY.replace("client_id", "cleint_id")), acme);
    assert_eq!(org_name("[roles]"), None);
    assert_eq!(org_name("org = \"acme\""), None);
}

#[test]
fn limits_of_times_hold_here_too() {
    assert!(
        fault(
            "client_id = \"oam\"",
            "client_id = \"oam\"\nlease = \"30s\""
        )
        .contains("longer than")
    );
    assert!(
        fault("[roles.publisher]", "[roles.publisher]\nlifetime = \"2d\"").contains("out of range")
    );
    assert!(
        fault(
            "client_id = \"oam\"",
            "client_id = \"oam\"\ndevice_login = \"no\""
        )
        .contains("not true or false")
    );
    assert!(fault("[org]", "[organisation]\n[org]").contains("has no key `organisation`"));
}

proptest! {
    #[test]
    fn the_example_with_a_hole_or_noise_in_it_never_panics(
        at in 0..EXAMPLE.len(), cut in 0usize..40, noise in "[\\[\\]{}=.\"'a-z0-9\n\u{fc}#-]{0,8}",
    ) {
        let start = EXAMPLE.floor_char_boundary(at);
        let end = EXAMPLE.ceil_char_boundary((start + cut).min(EXAMPLE.len()));
        let text = format!("{}{noise}{}", &EXAMPLE[..start], &EXAMPLE[end..]);
        if let Err(faults) = example(&text) {
            prop_assert!(faults.iter().all(|f| f.line > 0 && !f.next.is_empty()));
        }
    }
}
