//! The marker: a small file outside of the database that says how far the database was written. A copy that is
//! put in the database's place by hand is older than its marker, and is found by that.

use super::file;
use super::read;
use super::words::refused;
use oam_audit::history::{History, Position, Verdict, judge};
use oam_model::issuer::IssuerSettings;
use oam_model::refusal::Refusal;
use oam_system::clock;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The database and its marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFiles {
    /// The `SQLite` file.
    pub database: PathBuf,
    /// The marker: in another place than the database's folder it also finds a folder that was put back whole.
    pub marker: PathBuf,
}

impl DatabaseFiles {
    /// The database with its marker beside it, unless another place is named.
    pub fn new(database: &Path, marker: Option<&Path>) -> Self {
        let beside = || {
            let mut name = database.as_os_str().to_owned();
            name.push("-marker");
            PathBuf::from(name)
        };
        Self {
            database: database.to_owned(),
            marker: marker.map_or_else(beside, Path::to_owned),
        }
    }
}

impl From<&IssuerSettings> for DatabaseFiles {
    fn from(settings: &IssuerSettings) -> Self {
        Self::new(
            Path::new(&settings.database),
            settings.marker.as_deref().map(Path::new),
        )
    }
}

impl From<&Path> for DatabaseFiles {
    fn from(database: &Path) -> Self {
        Self::new(database, None)
    }
}

impl From<&PathBuf> for DatabaseFiles {
    fn from(database: &PathBuf) -> Self {
        Self::new(database, None)
    }
}

/// What stands in the marker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Up to where the database was written.
    #[serde(flatten)]
    pub position: Position,
    /// When that was, Unix milliseconds.
    pub at_ms: u64,
}

/// Reads the marker; none where there is none.
///
/// # Errors
/// The system's, or it is no marker.
pub fn read_mark(path: &Path) -> io::Result<Option<Mark>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is no marker")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the marker as a whole: one that a crash cut short would hold the server up.
///
/// # Errors
/// The system's.
pub fn write_mark(path: &Path, position: Position) -> io::Result<()> {
    let mark = Mark {
        position,
        at_ms: clock::now_ms(),
    };
    let text = serde_json::to_vec(&mark).map_err(io::Error::other)?;
    file::replace(path, &text)
}

/// Compares the marker with the database that lies beside it.
///
/// # Errors
/// Why this database is not served: it is older than its marker, another one, or its marker is gone.
pub fn fits(files: &DatabaseFiles, database: &Connection) -> Result<History, Refusal> {
    let told = |error: rusqlite::Error| super::words::refusal(&files.database, &error);
    let history = read::history(database).map_err(told)?;
    let marker = files.marker.display();
    let mark = read_mark(&files.marker).map_err(|error| {
        refused(
            &files.database,
            &format!("is not used: its marker {marker} can't be read: {error}"),
            "let the issuer's user read it; where it is damaged, and the database is the last one for certain, run `oam-issuer restore --accept`",
        )
    })?;
    let Some(Mark { position, .. }) = mark else {
        if history.marked {
            return Err(refused(
                &files.database,
                &format!(
                    "is not used: its marker {marker} is gone, so it may be an older copy, in which revocations are missing"
                ),
                NEXT,
            ));
        }
        return Ok(history);
    };
    let there = read::audit_hash(database, position.seq).map_err(told)?;
    let what = match judge(&history, &position, there.as_deref()) {
        Verdict::Held | Verdict::GivenUp => return Ok(history),
        Verdict::Older => format!(
            "is not used: it is older than the one that was served. It ends at entry {}, and its marker {marker} knows entry {}{}: revocations may be missing in it",
            history.position().seq,
            position.seq,
            if position.generation > history.generation() {
                " of a later restore"
            } else {
                ""
            },
        ),
        Verdict::Another => format!(
            "is not used: its entry {} is another than its marker {marker} knows: it is an older copy that was written on, in which revocations may be missing",
            position.seq
        ),
    };
    Err(refused(&files.database, &what, NEXT))
}

const NEXT: &str = "put the last database back; where a backup is meant, `oam-issuer restore FILE` puts it in place, or `oam-issuer restore --accept` takes what lies there: both tell which revocations must be made again";
