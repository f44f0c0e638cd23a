//! The doctor.

use super::Office;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

#[test]
fn the_doctor_finds_each_planted_fault_and_says_what_helps() {
    let office = Office::started();
    // Nothing outside of this machine is asked for: the source's keys lie in a file, and the hub is closed.
    let settings = fs::read_to_string(office.path("issuer.toml")).unwrap();
    let keys = office.path("keys.json").display().to_string();
    let settings = settings
        .replace("[hubs.models]", &format!("jwks_file = \"{keys}\"\n[hubs.models]"))
        .replace("https://hub.acme.example", "http://127.0.0.1:9")
        .replace("\n[hubs.hf]\nurl = \"https://huggingface.co\"\nkind = \"huggingface\"\nbackend = { kind = \"huggingface-org\", client_id = \"client-1\" }\n", "\n");
    let url = settings
        .lines()
        .find(|line| line.starts_with("url = "))
        .unwrap()
        .to_owned();
    let settings = settings.replacen(&url, "url = \"http://127.0.0.1:9\"", 1);
    fs::write(office.path("issuer.toml"), &settings).unwrap();
    fs::write(&keys, "{\"keys\":[{\"alg\":\"RS256\"}]}").unwrap();
    let policy = "[org]\nname = \"acme\"\nsign_in = \"okta\"\nclient_id = \"client\"\n[roles.r]\nmembers = [{ source = \"okta\" }]\ngrants = [{ hub = \"models\", repositories = [\"acme/*\"], action = \"read\" }]\n";
    fs::write(office.path("policy.toml"), policy).unwrap();
    let found = |part: &str| -> (String, String) {
        let output = office.run(&["doctor", "--json"], "");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let one = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["part"] == part);
        let one = one.unwrap_or_else(|| panic!("{part} is not in {report}"));
        (one["state"].as_str().unwrap().to_owned(), one.to_string())
    };
    for part in [
        "configuration",
        "master key",
        "database",
        "keys",
        "source okta",
    ] {
        let (state, words) = found(part);
        assert_eq!(state, "ok", "{words}");
    }
    let (state, words) = found("own address");
    assert!(
        state == "fault" && words.contains("start the server"),
        "{words}"
    );
    assert_eq!(found("hub models").0, "warning");
    assert_eq!(office.run(&["doctor"], "").status.code(), Some(1));
    fs::write(&keys, "{\"keys\":[]}").unwrap();
    assert!(found("source okta").1.contains("key set is empty"));
    let broken = settings.replacen(
        "[sources.okta]",
        "[tls]\ncertificate = \"/nowhere\"\nkey = \"/nowhere\"\n[sources.okta]",
        1,
    );
    fs::write(office.path("issuer.toml"), broken).unwrap();
    assert!(found("certificate").1.contains("/nowhere"));
    fs::write(office.path("issuer.toml"), &settings).unwrap();
    fs::set_permissions(office.path("master.key"), Permissions::from_mode(0o644)).unwrap();
    assert!(found("master key").1.contains("chmod 600"));
    fs::set_permissions(office.path("master.key"), Permissions::from_mode(0o600)).unwrap();
    let fresh = office.run(&["keys", "master"], "");
    let good = fs::read(office.path("master.key")).unwrap();
    fs::write(office.path("master.key"), fresh.stdout).unwrap();
    assert!(found("keys").1.contains("master key"));
    fs::write(office.path("master.key"), good).unwrap();
    fs::remove_file(office.path("issuer.db-marker")).unwrap();
    assert!(found("database").1.contains("restore --accept"));
    fs::remove_file(office.path("issuer.db")).unwrap();
    assert!(found("database").1.contains("is not there"));
    fs::write(office.path("policy.toml"), "[org").unwrap();
    assert!(found("configuration").1.contains("policy.toml:1:"));
}
