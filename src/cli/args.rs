//! The command line as data. Help texts live here; each command has an example.

mod login;
mod setup;

pub use login::{LoginArgs, LoginTarget, StoreArg, UpdateArgs};
pub use setup::{SetupArgs, SetupWhat};

use super::complete;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;
use oam_model::name::{HubName, OrgName, RoleName};
use oam_terminal::Output;
use std::ffi::OsString;
use std::path::PathBuf;

/// Short-lived role tokens for model hubs and git, instead of personal ones.
#[derive(Debug, Parser)]
#[command(
    name = "oam",
    version,
    propagate_version = false,
    disable_help_subcommand = true,
    disable_version_flag = true,
    after_help = super::help::overview()
)]
pub struct Cli {
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
    /// Sign in at the identity provider of an organization.
    #[command(
        after_help = "Examples:\n  oam login https://issuer.acme.example   the first time: sets acme up, then signs in\n  oam login acme\n\nThe browser is $BROWSER, else the system's. Ctrl-C cancels and leaves nothing open."
    )]
    Login(LoginArgs),
    /// Take over what the company changed in the set-up that its issuer publishes.
    #[command(
        after_help = "Example:\n  oam update acme\n\nShows the changes. `oam status` names those that wait. Where the session is bound to what changes (a hub's address, the\nidentity provider), a sign-in follows; else it holds at once. Exits 0 also when nothing changed."
    )]
    Update(UpdateArgs),
    /// Sign out: revokes the session at the identity provider and wipes it here.
    #[command(after_help = "Example:\n  oam logout acme")]
    Logout(LogoutArgs),
    /// Show who is signed in, the roles held and the tokens that are out.
    #[command(
        visible_alias = "whoami",
        after_help = "Examples:\n  oam status --check && git push\n  PS1='$(oam status --short)\\$ '\n\nTells what is known. With --check the identity provider is asked first, as for a token, where its last word is not fresh;\nwith --short nobody is. Exits 0 when it could report; with --check 3 or 4 by the worst standing."
    )]
    Status(StatusArgs),
    /// List the roles, who holds them and what they allow.
    #[command(after_help = "Example:\n  oam roles --json | jq '.roles[] | select(.held)'")]
    Roles,
    /// Tell which role and rule would serve a repository, or why it would be refused.
    #[command(
        after_help = "Example:\n  oam why https://huggingface.co/acme/model --write\n\nExits 0 when it would be granted, else with the refusal's code. No token is issued."
    )]
    Why(WhyArgs),
    /// Print one role token, for scripts.
    #[command(
        after_help = "Example:\n  curl -H \"Authorization: Bearer $(oam token --repo acme/model)\" https://hub.example/api/models/acme/model\n\nTo a terminal only with --show. The token reads unless --write is given.\n\nIn a CI job:\n  oam token --issuer https://issuer.acme.example --repo acme/model --json"
    )]
    Token(TokenArgs),
    /// Run a command with the hub's token, kept fresh until the command ends.
    #[command(
        after_help = "Examples:\n  oam exec -- hf upload acme/model ./weights\n  oam exec --repo acme/model --write -- python train.py\n  oam exec --hub github --expect 30m -- gh pr list\n  oam exec --issuer https://issuer.acme.example --repo acme/model --write -- git push   (in a CI job)\n\nRepository and intent of an `hf` command are read from its arguments. Exit status and signals are the command's own."
    )]
    Exec(ExecArgs),
    /// Show the audit log, or verify it.
    #[command(
        visible_alias = "logs",
        after_help = "Examples:\n  oam log -n 20\n  oam log -f --outcome refused\n  oam log --since 2h --hub github\n  oam log --repo acme/model --json\n  oam log --verify\n\n`--verify` exits 0 when the log is whole, 1 when it is not, and 3 when nothing outside the log says so."
    )]
    Log(LogArgs),
    /// Check this machine's set-up and say what to do.
    #[command(after_help = "Example:\n  oam doctor\n\nExits 1 when a check fails.")]
    Doctor,
    /// Collect what somebody who helps needs to see, without secrets; it is listed before it is written.
    #[command(
        after_help = "Examples:\n  oam diagnose\n  oam diagnose --to oam-report.json\n\nWithout --to it is listed only. Left out: who you are, the audit log, values of variables, and whatever looks like a token,\na key, a digest or a password. Nothing is sent."
    )]
    Diagnose(DiagnoseArgs),
    /// Connect OAM to git, hf, the service manager or the shell.
    #[command(after_help = "Examples:\n  oam setup git\n  oam setup hf --undo")]
    Setup(SetupArgs),
    /// Check the configuration, or tell where it lies.
    #[command(after_help = "Examples:\n  oam config check\n  oam config check ./draft.toml")]
    Config(ConfigArgs),
    /// Show the whole of OAM on this machine, with nothing installed but git.
    #[command(after_help = "Example:\n  oam demo --keep")]
    Demo(DemoArgs),
    /// Show the commands, or a page about a topic.
    #[command(after_help = "Examples:\n  oam help\n  oam help hubs")]
    Help {
        /// A topic, or a command; none: what there is.
        #[arg(value_name = "TOPIC", value_parser = super::help::word())]
        topic: Option<String>,
    },
    /// Print the completion script of a shell.
    #[command(
        after_help = "Examples:\n  oam completions bash > ~/.local/share/bash-completion/completions/oam\n  source <(oam completions zsh)   in .zshrc\n\nBesides commands and options it completes organizations, hubs, the roles that you hold and repositories of late."
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the version.
    #[command(hide = true)]
    Version,
    /// Print the manual page, or write all of them into a folder.
    #[command(hide = true)]
    Man {
        /// Folder for one page a command and topic; without it `oam.1` goes to stdout.
        folder: Option<PathBuf>,
    },
}

