//! `oam-issuer serve`.

use super::show::Show;
use crate::model::refusal::Refusal;
use clap::Args;

/// `oam-issuer serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {}

/// Runs the server; the branch `server` brings it.
pub fn run(show: &Show, _args: &ServeArgs) -> u8 {
    show.refusal(&Refusal::unavailable(
        "this build has no `serve`",
        "merge the branch that brings it",
    ))
}
