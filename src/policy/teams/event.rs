//! What an event of GitHub tells: for whom it is, and what there is to read anew. Nothing else of it is believed.

use super::Scope;
use serde_json::Value;
use std::collections::BTreeSet;

/// To whom GitHub sends an event, as its headers say (`X-GitHub-Hook-Installation-Target-*`).
#[derive(Debug, Clone, Copy)]
pub struct HookTarget<'a> {
    /// `integration` for an App, `organization` for a hook of the organization.
    pub kind: Option<&'a str>,
    /// Whose number it is.
    pub id: Option<&'a str>,
}

/// Whose events are taken.
#[derive(Debug, Clone, Copy)]
pub struct HookOwner {
    /// The App.
    pub app: u64,
    /// The organization.
    pub organization: u64,
}

impl HookOwner {
    /// Whether the event is for us: the hook is of the App or of the organization, and the body speaks of it.
    pub fn is_meant(self, target: HookTarget<'_>, payload: &Value) -> bool {
        let wanted = match target.kind {
            Some("integration") => self.app,
            Some("organization") => self.organization,
            None | Some(_) => return false,
        };
        let hook = target.id.and_then(|id| id.parse().ok()) == Some(wanted);
        hook && self.is_of_organization(payload)
    }

    /// An installation of the App elsewhere sends events too; a ping speaks of nobody.
    fn is_of_organization(self, payload: &Value) -> bool {
        let id = |pointer: &str| payload.pointer(pointer).and_then(Value::as_u64);
        let told = id("/organization/id").or_else(|| id("/installation/account/id"));
        told.is_none_or(|told| told == self.organization)
    }
}

/// What there is to read; none: nothing.
pub fn scope(event: &str, payload: &Value) -> Option<Scope> {
    match event {
        "membership" => {
            let team = payload.pointer("/team/id").and_then(Value::as_u64);
            Some(team.map_or(Scope::All, |id| Scope::Teams(BTreeSet::from([id]))))
        }
        // Made, deleted, renamed, or a part of another one now; somebody is in the organization or no more; the App
        // was suspended, removed, or may do something else.
        "team" | "organization" | "installation" => Some(Scope::All),
        _ => None,
    }
}