/// `oam logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// The organization; needed when there are several and no default.
    #[arg(value_name = "ORG", add = ArgValueCandidates::new(complete::orgs))]
    pub org: Option<OrgName>,
}

/// `oam status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print one line for a prompt, `acme` or `acme:signed-out`: at once, and nothing where no agent runs.
    #[arg(long, conflicts_with = "json")]
    pub short: bool,
    /// Exit 3 or 4 unless every organization's session is active.
    #[arg(long)]
    pub check: bool,
}

/// `oam why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// A repository, or its address.
    #[arg(value_name = "URL|REPO", add = ArgValueCandidates::new(complete::repositories))]
    pub target: String,
    /// The hub, where a REPO is given and there are several.
    #[arg(long, add = ArgValueCandidates::new(complete::hubs))]
    pub hub: Option<HubName>,
    /// As for a push or upload; without it as for a clone or download.
    #[arg(long, conflicts_with = "read")]
    pub write: bool,
    /// As for a clone or download: so it is anyway.
    #[arg(long)]
    pub read: bool,
}

/// What a token is for; shared by `token` and `exec`.
#[derive(Debug, Args)]
pub struct TokenRequestArgs {
    /// The role; none: the narrowest that you hold and that covers it.
    #[arg(long, add = ArgValueCandidates::new(complete::roles))]
    pub role: Option<RoleName>,
    /// The hub; none: the only one of the organization.
    #[arg(long, add = ArgValueCandidates::new(complete::hubs))]
    pub hub: Option<HubName>,
    /// The repository, or its address.
    #[arg(long, value_name = "REPO", add = ArgValueCandidates::new(complete::repositories))]
    pub repo: Option<String>,
    /// To write, not only to read.
    #[arg(long)]
    pub write: bool,
}

/// A CI job in the place of a person; shared by `token` and `exec`.
#[derive(Debug, Args)]
#[command(next_help_heading = "In a CI job")]
pub struct JobArgs {
    /// The organization's issuer, else `$OAM_ISSUER`: the job's own OIDC token is the identity, and no
    /// agent is asked.
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
    /// The variable with the job's ID token; none: `$OAM_ID_TOKEN`, else GitHub Actions is asked for one.
    #[arg(long, value_name = "NAME", conflicts_with = "id_token_file")]
    pub id_token_env: Option<String>,
    /// The file with the job's ID token, read again for each token (Kubernetes changes it).
    #[arg(long, value_name = "PATH")]
    pub id_token_file: Option<PathBuf>,
}

