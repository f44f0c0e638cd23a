//! What is known of identity sources by name or by issuer: ready-made settings of workload identities, and what a
//! rule has to pin so that nobody else's job claims a role.

mod form;
mod table;

pub(super) use table::PRESETS;

use oam_model::issuer::IdentitySource;
use oam_model::principal::PrincipalKind;

/// A kind of workload identity: the settings that `preset` brings, each of which can be overridden, and how one's own
/// jobs are told from a stranger's.
pub(super) struct Preset {
    /// The word of `preset`.
    pub(super) word: &'static str,
    /// What people call it.
    pub(super) name: &'static str,
    /// How its `iss` looks.
    pub(super) issuer: IssuerForm,
    /// The form of `aud` where a job can't have the issuer's own address there; none: it asks for that.
    pub(super) audience: Option<&'static str>,
    pub(super) algorithms: &'static [&'static str],
    /// Stable under renames; none: `sub`.
    pub(super) key_claim: Option<&'static str>,
    pub(super) username_claim: &'static str,
    /// Claims of which one must have a fixed value: the first is the one to recommend. None of them can be taken
    /// over by a rename or by registering a name anew.
    pub(super) pins: &'static [&'static str],
    /// Why a name does not do, for the fault.
    pub(super) because: &'static str,
    /// Beginnings of claims that the caller fills in: no condition on them proves anything.
    pub(super) callers_words: &'static [&'static str],
    /// Claims that every token must have, unless the source says otherwise.
    pub(super) required: &'static [(&'static str, &'static str)],
    /// Each token is exchanged once only, unless the source says otherwise.
    pub(super) once: bool,
    /// Oldest `iat`, ms.
    pub(super) longest_age_ms: u64,
}

/// How the issuers of a kind look, each a function of the address without a final slash.
pub(super) struct IssuerForm {
    /// The one that is meant where none is named; none: each company has its own.
    pub(super) usual: Option<&'static str>,
    /// For people, in place of their own.
    pub(super) example: &'static str,
    /// Whether the address can be one of this kind.
    pub(super) fits: fn(&str) -> bool,
    /// Whether the address is one for certain, also without `preset`.
    pub(super) is_known: fn(&str) -> bool,
    /// Whether strangers have tokens of this issuer: then `every_job` is no way out.
    pub(super) is_shared: fn(&str) -> bool,
}

/// The preset with this name.
pub(super) fn preset(word: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.word == word)
}

/// The kind of a source, by its preset or by its issuer.
pub(super) fn kind_of(
    preset: Option<&'static Preset>,
    issuer: Option<&str>,
) -> Option<&'static Preset> {
    let bare = issuer.map(|issuer| issuer.trim_end_matches('/'));
    preset.or_else(|| {
        PRESETS
            .iter()
            .find(|one| bare.is_some_and(one.issuer.is_known))
    })
}

/// What a rule has to pin about the tokens of a source.
#[derive(Clone, Copy)]
pub(super) struct Pins {
    /// Whose tokens they are.
    pub(super) name: &'static str,
    /// See [`Preset::pins`].
    pub(super) claims: &'static [&'static str],
    /// See [`Preset::because`].
    pub(super) because: &'static str,
    /// See [`Preset::callers_words`].
    pub(super) callers_words: &'static [&'static str],
    /// Strangers have tokens of this issuer too.
    pub(super) is_shared: bool,
}

/// Everybody's Google account.
const GOOGLE_PEOPLE: Pins = Pins {
    name: "Google",
    claims: &["hd"],
    because: "every Google account has the same issuer",
    callers_words: &[],
    is_shared: true,
};

/// The pins of a source, by its preset or by its issuer.
pub(super) fn pins(source: &IdentitySource) -> Option<Pins> {
    if let Some(preset) = source.preset.and_then(preset) {
        return Some(pins_of(preset, &source.issuer));
    }
    known(&source.issuer, source.kind)
}

fn pins_of(preset: &'static Preset, issuer: &str) -> Pins {
    Pins {
        name: preset.name,
        claims: preset.pins,
        because: preset.because,
        callers_words: preset.callers_words,
        is_shared: (preset.issuer.is_shared)(issuer.trim_end_matches('/')),
    }
}

/// Whether `issuer` is known without a preset, and how one's own are told there.
fn known(issuer: &str, kind: PrincipalKind) -> Option<Pins> {
    let bare = issuer.trim_end_matches('/');
    if kind == PrincipalKind::Person && bare == "https://accounts.google.com" {
        return Some(GOOGLE_PEOPLE);
    }
    let found = PRESETS.iter().find(|one| (one.issuer.is_known)(bare))?;
    let pins = pins_of(found, bare);
    // People of one tenant are that company's, and told by their groups.
    (kind == PrincipalKind::Job || pins.is_shared).then_some(pins)
}

