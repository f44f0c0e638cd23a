//! The child: found, started, signalled, waited for; its status becomes ours.

use crate::places;
use crate::system;
use oam_model::system_error::reason;
use oam_terminal::Show;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// As shells have it: the command is not there.
const NOT_FOUND: u8 = 127;
/// As shells have it: the command can't be run.
const NOT_RUNNABLE: u8 = 126;

/// Looks whether the command can be started, and tells if not.
///
/// # Errors
/// The exit code of a shell in the same case.
pub fn find(show: &Show, program: &OsStr) -> Result<(), u8> {
    let path = Path::new(program);
    let by_path = path.components().count() > 1;
    let found = if by_path {
        path.exists()
    } else {
        program.to_str().is_none_or(places::is_on_path)
    };
    if found {
        return Ok(());
    }
    tell(show, program, ErrorKind::NotFound);
    Err(NOT_FOUND)
}

/// Runs `command` to its end; `after` is called once it is gone or could not be started.
pub fn run(show: &Show, mut command: Command, after: impl FnOnce()) -> u8 {
    let watch = system::SignalForwarder::begin();
    let spawned = command.spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            after();
            tell(show, command.get_program(), error.kind());
            return if error.kind() == ErrorKind::NotFound {
                NOT_FOUND
            } else {
                NOT_RUNNABLE
            };
        }
    };
    // The variables with the token lie in here.
    drop(command);
    let status = watch.wait(&mut child);
    after();
    match status {
        Ok(status) => code(status),
        Err(error) => {
            show.say(format!(
                "the command's end could not be seen: {}",
                reason(error.kind())
            ));
            1
        }
    }
}

fn tell(show: &Show, program: &OsStr, kind: ErrorKind) {
    let name = program.to_string_lossy();
    if kind == ErrorKind::NotFound {
        show.say(format!("the command {name} is not there"));
        show.next("check its spelling and PATH");
    } else {
        show.say(format!("the command {name} can't be run: {}", reason(kind)));
        show.next("check that it is a program and that you may run it");
    }
}

/// The exit code; a child that a signal ended ends us by the same signal, so that whoever started
/// us sees the same.
fn code(status: ExitStatus) -> u8 {
    if let Some(code) = status.code() {
        return u8::try_from(code).unwrap_or(1);
    }
    system::end_as(status)
}
