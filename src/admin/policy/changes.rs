//! `oam-issuer policy diff`: who gains and who loses what.

use crate::opening;
use crate::show::{Line, Printer, Style};
use oam_model::issuer::IssuerSettings;
use oam_model::refusal::Refusal;
use oam_policy::policy::diff::{AccessEffect, PolicyChange, diff};
use serde::Serialize;
use std::path::Path;

/// `oam-issuer policy diff --json`.
#[derive(Serialize)]
struct DiffReport {
    /// Losses first, then gains, then what else differs.
    changes: Vec<PolicyChange>,
}

pub(super) fn run(
    show: &Printer,
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

fn line(change: &PolicyChange) -> Line {
    let (look, sign, verb) = match change.effect {
        AccessEffect::Loses => (Style::Bad, "- ", " lose "),
        AccessEffect::Gains => (Style::Good, "+ ", " gain "),
        AccessEffect::Differs => (Style::Warn, "~ ", ""),
    };
    let who = change.who.as_deref().unwrap_or_default();
    let role = change.role.as_ref();
    let role = role.map_or_else(String::new, |role| format!(" (role {role})"));
    let still = change.still_by.as_ref();
    let still = still.map_or_else(String::new, |other| match change.effect {
        AccessEffect::Gains => format!(", which {other} gave them already"),
        AccessEffect::Loses | AccessEffect::Differs => {
            format!(", but {other} gives it to them too")
        }
    });
    Line::new()
        .look(look, sign)
        .text(format!("{who}{verb}{}{role}{still}", change.what))
}
