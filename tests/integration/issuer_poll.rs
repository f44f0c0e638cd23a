//! A directory that the issuer reads: a real LDAP server, from a leaver's entry to the refusal at the agent.

use crate::support::Plan;
use crate::support::ldap_server::LdapServer;
use crate::support::wait::{LONG, until, until_true};
use serde_json::{Value, json};

#[test]
fn whoever_is_off_in_a_real_ldap_server_is_refused_at_the_agent_and_a_server_that_is_away_ends_nobody()
 {
    let groups: [(&str, &[&str]); 2] = [
        ("ml-research", &["ada", "brian"]),
        ("staff", &["ada", "brian", "eve"]),
    ];
    let mut ldap = LdapServer::start(&["ada", "brian", "eve"], &groups);
    let table = ldap.settings("company");
    let plan = Plan::default().settings(move |usual| {
        usual.replacen("[sources.actions]", &format!("{table}[sources.actions]"), 1)
    });
    let company = plan.start();
    company.login("ada");
    let world = &company.world;
    world.set_up_git();
    company.until_fed();
    let person = || {
        company
            .issuer(&["people", "ada", "--json"])
            .expect(0)
            .json()["people"][0]
            .clone()
    };
    until_true("the directory's groups to count", || {
        person()["groups_by"] == "poll"
    });
    assert_eq!(person()["groups"], json!(["ml-research", "staff"]));
    let roles = || {
        let roles = world.oam(&["roles", "--json"]).expect(0).json();
        let names = roles["roles"].as_array().expect("roles").iter();
        names
            .map(|one| one["role"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(roles(), ["model-reader", "model-publisher"]);
    ldap.modify(
        "cn=ml-research",
        "delete: member\nmember: uid=ada,dc=acme,dc=example\n",
    );
    until("the lost role to be told", LONG, || {
        (roles() == ["model-reader"]).then_some(())
    });

    ldap.modify("uid=ada", "add: employeeType\nemployeeType: left\n");
    until("the end to be heard", LONG, || {
        (world.status()["standing"] == "revoked").then_some(())
    });
    let get = world.helper("get", "path=acme/model\n");
    assert!(get.stdout.contains("quit=1"), "{}", get.stdout);
    assert_eq!(person()["reason"], "deactivated in the directory");
    let again = company
        .issuer(&["directory", "poll", "company", "--dry-run", "--json"])
        .expect(0)
        .json();
    assert_eq!(
        (&again["outcome"], &again["users"], &again["ended"]),
        (&json!("taken"), &json!(3), &json!([]))
    );

    ldap.stop();
    let listed = || -> Value {
        company
            .issuer(&["directory", "list", "--json"])
            .expect(0)
            .json()["directories"][0]
            .clone()
    };
    until_true("the silence to be told", || {
        listed()["fault"]
            .as_str()
            .is_some_and(|why| why.contains("can't be reached"))
    });
    assert_eq!(
        (&listed()["kind"], &listed()["users"]),
        (&json!("ldap"), &json!(3))
    );
    company.verify();
}
