//! What the demo's world holds: one company, one person, two roles, one repository.

/// The organization's name in the configuration.
pub const ORG: &str = "acme";
/// The public client that the agent signs in as.
pub const CLIENT: &str = "oam-demo";
/// The repository on the hub.
pub const REPOSITORY: &str = "acme/model";
/// A repository that no role covers.
pub const FOREIGN: &str = "other/secrets";
/// Life of an ID token, seconds.
pub const ID_TOKEN_S: u64 = 300;
/// Life of a role token, seconds. The agent hands out nothing with less than 60 s of life, so it
/// must renew within seconds, and the demo shows a renewal without anybody waiting for minutes.
pub const ROLE_TOKEN_S: u64 = 65;
/// Age in seconds from which the agent wants a new proof of the identity.
pub const FRESH_S: u64 = 2;

/// A person at the identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The subject, as in the ID token.
    pub subject: &'static str,
    /// For display.
    pub name: &'static str,
    /// For display.
    pub email: &'static str,
    /// Groups, as in the `groups` claim.
    pub groups: &'static [&'static str],
}

/// The person who signs in.
pub const ADA: Person = Person {
    subject: "u-1815",
    name: "Ada",
    email: "ada@acme.example",
    groups: &["ml", "ml-publishers"],
};

/// A role as the token endpoint knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeededRole {
    /// Its name.
    pub name: &'static str,
    /// Group whose members hold it; none: everybody of the company.
    pub group: Option<&'static str>,
    /// Namespace of repositories that it covers.
    pub namespace: &'static str,
    /// Actions, the least first.
    pub actions: &'static [&'static str],
}

/// The roles.
pub const ROLES: &[SeededRole] = &[
    SeededRole {
        name: "model-reader",
        group: None,
        namespace: "acme",
        actions: &["read"],
    },
    SeededRole {
        name: "model-publisher",
        group: Some("ml-publishers"),
        namespace: "acme",
        actions: &["read", "write"],
    },
];

/// The user's `config.toml`.
pub fn configuration(issuer: &str, hub: &str) -> String {
    format!(
        r#"# Written by `oam demo`.
[orgs.{ORG}]
issuer = "{issuer}"
client_id = "{CLIENT}"
fresh = "{FRESH_S}s"
lease = "10m"

[orgs.{ORG}.exchange]
kind = "rfc8693"
token_endpoint = "{issuer}/exchange"
audience = "{{hub}}"
resource = "{{repository}}"
scope = "role:{{role}} {{action}}"

[orgs.{ORG}.hubs.hub]
url = "{hub}"
kind = "huggingface"

[orgs.{ORG}.roles.model-reader]
description = "clone and download models"
lifetime = "15m"
grants = [{{ hub = "hub", repositories = ["acme/*"], action = "read" }}]

[orgs.{ORG}.roles.model-publisher]
description = "push and upload models"
groups = ["ml-publishers"]
lifetime = "15m"
grants = [{{ hub = "hub", repositories = ["acme/*"], action = "write" }}]
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
    use super::{FRESH_S, ORG, ROLE_TOKEN_S, ROLES, configuration};
    use crate::config::agent::{Settings, Source, read};

    fn settings() -> Settings {
        let text = configuration("http://127.0.0.1:1", "http://127.0.0.1:2");
        let source = Source {
            name: "config.toml",
            text: &text,
        };
        read(None, Some(source)).unwrap_or_else(|faults| panic!("{faults:?}"))
    }

    #[test]
    fn the_configuration_is_accepted_and_names_every_seeded_role() {
        let settings = settings();
        let org = &settings.orgs[0];
        assert_eq!((org.name.as_str(), org.fresh_ms), (ORG, FRESH_S * 1000));
        assert_eq!(org.hubs[0].url, "http://127.0.0.1:2");
        let named: Vec<&str> = org.roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(
            named,
            ROLES.iter().map(|role| role.name).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_role_token_outlives_the_margin_and_no_role() {
        let settings = settings();
        const { assert!(ROLE_TOKEN_S * 1000 > crate::rules::cache::MARGIN_MS) };
        assert!(
            settings.orgs[0]
                .roles
                .iter()
                .all(|role| role.lifetime_s > ROLE_TOKEN_S)
        );
    }
}
