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

#[test]
fn a_great_fall_is_held_and_listed_until_it_is_confirmed_and_what_was_said_is_forgotten_on_demand()
{
    let people = [
        "ada", "brian", "eve", "finn", "gil", "hana", "ida", "jon", "kai", "lea",
    ];
    let mut ldap = LdapServer::start(&people, &[("staff", &people)]);
    let table = ldap.settings("company");
    let company = company_with(&table);
    until_read(&company);
    let nothing = company
        .issuer(&["directory", "confirm", "company"])
        .expect(2);
    assert!(
        nothing.stderr.contains("nothing is held"),
        "{}",
        nothing.stderr
    );

    let leavers = &people[5..];
    let gone: String = leavers.iter().map(|name| {
        format!("dn: uid={name},dc=acme,dc=example\nchangetype: modify\nadd: employeeType\nemployeeType: left\n\n")
    }).collect();
    ldap.modify_at_once(&gone);
    until_true("the fall to be held", || {
        let fault = listed(&company)["fault"].clone();
        fault
            .as_str()
            .is_some_and(|fault| fault.contains("held: 5 of 10 people"))
    });
    let standing = |name: &str| person(&company, name)["reason"].clone();
    for name in leavers {
        assert_eq!(standing(name), Value::Null, "{name}");
    }
    let dry = company
        .issuer(&["directory", "poll", "company", "--dry-run", "--json"])
        .expect(1);
    assert_eq!(dry.json()["outcome"], "held");

    let said = company
        .issuer(&["directory", "confirm", "company"])
        .expect(0);
    let said = format!("{}{}", said.stdout, said.stderr);
    assert!(said.contains("5 of 10 people"), "{said}");
    until_read(&company);
    for name in leavers {
        assert_eq!(standing(name), "deactivated in the directory", "{name}");
    }
    assert_eq!(standing("ada"), Value::Null);
    let confirmed = company.audited("directory");
    assert!(confirmed.iter().any(|entry| {
        entry["detail"]
            .as_str()
            .is_some_and(|detail| detail.starts_with("confirmed by an administrator"))
    }));

    // What it said is forgotten, also by the program that runs; whom it ended stays out.
    assert_eq!(person(&company, "ada")["groups_by"], "poll");
    let file = company.folder.join("issuer.toml");
    let without = std::fs::read_to_string(&file)
        .unwrap()
        .replacen(&table, "", 1);
    crate::support::company::replace(&file, &without);
    company.restart();
    let ada = company.id_token("ada", &json!({}));
    let push = "role:model-publisher write";
    let answer = company.exchange(&ada, "acme/model", push).expect(400);
    assert_eq!(answer.json()["error"], "invalid_scope");
    let said = company
        .issuer(&["directory", "forget", "company"])
        .expect(0);
    let said = format!("{}{}", said.stdout, said.stderr);
    assert!(said.contains("10 users and 1 group of"), "{said}");
    company.granted(&ada, "acme/model", push);
    let left = company.id_token("lea", &json!({}));
    let answer = company.exchange(&left, "acme/model", "role:model-reader read");
    assert_eq!(answer.expect(400).json()["oam"]["code"], "revoked");
    let again = company
        .issuer(&["directory", "forget", "company"])
        .expect(2);
    assert!(
        again.stderr.contains("never said anything"),
        "{}",
        again.stderr
    );
    company.verify();
}
