//! The command line of `oam-issuer` as a tree. Each command's own options stand in its file.

use super::serve::ServeArgs;
use crate::audit::AuditArgs;
use crate::backup::BackupArgs;
use crate::client::ClientArgs;
use crate::config::ConfigArgs;
use crate::directory::DirectoryArgs;
use crate::doctor::DoctorArgs;
use crate::github::GitHubArgs;
use crate::init::InitArgs;
use crate::keys::KeysArgs;
use crate::policy::PolicyArgs;
use crate::restore::RestoreArgs;
use crate::revoke::{PeopleArgs, RevokeArgs};
use crate::scim::ScimArgs;
use crate::secret::SecretArgs;
use clap::{ArgAction, Parser, Subcommand};
use oam_terminal::Output;
use std::path::PathBuf;

/// The organization's token server: roles from the company's groups, minutes-long tokens, one audit.
#[derive(Debug, Parser)]
#[command(
    name = "oam-issuer",
    version,
    propagate_version = false,
    disable_version_flag = true,
    after_help = "Examples:\n  oam-issuer config check\n  oam-issuer init\n  oam-issuer policy why --as ada --repo acme/model --write\n  \
        oam-issuer serve\n  oam-issuer revoke ada --reason \"left on Friday\"\n\n\
        Exit codes: 0 done, 1 failed, 2 usage, 5 denied by policy.\n\
        Commands work on the database directly, also while the server is down; a running server notices."
)]
pub struct Cli {
    /// The configuration file; by default the one that `OAM_ISSUER_CONFIG` names, else `/etc/oam/issuer.toml`.
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        help = "Configuration file [default: $OAM_ISSUER_CONFIG, else /etc/oam/issuer.toml]"
    )]
    pub config: Option<PathBuf>,
    /// How output looks.
    #[command(flatten)]
    pub output: Output,
    /// Print the version.
    #[arg(short = 'V', visible_short_alias = 'v', long, action = ArgAction::Version)]
    pub version: Option<bool>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Begin the organization's database, once, as the user that serves.
    #[command(
        after_help = "Example:\n  oam-issuer init\n\nServing never begins one by itself: a new database has forgotten every revocation, so one that is lost is restored."
    )]
    Init(InitArgs),
    /// Run the server.
    #[command(
        after_help = "Example:\n  oam-issuer --config ./issuer.toml serve\n\nSIGHUP reads configuration and policy again; SIGTERM lets open requests finish."
    )]
    Serve(ServeArgs),
    /// Check the configuration and the policy that it names.
    #[command(after_help = "Example:\n  oam-issuer config check --json | jq '.faults[]'")]
    Config(ConfigArgs),
    /// Check, explain, test or compare policies.
    #[command(
        after_help = "Examples:\n  oam-issuer policy check draft.toml\n  oam-issuer policy why --as ada --repo acme/model --write\n  oam-issuer policy test expected.toml\n  oam-issuer policy diff /etc/oam/policy.toml draft.toml"
    )]
    Policy(PolicyArgs),
    /// End a person's access: account or session.
    #[command(
        after_help = "Examples:\n  oam-issuer revoke ada --reason \"left on Friday\"\n  oam-issuer revoke ada --session"
    )]
    Revoke(RevokeArgs),
    /// Look at everything that must be right: sources, keys, certificate, secrets, database, clocks, hubs; each finding says what helps.
    #[command(
        after_help = "Examples:\n  oam-issuer doctor\n  oam-issuer doctor --json | jq '.findings[] | select(.state != \"ok\")'\n\nExits 1 when there is a fault; a warning is none."
    )]
    Doctor(DoctorArgs),
    /// Copy the database to a file, also while it is served; checks the copy, prints number and hash of its last audit entry.
    #[command(
        after_help = "Examples:\n  oam-issuer backup /backup/oam.db\n  oam-issuer backup /backup/oam.db --json | jq -r '\"\\(.seq):\\(.hash)\"'\n\nKeep it on another machine, and the master key apart from it."
    )]
    Backup(BackupArgs),
    /// Put a backup in the database's place, or let a person sign in again whose account was ended.
    #[command(
        after_help = "Examples:\n  oam-issuer restore /backup/oam.db\n  oam-issuer restore --accept\n  oam-issuer restore ada\n\n\
            A backup has forgotten what was revoked since: that is listed, as far as it is known, and must be revoked again. A name with a path, \
            or of a file that holds a database, is a backup; anything else is a person."
    )]
    Restore(RestoreArgs),
    /// Show who matches a name: standing, roles, live tokens.
    #[command(after_help = "Example:\n  oam-issuer people ada@acme.example")]
    People(PeopleArgs),
    /// List or rotate the signing keys.
    #[command(after_help = "Examples:\n  oam-issuer keys list\n  oam-issuer keys rotate")]
    Keys(KeysArgs),
    /// Set, list or drop the issuer's own secrets at hubs.
    #[command(
        after_help = "Example:\n  oam-issuer secret set models --overlap 24h < secret.txt\n\nThe secret is read from stdin, never from an argument."
    )]
    Secret(SecretArgs),
    /// Register hubs that may introspect tokens.
    #[command(
        after_help = "Example:\n  oam-issuer client add hub-1 --hub models\n\nThe secret is printed once."
    )]
    Client(ClientArgs),
    /// The company's directories (SCIM): their tokens, and what they said.
    #[command(
        after_help = "Examples:\n  oam-issuer scim token okta --overlap 24h\n  oam-issuer scim list\n\nThe token is printed once."
    )]
    Scim(ScimArgs),
    /// The teams of the organization at GitHub: how they were read, and reading them now.
    #[command(
        after_help = "Examples:\n  oam-issuer github list\n  oam-issuer github read okta --dry-run"
    )]
    Github(GitHubArgs),
    /// Read the company's directory (LDAP, Keycloak, Okta, Entra ID, Google) where the provider pushes nothing.
    #[command(
        after_help = "Examples:\n  oam-issuer directory poll company --dry-run\n  oam-issuer directory list"
    )]
    Directory(DirectoryArgs),
    /// Verify, export, follow or prune the audit log.
    #[command(
        after_help = "Examples:\n  oam-issuer audit verify\n  oam-issuer audit export --format csv --person ada --since 30d\n  oam-issuer audit tail -f"
    )]
    Audit(AuditArgs),
    /// Print the completion script of a shell.
    #[command(
        after_help = "Example:\n  oam-issuer completions bash > /etc/bash_completion.d/oam-issuer"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Read an LDAP server as stdin says, and answer on stdout: what the issuer starts for each reading, so that a
    /// server that speaks no LDAP ends that process and not the issuer.
    #[command(hide = true)]
    ReadLdap,
    /// Print the version.
    #[command(hide = true)]
    Version,
    /// Print the manual page, or write all of them into a folder.
    #[command(hide = true)]
    Man {
        /// Folder for one page a command; without it `oam-issuer.1` goes to stdout.
        folder: Option<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use super::{Cli, Command};
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_visible_command_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let example = command.get_after_help().map(ToString::to_string);
            assert!(
                command.is_hide_set() || example.is_some_and(|text| text.contains("Example")),
                "{}",
                command.get_name()
            );
        }
    }

    #[test]
    fn configuration_and_json_may_stand_behind_the_command() {
        let line = [
            "oam-issuer",
            "policy",
            "check",
            "--json",
            "--config",
            "x.toml",
        ];
        let cli = Cli::try_parse_from(line).unwrap();
        assert!(cli.output.json && matches!(cli.command, Command::Policy(_)));
        assert_eq!(cli.config.unwrap().to_str(), Some("x.toml"));
    }
}
