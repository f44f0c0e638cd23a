//! Backups: a copy that is whole, what there is to know of one, and one put in the database's place.

use super::chain::ChainHead;
use super::file;
use super::marker::{self, DatabaseFiles};
use super::open::{self, MIGRATIONS, OpenMode, Writing};
use super::read;
use super::words::{refusal, refused};
use oam_audit::history::History;
use oam_audit::record::{KnownEntry, Summary, Verifier, placed};
use oam_model::audit::AuditRecord;
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What every file of `SQLite` begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Where its audit log ends, and of which generation it is.
    pub history: History,
    /// The time of its last entry, Unix milliseconds; 0: it has none.
    pub at_ms: u64,
}

/// Whether this is a database's file at all.
pub fn is_database(path: &Path) -> bool {
    let mut begin = [0; MAGIC.len()];
    fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut begin).is_ok())
        && begin == *MAGIC
}

/// Writes a copy of the database to `to`, also while it is served: one transaction's view, checked before it
/// takes its name. An earlier backup of that name is replaced; nothing else is.
///
/// # Errors
/// There is something else at `to`, no room, or the copy is not whole.
pub fn backup(database: &Path, org: &OrgName, to: &Path) -> Result<Backup, Refusal> {
    if !database.exists() {
        return Err(refused(
            database,
            "is not there",
            "name the right `database` in issuer.toml",
        ));
    }
    let same = |path: &Path| fs::canonicalize(path).ok();
    if to.exists() && (same(to) == same(database) || !is_database(to)) {
        return Err(Refusal::bad_request(
            format!(
                "{} is no earlier backup, so it is not replaced",
                to.display()
            ),
            "name another file",
        ));
    }
    let aside = named(to, ".unfinished");
    // Of a backup that was killed.
    let _ = fs::remove_file(&aside);
    let done = copy(database, org, &aside).and_then(|backup| {
        let placed = fs::rename(&aside, to).and_then(|()| file::sync_folder(to));
        placed.map_err(|fault| unwritten(to, &fault))?;
        Ok(backup)
    });
    if done.is_err() {
        let _ = fs::remove_file(&aside);
    }
    done
}

fn copy(database: &Path, org: &OrgName, aside: &Path) -> Result<Backup, Refusal> {
    let told = |error: rusqlite::Error| refusal(database, &error);
    file::prepare(aside).map_err(|fault| unwritten(aside, &fault))?;
    let text = aside.to_str().ok_or_else(|| {
        Refusal::bad_request("the name of the backup is not UTF-8", "name another file")
    })?;
    let connection = open::connect(database, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(told)?;
    connection
        .execute("VACUUM INTO ?1", [text])
        .map_err(|error| refusal(aside, &error))?;
    let synced = fs::File::open(aside).and_then(|file| file.sync_all());
    synced.map_err(|fault| unwritten(aside, &fault))?;
    inspect(aside, org)
}

/// Looks a backup through: whole as a database, of this organization, known to this version, and its log as it
/// was written. It is not changed.
///
/// # Errors
/// What is wrong with it.
pub fn inspect(path: &Path, org: &OrgName) -> Result<Backup, Refusal> {
    let told = |error: rusqlite::Error| refusal(path, &error);
    if !path.exists() {
        return Err(refused(path, "is not there", "name the file of a backup"));
    }
    if !is_database(path) {
        return Err(refused(path, "is no database", "name the file of a backup"));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = open::connect(path, flags)
        .or_else(|_| open::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
        .map_err(told)?;
    connection
        .pragma_update(None, "query_only", "ON")
        .map_err(told)?;
    let check: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(told)?;
    if check != "ok" {
        return Err(refused(path, "is damaged", "take an earlier backup"));
    }
    is_ours(path, &connection, org)?;
    let (summary, at_ms) = chain(&connection).map_err(told)?;
    if let Some(fault) = summary.faults.first() {
        return Err(refused(
            path,
            &format!(
                "holds a log that is not as it was written: {}",
                fault.sentence
            ),
            "take an earlier backup; keep this one for whoever looks into it",
        ));
    }
    let history = read::history(&connection).map_err(told)?;
    Ok(Backup { history, at_ms })
}

/// Of this organization, and of a version that this program knows.
fn is_ours(path: &Path, connection: &Connection, org: &OrgName) -> Result<(), Refusal> {
    let told = |error: rusqlite::Error| refusal(path, &error);
    let version: usize = connection
        .pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))
        .map_err(told)?
        .try_into()
        .unwrap_or(usize::MAX);
    if version == 0 || version > MIGRATIONS.len() {
        return Err(refused(
            path,
            &format!(
                "has version {version}, and this program knows 1 to {}",
                MIGRATIONS.len()
            ),
            "run the version of oam-issuer that wrote it",
        ));
    }
    let whose: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE name = 'org'", [], |row| {
            row.get(0)
        })
        .optional()
        .map_err(told)?;
    if whose.as_deref() != Some(org.as_str()) {
        return Err(refused(
            path,
            &format!(
                "belongs to the organization {}, not to {org}",
                whose.unwrap_or_default()
            ),
            "name the backup of the right one",
        ));
    }
    Ok(())
}

