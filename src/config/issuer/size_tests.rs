//! Files of a size that only a program writes, and that a look at each pair would keep busy for minutes.

use super::fixture::{POLICY, policy_of, told};
use crate::fault::ConfigFault;
use oam_model::policy::Policy;
use std::fmt::Write;

fn with_member(member: &str) -> Result<Policy, Vec<ConfigFault>> {
    policy_of(&POLICY.replace(
        "{ source = \"okta\", groups = [\"ml-publishers\"] }",
        member,
    ))
}

#[test]
fn very_many_groups_members_and_faults_are_read_in_one_pass() {
    const MANY: usize = 200_000;
    let groups: Vec<String> = (0..MANY).map(|n| format!("\"g{n}\"")).collect();
    let policy = with_member(&format!(
        "{{ source = \"okta\", groups = [{}] }}",
        groups.join(",")
    ))
    .unwrap_or_else(|faults| panic!("{}", told(&faults)));
    assert_eq!(policy.roles[0].members[0].groups.len(), MANY);
    let twice = format!(
        "{{ source = \"okta\", groups = [{0},{0}] }}",
        groups[..20_000].join(",")
    );
    assert_eq!(with_member(&twice).expect_err("each twice").len(), 20_000);
}

#[test]
fn very_many_roles_that_include_each_other_are_read_in_one_pass() {
    const MANY: usize = 20_000;
    let grants = "grants = [{ hub = \"models\", repositories = [\"acme/*\"], action = \"read\" }]";
    let mut text = format!("{POLICY}[roles.r0]\n{grants}\n");
    for n in 1..MANY {
        let _ = write!(text, "[roles.r{n}]\ninclude = [\"r{}\"]\n", n - 1);
    }
    // A circle through all of them: told once.
    let text = text.replacen(
        "[roles.r0]\n",
        &format!("[roles.r0]\ninclude = [\"r{}\"]\n", MANY - 1),
        1,
    );
    let faults = policy_of(&text).expect_err("a circle");
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].sentence.contains("in a circle"),
        "{}",
        faults[0].sentence
    );
}
