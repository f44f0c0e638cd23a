//! What the demo's world holds: one company, one person, one CI job, three roles, two repositories,
//! and the issuer's files.

/// The organization's name.
pub const ORG: &str = "acme";
/// The public client that the agent signs in as.
pub const CLIENT: &str = "oam-demo";
/// The repository on the hub.
pub const REPOSITORY: &str = "acme/model";
/// Another one that people's roles cover and the CI job's does not.
pub const SECOND: &str = "acme/other";
/// A repository that no role covers.
pub const FOREIGN: &str = "other/secrets";
/// The hub's name in the policy.
pub const HUB: &str = "hub";
/// A second hub of the company; nothing listens there.
pub const MIRROR: &str = "mirror";
/// The role that every member of `ml` holds.
pub const READER: &str = "model-reader";
/// The role of `ml-publishers`.
pub const PUBLISHER: &str = "model-publisher";
/// The role of the release job.
pub const JOB_ROLE: &str = "model-release";
/// GitHub's ids, as its tokens say them: names can be taken over, ids can't.
pub const CI_REPOSITORY_ID: &str = "74";
/// The id of the owner.
pub const CI_OWNER_ID: &str = "65";
/// Life of a CI job's ID token, seconds.
pub const CI_JOB_S: u64 = 300;
/// Life of an ID token, seconds.
pub const ID_TOKEN_S: u64 = 300;
/// Life of a role token, seconds. The agent hands out nothing with less than 60 s of life, so it
/// must renew within seconds, and the demo shows a renewal without anybody waiting for minutes.
pub const ROLE_TOKEN_S: u64 = 65;

/// A person at the identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The subject, as in the ID token.
    pub subject: &'static str,
    /// For display.
    pub name: &'static str,
    /// The user name.
    pub username: &'static str,
    /// For display.
    pub email: &'static str,
    /// Groups, as in the `groups` claim.
    pub groups: &'static [&'static str],
}

/// The person who signs in.
pub const ADA: Person = Person {
    subject: "u-1815",
    name: "Ada",
    username: "ada",
    email: "ada@acme.example",
    groups: &["ml", "ml-publishers"],
};

/// Her groups after the change of teams.
pub const TEAM_LEFT: [&str; 1] = ["ml"];

/// Where everything is.
pub struct Places<'a> {
    /// Where the issuer's files lie, absolute.
    pub folder: &'a str,
    /// The issuer's URL.
    pub issuer: &'a str,
    /// The identity provider's.
    pub provider: &'a str,
    /// The hub's.
    pub hub: &'a str,
    /// The CI host's.
    pub ci: &'a str,
}

/// The issuer's `issuer.toml`.
pub fn settings(places: &Places<'_>) -> String {
    let Places {
        folder,
        issuer,
        provider,
        hub,
        ci,
    } = places;
    let listen = issuer.trim_start_matches("http://");
    format!(
        r#"# Written by `oam demo`.
url = "{issuer}"
listen = ["{listen}"]
database = "{folder}/issuer.db"
policy = "{folder}/policy.toml"
master_key = {{ env = "OAM_MASTER_KEY" }}

[sources.company]
issuer = "{provider}"
audiences = ["{CLIENT}"]
algorithms = ["ES256"]
# The company's directory may speak too: `oam-issuer scim token company` prints its token.
scim = {{ expect_every = "0s" }}

# What `preset = "github-actions"` says, but for the address: the demo's CI host stands in for GitHub.
[sources.ci]
kind = "job"
issuer = "{ci}"
algorithms = ["ES256"]
key_claim = "repository_id"
username_claim = "repository"

[hubs.{HUB}]
url = "{hub}"
kind = "huggingface"
backend = {{ kind = "jwt" }}

[hubs.{MIRROR}]
url = "http://127.0.0.1:9"
kind = "git"
backend = {{ kind = "jwt" }}

# The provider tells when somebody leaves or changes teams.
[transmitters.company]
issuer = "{provider}"
jwks_uri = "{provider}/jwks.json"
audiences = ["{issuer}"]
source = "company"
"#
    )
}

/// The issuer's `policy.toml`.
pub fn policy() -> String {
    format!(
        r#"# Written by `oam demo`.
[org]
name = "{ORG}"
sign_in = "company"
client_id = "{CLIENT}"
scopes = ["openid", "profile", "email", "groups", "offline_access"]

[roles.{READER}]
description = "clone and download models"
lifetime = "{ROLE_TOKEN_S}s"
members = [{{ source = "company", groups = ["ml"] }}]
grants = [
  {{ hub = "{HUB}", repositories = ["{ORG}/*"], action = "read" }},
  {{ hub = "{MIRROR}", repositories = ["{ORG}/*"], action = "read" }},
]

[roles.{PUBLISHER}]
description = "push and upload models"
lifetime = "{ROLE_TOKEN_S}s"
members = [{{ source = "company", groups = ["ml-publishers"] }}]
grants = [{{ hub = "{HUB}", repositories = ["{ORG}/*"], action = "write" }}]

[roles.{JOB_ROLE}]
description = "the release job of the one repository"
lifetime = "{ROLE_TOKEN_S}s"
members = [{{ source = "ci", claims = {{ repository_id = "{CI_REPOSITORY_ID}", ref = "refs/heads/main" }} }}]
grants = [{{ hub = "{HUB}", repositories = ["{REPOSITORY}"], action = "write" }}]
"#
    )
}

/// A `git fast-import` stream with the first commit: no work tree is needed to make it.
pub const FIRST_COMMIT: &str = "\
commit refs/heads/main
committer Acme <models@acme.example> 1700000000 +0000
data <<END
Publish the first model
END
M 100644 inline README.md
data <<END
# acme/model

A model of sorts.
END
M 100644 inline config.json
data <<END
{\"layers\": 2, \"dim\": 8}
END
";

#[cfg(test)]
mod tests {
    use super::{ORG, Places, ROLE_TOKEN_S, policy, settings};
    use oam_config::issuer::{SourceText, read_policy, read_settings};

    #[test]
    fn the_issuer_accepts_settings_and_policy_and_tokens_outlive_the_margin() {
        let text = settings(&Places {
            folder: "/company",
            issuer: "http://127.0.0.1:1",
            provider: "http://127.0.0.1:2",
            hub: "http://127.0.0.1:3",
            ci: "http://127.0.0.1:4",
        });
        let source = |name, text| SourceText { name, text };
        let settings = read_settings(source("issuer.toml", &text))
            .unwrap_or_else(|faults| panic!("{faults:?}"));
        let policy = read_policy(source("policy.toml", &policy()), &settings)
            .unwrap_or_else(|faults| panic!("{faults:?}"));
        assert_eq!(policy.org.name.as_str(), ORG);
        const { assert!(ROLE_TOKEN_S * 1000 > oam_session::cache::MARGIN_MS) };
        assert!(
            policy
                .roles
                .iter()
                .all(|role| role.lifetime_s == ROLE_TOKEN_S)
        );
    }
}
