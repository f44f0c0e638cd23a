//! Signing keys and the master key.

use super::Office;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_key_is_rotated_listed_and_on_record() {
    let office = Office::started();
    let before = office.json(&["keys", "list"], "");
    assert_eq!(before["keys"].as_array().unwrap().len(), 1);
    assert_eq!(before["keys"][0]["state"], "signing");
    let rotated = office.json(&["keys", "rotate"], "");
    assert_eq!(rotated["follows"], before["keys"][0]["kid"]);
    let after = office.json(&["keys", "list"], "");
    assert_eq!(after["keys"][0]["state"], "announced");
    assert_eq!(after["keys"][0]["kid"], rotated["kid"]);
    assert_eq!(after["keys"][1]["state"], "signing");
    let (code, said) = office.refused(&["keys", "rotate"], "");
    assert_eq!(code, 1, "nothing was done; no policy has refused it");
    assert!(
        said.contains("was announced") && said.contains("--now"),
        "{said}"
    );
    let urgent = office.json(&["keys", "rotate", "--now"], "");
    let last = office.json(&["keys", "list"], "");
    assert_eq!(last["keys"][0]["kid"], urgent["kid"]);
    assert_eq!(last["keys"][0]["state"], "signing");
    assert_eq!(last["keys"].as_array().unwrap().len(), 3);
    let audit = office.audit();
    assert_eq!(audit.matches("key-rotation").count(), 3);
    assert!(audit.contains(urgent["kid"].as_str().unwrap()));
}

#[test]
fn a_wrong_master_key_makes_no_key() {
    let office = Office::started();
    let other = office.run(&["keys", "master"], "").stdout;
    fs::write(office.path("master.key"), other).unwrap();
    let (code, said) = office.refused(&["keys", "rotate"], "");
    assert_eq!(code, 1);
    assert!(said.contains("the master key does not open it"), "{said}");
    assert!(said.contains("that the database was made with"), "{said}");
    assert_eq!(
        office.json(&["keys", "list"], "")["keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_master_key_that_others_may_read_is_refused() {
    let office = Office::started();
    fs::set_permissions(office.path("master.key"), Permissions::from_mode(0o644)).unwrap();
    let (code, said) = office.refused(&["keys", "rotate"], "");
    assert_eq!(code, 1);
    assert!(said.contains("chmod 600"), "{said}");
}

#[test]
fn no_database_is_begun_by_a_command() {
    let office = Office::new();
    assert_eq!(office.refused(&["keys", "list"], "").0, 1);
    assert_eq!(office.refused(&["secret", "set", "hf"], "s3cret\n").0, 1);
    assert!(!office.path("issuer.db").exists());
}
