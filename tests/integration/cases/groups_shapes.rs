//! Groups in the shapes in which providers send them.

use crate::support::company::Company;
use crate::support::company_files::Plan;
use serde_json::{Value, json};

fn company(claim: &'static str, claims: &Value) -> Company {
    let company = Plan::default()
        .settings(move |text| {
            let audiences = "audiences = [\"oam\"]\n\n[sources.actions]";
            let with =
                format!("audiences = [\"oam\"]\ngroups_claim = \"{claim}\"\n\n[sources.actions]");
            assert!(text.contains(audiences));
            text.replace(audiences, &with)
        })
        .start();
    let order = json!({"field": "claims", "value": claims, "count": -1});
    company.world.idp.control("tamper", &order);
    company
}

#[test]
fn an_entry_that_can_be_nobodys_group_is_skipped() {
    for groups in [
        json!(["ml-research", ""]),
        json!(["ml-research", null, 7]),
        json!("ml-research"),
    ] {
        let company = company("groups", &json!({"groups": groups}));
        company.login("ada");
        let write = company
            .world
            .oam(&["token", "--repo", "acme/model", "--write"]);
        assert_eq!(write.code, 0, "{groups}: {}", write.stderr);
    }
}

#[test]
fn an_object_is_read_by_its_keys_where_the_source_says_so() {
    let groups = json!({"staff": {"312": "acme.example"}, "ml-research": {"312": "acme.example"}});
    let company = company("groups.*", &json!({"groups": groups}));
    company.login("ada");
    assert!(company.world.token().is_some());
    let roles = company.world.oam(&["roles"]).expect(0).stdout;
    assert!(roles.contains("model-publisher"), "{roles}");
}

#[test]
fn an_object_that_the_source_does_not_speak_of_is_refused_with_the_setting_that_reads_it() {
    let company = company("groups", &json!({"groups": {"staff": {}}}));
    let run = company.login_command("ada").output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(!run.status.success(), "{said}");
    assert!(said.contains("groups.*"), "{said}");
    assert!(!said.contains("try again in a moment"), "{said}");
}
