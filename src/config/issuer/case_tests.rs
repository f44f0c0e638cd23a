//! Tables of expected answers: what is read, and what is told of one that can't be.

use super::fixture::{ISSUER, POLICY, cases_of, issuer_of, policy_of, told};
use super::{SourceText, read_cases};
use oam_model::policy::{CaseGroups, ExpectedAnswer, PolicyCase};

#[test]
fn a_table_of_expected_answers_is_read_and_its_faults_told() {
    let text = "[[case]]\nas = \"ada\"\nsource = \"okta\"\ngroups = [\"ml-publishers\"]\nrepo = \"acme/model\"\naction = \"write\"\nexpect = \"publisher\"\n\
        [[case]]\nas = \"job\"\nsource = \"github\"\nclaims = { repository_id = \"7\", on = true, tags = [\"a\"] }\nhub = \"models\"\naction = \"read\"\nexpect = \"denied\"\n";
    let cases = cases_of(text).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    assert_eq!((cases[0].line, cases[1].line), (1, 8));
    assert_eq!(
        cases[0].wanted.hub.as_str(),
        "models",
        "the only hub needs no name"
    );
    assert_eq!(cases[1].claims["on"], serde_json::json!(true));
    assert_eq!(cases[1].expect, ExpectedAnswer::Denied);
    let bad = text
        .replace("\"okta\"", "\"okto\"")
        .replace("\"write\"", "\"rite\"")
        .replace("expect = \"denied\"", "expects = \"denied\"");
    let faults = cases_of(&bad).unwrap_err();
    let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [3, 6, 8, 14], "{}", told(&faults));
}

#[test]
fn an_expected_answer_is_a_role_of_the_policy_or_denied() {
    let case =
        "[[case]]\nas = \"ada\"\nsource = \"okta\"\nrepo = \"acme/model\"\naction = \"write\"\n";
    for word in ["allow", "granted", "publishr"] {
        let faults = cases_of(&format!("{case}expect = \"{word}\"\n")).unwrap_err();
        let told = told(&faults);
        assert!(
            told.contains(&format!("the policy has no role `{word}`")),
            "{told}"
        );
        assert!(
            told.contains("`publisher`") && told.contains("or \"denied\""),
            "{told}"
        );
    }
    let faults = cases_of(&format!("{case}role = \"allow\"\nexpect = \"denied\"\n")).unwrap_err();
    assert!(told(&faults).contains("`case.role`"), "{}", told(&faults));
}

/// Cases with these groups, where the source is set up with `tables`.
fn groups_of(tables: &str, groups: &str) -> Result<Vec<PolicyCase>, String> {
    let settings = ISSUER.replacen(
        "[sources.github]",
        &format!("{tables}\n[sources.github]"),
        1,
    );
    let settings = issuer_of(&settings).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    let policy = policy_of(POLICY).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    let text = format!(
        "[[case]]\nas = \"ada\"\nsource = \"okta\"\ngroups = {groups}\nrepo = \"acme/model\"\naction = \"write\"\nexpect = \"denied\"\n"
    );
    let name = "cases.toml";
    let source = SourceText { name, text: &text };
    read_cases(source, &settings, &policy).map_err(|faults| told(&faults))
}

#[test]
fn a_case_tells_who_says_which_group() {
    let read = |tables: &str, groups: &str| {
        let mut cases = groups_of(tables, groups).unwrap_or_else(|said| panic!("{said}"));
        cases.remove(0).groups
    };
    let list = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).to_owned()).collect() };
    let token = CaseGroups {
        token: list(&["a", "b"]),
        ..CaseGroups::default()
    };
    assert_eq!(read("", "[\"a\", \"b\"]"), token);
    assert_eq!(read("", "{ token = [\"a\", \"b\"] }"), token);
    let scim = read(
        "[sources.okta.scim]",
        "{ directory = [], token = [\"a\", \"b\"] }",
    );
    let directory = Some(Vec::new());
    assert_eq!(scim, CaseGroups { directory, ..token });
    let signal = "[transmitters.okta]\nissuer = \"https://login.acme.example\"\naudiences = [\"oam\"]\nsource = \"okta\"\njwks_uri = \"https://login.acme.example/keys\"";
    let signal = read(signal, "{ signal = [\"c\"] }");
    assert_eq!(signal.signal, Some(list(&["c"])));
    let poll = "[sources.okta.directory]\nkind = \"okta\"\nsecret = { env = \"DIRECTORY\" }";
    let poll = read(poll, "{ poll = [\"c\"] }");
    assert_eq!(poll.poll, Some(list(&["c"])));
}

#[test]
fn only_those_say_groups_who_are_set_up_for_the_source() {
    for (word, table) in [
        ("directory", "[sources.okta.scim]"),
        ("poll", "[sources.okta.directory]"),
        ("team", "[sources.okta.github]"),
        ("signal", "[transmitters.NAME]"),
    ] {
        let said = groups_of("", &format!("{{ {word} = [\"ml\"] }}")).unwrap_err();
        assert!(said.starts_with("cases.toml:4:"), "{said}");
        assert!(
            said.contains(&format!("`case.groups.{word}`")) && said.contains(table),
            "{said}"
        );
    }
    // A source has one of the two.
    let said = groups_of("[sources.okta.scim]", "{ directory = [], poll = [] }").unwrap_err();
    assert!(said.contains("`case.groups.poll`"), "{said}");
    let said = groups_of("", "{ ldap = [\"ml\"] }").unwrap_err();
    assert!(said.contains("`case.groups` has no key `ldap`"), "{said}");
    let said = groups_of("", "{ token = \"ml\" }").unwrap_err();
    assert!(said.contains("write it as a list"), "{said}");
    let said = groups_of("", "\"ml\"").unwrap_err();
    assert!(said.contains("`case.groups`"), "{said}");
}