/// Whether one of `pins` has fixed values only among `claims`: a wildcard fixes nothing.
pub(super) fn is_pinned<'c>(
    pins: &[&str],
    mut claims: impl Iterator<Item = (&'c str, &'c [String])>,
) -> bool {
    claims.any(|(name, values)| {
        let fixed = !values.is_empty() && values.iter().all(|value| !value.contains('*'));
        pins.contains(&name) && fixed
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
    use super::{PRESETS, is_any_tenant, known, preset};
    use oam_model::principal::PrincipalKind;
    use std::collections::BTreeSet;

    #[test]
    fn issuers_that_speak_for_strangers_are_known_in_all_their_forms() {
        for issuer in [
            "https://token.actions.githubusercontent.com",
            "https://token.actions.githubusercontent.com/acme",
            "https://token.actions.acme.ghe.com",
            "https://git.acme.example/_services/token",
        ] {
            let found = known(issuer, PrincipalKind::Job).map(|pins| pins.claims[0]);
            assert_eq!(found, Some("repository_id"), "{issuer}");
        }
        assert!(known("https://gitlab.acme.example", PrincipalKind::Job).is_none());
        let google = known("https://accounts.google.com", PrincipalKind::Person);
        assert_eq!(google.map(|pins| pins.claims[0]), Some("hd"));
    }

    #[test]
    fn each_kind_is_known_by_its_issuer_and_by_no_other_kind() {
        for (issuer, word, shared) in [
            (
                "https://token.actions.githubusercontent.com",
                "github-actions",
                true,
            ),
            ("https://gitlab.com", "gitlab", true),
            (
                "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc",
                "bitbucket",
                false,
            ),
            (
                "https://oidc.circleci.com/org/0b3f7c1e-52d4-4f0e-9f39-0a4d1c7e8a11",
                "circleci",
                false,
            ),
            ("https://agent.buildkite.com", "buildkite", true),
            ("https://codeberg.org/api/actions", "forgejo", true),
            ("https://app.terraform.io", "hcp-terraform", true),
            ("https://app.eu.terraform.io", "hcp-terraform", true),
            (
                "https://1f2e3d4c-aaaa-bbbb-cccc-000011112222.tokens.sts.global.api.aws",
                "aws",
                false,
            ),
            ("https://accounts.google.com", "gcp", true),
            (
                "https://sts.windows.net/0b3f7c1e-52d4-4f0e-9f39-0a4d1c7e8a11/",
                "azure",
                false,
            ),
            (
                "https://login.microsoftonline.com/0b3f7c1e-52d4-4f0e-9f39-0a4d1c7e8a11/v2.0",
                "azure",
                false,
            ),
            ("https://oidc.vercel.com", "vercel", true),
            ("https://oidc.vercel.com/acme", "vercel", false),
        ] {
            let bare = issuer.trim_end_matches('/');
            let fitting = PRESETS.iter().filter(|one| (one.issuer.is_known)(bare));
            let words: Vec<&str> = fitting.map(|one| one.word).collect();
            assert_eq!(words, [word], "{issuer}");
            assert!((preset(word).unwrap().issuer.fits)(bare), "{issuer}");
            let pins = known(issuer, PrincipalKind::Job).unwrap();
            assert_eq!(pins.is_shared, shared, "{issuer}");
        }
    }

    #[test]
    fn every_preset_pins_something_that_the_caller_does_not_choose() {
        let words: BTreeSet<&str> = PRESETS.iter().map(|one| one.word).collect();
        assert_eq!(words.len(), PRESETS.len(), "each word once");
        for one in PRESETS {
            assert!(
                !one.pins.is_empty() && !one.algorithms.is_empty(),
                "{}",
                one.word
            );
            let chosen =
                |claim: &&str| one.callers_words.iter().any(|word| claim.starts_with(word));
            assert!(!one.pins.iter().any(chosen), "{}", one.word);
            if let Some(usual) = one.issuer.usual {
                assert!((one.issuer.fits)(usual), "{}", one.word);
            }
        }
    }

    #[test]
    fn people_of_one_tenant_need_no_pin_of_a_job() {
        let tenant = "https://login.microsoftonline.com/0b3f7c1e-52d4-4f0e-9f39-0a4d1c7e8a11/v2.0";
        assert!(known(tenant, PrincipalKind::Person).is_none());
        assert!(known(tenant, PrincipalKind::Job).is_some());
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
