use super::fixture::{ISSUER, issuer_of, told};
use oam_model::issuer::{DirectorySettings, GroupAttribute, UserAttribute};

/// The settings of the directory that these lines describe, or the faults.
fn directory(lines: &str) -> Result<DirectorySettings, String> {
    let text = ISSUER.replacen(
        "[sources.github]",
        &format!("[sources.okta.scim]\n{lines}\n[sources.github]"),
        1,
    );
    let settings = issuer_of(&text).map_err(|faults| told(&faults))?;
    Ok(settings.sources[0].scim.unwrap())
}

#[test]
fn a_directory_names_people_and_groups_by_the_attributes_that_are_chosen() {
    let usual = directory("").unwrap();
    assert_eq!(usual.subject, UserAttribute::ExternalId);
    assert_eq!(usual.group, GroupAttribute::DisplayName);
    assert_eq!(usual.expect_every_ms, 7 * 86_400_000);
    let lines = "subject = \"userName\"\ngroup = \"externalId\"\nexpect_every = \"0s\"";
    let chosen = directory(lines).unwrap();
    assert_eq!(chosen.subject, UserAttribute::UserName);
    assert_eq!(chosen.group, GroupAttribute::ExternalId);
    assert_eq!(chosen.expect_every_ms, 0);
    let said = directory("subject = \"email\"").unwrap_err();
    assert!(said.contains("sources.okta.scim.subject"), "{said}");
}

#[test]
fn a_source_of_jobs_has_no_directory() {
    let text = ISSUER.replacen(
        "preset = \"github-actions\"",
        "preset = \"github-actions\"\nscim = {}",
        1,
    );
    let said = told(&issuer_of(&text).unwrap_err());
    assert!(said.contains("no directory knows jobs"), "{said}");
}
