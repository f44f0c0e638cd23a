//! What a set-up writes and shows.

use super::{Route, SetUpFiles, SetUpPlan};
use oam_config::organization::fixture::acme;
use std::fs;

fn files(company: &str, user: &str) -> (tempfile::TempDir, SetUpFiles) {
    let home = tempfile::tempdir().unwrap();
    let (a, b) = (home.path().join("company"), home.path().join("user"));
    if !company.is_empty() {
        fs::write(&a, company).unwrap();
    }
    if !user.is_empty() {
        fs::write(&b, user).unwrap();
    }
    let files = SetUpFiles::at(a, b).unwrap();
    (home, files)
}

#[test]
fn what_the_companys_file_sets_up_already_is_not_written_again() {
    let (_home, none) = files("", "");
    let text = SetUpPlan::make(&none, &acme(), &Route::default())
        .unwrap()
        .text
        .unwrap();
    let (_home, company) = files(&text, "");
    let plan = SetUpPlan::make(&company, &acme(), &Route::default()).unwrap();
    assert!(plan.text.is_none() && plan.changes.is_empty());
}

#[test]
fn an_organization_of_this_name_elsewhere_is_shown_as_what_it_was() {
    let (_home, none) = files("", "");
    let text = SetUpPlan::make(&none, &acme(), &Route::default())
        .unwrap()
        .text
        .unwrap();
    let (_home, other) = files("", &text.replace("issuer.acme.example", "evil.example"));
    let plan = SetUpPlan::make(&other, &acme(), &Route::default()).unwrap();
    assert!(plan.known && plan.changes.iter().any(|change| change.replaces));
    let said: Vec<&str> = plan.changes.iter().map(|c| c.text.as_str()).collect();
    assert!(
        said[0].contains("https://evil.example -> https://issuer.acme.example"),
        "{said:?}"
    );
}

#[test]
fn a_hub_that_another_organization_has_is_refused_before_anything_is_written() {
    let other = "[orgs.other]\nissuer = \"https://l.example\"\nclient_id = \"x\"\n\
        [orgs.other.exchange]\nkind = \"rfc8693\"\ntoken_endpoint = \"https://t.example\"\n\
        [orgs.other.hubs.mine]\nurl = \"https://hub.acme.example\"\n";
    let (_home, taken) = files("", other);
    let refusal = SetUpPlan::make(&taken, &acme(), &Route::default())
        .err()
        .unwrap();
    assert!(
        refusal.sentence.contains("same host and port"),
        "{refusal:?}"
    );
}
