//! The agent: one per user.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    ExitCode::from(oam::edge::assemble::run(&args))
}
