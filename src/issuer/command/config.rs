//! `oam-issuer config check`.

use super::opening;
use crate::issuer::show::Show;
use crate::model::refusal::Refusal;
use clap::{Args, Subcommand};

/// `oam-issuer config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: ConfigWhat,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigWhat {
    /// Read it and the policy that it names, and say what is wrong, with line and column.
    #[command(after_help = "Example:\n  oam-issuer --config draft.toml config check")]
    Check,
}

/// Runs it.
pub fn run(show: &Show, args: &ConfigArgs) -> u8 {
    match args.what {
        ConfigWhat::Check => show.done(check(show)),
    }
}

fn check(show: &Show) -> Result<u8, Refusal> {
    let settings = opening::settings(show)?;
    opening::policy(show, &settings, settings.policy.as_ref())?;
    Ok(0)
}
