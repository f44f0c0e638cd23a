use super::{Intent, TokenNeed, is_hf, need};

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn read(line: &str) -> (Intent, Option<String>) {
    match need(&words(line)) {
        TokenNeed::Token {
            intent, repository, ..
        } => (intent, repository),
        other => panic!("{line}: {other:?}"),
    }
}

/// Command line, intent, repository (`-`: none).
const CASES: &str = "
    upload acme/model ./w .                          | write | acme/model
    upload --private acme/model                      | write | acme/model
    upload acme/c . --repo-type dataset              | write | datasets/acme/c
    upload --repo-type=space acme/s .                | write | spaces/acme/s
    upload --type dataset datasets/acme/c            | write | datasets/acme/c
    upload --commit-message acme/x acme/model .      | write | acme/model
    upload-large-folder acme/m . --num-workers 4     | write | acme/m
    download acme/model config.json                  | read  | acme/model
    download --revision v1 -q acme/model             | read  | acme/model
    download gpt2                                    | read  | gpt2
    download spaces/acme/app                         | read  | spaces/acme/app
    repos create acme/new --private                  | write | acme/new
    repo create acme/new --type dataset              | write | datasets/acme/new
    repo delete acme/old                             | write | acme/old
    repo tag create acme/model v1                    | write | acme/model
    repos tag list acme/model                        | read  | acme/model
    repos branch delete acme/model dev               | write | acme/model
    repos delete-files acme/model a b                | write | acme/model
    repos duplicate openai/gpt acme/gpt              | write | acme/gpt
    repo-files delete acme/model x                   | write | acme/model
    repos list                                       | read  | -
    auth whoami                                      | read  | -
    models info acme/model                           | read  | acme/model
    models ls                                        | read  | -
    datasets info acme/c                             | read  | datasets/acme/c
    spaces restart acme/app                          | write | spaces/acme/app
    spaces secrets add acme/app -e                   | write | spaces/acme/app
    discussions list acme/model                      | read  | acme/model
    discussions merge acme/model 5                   | write | acme/model
    cp hf://acme/model/a.json ./a.json               | read  | acme/model
    cp ./a hf://datasets/acme/c@main/a               | write | datasets/acme/c
    cp hf://acme/a/x hf://acme/b/x                   | write | acme/b
    sync . hf://buckets/acme/logs                    | write | buckets/acme/logs
    jobs run python:3.12 python                      | write | -
    buckets create acme/logs                         | write | buckets/acme/logs
";

#[test]
fn repository_and_intent_are_read_from_the_arguments() {
    for case in CASES.lines().filter(|line| !line.trim().is_empty()) {
        let parts: Vec<&str> = case.split('|').map(str::trim).collect();
        let intent = match parts[1] {
            "read" => Intent::Read,
            _ => Intent::Write,
        };
        let repository = Some(parts[2].to_owned()).filter(|text| text != "-");
        assert_eq!(read(parts[0]), (intent, repository), "{case}");
    }
}

#[test]
fn an_unknown_option_before_the_repository_makes_it_a_guess_that_is_not_made() {
    for line in [
        "upload --brand-new acme/other acme/model",
        "upload --delete x acme/model",
    ] {
        let found = need(&words(line));
        assert!(
            matches!(
                &found,
                TokenNeed::Token {
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
    for line in [
        "version",
        "cache ls",
        "env",
        "upload --help",
        "--version",
        "",
    ] {
        assert_eq!(need(&words(line)), TokenNeed::Nothing, "{line}");
    }
    assert_eq!(
        need(&["auth", "login"]),
        TokenNeed::PersonalToken("auth login")
    );
}

#[test]
fn a_token_among_the_arguments_is_noticed() {
    for line in ["upload acme/m --token hf_x", "download --token=hf_x acme/m"] {
        let found = need(&words(line));
        assert!(
            matches!(
                found,
                TokenNeed::Token {
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
