//! `oam`, the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    let line = std::env::args_os();
    ExitCode::from(oam_cli::run(line, &oam_client::job::Jobs))
}
