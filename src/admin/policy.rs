//! `oam-issuer policy check|why|test|diff`: the policy looked at without a token being issued.

mod changes;
mod expect;
mod why;

use super::config::CheckReport;
use super::opening;
use crate::show::Printer;
use clap::{Args, Subcommand};
use oam_config::issuer::{SourceText, read_policy};
use oam_model::issuer::IssuerSettings;
use oam_model::name::{HubName, Repository, RoleName, SourceName};
use oam_model::refusal::Refusal;
use std::path::{Path, PathBuf};

/// `oam-issuer policy`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: PolicyWhat,
}

/// What to do with the policy.
#[derive(Debug, Subcommand)]
pub enum PolicyWhat {
    /// Read it and say what is wrong, with line and column.
    #[command(after_help = "Example:\n  oam-issuer policy check draft.toml")]
    Check {
        /// The policy; without it the one that the configuration names.
        file: Option<PathBuf>,
    },
    /// Tell the rule by which somebody would be granted something, or what is missing.
    #[command(
        after_help = "Examples:\n  oam-issuer policy why --as ada --repo acme/model --write\n  \
            oam-issuer policy why --as new-hire --source okta --group ml-publishers --repo acme/model\n  \
            oam-issuer policy why --as job --source github --claim repository_id=42 --repo acme/model --write\n\n\
            Exits 0 when it would be granted, 5 when not. No token is issued."
    )]
    Why(WhyArgs),
    /// Compare the policy's answers with a table of expected ones.
    #[command(
        after_help = "Examples:\n  oam-issuer policy test expected.toml\n  oam-issuer policy test expected.toml --junit report.xml\n\nThe table:\n  [[case]]\n  as = \"ada\"                      # stable key, subject or any name\n  source = \"okta\"                 # which source says so\n  groups = [\"ml-publishers\"]      # what its token says; groups seen before do not count here\n  repo = \"acme/model\"             # without it the whole hub\n  hub = \"models\"                  # where there are several\n  action = \"write\"               # read, write or manage\n  expect = \"model-publisher\"     # the role that is granted, or \"denied\"\n\nWhere others say groups too, `groups` is a table of who says which; the answer tells whose word counts, and why:\n  groups = { directory = [\"ml\"], token = [\"ml\", \"ml-publishers\"], team = [\"acme/ml\"] }\nThey are directory (SCIM), poll (the directory that the issuer reads), team (GitHub), signal and token, each as it is set up for the source. `directory = []` says that the directory knows the person and has them in no group.\n\n`claims` is a table of further claims, for jobs. Exits 1 when an answer is not the expected one."
    )]
    Test {
        /// The table: `[[case]]` with as, source, groups, claims, repo, hub, action, expect.
        file: PathBuf,
        /// The policy to test; without it the one that the configuration names.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        /// Write the outcome into this file too, as XML in the form of junit, which CI systems show.
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
    },
    /// Tell who gains and who loses what between two policies.
    #[command(
        after_help = "Example:\n  oam-issuer policy diff /etc/oam/policy.toml draft.toml --json | jq '.changes[] | select(.effect == \"loses\")'"
    )]
    Diff {
        /// The policy before.
        old: PathBuf,
        /// The policy after.
        new: PathBuf,
    },
}

/// `oam-issuer policy why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// Stable key, subject, user name or e-mail of somebody seen, or any name with --source and --group.
    #[arg(long = "as", value_name = "USER")]
    pub who: String,
    /// The identity source; needed when there are several and the person was never seen.
    #[arg(long)]
    pub source: Option<SourceName>,
    /// A group, instead of those that were seen; may be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// A claim of the token, `name=value`; may be repeated.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    pub claims: Vec<String>,
    /// The repository; without it the whole hub.
    #[arg(long, value_name = "REPO")]
    pub repo: Option<Repository>,
    /// The hub; needed when there are several.
    #[arg(long)]
    pub hub: Option<HubName>,
    /// To read; the default.
    #[arg(long, conflicts_with_all = ["write", "manage"])]
    pub read: bool,
    /// To write.
    #[arg(long, conflicts_with = "manage")]
    pub write: bool,
    /// To create, delete, rename.
    #[arg(long)]
    pub manage: bool,
    /// A role; without it the narrowest that covers the rest.
    #[arg(long)]
    pub role: Option<RoleName>,
    /// The policy to ask; without it the one that the configuration names.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

/// Runs it.
pub fn run(show: &Printer, args: &PolicyArgs) -> u8 {
    show.done(outcome(show, args))
}

fn outcome(show: &Printer, args: &PolicyArgs) -> Result<u8, Refusal> {
    let settings = opening::settings(show)?;
    match &args.what {
        PolicyWhat::Check { file } => check(show, &settings, file.as_deref()),
        PolicyWhat::Why(args) => why::run(show, &settings, args),
        PolicyWhat::Test {
            file,
            policy,
            junit,
        } => expect::run(show, &settings, file, policy.as_deref(), junit.as_deref()),
        PolicyWhat::Diff { old, new } => changes::run(show, &settings, old, new),
    }
}

/// The policy that was named, else the one of the configuration.
fn path<'p>(settings: &'p IssuerSettings, named: Option<&'p Path>) -> &'p Path {
    named.unwrap_or_else(|| Path::new(&settings.policy))
}

fn check(show: &Printer, settings: &IssuerSettings, file: Option<&Path>) -> Result<u8, Refusal> {
    let path = path(settings, file);
    let text = opening::text(path)?;
    let name = path.display().to_string();
    let mut report = CheckReport::default();
    report.files.push(name.clone());
    let source = SourceText {
        name: &name,
        text: &text,
    };
    let faults = match read_policy(source, settings) {
        Ok(policy) => {
            report.policy(&policy);
            Vec::new()
        }
        Err(faults) => faults,
    };
    Ok(report.show(show, &faults, &[source]))
}
