//! `oam-issuer secret` and `oam-issuer client`.

use crate::issuer::show::Show;
use crate::model::refusal::Refusal;
use clap::Args;

/// `oam-issuer secret`.
#[derive(Debug, Args)]
pub struct SecretArgs {}

/// `oam-issuer client`.
#[derive(Debug, Args)]
pub struct ClientArgs {}

/// Runs `secret`; the branch `mint` brings it.
pub fn run(show: &Show, _args: &SecretArgs) -> u8 {
    missing(show)
}

/// Runs `client`; the branch `mint` brings it.
pub fn client(show: &Show, _args: &ClientArgs) -> u8 {
    missing(show)
}

fn missing(show: &Show) -> u8 {
    show.refusal(&Refusal::unavailable(
        "this build has no `secret` and no `client`",
        "merge the branch that brings them",
    ))
}
