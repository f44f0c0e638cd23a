//! The kinds of workload identities, as their makers document them (November 2026). None documents that a token is for
//! one use: a job exchanges the one that it has for each hub and repository, and two processes can share it.

use super::form::{
    always, is_aws, is_azure, is_bitbucket, is_circleci, is_github, is_hcp_terraform, is_vercel,
    never,
};
use super::{IssuerForm, Preset};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// All of them, in the order in which they are listed to people.
pub(in super::super) const PRESETS: &[Preset] = &[
    GITHUB,
    GITLAB,
    BITBUCKET,
    CIRCLECI,
    BUILDKITE,
    JENKINS,
    FORGEJO,
    HCP_TERRAFORM,
    AWS,
    GCP,
    AZURE,
    KUBERNETES,
    SPIFFE,
    VERCEL,
];

/// Claims with ids come in every token; `sub` has a form that each repository chooses.
const GITHUB: Preset = Preset {
    word: "github-actions",
    name: "GitHub Actions",
    issuer: IssuerForm {
        usual: Some("https://token.actions.githubusercontent.com"),
        example: "https://token.actions.githubusercontent.com",
        // A server of one's own has the address that its company gave it.
        fits: always,
        is_known: is_github,
        // Data residency and GitHub Enterprise Server are one company's, but its people choose names too.
        is_shared: always,
    },
    audience: None,
    algorithms: &["RS256"],
    key_claim: Some("repository_id"),
    username_claim: "repository",
    pins: &["repository_id", "repository_owner_id", "enterprise_id"],
    because: "whoever registers a freed name gets its tokens, and the form of `sub` is the repository's to choose",
    callers_words: &[],
    required: &[],
    once: false,
    longest_age_ms: HOUR_MS,
};

const GITLAB: Preset = Preset {
    word: "gitlab",
    name: "GitLab",
    issuer: IssuerForm {
        usual: Some("https://gitlab.com"),
        example: "https://gitlab.acme.example",
        fits: always,
        is_known: |issuer| issuer == "https://gitlab.com",
        is_shared: |issuer| issuer == "https://gitlab.com",
    },
    audience: None,
    algorithms: &["RS256"],
    key_claim: Some("project_id"),
    username_claim: "project_path",
    pins: &["project_id", "namespace_id"],
    because: "a freed path can be registered anew",
    callers_words: &[],
    required: &[],
    // A job's token is made when the job starts and used when it publishes.
    once: false,
    longest_age_ms: 24 * HOUR_MS,
};

/// Its `sub` has the step in it and changes with every run.
const BITBUCKET: Preset = Preset {
    word: "bitbucket",
    name: "Bitbucket Pipelines",
    issuer: IssuerForm {
        usual: None,
        example: "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc",
        fits: is_bitbucket,
        is_known: is_bitbucket,
        is_shared: never,
    },
    audience: None,
    algorithms: &["RS256"],
    key_claim: Some("repositoryUuid"),
    username_claim: "repositoryUuid",
    pins: &[
        "repositoryUuid",
        "workspaceUuid",
        "deploymentEnvironmentUuid",
    ],
    because: "every repository of the workspace has the same issuer, and a workspace can be renamed",
    callers_words: &[],
    required: &[],
    once: false,
    longest_age_ms: HOUR_MS,
};

/// A job that somebody entered by ssh has the token of the job.
const CIRCLECI: Preset = Preset {
    word: "circleci",
    name: "CircleCI",
    issuer: IssuerForm {
        usual: None,
        example: "https://oidc.circleci.com/org/ORGANIZATION-ID",
        fits: is_circleci,
        is_known: is_circleci,
        is_shared: never,
    },
    audience: None,
    algorithms: &["RS256"],
    key_claim: Some("oidc.circleci.com/project-id"),
    username_claim: "oidc.circleci.com/project-id",
    pins: &["oidc.circleci.com/project-id"],
    because: "every project of the organization has the same issuer",
    callers_words: &[],
    required: &[("oidc.circleci.com/ssh-rerun", "false")],
    once: false,
    longest_age_ms: HOUR_MS,
};

