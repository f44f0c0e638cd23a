//! Connections: opened, checked, brought to the schema of this version.

use super::file::{self, FileIdentity};
use super::marker::{self, DatabaseFiles};
use super::words::{gone, refusal, refused};
use oam_audit::history::History;
use oam_model::name::OrgName;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::system_error::reason;
use oam_system::clock;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The schema, one script a version; number `n` brings version `n` to `n + 1`.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("1.sql"),
    include_str!("2.sql"),
    include_str!("3.sql"),
    include_str!("4.sql"),
    include_str!("5.sql"),
    include_str!("6.sql"),
    include_str!("7.sql"),
    include_str!("8.sql"),
];

/// How long a commit waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// How a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenMode {
    /// One is begun where there is none.
    Create,
    /// It must be there.
    Existing,
    /// Another file took the place of the one that was open: a backup, in which numbers of the feed will
    /// be given again. It gets a new generation, so that older cursors are unknown.
    Replaced,
}

/// The connection that writes, and which files it writes to.
pub(super) struct Writing {
    pub(super) connection: Connection,
    path: PathBuf,
    main: FileIdentity,
    log: Option<FileIdentity>,
    /// Name of the database for cursors of the feed.
    pub(super) generation: String,
    /// Why this database must not be served: its marker knows a later one. Commands may look at it.
    pub(super) misfit: Option<Refusal>,
}

/// Whether the open files are the ones that others find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileCheck {
    /// They are.
    Same,
    /// Others lie in their place.
    Another,
    /// Nothing does.
    Gone,
}

impl Writing {
    /// Opens the database.
    ///
    /// # Errors
    /// A refusal: no folder, no permission, another organization's, a newer version's, damaged.
    pub(super) fn open(
        files: &DatabaseFiles,
        org: &OrgName,
        how: OpenMode,
    ) -> Result<Self, Refusal> {
        let path = files.database.as_path();
        prepare(path, how == OpenMode::Create)?;
        let told = |error: rusqlite::Error| refusal(path, &error);
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(told)?;
        connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
            .map_err(told)?;
        for (name, value) in [
            ("synchronous", "FULL"),
            ("foreign_keys", "ON"),
            ("temp_store", "MEMORY"),
            ("cache_size", "-32768"),
        ] {
            connection.pragma_update(None, name, value).map_err(told)?;
        }
        let generation = migrate(&mut connection, path, org, how)?;
        let misfit = match marker::fits(files, &connection) {
            Ok(history) => {
                mark_first(files, &history, &connection)?;
                None
            }
            // A running server goes on with what it finds only if it is not an older copy.
            Err(refusal) if how == OpenMode::Replaced => return Err(refusal),
            Err(refusal) => Some(refusal),
        };
        let looked = |fault: std::io::Error| looked(path, &fault);
        Ok(Self {
            main: file::identity(path)
                .map_err(looked)?
                .ok_or_else(|| gone(path))?,
            log: file::identity(&file::log_of(path)).map_err(looked)?,
            connection,
            path: path.to_owned(),
            generation,
            misfit,
        })
    }

    /// Compares the open files with what lies at their names.
    pub(super) fn found(&self) -> FileCheck {
        match file::identity(&self.path) {
            Ok(Some(main)) if main == self.main => {}
            Ok(Some(_)) => return FileCheck::Another,
            Ok(None) => return FileCheck::Gone,
            // It can't be looked at: the write that follows tells why.
            Err(_) => return FileCheck::Same,
        }
        match file::identity(&file::log_of(&self.path)) {
            Ok(log) if log == self.log => FileCheck::Same,
            Err(_) => FileCheck::Same,
            Ok(_) => FileCheck::Another,
        }
    }

    /// Lets go of files that are no longer the database, or of a connection that failed. What is
    /// committed is saved into the file that was open; a write-ahead log of it that lies beside another
    /// database is removed, because it would be replayed into that one.
    pub(super) fn abandon(self) {
        let replaced = file::identity(&self.path).ok().flatten() != Some(self.main);
        let log = file::log_of(&self.path);
        let left = self.log.is_some() && file::identity(&log).ok().flatten() == self.log;
        let _ = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let _ = self
            .connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        drop(self.connection);
        if replaced && left {
            file::remove_log(&self.path);
        }
    }
}

