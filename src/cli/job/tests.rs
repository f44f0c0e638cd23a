use super::*;

fn args() -> JobArgs {
    JobArgs {
        issuer: None,
        id_token_env: None,
        id_token_file: None,
    }
}

fn env_of<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
    move |name| {
        let found = pairs.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    }
}

const GITHUB: [(&str, &str); 3] = [
    ("GITHUB_ACTIONS", "true"),
    ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x"),
    ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t"),
];

#[test]
fn what_is_named_wins_over_what_is_found() {
    let all = [&GITHUB[..], &[("OAM_ID_TOKEN", "a.b.c"), ("MINE", "a.b.c")]].concat();
    let get = env_of(&all);
    let mut named = args();
    assert_eq!(
        identity(&named, &get),
        Ok(Identity::Variable("OAM_ID_TOKEN".into()))
    );
    named.id_token_env = Some("MINE".into());
    assert_eq!(
        identity(&named, &get),
        Ok(Identity::Variable("MINE".into()))
    );
    named.id_token_file = Some("/var/run/token".into());
    assert_eq!(
        identity(&named, &get),
        Ok(Identity::File("/var/run/token".into()))
    );
    assert_eq!(identity(&args(), &env_of(&GITHUB)), Ok(Identity::Actions));
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::1:role/x");
    assert_eq!(identity(&args(), &env_of(&[role])), Ok(Identity::Aws));
    let with = [&GITHUB[..], &[role]].concat();
    assert_eq!(identity(&args(), &env_of(&with)), Ok(Identity::Actions));
    let other = [("CIRCLECI", "true"), role];
    assert!(identity(&args(), &env_of(&other)).is_err());
}

#[test]
fn a_job_without_identity_is_told_what_its_ci_system_needs() {
    for (env, said) in [
        (&[("GITHUB_ACTIONS", "true")][..], "id-token: write"),
        (&[("GITLAB_CI", "true")], "id_tokens: OAM_ID_TOKEN"),
        (&[("CIRCLECI", "true")], "circleci run oidc get"),
        (&[("BUILDKITE", "true")], "oidc request-token --audience"),
        (&[("BITBUCKET_BUILD_NUMBER", "7")], "oidc: true"),
        (&[], "--id-token-file"),
    ] {
        let refusal = identity(&args(), &env_of(env)).unwrap_err();
        assert!(refusal.next.contains(said), "{refusal:?}");
    }
    let mut named = args();
    named.id_token_env = Some("MINE".into());
    assert!(
        identity(&named, &env_of(&GITHUB)).is_err(),
        "no silent other way"
    );
}

#[test]
fn a_file_is_read_again_and_what_is_no_token_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    assert!(from_file(&path).is_err());
    for (text, good) in [
        ("a.b.c\n", true),
        ("", false),
        ("hunter2", false),
        ("a.b c.d", false),
    ] {
        std::fs::write(&path, text).unwrap();
        let read = from_file(&path);
        assert_eq!(read.is_ok(), good, "{text}");
        if let Err(refusal) = read {
            assert!(!format!("{refusal:?}").contains("hunter2"));
        }
    }
}

fn acme() -> Organization {
    serde_json::from_value(serde_json::json!({
        "v": 1, "org": "acme", "issuer": "https://i.example",
        "sign_in": {"issuer": "https://l.example", "client_id": "oam", "scopes": [],
            "redirect_path": "/", "groups_claim": "groups", "subject": "id-token",
            "fresh_s": 60, "lease_s": 600, "session_age_s": 6000, "device_login": false},
        "token_endpoint": "https://i.example/t", "revocation_endpoint": "", "roles_endpoint": "",
        "why_endpoint": "", "feed_endpoint": "", "records_endpoint": "", "job_audience": "a",
        "hubs": [
            {"name": "models", "url": "https://h.example", "kind": "huggingface", "username": "u"},
            {"name": "code", "url": "https://g.example:8443", "kind": "git", "username": "u"}
        ]
    }))
    .unwrap()
}

#[test]
fn an_order_names_the_hub_and_the_repository_and_reads_unless_told() {
    let ask = crate::wish::ask(
        Some("https://g.example:8443/acme/code.git"),
        None,
        None,
        Intent::Read,
    )
    .unwrap();
    let ordered = order(&acme(), &ask).unwrap();
    assert_eq!(ordered.hub.name.as_str(), "code");
    assert_eq!(ordered.repository.unwrap().as_str(), "acme/code");
    assert_eq!(ordered.action, Action::Read);
    let only = crate::wish::ask(Some("acme/model"), None, None, Intent::Write).unwrap();
    let refusal = order(&acme(), &only).unwrap_err();
    assert!(refusal.next.contains("models, code"), "{refusal:?}");
    let foreign = crate::wish::ask(Some("https://evil.example/a/b"), None, None, Intent::Read);
    assert!(order(&acme(), &foreign.unwrap()).is_err());
}
