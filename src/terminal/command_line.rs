//! A program's command line, its completions and its manual pages, all from clap's one description of it.

use super::{Colour, Show};
use clap::{CommandFactory, Parser};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use std::ffi::OsString;
use std::path::Path;

/// Reads a command line.
///
/// # Errors
/// The exit code: help, version or the fault was printed, each to its stream.
pub fn parsed<C: Parser>(line: impl IntoIterator<Item = OsString>) -> Result<C, u8> {
    let line: Vec<OsString> = line.into_iter().collect();
    let command = C::command().color(Colour::of_line(&line));
    let matches = command.try_get_matches_from(line);
    let parsed = matches.and_then(|mut found| {
        let parsed = C::from_arg_matches_mut(&mut found);
        parsed.map_err(|fault| fault.format(&mut C::command()))
    });
    parsed.map_err(|fault| {
        // A reader that went away is no fault.
        let _ = fault.print();
        if fault.use_stderr() { 2 } else { 0 }
    })
}

/// Why a command line is none of this program's; nothing is run.
///
/// # Errors
/// What the person who typed it would be told.
pub fn check<C: Parser>(line: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    match C::try_parse_from(line) {
        Err(fault) if fault.use_stderr() => Err(fault.to_string()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The variable by which a shell that completes asks the program; its value is the shell's name.
const COMPLETE: &str = "_OAM_COMPLETE";

/// Answers a shell that completes a command line; none: this is a run like any other.
pub fn completed<C: CommandFactory>() -> Option<u8> {
    let folder = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(C::command).var(COMPLETE);
    match asked.try_complete(std::env::args_os(), folder.as_deref()) {
        Ok(false) => None,
        Ok(true) => Some(0),
        Err(fault) => {
            let _ = fault.print();
            Some(2)
        }
    }
}

/// Prints a completion script: it asks the program at each press of the key.
///
/// # Errors
/// The shell is none of those that are known.
pub fn completions<C: CommandFactory>(show: &Show, shell: Shell) -> Result<(), Refusal> {
    let (name, shells) = (shell.to_string(), Shells::builtins());
    let unknown = || {
        let sentence = format!("there are no completions for {name}");
        Refusal::bad_request(sentence, "name bash, zsh, fish, elvish or powershell")
    };
    let writer = shells.completer(&name).ok_or_else(unknown)?;
    let (command, mut bytes) = (C::command(), Vec::new());
    let program = command.get_name();
    let written = writer.write_registration(COMPLETE, program, program, program, &mut bytes);
    written.map_err(|_| unknown())?;
    if shell == Shell::Zsh {
        // A file in `fpath` is read at the first press, as the body of the function that is to answer it.
        let function = program.replace('-', "_");
        let first = format!(
            "[ \"$funcstack[1]\" != _{program} ] || _clap_dynamic_completer_{function} \"$@\"\n"
        );
        bytes.extend_from_slice(first.as_bytes());
    }
    show.raw(&bytes);
    Ok(())
}

/// Prints the program's page, or writes one for every command into `folder`, and `more` beside them: name and roff.
///
/// # Errors
/// The folder can't be written to.
pub fn pages<C: CommandFactory>(
    show: &Show,
    folder: Option<&Path>,
    more: impl IntoIterator<Item = (String, String)>,
) -> Result<(), Refusal> {
    let fault = |error: std::io::Error| {
        Refusal::unavailable(
            format!(
                "the manual pages could not be written: {}",
                reason(error.kind())
            ),
            "name a folder that exists and can be written to",
        )
    };
    if let Some(folder) = folder {
        clap_mangen::generate_to(C::command(), folder).map_err(fault)?;
        for (name, page) in more {
            std::fs::write(folder.join(name), page).map_err(fault)?;
        }
        return Ok(());
    }
    let mut bytes = Vec::new();
    let page = clap_mangen::Man::new(C::command());
    page.render(&mut bytes).map_err(fault)?;
    show.raw(&bytes);
    Ok(())
}
