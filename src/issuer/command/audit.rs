//! `oam-issuer audit`.

use crate::issuer::show::Show;
use crate::model::refusal::Refusal;
use clap::Args;

/// `oam-issuer audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {}

/// Runs it; the branch `store` brings it.
pub fn run(show: &Show, _args: &AuditArgs) -> u8 {
    show.refusal(&Refusal::unavailable(
        "this build has no `audit`",
        "merge the branch that brings it",
    ))
}