/// The chain of the audit log from the first entry that is there, and the time of its last.
fn chain(connection: &Connection) -> rusqlite::Result<(Summary, u64)> {
    let mut statement = connection.prepare("SELECT line, at_ms FROM audit ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let mut verifier: Option<Verifier> = None;
    let mut at_ms = 0;
    while let Some(row) = rows.next()? {
        let line: String = row.get(0)?;
        at_ms = super::rows::number(row, 1)?;
        verifier
            .get_or_insert_with(|| beginning(&line))
            .line(line.as_bytes());
    }
    let verifier = verifier.unwrap_or_else(|| Verifier::new([]));
    Ok((verifier.finish(), at_ms))
}

/// Entries before the first one that is there were dropped by age.
fn beginning(line: &str) -> Verifier {
    let before = placed(line).ok().filter(|(link, _)| link.seq > 1);
    let mut verifier = Verifier::new([]);
    if let Some((link, hash)) = before {
        verifier = verifier.going_on_from(&KnownEntry {
            seq: link.seq - 1,
            hash,
        });
    }
    verifier.file("audit");
    verifier
}

/// What a restore came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreResult {
    /// The history of what is served from now on.
    pub history: History,
    /// Where the database of before lies now, when there was one.
    pub aside: Option<PathBuf>,
}

/// Puts a backup that [`inspect`] found good in the database's place, as a new generation. The database of before
/// is kept beside it. A running server notices, and goes on with it.
///
/// # Errors
/// It could not be copied, or not be put in place; the database of before lies where it was, unless the refusal
/// says otherwise.
pub fn put_in_place(
    files: &DatabaseFiles,
    org: &OrgName,
    from: &Path,
    entry: &AuditRecord,
) -> Result<RestoreResult, Refusal> {
    let database = &files.database;
    let at_s = entry.at_ms / 1000;
    let fresh = named(database, ".restoring");
    let clear = || {
        let _ = fs::remove_file(&fresh);
        file::remove_log(&fresh);
    };
    clear();
    let copied = file::prepare(&fresh)
        .and_then(|()| fs::copy(from, &fresh).map(drop))
        .and_then(|()| file::prepare(&fresh));
    let unfinished = |refusal: Refusal| {
        clear();
        refusal
    };
    copied.map_err(|fault| unfinished(unwritten(&fresh, &fault)))?;
    let own = DatabaseFiles::new(&fresh, Some(&named(database, ".restoring-marker")));
    let begun = begin(&own, org, beyond(files), entry);
    let _ = fs::remove_file(&own.marker);
    let history = begun.map_err(unfinished)?;
    let aside = aside(database, at_s);
    let moved = move_aside(database, aside.as_deref())
        .and_then(|()| fs::rename(&fresh, database))
        .and_then(|()| file::sync_folder(database));
    moved.map_err(|fault| unfinished(unwritten(database, &fault)))?;
    mark(files, &history)?;
    Ok(RestoreResult { history, aside })
}

