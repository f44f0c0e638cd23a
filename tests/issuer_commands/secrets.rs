//! Secrets of hubs and of their clients.

use super::{Office, now_ms, text, wait};
use oam_issuer::secrets::{DirectoryToken, of_hub, verify_client, verify_directory};
use oam_model::secret::Secret;
use serde_json::Value;
use std::fs;

#[test]
fn a_hubs_secret_comes_from_stdin_is_sealed_and_overlaps() {
    let office = Office::started();
    for secret in ["first-s3cret\n", "second-s3cret"] {
        let output = office.run(&["secret", "set", "hf", "--overlap", "24h"], secret);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty() && !text(&output.stderr).contains("s3cret"));
    }
    let (store, master) = (office.store(), office.master());
    let hub = "hf".parse().unwrap();
    let known = wait(of_hub(&store, &master, &hub, now_ms())).ok().unwrap();
    let texts: Vec<&str> = known.iter().map(|(_, secret)| secret.expose()).collect();
    assert_eq!(texts, ["second-s3cret", "first-s3cret"]);
    let listed = office.json(&["secret", "list"], "");
    assert_eq!(listed["secrets"][0]["number"], 2);
    assert_eq!(listed["secrets"][0]["good_until"], Value::Null);
    assert!(listed["secrets"][1]["good_until"].is_string());
    assert!(!office.audit().contains("s3cret"));
    drop(store);
    let on_disk = fs::read(office.path("issuer.db")).unwrap();
    assert!(!on_disk.windows(6).any(|part| part == b"s3cret"));
    assert_eq!(
        office.run(&["secret", "drop", "hf"], "").status.code(),
        Some(0)
    );
    assert_eq!(office.refused(&["secret", "drop", "hf"], "").0, 2);
}

#[test]
fn a_secret_that_cannot_be_one_is_refused() {
    let office = Office::started();
    let long = "x".repeat(20_000);
    for bad in [
        "",
        " \n",
        "two words",
        "tab\there",
        "s3cret\nsecond line",
        "sécret",
        long.as_str(),
    ] {
        let (code, said) = office.refused(&["secret", "set", "hf"], bad);
        assert_eq!(code, 2, "{said}");
        assert!(
            !said.contains("s3cret") && !said.contains("words"),
            "{said}"
        );
    }
    let (code, said) = office.refused(&["secret", "set", "models"], "s3cret");
    assert!(code == 2 && said.contains("needs none"), "{said}");
    let (code, said) = office.refused(&["secret", "set", "hg"], "s3cret");
    assert!(code == 2 && said.contains("models, hf"), "{said}");
    assert_eq!(
        office.json(&["secret", "list"], "")["secrets"],
        serde_json::json!([])
    );
}

#[test]
fn a_clients_secret_is_printed_once_and_verifies() {
    let office = Office::started();
    let added = office.run(&["client", "add", "hub-1", "--hub", "models"], "");
    assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
    let first = Secret::new(text(&added.stdout).trim().to_owned());
    assert_eq!(first.expose().len(), 43);
    assert!(!text(&added.stderr).contains(first.expose()));
    let rotated = office.json(&["client", "rotate", "hub-1", "--overlap", "1h"], "");
    assert_eq!(rotated["hub"], "models");
    let second = Secret::new(rotated["secret"].as_str().unwrap().to_owned());
    let store = office.store();
    let hub = |secret: &Secret| wait(verify_client(&store, "hub-1", secret, now_ms())).unwrap();
    let models = Some("models".parse().unwrap());
    assert_eq!((hub(&first), hub(&second)), (models.clone(), models));
    assert_eq!(
        office
            .refused(&["client", "add", "hub-1", "--hub", "models"], "")
            .0,
        2
    );
    assert_eq!(office.refused(&["client", "rotate", "hub-2"], "").0, 2);
    assert_eq!(
        office
            .refused(&["client", "add", "a:b", "--hub", "models"], "")
            .0,
        2
    );
    let listed = office.run(&["client", "list"], "");
    let shown = text(&listed.stdout);
    assert!(
        shown.contains("hub-1") && !shown.contains(first.expose()),
        "{shown}"
    );
    assert_eq!(
        office.run(&["client", "drop", "hub-1"], "").status.code(),
        Some(0)
    );
    assert_eq!(hub(&second), None);
    let audit = office.audit();
    assert_eq!(audit.matches("secret-rotation").count(), 3, "{audit}");
    assert!(!audit.contains(first.expose()) && !audit.contains(second.expose()));
}

