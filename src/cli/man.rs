//! Completions and manual pages, made from the command line's own description.

use super::Done;
use super::args::Cli;
use super::help;
use clap::CommandFactory;
use oam_model::refusal::Refusal;
use oam_terminal::Show;
use std::path::Path;

/// Prints a completion script.
pub fn completions(show: &Show, shell: clap_complete::Shell) -> u8 {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "oam", &mut bytes);
    show.raw(&bytes);
    0
}

/// Prints `oam.1`, or writes a page for every command and topic into `folder`.
pub fn pages(show: &Show, folder: Option<&Path>) -> Done {
    let fault = |error: std::io::Error| {
        Refusal::unavailable(
            format!("the manual pages could not be written: {}", error.kind()),
            "name a folder that exists and can be written to",
        )
    };
    if let Some(folder) = folder {
        clap_mangen::generate_to(Cli::command(), folder).map_err(fault)?;
        for (name, page) in help::manual() {
            std::fs::write(folder.join(name), page).map_err(fault)?;
        }
        return Ok(0);
    }
    let mut bytes = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut bytes)
        .map_err(fault)?;
    show.raw(&bytes);
    Ok(0)
}
