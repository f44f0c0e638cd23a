//! Completions and manual pages, made from the command line's own description.

use crate::args::Cli;
use crate::show::Show;
use clap::CommandFactory;
use oam_model::refusal::Refusal;
use std::path::Path;

/// Prints a completion script.
pub(super) fn completions(show: &Show, shell: clap_complete::Shell) -> u8 {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "oam-issuer", &mut bytes);
    show.raw(&bytes);
    0
}

/// Prints `oam-issuer.1`, or writes a page for every command into `folder`.
pub(super) fn pages(show: &Show, folder: Option<&Path>) -> Result<u8, Refusal> {
    let fault = |error: std::io::Error| {
        Refusal::unavailable(
            format!("the manual pages could not be written: {}", error.kind()),
            "name a folder that exists and can be written to",
        )
    };
    if let Some(folder) = folder {
        clap_mangen::generate_to(Cli::command(), folder).map_err(fault)?;
        return Ok(0);
    }
    let mut bytes = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut bytes)
        .map_err(fault)?;
    show.raw(&bytes);
    Ok(0)
}
