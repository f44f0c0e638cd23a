//! What people should know of a session before it is refused.

use super::org_session::{OrgSession, subject_kind, with_roles};
use oam_config::agent::{Org, SubjectToken};
use oam_model::report::OrgWarning;
use oam_session::role::holds;

impl OrgSession {
    /// None where nobody is signed in.
    pub(super) fn warnings(&self, org: &Org) -> Vec<OrgWarning> {
        let Some(live) = self.machine.standing().live() else {
            return Vec::new();
        };
        let session = self.session.as_ref();
        let aged = session.filter(|session| session.id_not_renewed);
        let mut warnings = Vec::new();
        warnings
            .extend(aged.and_then(|session| renewed_without_id(org, session.groups_by_userinfo)));
        if live.identity.groups.is_empty() && self.groups_decide(org) {
            warnings.push(OrgWarning {
                refuses: true,
                sentence: "the provider named no groups, and no role is held without one".into(),
                next: "let the administrators check `scopes` and `groups_claim`, and whether the provider puts groups into the ID token".into(),
            });
        }
        warnings
    }

    /// Whether groups of the ID token would give a role, and none is held.
    fn groups_decide(&self, org: &Org) -> bool {
        let Ok(of) = with_roles(Some(self), org) else {
            return false;
        };
        if org.exchange.issuer().is_some() {
            // By an access token the issuer may have found other groups than the agent.
            return subject_kind(org) == SubjectToken::IdToken && of.roles.is_empty();
        }
        !of.roles.is_empty() && !of.roles.iter().any(|role| holds(role, &[]))
    }
}

/// A provider that sends no ID token at a renewal (OIDC Core §12.2 lets it).
fn renewed_without_id(org: &Org, groups_told: bool) -> Option<OrgWarning> {
    let has_issuer = org.exchange.issuer().is_some();
    match subject_kind(org) {
        SubjectToken::IdToken => Some(OrgWarning {
            refuses: true,
            sentence: "the provider sent no ID token when it renewed the session: once that of the sign-in expires, tokens are refused".into(),
            next: if has_issuer {
                "let the administrators set `subject = \"access-token\"` for this source at the issuer, or have the provider send ID tokens".into()
            } else {
                "set `subject = \"access-token\"` in the exchange, or have the provider send ID tokens".into()
            },
        }),
        SubjectToken::AccessToken if !has_issuer && !groups_told => Some(OrgWarning {
            refuses: false,
            sentence: "the provider sent no ID token when it renewed the session: groups stay as they were at the sign-in".into(),
            next: "sign in again after a change of groups, or shorten `session_age`".into(),
        }),
        // The issuer asks the provider itself, each time; without one the agent asked userinfo.
        SubjectToken::AccessToken => None,
    }
}
