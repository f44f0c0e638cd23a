//! The git credential helper.

use oam_helper::git::{DEADLINE, Reach, run};
use oam_wire::until::{Stdin, Until};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = std::env::args_os().skip(1);
    let args: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    let until = Until::after(DEADLINE);
    let mut reach = Reach::early(&args, until);
    let (mut stdout, mut stderr) = (std::io::stdout(), std::io::stderr());
    let mut ask = |request| reach.ask(request);
    let mut stdin = Stdin::new(until);
    ExitCode::from(run(&args, &mut stdin, &mut stdout, &mut stderr, &mut ask))
}