/// `oam token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// What it is for.
    #[command(flatten)]
    pub wish: TokenRequestArgs,
    /// Print it even to a terminal.
    #[arg(long)]
    pub show: bool,
    /// In a CI job.
    #[command(flatten)]
    pub job: JobArgs,
}

/// `oam exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// What the token is for.
    #[command(flatten)]
    pub wish: TokenRequestArgs,
    /// How long the command will run: warns when the token of a tool that only knows a variable
    /// ends before.
    #[arg(long, value_name = "DURATION", value_parser = super::when::read_span)]
    pub expect: Option<u64>,
    /// Give the command a file with the hub's token instead of a gateway: for tools that take no address.
    #[arg(long)]
    pub token_file: bool,
    /// The command and its arguments.
    #[arg(
        value_name = "CMD",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub command: Vec<OsString>,
    /// In a CI job.
    #[command(flatten)]
    pub job: JobArgs,
}

/// `oam log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Verify the chain and its anchor instead of showing records.
    #[arg(long, conflicts_with = "which")]
    pub verify: bool,
    /// Acknowledge that the log is not as it was left: the warnings end, and the break stays on record.
    #[arg(long, conflicts_with_all = ["verify", "which"])]
    pub acknowledge: bool,
    /// Which records.
    #[command(flatten)]
    pub which: LogWhich,
}

/// Which records `oam log` shows.
#[derive(Debug, Args)]
#[group(id = "which", multiple = true)]
pub struct LogWhich {
    /// From this time on: 2h, 14:00, 2026-07-01, 2026-07-01T14:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only this repository.
    #[arg(long, add = ArgValueCandidates::new(complete::repositories))]
    pub repo: Option<String>,
    /// Only this hub.
    #[arg(long, add = ArgValueCandidates::new(complete::hubs))]
    pub hub: Option<HubName>,
    /// Only this role.
    #[arg(long, add = ArgValueCandidates::new(complete::roles))]
    pub role: Option<RoleName>,
    /// Only this outcome.
    #[arg(long, value_enum)]
    pub outcome: Option<OutcomeFilter>,
    /// Only of this request at the organization's issuer, whose records name it, too.
    #[arg(long, value_name = "ID")]
    pub request: Option<String>,
    /// Only of this token: the beginning of its SHA-256, as `oam status --json` and a hub's log have it.
    #[arg(long, value_name = "SHA256")]
    pub token: Option<String>,
    /// Only the last N records that match; with --follow 10 unless told otherwise.
    #[arg(short = 'n', long, visible_alias = "lines", value_name = "N")]
    pub limit: Option<usize>,
    /// Go on with the records that come, until Ctrl-C.
    #[arg(short, long, conflicts_with = "until")]
    pub follow: bool,
}

/// How an event came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutcomeFilter {
    /// Tokens handed out or renewed.
    Granted,
    /// Asks refused, sign-ins that failed.
    Refused,
    /// Token files withdrawn, tokens dropped.
    Withdrawn,
    /// Sign-ins, sign-outs, proofs and ends of sessions.
    Session,
    /// Starts of the agent and alarms.
    Agent,
}

/// `oam config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What about it.
    #[command(subcommand)]
    pub what: ConfigWhat,
}

/// `oam config …`.
#[derive(Debug, Subcommand)]
pub enum ConfigWhat {
    /// Read it and say what is wrong, with line and column.
    #[command(after_help = "Example:\n  oam config check ./draft.toml")]
    Check {
        /// A file to check as the user's, beside the company's.
        file: Option<PathBuf>,
    },
    /// Tell where it lies.
    #[command(after_help = "Example:\n  $EDITOR \"$(oam config path --json | jq -r .user.path)\"")]
    Path,
}

/// `oam diagnose`.
#[derive(Debug, Args)]
pub struct DiagnoseArgs {
    /// Write it into this new file.
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

/// `oam demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Stay up at the end and print what to try by hand.
    #[arg(long)]
    pub keep: bool,
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

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
}