/// The ids come where they are asked for: `request-token --claim organization_id,pipeline_id`.
const BUILDKITE: Preset = Preset {
    word: "buildkite",
    name: "Buildkite",
    issuer: IssuerForm {
        usual: Some("https://agent.buildkite.com"),
        example: "https://agent.buildkite.com",
        fits: |issuer| issuer == "https://agent.buildkite.com",
        is_known: |issuer| issuer == "https://agent.buildkite.com",
        is_shared: always,
    },
    audience: None,
    algorithms: &["RS256"],
    key_claim: Some("pipeline_id"),
    username_claim: "pipeline_slug",
    pins: &["organization_id", "pipeline_id", "organization_slug"],
    because: "all its customers share the issuer",
    callers_words: &[],
    required: &[],
    once: false,
    longest_age_ms: HOUR_MS,
};

/// The plug-in `oidc-provider`: the controller or a folder is the issuer, and its keys are often not published
/// (`jwks_file`).
const JENKINS: Preset = Preset {
    word: "jenkins",
    name: "Jenkins",
    issuer: IssuerForm {
        usual: None,
        example: "https://jenkins.acme.example/oidc",
        fits: always,
        is_known: never,
        is_shared: never,
    },
    audience: None,
    algorithms: &["RS256"],
    key_claim: None,
    username_claim: "sub",
    pins: &["sub"],
    because: "every job of the controller has the same issuer",
    callers_words: &[],
    required: &[],
    once: false,
    longest_age_ms: HOUR_MS,
};

/// Uses GitHub's names for its claims, at the instance's own issuer; the ids came in 2026.
const FORGEJO: Preset = Preset {
    word: "forgejo",
    name: "Forgejo Actions",
    issuer: IssuerForm {
        usual: None,
        example: "https://git.acme.example/api/actions",
        fits: |issuer| issuer.ends_with("/api/actions"),
        is_known: |issuer| issuer.ends_with("/api/actions"),
        is_shared: |issuer| issuer == "https://codeberg.org/api/actions",
    },
    audience: None,
    algorithms: &["RS256", "ES256", "EdDSA"],
    key_claim: Some("repository_id"),
    username_claim: "repository",
    pins: &["repository_id", "repository_owner_id"],
    because: "whoever registers a freed name gets its tokens, and `sub` is made of names in repositories of before 2026",
    callers_words: &[],
    required: &[],
    once: false,
    longest_age_ms: HOUR_MS,
};

/// One token serves a whole phase of a run: `terraform_run_phase` tells plan from apply.
const HCP_TERRAFORM: Preset = Preset {
    word: "hcp-terraform",
    name: "HCP Terraform",
    issuer: IssuerForm {
        usual: Some("https://app.terraform.io"),
        example: "https://app.terraform.io",
        fits: always,
        is_known: is_hcp_terraform,
        is_shared: is_hcp_terraform,
    },
    audience: None,
    algorithms: &["RS256"],
    key_claim: Some("terraform_workspace_id"),
    username_claim: "terraform_full_workspace",
    pins: &[
        "terraform_workspace_id",
        "terraform_organization_id",
        "terraform_project_id",
    ],
    because: "all its customers share the issuer, and names of organizations and workspaces can be taken anew",
    callers_words: &[],
    required: &[],
    once: false,
    longest_age_ms: 24 * HOUR_MS,
};

/// `sts:GetWebIdentityToken`: an issuer for each account, `sub` is the ARN of the role.
const AWS: Preset = Preset {
    word: "aws",
    name: "AWS IAM",
    issuer: IssuerForm {
        usual: None,
        example: "https://ID.tokens.sts.global.api.aws",
        fits: is_aws,
        is_known: is_aws,
        is_shared: never,
    },
    audience: None,
    algorithms: &["RS256", "ES384"],
    key_claim: None,
    username_claim: "sub",
    // Where a token is asked for an origin identity, `sub` is whom the session acts for, and not the role.
    pins: &["sub", "https://sts.amazonaws.com/.principal_id"],
    because: "every role of the account has the same issuer",
    callers_words: &["https://sts.amazonaws.com/.request_tags"],
    required: &[],
    once: false,
    longest_age_ms: HOUR_MS,
};

