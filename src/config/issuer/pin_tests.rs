use super::fixture::{ISSUER, POLICY, issuer_of, told};
use super::{SourceText, read_policy};
use oam_model::issuer::{IssuerSettings, TokenUse};

const TENANT: &str = "0b3f7c1e-52d4-4f0e-9f39-0a4d1c7e8a11";

/// The issuer's settings with one more source.
fn with(source: &str) -> Result<IssuerSettings, String> {
    let text = ISSUER.replace(
        "[hubs.models]",
        &format!("[sources.jobs]\n{source}\n[hubs.models]"),
    );
    issuer_of(&text).map_err(|faults| told(&faults))
}

/// What a role for jobs of this source with these claims is told; none: nothing is wrong.
fn rule(source: &str, claims: &str) -> Option<String> {
    let settings = with(source).unwrap();
    let claims = match claims {
        "" => String::new(),
        some => format!(", claims = {{ {some} }}"),
    };
    let text = format!(
        "{POLICY}[roles.ci]\nmembers = [{{ source = \"jobs\"{claims} }}]\ngrants = [{{ hub = \"models\", repositories = [\"acme/*\"], action = \"write\" }}]\n"
    );
    let read = read_policy(
        SourceText {
            name: "policy.toml",
            text: &text,
        },
        &settings,
    );
    read.err().map(|faults| told(&faults))
}

/// Of each kind: the source, a rule of names alone, the claim that the fault has to name, and a rule that is pinned.
const RULES: [(&str, &str, &str, &str); 15] = [
    (
        "preset = \"github-actions\"\naudiences = [\"own\"]",
        "repository = \"acme/model\"",
        "repository_id",
        "repository_id = 42",
    ),
    (
        "preset = \"gitlab\"",
        "project_path = \"acme/model\"",
        "project_id",
        "namespace_id = 7",
    ),
    (
        "preset = \"gitlab\"\nissuer = \"https://git.acme.example\"",
        "ref = \"main\"",
        "project_id",
        "project_id = 7",
    ),
    (
        "preset = \"bitbucket\"\nissuer = \"https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc\"",
        "branchName = \"main\"",
        "repositoryUuid",
        "repositoryUuid = \"{1f2e}\"",
    ),
    (
        "preset = \"circleci\"\nissuer = \"https://oidc.circleci.com/org/0b3f7c1e-52d4-4f0e-9f39-0a4d1c7e8a11\"",
        "",
        "\"oidc.circleci.com/project-id\"",
        "\"oidc.circleci.com/project-id\" = \"p1\"",
    ),
    (
        "preset = \"buildkite\"",
        "pipeline_slug = \"release\"",
        "organization_id",
        "organization_id = \"o1\"",
    ),
    (
        "preset = \"jenkins\"\nissuer = \"https://jenkins.acme.example/oidc\"",
        "",
        "sub",
        "sub = \"https://jenkins.acme.example/job/release/\"",
    ),
    (
        "preset = \"forgejo\"\nissuer = \"https://git.acme.example/api/actions\"",
        "repository = \"acme/model\"",
        "repository_id",
        "repository_id = 42",
    ),
    (
        "preset = \"hcp-terraform\"",
        "terraform_workspace_name = \"prod\"",
        "terraform_workspace_id",
        "terraform_organization_id = \"org-1\"",
    ),
    (
        "preset = \"aws\"\nissuer = \"https://0b3f7c1e-52d4-4f0e-9f39-0a4d1c7e8a11.tokens.sts.global.api.aws\"",
        "",
        "sub",
        "sub = \"arn:aws:iam::123456789012:role/release\"",
    ),
    (
        "preset = \"gcp\"",
        "email = \"ci@acme.iam.gserviceaccount.com\"",
        "sub",
        "sub = \"1234\"",
    ),
    (
        "preset = \"azure\"\nissuer = \"https://sts.windows.net/0b3f7c1e-52d4-4f0e-9f39-0a4d1c7e8a11/\"\naudiences = [\"api://oam\"]",
        "",
        "oid",
        "oid = \"1f2e\"",
    ),
    (
        "preset = \"kubernetes\"\nissuer = \"https://k8s.acme.example\"",
        "",
        "sub",
        "kubernetes.io.namespace = \"ml\"",
    ),
    (
        "preset = \"spiffe\"\nissuer = \"https://spire.acme.example\"",
        "sub = \"spiffe://acme/**\"",
        "sub",
        "sub = \"spiffe://acme/release\"",
    ),
    (
        "preset = \"vercel\"\nissuer = \"https://oidc.vercel.com/acme\"\naudiences = [\"https://vercel.com/acme\"]",
        "environment = \"production\"",
        "project_id",
        "owner_id = \"team_1\"",
    ),
];

#[test]
fn a_rule_without_its_kinds_pin_is_refused_and_the_claim_is_named() {
    for (source, loose, claim, pinned) in RULES {
        let said = rule(source, loose).unwrap_or_else(|| panic!("{source} with {loose} is taken"));
        assert!(said.contains("not pinned"), "{source}: {said}");
        assert!(
            said.contains(&format!("add `{claim} = ")),
            "{source}: {said}"
        );
        assert_eq!(rule(source, pinned), None, "{source}");
        let every = rule(&format!("{source}\nevery_job = true"), loose);
        let is_shared = !source.contains("issuer");
        assert_eq!(every.is_some(), is_shared, "{source}: {every:?}");
    }
}

