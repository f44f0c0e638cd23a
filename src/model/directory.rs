//! A directory that the issuer reads itself, as it is configured (`[sources.NAME.directory]`).

use super::issuer::SecretPlace;
use serde::{Deserialize, Serialize};

/// How a directory is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryPoll {
    /// What kind it is, and where.
    pub adapter: DirectoryAdapter,
    /// Time between two readings, ms.
    pub every_ms: u64,
    /// A reading that takes longer is given up, ms.
    pub within_ms: u64,
    /// One is expected to be taken at least this often, ms; 0: no expectation.
    pub expect_every_ms: u64,
    /// Most of the people, and of the memberships, that may be gone by one reading unless somebody confirms it, percent.
    pub hold_percent: u64,
    /// Which of a person's attributes is their stable key.
    pub subject: String,
    /// Which of a group's attributes names it in the policy; none: groups are not read.
    pub group: Option<String>,
    /// Most people that are read.
    pub most_users: u64,
    /// PEM file of additional roots.
    pub ca_file: Option<String>,
}

/// The kinds of directories, each with what it needs. Secrets lie in places of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryAdapter {
    /// A plain LDAP server.
    Ldap(Box<LdapDirectory>),
    /// Keycloak's admin interface, as a client with a service account (`view-users`, `query-groups`).
    Keycloak {
        /// The realm's address, which is its issuer: `https://sso.acme.example/realms/acme`.
        url: String,
        /// The client.
        client_id: String,
        /// The place of the password, secret or token.
        secret: SecretPlace,
    },
    /// Okta's interface, with an API token (SSWS).
    Okta {
        /// `https://acme.okta.com`.
        url: String,
        /// The place of the password, secret or token.
        secret: SecretPlace,
    },
    /// Microsoft Graph, as an application (`User.Read.All`, `GroupMember.Read.All`).
    Entra {
        /// `https://graph.microsoft.com`.
        url: String,
        /// `https://login.microsoftonline.com`.
        login_url: String,
        /// The tenant's id.
        tenant: String,
        /// The client.
        client_id: String,
        /// The place of the password, secret or token.
        secret: SecretPlace,
    },
    /// Google's Admin SDK, as a service account with domain-wide delegation.
    Google {
        /// `https://admin.googleapis.com`.
        url: String,
        /// `https://oauth2.googleapis.com/token`.
        token_url: String,
        /// The administrator in whose name it reads.
        administrator: String,
        /// `my_customer`, or a customer's id.
        customer: String,
        /// The key file of the service account, JSON.
        secret: SecretPlace,
    },
}

/// A plain LDAP server (RFC 4511), also Active Directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapDirectory {
    /// `ldaps://ldap.acme.example`; `ldap:` only for loopback, or with `start_tls`.
    pub url: String,
    /// TLS on the plain port.
    pub start_tls: bool,
    /// Who reads.
    pub bind_dn: String,
    /// The place of the password.
    pub secret: SecretPlace,
    /// Where people are.
    pub base: String,
    /// Which entries are people.
    pub filter: String,
    /// Attribute that people sign in with.
    pub user_name: String,
    /// Attribute with the e-mail address.
    pub email: String,
    /// What tells that an account is disabled.
    pub disabled: LdapDisabled,
    /// Where groups are.
    pub group_base: String,
    /// Which entries are groups.
    pub group_filter: String,
    /// Attribute of a group that names its members, by their DN.
    pub member: String,
}

/// What tells that an account is disabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LdapDisabled {
    /// Bit 2 of `userAccountControl` (Active Directory).
    UserAccountControl,
    /// The attribute has one of these values; none are given: it has any value at all.
    Attribute {
        /// Its name.
        name: String,
        /// The values.
        values: Vec<String>,
    },
}

impl DirectoryAdapter {
    /// As the configuration calls it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ldap(_) => "ldap",
            Self::Keycloak { .. } => "keycloak",
            Self::Okta { .. } => "okta",
            Self::Entra { .. } => "entra",
            Self::Google { .. } => "google",
        }
    }
}
