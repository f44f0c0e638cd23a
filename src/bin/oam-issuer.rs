//! `oam-issuer`: the organization's token server and its commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(oam::issuer::command::run(std::env::args_os()))
}
