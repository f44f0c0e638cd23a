//! One file a command; talks to the agent like anybody else.

mod agent_client;
mod args;
mod browser;
mod complete;
mod config_check;
mod demo;
mod diagnose;
mod doctor;
mod exec;
mod help;
mod job;
mod log;
mod login;
mod logout;
mod places;
mod roles;
mod setup;
mod status;
mod system;
mod token;
mod variables;
mod when;
mod why;
mod wish;

use args::{Cli, Command, ConfigWhat};
use oam_model::job::JobOutside;
use oam_model::refusal::Refusal;
use oam_terminal::{Show, command_line};
use std::ffi::OsString;

/// What a command comes to: its exit code, or a refusal that says it.
type Done = Result<u8, Refusal>;

/// Runs one command line and tells its exit code (`oam help` lists them). `outside` is a CI job's HTTP.
pub fn run(line: impl IntoIterator<Item = OsString>, outside: &'static dyn JobOutside) -> u8 {
    if let Some(code) = command_line::completed::<Cli>() {
        return code;
    }
    let cli: Cli = match command_line::parsed(line) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let show = Show::new(cli.output);
    let code = match dispatch(&show, cli.command, outside) {
        Ok(code) => code,
        Err(refusal) => show.refusal(&refusal),
    };
    show.finish(code)
}

/// Why a command line is none of ours; nothing is run.
///
/// # Errors
/// What the person who typed it would be told.
pub fn check(line: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    command_line::check::<Cli>(line)
}

fn dispatch(show: &Show, command: Command, outside: &'static dyn JobOutside) -> Done {
    match command {
        Command::Login(args) => login::run(show, &args),
        Command::Update(args) => login::update(show, &args),
        Command::Logout(args) => logout::run(show, args),
        Command::Status(args) => status::run(show, &args),
        Command::Roles => roles::run(show),
        Command::Why(args) => why::run(show, &args),
        Command::Token(args) => token::run(show, &args, outside),
        Command::Exec(args) => exec::run(show, &args, outside),
        Command::Log(args) => log::run(show, &args),
        Command::Doctor => Ok(doctor::run(show)),
        Command::Diagnose(args) => diagnose::run(show, &args),
        Command::Setup(args) => setup::run(show, &args),
        Command::Config(args) => match args.what {
            ConfigWhat::Check { file } => config_check::check(show, file.as_deref()),
            ConfigWhat::Path => Ok(config_check::path(show)),
        },
        Command::Demo(args) => demo::run(args.keep),
        Command::Help { topic } => Ok(help::run(show, topic.as_deref())),
        Command::Version => {
            show.line(format!("oam {}", oam_wire::message::VERSION));
            Ok(0)
        }
        Command::Completions { shell } => command_line::completions::<Cli>(show, shell).map(|()| 0),
        Command::Man { folder } => {
            command_line::pages::<Cli>(show, folder.as_deref(), help::manual()).map(|()| 0)
        }
    }
}
