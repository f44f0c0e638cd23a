//! `oam`, the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    let line = std::env::args_os();
    ExitCode::from(oam::cli::run(line, oam::demo::run, &oam::edge::job::Jobs))
}
