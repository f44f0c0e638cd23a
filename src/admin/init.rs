//! `oam-issuer init`: begins the organization's database.
//!
//! A command of its own, and not what `serve` does when it finds none: a server that begins an empty
//! database where the old one was lost has forgotten every revocation without a word.

use super::database::organization;
use super::opening;
use crate::show::{Line, Printer, Style};
use clap::Args;
use oam_model::refusal::Refusal;
use oam_store::sqlite::{DatabaseFiles, SqliteStore};

/// `oam-issuer init`.
#[derive(Debug, Args)]
pub struct InitArgs {}

/// Begins the database; tells the exit code.
pub fn run(show: &Printer, _args: &InitArgs) -> u8 {
    show.done(begin(show))
}

fn begin(show: &Printer) -> Result<u8, Refusal> {
    let settings = opening::settings(show)?;
    let org = organization(&settings)?;
    let files = DatabaseFiles::from(&settings);
    let path = files.database.as_path();
    if files.marker.exists() && !path.exists() {
        return Err(Refusal::bad_request(
            format!(
                "{} says that there was a database here, so none is begun: a new one has forgotten every revocation",
                files.marker.display()
            ),
            format!(
                "put the last backup in its place with `oam-issuer restore FILE`; only where there is none, remove {} first",
                files.marker.display()
            ),
        ));
    }
    if path.exists() {
        return Err(Refusal::bad_request(
            format!("{} is there already", path.display()),
            "nothing was done; `oam-issuer serve` uses it",
        ));
    }
    drop(SqliteStore::open(&settings, &org)?);
    show.line(
        Line::new()
            .look(Style::Good, "begun")
            .text(format!(" {} for {org}", path.display())),
    );
    Ok(0)
}
