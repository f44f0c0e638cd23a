use super::fixture::{ISSUER, issuer_of, told};
use oam_model::directory::{DirectoryAdapter, DirectoryPoll, LdapDisabled};
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

/// The settings of the directory that is read as these lines say, or the faults.
fn polled(lines: &str) -> Result<DirectoryPoll, String> {
    let text = ISSUER.replacen(
        "[sources.github]",
        &format!("[sources.okta.directory]\n{lines}\n[sources.github]"),
        1,
    );
    let settings = issuer_of(&text).map_err(|faults| told(&faults))?;
    Ok(settings.sources[0].directory.clone().unwrap())
}

const SECRET: &str = "secret = { file = \"/etc/oam/directory\" }";

#[test]
fn each_kind_of_directory_needs_little_and_knows_where_it_is() {
    let okta = polled(&format!("kind = \"okta\"\n{SECRET}")).unwrap();
    assert_eq!(
        (okta.subject.as_str(), okta.group.as_deref()),
        ("id", Some("name"))
    );
    assert_eq!((okta.every_ms, okta.expect_every_ms), (300_000, 900_000));
    assert_eq!(okta.hold_percent, 33);
    let DirectoryAdapter::Okta { url, .. } = okta.adapter else {
        panic!("another kind");
    };
    assert_eq!(url, "https://login.acme.example");
    let client = "client_id = \"oam\"\nurl = \"https://sso.acme.example/realms/acme\"";
    let keycloak = polled(&format!("kind = \"keycloak\"\n{client}\n{SECRET}")).unwrap();
    assert_eq!(keycloak.adapter.word(), "keycloak");
    let entra = "kind = \"entra\"\ntenant = \"t\"\nclient_id = \"c\"";
    assert_eq!(
        polled(&format!("{entra}\n{SECRET}"))
            .unwrap()
            .group
            .as_deref(),
        Some("id")
    );
    let google = "kind = \"google\"\nadministrator = \"root@acme.example\"\ngroup = \"none\"";
    assert_eq!(polled(&format!("{google}\n{SECRET}")).unwrap().group, None);
    let ldap = "kind = \"ldap\"\nurl = \"ldaps://ldap.acme.example\"\nbind_dn = \"cn=oam\"\nbase = \"dc=acme\"";
    let ad = format!("{ldap}\ndisabled = \"userAccountControl\"\n{SECRET}");
    let DirectoryAdapter::Ldap(ldap) = polled(&ad).unwrap().adapter else {
        panic!("another kind");
    };
    assert_eq!(
        (ldap.disabled, ldap.group_base),
        (LdapDisabled::UserAccountControl, "dc=acme".to_owned())
    );
}

#[test]
fn a_directory_that_others_could_listen_to_or_that_is_half_described_is_a_fault() {
    let ldap = |url: &str| {
        format!(
            "kind = \"ldap\"\nurl = \"{url}\"\nbind_dn = \"cn=oam\"\nbase = \"dc=acme\"\n{SECRET}"
        )
    };
    let said = polled(&ldap("ldap://ldap.acme.example")).unwrap_err();
    assert!(said.contains("open to whoever is on the way"), "{said}");
    assert!(
        polled(&format!(
            "{}\nstart_tls = true",
            ldap("ldap://ldap.acme.example")
        ))
        .is_ok()
    );
    assert!(polled(&ldap("ldap://127.0.0.1:389")).is_ok());
    for (lines, expected) in [
        ("kind = \"okat\"", "okta"),
        ("", "kind"),
        ("kind = \"okta\"", "secret"),
        (
            "kind = \"okta\"\nsecret = \"s3cret\"",
            "holds no secret itself",
        ),
        (
            "kind = \"okta\"\nbase = \"dc=acme\"",
            "means nothing for `okta`",
        ),
        ("kind = \"okta\"\nsubject = \"mail\"", "can't be `mail`"),
        (
            "kind = \"keycloak\"\nclient_id = \"oam\"",
            "no realm of Keycloak",
        ),
        ("kind = \"okta\"\nurl = \"http://acme.okta.com\"", "url"),
    ] {
        let said = polled(lines).unwrap_err();
        assert!(said.contains(expected), "{lines}: {said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_source_has_one_directory() {
    let text = ISSUER.replacen(
        "[sources.github]",
        &format!(
            "scim = {{}}\n[sources.okta.directory]\nkind = \"okta\"\n{SECRET}\n[sources.github]"
        ),
        1,
    );
    let text = text.replacen("scim = {}\n", "", 1).replacen(
        "[sources.okta]",
        "[sources.okta]\nscim = {}",
        1,
    );
    let said = told(&issuer_of(&text).unwrap_err());
    assert!(said.contains("both `scim` and `directory`"), "{said}");
}
