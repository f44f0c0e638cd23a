//! `oam`, the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(oam::cli::run(std::env::args_os(), oam::demo::run))
}
