//! `oam-issuer revoke`, `restore` and `people`.

use crate::issuer::show::Show;
use crate::model::refusal::Refusal;
use clap::Args;

/// `oam-issuer revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {}

/// `oam-issuer restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {}

/// `oam-issuer people`.
#[derive(Debug, Args)]
pub struct PeopleArgs {}

/// Runs `revoke`; the branch `identity` brings it.
pub fn run(show: &Show, _args: &RevokeArgs) -> u8 {
    missing(show)
}

/// Runs `restore`; the branch `identity` brings it.
pub fn restore(show: &Show, _args: &RestoreArgs) -> u8 {
    missing(show)
}

/// Runs `people`; the branch `identity` brings it.
pub fn people(show: &Show, _args: &PeopleArgs) -> u8 {
    missing(show)
}

fn missing(show: &Show) -> u8 {
    show.refusal(&Refusal::unavailable(
        "this build has no `revoke`, `restore` and `people`",
        "merge the branch that brings them",
    ))
}