#[test]
fn teams_at_github_are_listed_and_read_by_command_only_where_they_are_configured() {
    let office = Office::started();
    let (code, said) = office.refused(&["github", "read", "okta"], "");
    assert!(
        code == 2 && said.contains("[sources.NAME.github]"),
        "{said}"
    );
    assert_eq!(office.refused(&["github", "forget", "okta"], "").0, 2);
    let settings = std::fs::read_to_string(office.path("issuer.toml")).unwrap();
    let table = "[sources.okta.github]\norganization = \"acme\"\norganization_id = 34\napp_id = 12\n\
        private_key = { env = \"NOBODYS_KEY\" }\naccount_claim = \"github_id\"\n\n[hubs.models]";
    let with = settings.replace("[hubs.models]", table);
    std::fs::write(office.path("issuer.toml"), with).unwrap();
    let listed = office.json(&["github", "list"], "");
    let one = &listed["organizations"][0];
    assert_eq!(
        (&one["organization"], &one["teams"]),
        (&"acme".into(), &0.into()),
        "{listed}"
    );
    assert!(
        one["read_at"].is_null() && one["fault"].is_null(),
        "{listed}"
    );
    let (_, said) = office.refused(&["github", "read", "okta", "--dry-run"], "");
    assert!(said.contains("NOBODYS_KEY"), "{said}");
}

#[test]
fn a_directorys_token_is_printed_once_and_the_next_one_overlaps() {
    let office = Office::started();
    let (code, said) = office.refused(&["scim", "token", "okta"], "");
    assert!(code == 2 && said.contains("[sources.okta.scim]"), "{said}");
    let settings = std::fs::read_to_string(office.path("issuer.toml")).unwrap();
    let with = settings.replace("[hubs.models]", "[sources.okta.scim]\n\n[hubs.models]");
    std::fs::write(office.path("issuer.toml"), with).unwrap();
    let made = office.run(&["scim", "token", "okta"], "");
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let first = Secret::new(text(&made.stdout).trim().to_owned());
    let told = text(&made.stderr);
    assert!(
        told.contains("https://issuer.acme.example/scim/v2"),
        "{told}"
    );
    assert!(!told.contains(first.expose()));
    let next = [
        "scim",
        "token",
        "okta",
        "--overlap",
        "1h",
        "--good-for",
        "30d",
    ];
    let next = office.json(&next, "");
    let second = Secret::new(next["token"].as_str().unwrap().to_owned());
    let okta = "okta".parse().unwrap();
    let store = office.store();
    let whose = |token: &Secret, at_ms: u64| {
        wait(verify_directory(&store, &[&okta], token, at_ms)).unwrap()
    };
    let (good, over) = (
        DirectoryToken::Good(okta.clone()),
        DirectoryToken::Over(okta.clone()),
    );
    let hour = 3_600_000;
    assert_eq!(whose(&first, now_ms()), good);
    assert_eq!(whose(&first, now_ms() + 2 * hour), over);
    assert_eq!(whose(&second, now_ms() + 2 * hour), good);
    assert_eq!(whose(&second, now_ms() + 31 * 24 * hour), over);
    let nobodys = Secret::new("nobody".to_owned());
    assert_eq!(whose(&nobodys, now_ms()), DirectoryToken::Foreign);
    let listed = office.json(&["scim", "list"], "");
    let tokens = listed["directories"][0]["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 2, "{listed}");
    let dropped = office.run(&["scim", "drop", "okta"], "");
    assert_eq!(dropped.status.code(), Some(0), "{}", text(&dropped.stderr));
    assert_eq!(whose(&second, now_ms()), DirectoryToken::Foreign);
    assert_eq!(office.refused(&["scim", "forget", "okta"], "").0, 2);
    let audit = office.audit();
    assert_eq!(audit.matches("the directory of okta").count(), 3, "{audit}");
    assert!(!audit.contains(first.expose()) && !audit.contains(second.expose()));
}