/// Takes the database that lies there, whatever its marker says, as a new generation.
///
/// # Errors
/// It is not there, damaged, or can't be written.
pub fn accept(
    files: &DatabaseFiles,
    org: &OrgName,
    entry: &AuditRecord,
) -> Result<RestoreResult, Refusal> {
    let history = begin(files, org, beyond(files), entry)?;
    mark(files, &history)?;
    Ok(RestoreResult {
        history,
        aside: None,
    })
}

/// Begins a new generation in the database, later than `beyond`.
fn begin(
    files: &DatabaseFiles,
    org: &OrgName,
    beyond: u64,
    entry: &AuditRecord,
) -> Result<History, Refusal> {
    let path = &files.database;
    let told = |error: rusqlite::Error| refusal(path, &error);
    let mut writing = Writing::open(files, org, OpenMode::Existing)?;
    let transaction = writing
        .connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(told)?;
    let history = read::history(&transaction).map_err(told)?.restored(beyond);
    let list = serde_json::to_string(&history.restored_at).unwrap_or_default();
    let put = |name, value: &str| open::put(&transaction, name, value);
    put("restored_at", &list).map_err(told)?;
    put("marked", "1").map_err(told)?;
    open::fresh_generation(&transaction).map_err(told)?;
    let written =
        ChainHead::load(&transaction).and_then(|mut head| head.append(&transaction, entry));
    written.map_err(|_| {
        refused(
            path,
            "does not take the entry of the restore",
            "run `oam-issuer audit verify`, and take another backup",
        )
    })?;
    let history = read::history(&transaction).map_err(told)?;
    transaction.commit().map_err(told)?;
    let _ = writing
        .connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    Ok(history)
}

/// The latest generation that is known beside the backup: the marker's and that of the database of before.
fn beyond(files: &DatabaseFiles) -> u64 {
    let marked = marker::read_mark(&files.marker).ok().flatten();
    let marked = marked.map_or(0, |mark| mark.position.generation);
    let there = open::connect(&files.database, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|connection| read::history(&connection))
        .map_or(0, |history| history.generation());
    marked.max(there)
}

fn mark(files: &DatabaseFiles, history: &History) -> Result<(), Refusal> {
    let written = marker::write_mark(&files.marker, history.position());
    written.map_err(|fault| unwritten(&files.marker, &fault))
}

/// A free name for the database of before; none where there is no such database.
fn aside(database: &Path, at_s: u64) -> Option<PathBuf> {
    let name = |turn: u32| match turn {
        0 => named(database, &format!(".before-{at_s}")),
        turn => named(database, &format!(".before-{at_s}.{turn}")),
    };
    database
        .exists()
        .then(|| (0..1_000).map(name).find(|path| !path.exists()))?
}

/// With the write-ahead log, which would be replayed into whatever lies there next.
fn move_aside(database: &Path, aside: Option<&Path>) -> std::io::Result<()> {
    let Some(aside) = aside else {
        file::remove_log(database);
        return Ok(());
    };
    if let Ok(connection) = open::connect(database, OpenFlags::SQLITE_OPEN_READ_WRITE) {
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
    fs::rename(database, aside)?;
    for ending in ["-wal", "-shm"] {
        // Most often they went with the last connection.
        let _ = fs::rename(named(database, ending), named(aside, ending));
    }
    Ok(())
}

fn named(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn unwritten(path: &Path, fault: &std::io::Error) -> Refusal {
    Refusal::unavailable(
        format!(
            "{} could not be written: {}",
            path.display(),
            reason(fault.kind())
        ),
        "look at the folder, its owner and the room on its disk",
    )
}
