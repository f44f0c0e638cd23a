//! `oam-issuer serve`.

use super::opening;
use super::show::Printer;
use clap::Args;
use oam_issuer::{files, log, process, serve};
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use oam_system::process::{harden, quiet_panics};

/// `oam-issuer serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {}

/// Runs the server.
pub fn run(show: &Printer, _args: &ServeArgs) -> u8 {
    quiet_panics("oam-issuer");
    log::begin();
    show.done(start(show))
}

fn start(show: &Printer) -> Result<u8, Refusal> {
    harden("the issuer")?;
    let files = process::raise_open_files();
    tracing::debug!(files, "open files allowed");
    let config = std::path::absolute(show.config()).unwrap_or_else(|_| show.config().to_owned());
    let read = files::read(&config);
    let files = read.map_err(|faults| opening::told(show, &config, &faults))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Refusal::unavailable(
                format!("the system gave no runtime: {}", reason(error.kind())),
                "look at the limits of this process (tasks, open files)",
            )
        })?;
    runtime.block_on(serve::serve(config, files))?;
    Ok(0)
}
