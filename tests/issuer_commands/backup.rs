//! Backups, and what goes back of them.

use super::{Office, text};
use std::fs;

#[test]
fn a_backup_tells_its_head_and_a_restore_lists_who_was_revoked_since() {
    let office = Office::started();
    let at = |name: &str| office.path(name).display().to_string();
    office.json(&["revoke", "--never-seen", "okta:early"], "");
    let made = office.json(&["backup", &at("b.db")], "");
    office.json(&["revoke", "--never-seen", "okta:ada"], "");
    office.json(&["revoke", "--never-seen", "okta:bob"], "");
    let head = format!("{}:{}", made["seq"], made["hash"].as_str().unwrap());
    let verified = office.run(&["audit", "verify", "--anchor", &head], "");
    assert_eq!(verified.status.code(), Some(0));
    let restored = office.json(&["restore", &at("b.db")], "");
    assert_eq!(restored["seq"], made["seq"]);
    assert_eq!(restored["begins_generation"], 1);
    assert_eq!(restored["complete"], true);
    let since = restored["since"].as_array().unwrap();
    let who: Vec<&str> = since
        .iter()
        .map(|one| one["who"].as_str().unwrap())
        .collect();
    assert_eq!(who, ["okta:ada", "okta:bob"]);
    assert!(office.audit().contains("database-restored"));
    // The same by hand is found, and taken only by the operator's word.
    let made = office.json(&["backup", &at("b.db")], "");
    office.json(&["revoke", "--never-seen", "okta:cy"], "");
    fs::copy(at("b.db"), at("issuer.db")).unwrap();
    let looked = office.run(&["keys", "list"], "");
    assert!(
        text(&looked.stderr).contains("restore --accept"),
        "a command says so and works"
    );
    assert!(looked.status.success());
    let accepted = office.json(&["restore", "--accept"], "");
    assert_eq!(
        accepted["known_up_to"].as_u64(),
        made["seq"].as_u64().map(|seq| seq + 1)
    );
    assert_eq!(accepted["complete"], false);
    assert!(office.store().misfit().is_none());
    // Nor is a new one begun where there was one.
    fs::remove_file(at("issuer.db")).unwrap();
    let (code, said) = office.refused(&["init"], "");
    assert!(code == 2 && said.contains("issuer.db-marker"), "{said}");
}
