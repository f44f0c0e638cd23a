//! `oam-issuer init`: begins the organization's database.
//!
//! A command of its own, and not what `serve` does when it finds none: a server that begins an empty
//! database where the old one was lost has forgotten every revocation without a word.

use super::database::organization;
use super::opening;
use crate::issuer::show::{Line, Look, Show};
use crate::issuer::store::sqlite::SqliteStore;
use crate::model::refusal::Refusal;
use clap::Args;
use std::path::Path;

/// `oam-issuer init`.
#[derive(Debug, Args)]
pub struct InitArgs {}

/// Begins the database; tells the exit code.
pub fn run(show: &Show, _args: &InitArgs) -> u8 {
    show.done(begin(show))
}

fn begin(show: &Show) -> Result<u8, Refusal> {
    let settings = opening::settings(show)?;
    let org = organization(&settings)?;
    let path = Path::new(&settings.database);
    if path.exists() {
        return Err(Refusal::bad_request(
            format!("{} is there already", path.display()),
            "nothing was done; `oam-issuer serve` uses it",
        ));
    }
    drop(SqliteStore::open(path, &org)?);
    show.line(
        Line::new()
            .look(Look::Good, "begun")
            .text(format!(" {} for {org}", path.display())),
    );
    Ok(0)
}