#[test]
fn an_issuer_that_is_known_is_held_to_its_pins_without_the_preset() {
    let job =
        |issuer: &str| format!("kind = \"job\"\nissuer = \"{issuer}\"\naudiences = [\"oam\"]");
    for (issuer, claim) in [
        ("https://app.terraform.io", "terraform_workspace_id"),
        (
            &format!("https://oidc.circleci.com/org/{TENANT}"),
            "oidc.circleci.com/project-id",
        ),
        (
            &format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
            "oid",
        ),
    ] {
        let said = rule(&job(issuer), "").unwrap();
        assert!(said.contains(claim), "{issuer}: {said}");
    }
}

#[test]
fn what_the_caller_says_of_itself_is_no_condition() {
    let aws = format!("preset = \"aws\"\nissuer = \"https://{TENANT}.tokens.sts.global.api.aws\"");
    let tags = "\"https://sts.amazonaws.com/.request_tags.team\" = \"ml\"";
    let said = rule(&aws, &format!("sub = \"arn:aws:iam::1:role/x\", {tags}")).unwrap();
    assert!(said.contains("what the caller says of itself"), "{said}");
    let principal = tags.replace("request_tags", "principal_tags");
    assert_eq!(
        rule(
            &aws,
            &format!("sub = \"arn:aws:iam::1:role/x\", {principal}")
        ),
        None
    );
}

#[test]
fn a_preset_whose_issuer_is_each_companys_own_asks_for_it_in_its_form() {
    let said = with("preset = \"circleci\"").unwrap_err();
    assert!(said.contains("does not say whose CircleCI it is"), "{said}");
    assert!(
        said.contains("https://oidc.circleci.com/org/ORGANIZATION-ID"),
        "{said}"
    );
    let said =
        with("preset = \"forgejo\"\nissuer = \"https://token.actions.githubusercontent.com\"")
            .unwrap_err();
    assert!(said.contains("is no issuer of Forgejo Actions"), "{said}");
    let said = with("preset = \"azur\"").unwrap_err();
    assert!(said.contains("did you mean `azure`?"), "{said}");
}

#[test]
fn a_job_that_somebody_entered_by_ssh_is_refused_unless_it_is_meant() {
    let circleci =
        format!("preset = \"circleci\"\nissuer = \"https://oidc.circleci.com/org/{TENANT}\"");
    let required = |source: &str| {
        let settings = with(source).unwrap();
        let source = settings
            .sources
            .into_iter()
            .find(|one| one.name.as_str() == "jobs");
        source.unwrap().required["oidc.circleci.com/ssh-rerun"].clone()
    };
    assert_eq!(required(&circleci), ["false"]);
    let both = format!(
        "{circleci}\nrequired = {{ \"oidc.circleci.com/ssh-rerun\" = [\"true\", \"false\"] }}"
    );
    assert_eq!(required(&both), ["true", "false"]);
}

#[test]
fn a_job_that_can_not_choose_its_audience_wants_it_named_in_its_form() {
    let azure = format!("issuer = \"https://login.microsoftonline.com/{TENANT}/v2.0\"");
    let vercel = "issuer = \"https://oidc.vercel.com/acme\"";
    for (source, form) in [
        (format!("preset = \"azure\"\n{azure}"), "APPLICATION-ID"),
        (format!("kind = \"job\"\n{azure}"), "APPLICATION-ID"),
        (
            format!("preset = \"vercel\"\n{vercel}"),
            "https://vercel.com/TEAM",
        ),
        (
            format!("kind = \"job\"\n{vercel}"),
            "https://vercel.com/TEAM",
        ),
    ] {
        let said = with(&source).unwrap_err();
        assert!(
            said.contains("does not say for whom its tokens are"),
            "{said}"
        );
        assert!(
            said.contains(&format!("add audiences = [\"{form}\"]")),
            "{said}"
        );
        let named = format!("{source}\naudiences = [\"own\"]");
        assert!(with(&named).is_ok(), "{named}");
    }
    // Whoever can ask for one asks for the issuer's.
    let settings = with("preset = \"gitlab\"").unwrap();
    let gitlab = settings
        .sources
        .iter()
        .find(|one| one.preset == Some("gitlab"));
    assert_eq!(gitlab.unwrap().audiences, ["https://issuer.acme.example"]);
}

#[test]
fn a_token_counts_as_often_as_it_is_shown_unless_the_source_says_once() {
    let once = |source: &str| {
        let settings = with(source).unwrap();
        let mut sources = settings.sources.iter();
        sources
            .find(|one| one.name.as_str() == "jobs")
            .unwrap()
            .token_use
            == TokenUse::Once
    };
    for (source, _, _, _) in RULES {
        assert!(!once(source), "{source}");
        assert!(once(&format!("{source}\nonce = true")), "{source}");
    }
    let said = with("issuer = \"https://people.example\"\naudiences = [\"oam\"]\nonce = true");
    let said = said.unwrap_err();
    assert!(said.contains("`sources.jobs.once` is for jobs"), "{said}");
}
