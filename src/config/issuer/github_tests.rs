use super::fixture::{ISSUER, issuer_of, told};
use oam_model::issuer::{AccountsBy, GitHubSettings, SecretPlace};

const LINES: &str = r#"
organization = "acme"
organization_id = 34
app_id = 12
private_key = { file = "/etc/oam/github.pem" }
account_claim = "github_id"
"#;

/// The settings that these lines describe, or the faults.
fn github(lines: &str) -> Result<GitHubSettings, String> {
    let text = ISSUER.replacen(
        "[sources.github]",
        &format!("[sources.okta.github]\n{lines}\n[sources.github]"),
        1,
    );
    let settings = issuer_of(&text).map_err(|faults| told(&faults))?;
    Ok(settings.sources[0].github.clone().unwrap())
}

#[test]
fn an_organization_at_github_is_named_with_its_number_and_its_app() {
    let usual = github(LINES).unwrap();
    assert_eq!(usual.api, "https://api.github.com");
    assert_eq!(usual.every_ms, 600_000);
    assert_eq!(usual.webhook_secret, None);
    assert_eq!(usual.accounts, AccountsBy::Claim("github_id".to_owned()));
    let more = "webhook_secret = { env = \"HOOK\" }\napi = \"https://git.acme.example/api/v3/\"\nevery = \"2m\"";
    let chosen = github(&format!("{LINES}{more}")).unwrap();
    assert_eq!(chosen.api, "https://git.acme.example/api/v3");
    assert_eq!(chosen.every_ms, 120_000);
    assert_eq!(
        chosen.webhook_secret,
        Some(SecretPlace::Variable("HOOK".to_owned()))
    );
}

#[test]
fn what_is_missing_or_said_twice_is_named() {
    for (from, to, said) in [
        ("organization_id = 34\n", "", "organization_id"),
        ("app_id = 12\n", "", "app_id"),
        ("app_id = 12\n", "app_id = 0\n", "app_id"),
        ("\"acme\"", "\"acme/ml\"", "no name of an organization"),
        (
            "account_claim = \"github_id\"\n",
            "",
            "does not say which account",
        ),
        (
            "account_claim = \"github_id\"\n",
            "account_claim = \"github_id\"\naccounts_file = \"/etc/oam/accounts.toml\"\n",
            "says twice",
        ),
        (
            "account_claim = \"github_id\"\n",
            "accounts_file = \"accounts.toml\"\n",
            "absolute path",
        ),
        (
            "{ file = \"/etc/oam/github.pem\" }",
            "\"-----BEGIN\"",
            "private_key",
        ),
    ] {
        let lines = LINES.replacen(from, to, 1);
        let faults = github(&lines).unwrap_err();
        assert!(faults.contains(said), "{lines}\n{faults}");
    }
}

#[test]
fn a_source_of_jobs_has_no_teams() {
    let text = ISSUER.replacen(
        "preset = \"github-actions\"",
        "preset = \"github-actions\"\ngithub = { organization = \"acme\", organization_id = 34, app_id = 12, \
         private_key = { env = \"KEY\" }, account_claim = \"id\" }",
        1,
    );
    let said = told(&issuer_of(&text).unwrap_err());
    assert!(said.contains("jobs are in no team"), "{said}");
}
