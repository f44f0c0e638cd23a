//! What is known of identity sources by name or by issuer: ready-made settings of CI systems, and issuers
//! that speak for strangers too.

use oam_model::principal::PrincipalKind;

/// Settings that a `preset` brings; each can be overridden.
pub(super) struct Preset {
    pub(super) word: &'static str,
    pub(super) issuer: &'static str,
    pub(super) algorithms: &'static [&'static str],
    /// Stable under renames.
    pub(super) key_claim: &'static str,
    pub(super) username_claim: &'static str,
    /// Oldest `iat`, ms.
    pub(super) longest_age_ms: u64,
}

const HOUR_MS: u64 = 3_600_000;

/// The ready-made CI sources.
pub(super) const PRESETS: [Preset; 2] = [
    Preset {
        word: "github-actions",
        issuer: "https://token.actions.githubusercontent.com",
        algorithms: &["RS256"],
        key_claim: "repository_id",
        username_claim: "repository",
        longest_age_ms: HOUR_MS,
    },
    Preset {
        word: "gitlab",
        issuer: "https://gitlab.com",
        algorithms: &["RS256"],
        key_claim: "project_id",
        username_claim: "project_path",
        // A job's token is made when the job starts and used when it publishes.
        longest_age_ms: 24 * HOUR_MS,
    },
];

/// The preset with this name.
pub(super) fn preset(word: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.word == word)
}

/// An issuer that gives tokens to anybody who has an account there. Whoever takes them has to pin whose.
pub(super) struct SharedIssuer {
    /// What it is.
    pub(super) name: &'static str,
    /// Claims of which one must have a fixed value: the first is the one to recommend. None of them can be
    /// taken over by a rename or by registering a name anew.
    pub(super) pins: &'static [&'static str],
    /// Why a name does not do, for the fault.
    pub(super) because: &'static str,
}

const GITHUB: SharedIssuer = SharedIssuer {
    name: "GitHub Actions",
    pins: &["repository_id", "repository_owner_id", "enterprise_id"],
    because: "whoever registers a freed name gets its tokens, and the form of `sub` is the repository's to choose",
};

const GITLAB: SharedIssuer = SharedIssuer {
    name: "gitlab.com",
    pins: &["project_id", "namespace_id"],
    because: "a freed path can be registered anew",
};

const BUILDKITE: SharedIssuer = SharedIssuer {
    name: "Buildkite",
    pins: &["organization_id", "pipeline_id", "organization_slug"],
    because: "all its customers share the issuer",
};

const GOOGLE_WORK: SharedIssuer = SharedIssuer {
    name: "Google",
    pins: &["sub", "azp"],
    because: "everybody's service accounts and people share the issuer",
};

const GOOGLE_PEOPLE: SharedIssuer = SharedIssuer {
    name: "Google",
    pins: &["hd"],
    because: "every Google account has the same issuer",
};

/// Whether tokens of `issuer` are given to strangers, and how to pin one's own.
pub(super) fn shared(issuer: &str, kind: PrincipalKind) -> Option<&'static SharedIssuer> {
    let issuer = issuer.trim_end_matches('/');
    let host = issuer.strip_prefix("https://").unwrap_or(issuer);
    let host = host.split('/').next().unwrap_or(host);
    match (host, kind) {
        ("token.actions.githubusercontent.com", _) => Some(&GITHUB),
        // Data residency and GitHub Enterprise Server: one company's, but its people choose names too.
        _ if host.starts_with("token.actions.") && host.ends_with(".ghe.com") => Some(&GITHUB),
        _ if issuer.ends_with("/_services/token") => Some(&GITHUB),
        ("gitlab.com", _) => Some(&GITLAB),
        ("agent.buildkite.com", _) => Some(&BUILDKITE),
        ("accounts.google.com", PrincipalKind::Job) => Some(&GOOGLE_WORK),
        ("accounts.google.com", PrincipalKind::Person) => Some(&GOOGLE_PEOPLE),
        _ => None,
    }
}

/// Whether one of `pins` has fixed values only among `claims`: a wildcard fixes nothing.
pub(super) fn is_pinned<'c>(
    shared: &SharedIssuer,
    mut claims: impl Iterator<Item = (&'c str, &'c [String])>,
) -> bool {
    claims.any(|(name, values)| {
        let fixed = !values.is_empty() && values.iter().all(|value| !value.contains('*'));
        shared.pins.contains(&name) && fixed
    })
}

/// Entra's issuers that stand for any tenant.
pub(super) fn is_any_tenant(issuer: &str) -> bool {
    let rest = issuer
        .strip_prefix("https://login.microsoftonline.com/")
        .or_else(|| issuer.strip_prefix("https://sts.windows.net/"));
    rest.is_some_and(|rest| {
        let tenant = rest.split('/').next().unwrap_or(rest);
        tenant.contains(['{', '}'])
            || ["common", "organizations", "consumers", ""].contains(&tenant)
    })
}

#[cfg(test)]
mod tests {
    use super::{is_any_tenant, shared};
    use oam_model::principal::PrincipalKind;

    #[test]
    fn issuers_that_speak_for_strangers_are_known_in_all_their_forms() {
        for issuer in [
            "https://token.actions.githubusercontent.com",
            "https://token.actions.githubusercontent.com/acme",
            "https://token.actions.acme.ghe.com",
            "https://git.acme.example/_services/token",
        ] {
            let found = shared(issuer, PrincipalKind::Job).map(|s| s.pins[0]);
            assert_eq!(found, Some("repository_id"), "{issuer}");
        }
        assert!(shared("https://gitlab.acme.example", PrincipalKind::Job).is_none());
        let google = shared("https://accounts.google.com", PrincipalKind::Person);
        assert_eq!(google.map(|s| s.pins[0]), Some("hd"));
    }

    #[test]
    fn an_issuer_for_any_tenant_is_told_from_one_tenants() {
        for any in [
            "https://login.microsoftonline.com/{tenantid}/v2.0",
            "https://login.microsoftonline.com/common/v2.0",
            "https://login.microsoftonline.com/organizations/v2.0",
            "https://sts.windows.net/{tenantid}/",
        ] {
            assert!(is_any_tenant(any), "{any}");
        }
        assert!(!is_any_tenant(
            "https://login.microsoftonline.com/0b3f7c1e-52d4-4f0e-9f39-0a4d1c7e8a11/v2.0"
        ));
    }
}