const GCP: Preset = Preset {
    word: "gcp",
    name: "Google Cloud",
    issuer: IssuerForm {
        usual: Some("https://accounts.google.com"),
        example: "https://accounts.google.com",
        fits: |issuer| issuer == "https://accounts.google.com",
        is_known: |issuer| issuer == "https://accounts.google.com",
        is_shared: always,
    },
    audience: None,
    algorithms: &["RS256"],
    key_claim: None,
    username_claim: "email",
    pins: &["sub", "azp"],
    because: "everybody's service accounts and people share the issuer",
    callers_words: &[],
    required: &[],
    once: false,
    longest_age_ms: HOUR_MS,
};

/// Applications and managed identities of one tenant, by either version of its tokens. Those of version 2 are for the
/// id of an application, those of version 1 and of managed identities for its id or its `api://` name.
const AZURE: Preset = Preset {
    word: "azure",
    name: "Azure",
    issuer: IssuerForm {
        usual: None,
        example: "https://login.microsoftonline.com/TENANT-ID/v2.0",
        fits: is_azure,
        is_known: is_azure,
        is_shared: never,
    },
    audience: Some("APPLICATION-ID"),
    algorithms: &["RS256"],
    key_claim: Some("oid"),
    username_claim: "oid",
    pins: &["oid", "azp", "appid"],
    because: "every application of the tenant can have a token of it",
    callers_words: &[],
    required: &[],
    once: false,
    longest_age_ms: 24 * HOUR_MS,
};

/// A projected token is renewed at four fifths of its life, at the latest after a day. The default token, for the
/// API server and of up to a year, has another audience and is too old.
const KUBERNETES: Preset = Preset {
    word: "kubernetes",
    name: "Kubernetes",
    issuer: IssuerForm {
        usual: None,
        example: "https://kubernetes.default.svc.acme.example",
        fits: always,
        is_known: never,
        is_shared: never,
    },
    audience: None,
    algorithms: &["RS256", "ES256"],
    key_claim: None,
    username_claim: "sub",
    pins: &[
        "sub",
        "kubernetes.io.serviceaccount.uid",
        "kubernetes.io.namespace",
    ],
    because: "every pod of the cluster can have a token with this audience",
    callers_words: &[],
    required: &[],
    once: false,
    longest_age_ms: 24 * HOUR_MS,
};

/// JWT-SVIDs with an `iss`, as SPIRE's `jwt_issuer` sets it.
const SPIFFE: Preset = Preset {
    word: "spiffe",
    name: "SPIFFE",
    issuer: IssuerForm {
        usual: None,
        example: "https://spire.acme.example",
        fits: always,
        is_known: never,
        is_shared: never,
    },
    audience: None,
    algorithms: &[
        "RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "PS384", "PS512",
    ],
    key_claim: None,
    username_claim: "sub",
    pins: &["sub"],
    because: "every workload of the trust domain has the same issuer",
    callers_words: &[],
    required: &[],
    once: false,
    longest_age_ms: HOUR_MS,
};

/// In its global mode all teams share the issuer; in team mode the address holds the team's name, which can be
/// taken anew.
const VERCEL: Preset = Preset {
    word: "vercel",
    name: "Vercel",
    issuer: IssuerForm {
        usual: None,
        example: "https://oidc.vercel.com/TEAM",
        fits: is_vercel,
        is_known: is_vercel,
        is_shared: |issuer| issuer == "https://oidc.vercel.com",
    },
    audience: Some("https://vercel.com/TEAM"),
    algorithms: &["RS256"],
    key_claim: Some("project_id"),
    username_claim: "project",
    pins: &["project_id", "owner_id"],
    because: "a name of a team or project can be taken anew",
    callers_words: &[],
    required: &[],
    once: false,
    longest_age_ms: 24 * HOUR_MS,
};
