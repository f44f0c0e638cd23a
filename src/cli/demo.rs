//! `oam demo`: starts `oam-demo`, a program of its own, so that this one carries no identity provider, hub or issuer.

use super::{Done, system};
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use std::env;
use std::path::PathBuf;
use std::process::Command;

/// The demo's program, which ships beside this one.
const PROGRAM: &str = "oam-demo";

/// Becomes the demo. It comes back only when the demo could not be started, or where the system can't replace
/// a process by another.
pub fn run(keep: bool) -> Done {
    let mut command = Command::new(program());
    if keep {
        command.arg("--keep");
    }
    system::become_program(command).map_err(|error| {
        Refusal::unavailable(
            format!("{PROGRAM} can't be started: {}", reason(error.kind())),
            "install it beside `oam`: package and tarball of it have both, and a build of the source makes both",
        )
    })
}

/// The one beside this program, else the one on the `PATH`.
fn program() -> PathBuf {
    let name = format!("{PROGRAM}{}", env::consts::EXE_SUFFIX);
    let beside = env::current_exe().ok();
    let beside = beside.and_then(|exe| Some(exe.canonicalize().ok()?.parent()?.join(&name)));
    beside.filter(|path| path.exists()).unwrap_or(name.into())
}
