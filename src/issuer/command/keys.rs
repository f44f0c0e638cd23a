//! `oam-issuer keys`.

use crate::issuer::show::Show;
use crate::model::refusal::Refusal;
use clap::Args;

/// `oam-issuer keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {}

/// Runs it; the branch `mint` brings it.
pub fn run(show: &Show, _args: &KeysArgs) -> u8 {
    show.refusal(&Refusal::unavailable(
        "this build has no `keys`",
        "merge the branch that brings it",
    ))
}
