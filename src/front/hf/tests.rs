use super::{Intent, Need, is_hf, need};

fn read(line: &str) -> (Intent, Option<String>) {
    match need(&line.split(' ').collect::<Vec<_>>()) {
        Need::Token {
            intent, repository, ..
        } => (intent, repository),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn repository_and_intent_are_read_from_the_arguments() {
    let cases = [
        ("upload acme/model ./w .", Intent::Write, Some("acme/model")),
        (
            "upload --private acme/model",
            Intent::Write,
            Some("acme/model"),
        ),
        (
            "upload acme/c . --repo-type dataset",
            Intent::Write,
            Some("datasets/acme/c"),
        ),
        (
            "upload --repo-type=space acme/s .",
            Intent::Write,
            Some("spaces/acme/s"),
        ),
        (
            "upload --type dataset datasets/acme/c",
            Intent::Write,
            Some("datasets/acme/c"),
        ),
        (
            "upload --commit-message acme/x acme/model .",
            Intent::Write,
            Some("acme/model"),
        ),
        (
            "upload-large-folder acme/model . --num-workers 4",
            Intent::Write,
            Some("acme/model"),
        ),
        (
            "download acme/model config.json",
            Intent::Read,
            Some("acme/model"),
        ),
        (
            "download --revision v1 -q acme/model",
            Intent::Read,
            Some("acme/model"),
        ),
        ("download gpt2", Intent::Read, Some("gpt2")),
        (
            "download spaces/acme/app",
            Intent::Read,
            Some("spaces/acme/app"),
        ),
        (
            "repos create acme/new --private",
            Intent::Write,
            Some("acme/new"),
        ),
        (
            "repo create acme/new --type dataset",
            Intent::Write,
            Some("datasets/acme/new"),
        ),
        ("repo delete acme/old", Intent::Write, Some("acme/old")),
        (
            "repos tag create acme/model v1",
            Intent::Write,
            Some("acme/model"),
        ),
        (
            "repos tag list acme/model",
            Intent::Read,
            Some("acme/model"),
        ),
        (
            "repos branch delete acme/model dev",
            Intent::Write,
            Some("acme/model"),
        ),
        (
            "repos delete-files acme/model a b",
            Intent::Write,
            Some("acme/model"),
        ),
        ("repos list", Intent::Read, None),
        ("auth whoami", Intent::Read, None),
        ("models info acme/model", Intent::Read, Some("acme/model")),
        ("models ls", Intent::Read, None),
        (
            "datasets info acme/c",
            Intent::Read,
            Some("datasets/acme/c"),
        ),
        (
            "spaces restart acme/app",
            Intent::Write,
            Some("spaces/acme/app"),
        ),
        (
            "spaces secrets add acme/app -e",
            Intent::Write,
            Some("spaces/acme/app"),
        ),
        (
            "discussions list acme/model",
            Intent::Read,
            Some("acme/model"),
        ),
        (
            "discussions merge acme/model 5",
            Intent::Write,
            Some("acme/model"),
        ),
        (
            "cp hf://acme/model/a.json ./a.json",
            Intent::Read,
            Some("acme/model"),
        ),
        (
            "cp ./a hf://datasets/acme/c@main/a",
            Intent::Write,
            Some("datasets/acme/c"),
        ),
        (
            "cp hf://acme/a/x hf://acme/b/x",
            Intent::Write,
            Some("acme/b"),
        ),
        (
            "sync . hf://buckets/acme/logs",
            Intent::Write,
            Some("buckets/acme/logs"),
        ),
        ("jobs run python:3.12 python", Intent::Write, None),
        (
            "buckets create acme/logs",
            Intent::Write,
            Some("buckets/acme/logs"),
        ),
    ];
    for (line, intent, repository) in cases {
        assert_eq!(read(line), (intent, repository.map(Into::into)), "{line}");
    }
}

#[test]
fn an_unknown_option_before_the_repository_makes_it_a_guess_that_is_not_made() {
    for line in [
        "upload --brand-new acme/other acme/model",
        "upload --delete x acme/model",
    ] {
        let found = need(&line.split(' ').collect::<Vec<_>>());
        assert!(
            matches!(
                &found,
                Need::Token {
                    repository: None,
                    unsure: true,
                    ..
                }
            ),
            "{line}: {found:?}"
        );
    }
    // Behind it nothing is unsure.
    assert_eq!(
        read("upload acme/model --brand-new x"),
        (Intent::Write, Some("acme/model".into()))
    );
    assert_eq!(read("frobnicate acme/model"), (Intent::Read, None));
}

#[test]
fn local_commands_need_nothing_and_personal_tokens_are_named() {
    for line in ["version", "cache ls", "env", "upload --help", "--version"] {
        assert_eq!(
            need(&line.split(' ').collect::<Vec<_>>()),
            Need::Nothing,
            "{line}"
        );
    }
    assert_eq!(need(&[]), Need::Nothing);
    assert_eq!(need(&["auth", "login"]), Need::PersonalToken("auth login"));
}

#[test]
fn a_token_among_the_arguments_is_noticed() {
    for line in ["upload acme/m --token hf_x", "download --token=hf_x acme/m"] {
        let found = need(&line.split(' ').collect::<Vec<_>>());
        assert!(
            matches!(
                found,
                Need::Token {
                    own_token: true,
                    ..
                }
            ),
            "{line}"
        );
    }
}

#[test]
fn hf_is_known_by_its_name() {
    assert!(is_hf("hf") && is_hf("hf.exe") && is_hf("huggingface-cli"));
    assert!(!is_hf("hfx") && !is_hf("python"));
}
