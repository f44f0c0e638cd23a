//! `oam-issuer policy diff`: who gains and who loses what.

use crate::opening;
use crate::show::{Line, Look, Show};
use oam_model::issuer::IssuerSettings;
use oam_model::refusal::Refusal;
use oam_policy::policy::diff::{Change, Effect, diff};
use serde::Serialize;
use std::path::Path;

/// `oam-issuer policy diff --json`.
#[derive(Serialize)]
struct DiffReport {
    /// Losses first, then gains, then what else differs.
    changes: Vec<Change>,
}

/// Runs it.
pub(super) fn run(
    show: &Show,
    settings: &IssuerSettings,
    old: &Path,
    new: &Path,
) -> Result<u8, Refusal> {
    let old = opening::policy(show, settings, old)?;
    let new = opening::policy(show, settings, new)?;
    let changes = diff(&old, &new);
    if show.json() {
        show.value(&DiffReport { changes });
        return Ok(0);
    }
    if changes.is_empty() {
        show.line("nobody gains or loses anything");
    }
    for change in &changes {
        show.line(line(change));
    }
    Ok(0)
}

fn line(change: &Change) -> Line {
    let (look, sign, verb) = match change.effect {
        Effect::Loses => (Look::Bad, "- ", " lose "),
        Effect::Gains => (Look::Good, "+ ", " gain "),
        Effect::Differs => (Look::Warn, "~ ", ""),
    };
    let who = change.who.as_deref().unwrap_or_default();
    let role = change.role.as_ref();
    let role = role.map_or_else(String::new, |role| format!(" (role {role})"));
    let still = change.still_by.as_ref();
    let still = still.map_or_else(String::new, |other| match change.effect {
        Effect::Gains => format!(", which {other} gave them already"),
        Effect::Loses | Effect::Differs => format!(", but {other} gives it to them too"),
    });
    Line::new()
        .look(look, sign)
        .text(format!("{who}{verb}{}{role}{still}", change.what))
}
