//! `oam-demo`: the whole of it on this machine, as `oam demo` starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let keep = match arguments.as_slice() {
        [] => false,
        [one] if one == "--keep" => true,
        _ => return oam_demo::usage(),
    };
    ExitCode::from(oam_demo::run(keep))
}
