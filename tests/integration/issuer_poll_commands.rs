//! The commands of a directory that is read, beside the program that reads it: `slapd` as the real part.

use crate::support::ldap_server::{LdapServer, LdapWay};
use crate::support::wait::until_true;
use crate::support::{Company, Plan};
use serde_json::{Value, json};

/// The usual company with this table in its settings.
fn company_with(table: &str) -> Company {
    let table = table.to_owned();
    let plan = Plan::default().settings(move |usual| {
        usual.replacen("[sources.actions]", &format!("{table}[sources.actions]"), 1)
    });
    plan.start()
}

fn listed(company: &Company) -> Value {
    let run = company.issuer(&["directory", "list", "--json"]).expect(0);
    run.json()["directories"][0].clone()
}

fn until_read(company: &Company) {
    until_true("the directory to be read", || {
        let listed = listed(company);
        listed["as_of"].is_string() && listed["fault"].is_null()
    });
}

/// Somebody as the issuer knows them.
fn person(company: &Company, name: &str) -> Value {
    let run = company.issuer(&["people", name, "--json"]).expect(0);
    run.json()["people"][0].clone()
}

#[test]
fn two_thousand_members_come_in_pages_by_start_tls_and_a_certificate_of_another_authority_ends_nobody()
 {
    let mut people: Vec<String> = (1..2_000).map(|at| format!("p{at}")).collect();
    people.push("ada".to_owned());
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let groups: [(&str, &[&str]); 2] = [("staff", &people), ("ml-research", &["ada"])];
    let ldap = LdapServer::by(LdapWay::StartTls, &people, &groups);
    let company = company_with(&ldap.settings("company"));
    until_read(&company);
    let counts = |listed: &Value| (listed["users"].as_u64(), listed["groups"].as_u64());
    assert_eq!(counts(&listed(&company)), (Some(2_000), Some(2)));
    for (name, has) in [
        ("ada", json!(["ml-research", "staff"])),
        ("p1", json!(["staff"])),
        ("p1999", json!(["staff"])),
    ] {
        let person = person(&company, name);
        assert_eq!(
            (&person["groups"], &person["groups_by"]),
            (&has, &json!("poll")),
            "{name}"
        );
    }

    // Same name, another key; then nothing of it, and nothing of it is trusted.
    ldap.other_authority();
    until_true("the refused certificate to be told", || {
        let fault = listed(&company)["fault"].clone();
        let fault = fault.as_str().unwrap_or_default().to_owned();
        fault.contains("its TLS certificate is not trusted") && fault.contains("CN=Acme")
    });
    let poll = company
        .issuer(&["directory", "poll", "company", "--json"])
        .expect(1)
        .json();
    assert_eq!(
        (&poll["outcome"], &poll["ended"]),
        (&json!("failed"), &json!([]))
    );
    assert_eq!(counts(&listed(&company)), (Some(2_000), Some(2)));
    let ada = company.id_token("ada", &json!({}));
    company.granted(&ada, "acme/model", "role:model-publisher write");
    company.verify();
}
