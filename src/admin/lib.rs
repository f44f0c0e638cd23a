//! The commands of `oam-issuer`, one file each.

pub mod args;
pub mod audit;
pub mod backup;
pub mod client;
pub mod config;
mod database;
pub mod directory;
pub mod doctor;
pub mod github;
pub mod init;
pub mod keys;
pub mod opening;
pub mod policy;
mod read_ldap;
pub mod restore;
pub mod revoke;
pub mod scim;
pub mod secret;
pub mod serve;
pub mod show;

use crate::args::{Cli, Command};
use crate::show::Printer;
use oam_terminal::command_line;
use std::ffi::OsString;
use std::path::PathBuf;

/// Where the configuration lies unless the command line or the environment says otherwise.
const CONFIG: &str = "/etc/oam/issuer.toml";

/// The variable that names another one.
const CONFIG_VARIABLE: &str = "OAM_ISSUER_CONFIG";

/// Runs one command line and tells its exit code (`oam help` lists them).
pub fn run(line: impl IntoIterator<Item = OsString>) -> u8 {
    if let Some(code) = command_line::completed::<Cli>() {
        return code;
    }
    let cli: Cli = match command_line::parsed(line) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let named = cli.config.or_else(|| {
        let variable = std::env::var_os(CONFIG_VARIABLE);
        variable.filter(|path| !path.is_empty()).map(PathBuf::from)
    });
    let show = Printer::new(cli.output, named.unwrap_or_else(|| PathBuf::from(CONFIG)));
    show.finish(dispatch(&show, &cli.command))
}

/// Why a command line is none of ours; nothing is run.
///
/// # Errors
/// What the person who typed it would be told.
pub fn check(line: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    command_line::check::<Cli>(line)
}

fn dispatch(show: &Printer, command: &Command) -> u8 {
    match command {
        Command::Init(args) => init::run(show, args),
        Command::Serve(args) => serve::run(show, args),
        Command::Config(args) => config::run(show, args),
        Command::Policy(args) => policy::run(show, args),
        Command::Revoke(args) => revoke::run(show, args),
        Command::Restore(args) => match args.person() {
            Some(user) => revoke::restore(show, user, args.provider),
            None => restore::run(show, args),
        },
        Command::Doctor(args) => doctor::run(show, args),
        Command::Backup(args) => backup::run(show, args),
        Command::People(args) => revoke::people(show, args),
        Command::Keys(args) => keys::run(show, args),
        Command::Secret(args) => secret::run(show, args),
        Command::Client(args) => client::run(show, args),
        Command::Scim(args) => scim::run(show, args),
        Command::Github(args) => github::run(show, args),
        Command::Directory(args) => directory::run(show, args),
        Command::Audit(args) => audit::run(show, args),
        Command::ReadLdap => read_ldap::run(show),
        Command::Version => {
            show.line(format!("oam-issuer {}", env!("CARGO_PKG_VERSION")));
            0
        }
        Command::Completions { shell } => {
            show.done(command_line::completions::<Cli>(show, *shell).map(|()| 0))
        }
        Command::Man { folder } => {
            let written = command_line::pages::<Cli>(show, folder.as_deref(), []);
            show.done(written.map(|()| 0))
        }
    }
}
