//! `oam-issuer backup FILE`.

use super::database::organization;
use super::opening;
use crate::show::{Line, Printer, Style};
use clap::Args;
use oam_issuer::when::when;
use oam_model::refusal::Refusal;
use oam_store::sqlite::{self, Backup};
use oam_terminal::moment::of_rfc3339;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// `oam-issuer backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Where the copy goes; an earlier backup of this name is replaced when the new one is whole.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// `oam-issuer backup --json`.
#[derive(Serialize)]
struct BackupReport {
    file: String,
    #[serde(flatten)]
    head: DatabaseHead,
}

/// Where a database's audit log ends.
#[derive(Debug, Serialize)]
pub(super) struct DatabaseHead {
    /// How often it had been restored.
    pub(super) generation: u64,
    /// Number of the last entry; 0: none.
    pub(super) seq: u64,
    /// Its hash.
    pub(super) hash: String,
    /// Its time, RFC 3339; null: there is none.
    pub(super) at: Option<String>,
}

impl DatabaseHead {
    pub(super) fn of(backup: &Backup) -> Self {
        let position = backup.history.position();
        Self {
            generation: position.generation,
            seq: position.seq,
            hash: position.hash,
            at: (backup.at_ms > 0).then(|| when(backup.at_ms)),
        }
    }

    /// `entry 17:HASH of TIME`.
    pub(super) fn words(&self) -> String {
        match &self.at {
            Some(at) => format!(
                "up to entry {}:{} of {}",
                self.seq,
                self.hash,
                of_rfc3339(at)
            ),
            None => "with an empty audit log".to_owned(),
        }
    }
}

/// Runs it.
pub fn run(show: &Printer, args: &BackupArgs) -> u8 {
    show.done(make(show, &args.file))
}

fn make(show: &Printer, file: &Path) -> Result<u8, Refusal> {
    let settings = opening::settings(show)?;
    let org = organization(&settings)?;
    let backup = sqlite::backup(Path::new(&settings.database), &org, file)?;
    let head = DatabaseHead::of(&backup);
    if show.json() {
        show.value(&BackupReport {
            file: file.display().to_string(),
            head,
        });
        return Ok(0);
    }
    let line = Line::new().look(Style::Good, "backed up");
    show.line(line.text(format!(" to {}, {}", file.display(), head.words())));
    Ok(0)
}