/// A connection that only reads.
///
/// # Errors
/// The database's.
pub(super) fn reading(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Opened for writing, because a reader of a write-ahead log takes part in its index; but it may not
    // write, and its end touches no file.
    connection.pragma_update(None, "query_only", "ON")?;
    connection.pragma_update(None, "cache_size", "-4096")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

pub(super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    // Each connection stays in one thread, and the name is a path, never a URI.
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(96);
    // A plan does not hang on values: else SQLite plans a kept statement anew at each run.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(connection)
}

fn looked(path: &Path, fault: &std::io::Error) -> Refusal {
    Refusal::new(
        RefusalCode::Unavailable,
        format!(
            "the database {} could not be looked at: {}",
            path.display(),
            reason(fault.kind())
        ),
        "let the issuer's user read and write it and its folder",
    )
}

fn prepare(path: &Path, create: bool) -> Result<(), Refusal> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Refusal::unavailable(
            format!(
                "the folder {} of the database is not there",
                folder.display()
            ),
            "make it, owned by the issuer's user and with mode 0700",
        ));
    }
    if path.is_dir() {
        return Err(refused(path, "is a folder", "name a file"));
    }
    if !create && !path.exists() {
        return Err(refused(
            path,
            "is not there",
            "restore its last backup; only where there never was one, `oam-issuer init` begins it: a new database has forgotten every revocation",
        ));
    }
    file::prepare(path).map_err(|fault| looked(path, &fault))
}

/// The first marker of a database; from then on it is missed where it is gone.
fn mark_first(
    files: &DatabaseFiles,
    history: &History,
    connection: &Connection,
) -> Result<(), Refusal> {
    if history.marked {
        return Ok(());
    }
    marker::write_mark(&files.marker, history.position()).map_err(|fault| {
        refused(
            &files.database,
            &format!(
                "has no marker: {} could not be written: {}",
                files.marker.display(),
                reason(fault.kind())
            ),
            "let the issuer's user write its folder, or name another place as `marker` in issuer.toml",
        )
    })?;
    put(connection, "marked", "1").map_err(|error| refusal(&files.database, &error))
}

/// Writes a value that is kept once for the whole database.
pub(super) fn put(connection: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    let written = connection.execute(
        "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)",
        (name, value),
    );
    written.map(drop)
}

/// A fresh name of the database for cursors of the feed.
pub(super) fn fresh_generation(connection: &Connection) -> rusqlite::Result<String> {
    let mut random = [0u8; 8];
    clock::fill(&mut random);
    let generation = hex::encode(random);
    put(connection, "generation", &generation)?;
    Ok(generation)
}

/// Brings the database to the schema of this version; tells its generation.
fn migrate(
    connection: &mut Connection,
    path: &Path,
    org: &OrgName,
    how: OpenMode,
) -> Result<String, Refusal> {
    let told = |error: rusqlite::Error| refusal(path, &error);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(told)?;
    let version: u32 = transaction
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(told)?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if version > known {
        return Err(refused(
            path,
            &format!("has version {version}, and this program knows up to {known}"),
            "run the version of oam-issuer that wrote it",
        ));
    }
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    for script in MIGRATIONS.get(done..).unwrap_or_default() {
        transaction.execute_batch(script).map_err(told)?;
    }
    transaction
        .pragma_update(None, "user_version", known)
        .map_err(told)?;
    let generation = names(&transaction, path, org, how)?;
    // Also when nothing changed: the write-ahead log must exist before its identity is noted.
    transaction.commit().map_err(told)?;
    Ok(generation)
}

/// Whose database it is, and its generation; written into a new one.
fn names(
    transaction: &Transaction<'_>,
    path: &Path,
    org: &OrgName,
    how: OpenMode,
) -> Result<String, Refusal> {
    let told = |error: rusqlite::Error| refusal(path, &error);
    let meta = |name: &str| -> rusqlite::Result<Option<String>> {
        transaction
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| {
                row.get(0)
            })
            .optional()
    };
    match meta("org").map_err(told)? {
        Some(found) if found != org.as_str() => {
            return Err(refused(
                path,
                &format!("belongs to the organization {found}, not to {org}"),
                "name another `database` in issuer.toml, or the right policy",
            ));
        }
        Some(_) => {}
        None => put(transaction, "org", org.as_str()).map_err(told)?,
    }
    let kept = meta("generation").map_err(told)?;
    if let Some(generation) = kept.filter(|_| how != OpenMode::Replaced) {
        return Ok(generation);
    }
    fresh_generation(transaction).map_err(told)
}
