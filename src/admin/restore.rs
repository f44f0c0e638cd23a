//! `oam-issuer restore FILE`: a backup in the database's place, with what it lacks; and `restore --accept` for a
//! copy that lies there already. `restore USER` is another thing (`revoke`), told by what is named.

use super::backup::DatabaseHead;
use super::database::organization;
use super::opening;
use crate::show::{Line, Printer, Style};
use clap::Args;
use oam_audit::history::Position;
use oam_issuer::anchors;
use oam_issuer::when::when;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::count::span;
use oam_model::issuer::IssuerSettings;
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;
use oam_store::AuditFilter;
use oam_store::AuditTrail;
use oam_store::sqlite::{
    self, Backup, DatabaseFiles, RestoreResult, SqliteStore, is_database, read_mark,
};
use oam_system::clock;
use oam_terminal::moment::{local, of_rfc3339};
use serde::Serialize;
use std::path::Path;

/// `oam-issuer restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The file of a backup, or the person: user name, e-mail, subject, stable key, or `source:key`.
    #[arg(
        value_name = "FILE|USER",
        required_unless_present = "accept",
        conflicts_with = "accept"
    )]
    pub what: Option<String>,
    /// Take the database that lies there, though it is older than the one that was served.
    #[arg(long)]
    pub accept: bool,
    /// Of a person or job: also lift an end that the identity provider told, and will not take back.
    #[arg(long, conflicts_with = "accept")]
    pub provider: bool,
}

impl RestoreArgs {
    /// The person, when it is about one: a file of a database can't be meant as one.
    pub fn person(&self) -> Option<&str> {
        self.what.as_deref().filter(|what| {
            let path = Path::new(what);
            !is_database(path) && !path.is_absolute() && !what.starts_with("./")
        })
    }
}

/// Entries read at once.
const PAGE: usize = 1_000;
/// Entries that are shown one by one.
const SHOWN: usize = 200;

/// What was done after the backup was made, as the database of before says it.
#[derive(Debug, Serialize)]
struct Since {
    seq: u64,
    at: String,
    event: AuditEvent,
    /// `source:key`, where it is about somebody.
    who: Option<String>,
    detail: Option<String>,
}

/// `oam-issuer restore FILE --json`.
#[derive(Serialize)]
struct RestoreReport {
    /// What was restored.
    #[serde(flatten)]
    head: DatabaseHead,
    /// The generation that began.
    begins_generation: u64,
    /// Where the database of before lies.
    kept: Option<String>,
    /// The last entry that the marker or an anchor knows, when it lies beyond; revocations up to it may be
    /// missing.
    known_up_to: Option<u64>,
    /// Revocations and the like that are known to be missing.
    since: Vec<Since>,
    /// Whether the database of before could be read to the end.
    complete: bool,
}

/// Runs it.
pub fn run(show: &Printer, args: &RestoreArgs) -> u8 {
    show.done(restore(show, args.what.as_deref().map(Path::new)))
}

fn restore(show: &Printer, file: Option<&Path>) -> Result<u8, Refusal> {
    let settings = opening::settings(show)?;
    let org = organization(&settings)?;
    let files = DatabaseFiles::from(&settings);
    let from = file.unwrap_or(&files.database);
    let backup = sqlite::inspect(from, &org)?;
    let known_up_to = known_up_to(&settings, &files, &backup);
    let since = match file {
        // The copy that lies there is all that there is.
        None => Vec::new(),
        Some(_) if !files.database.exists() => Vec::new(),
        Some(_) => since(&files, &org, &backup).unwrap_or_else(|refusal| {
            show.say(Line::new().look(
                Style::Warn,
                format!("what was done since can't be read: {}", refusal.sentence),
            ));
            Vec::new()
        }),
    };
    let entry = AuditRecord {
        detail: Some(words(file, &backup, known_up_to)),
        ..AuditRecord::new(AuditEvent::DatabaseRestored, org.clone(), clock::now_ms())
    };
    let restored = match file {
        Some(file) => sqlite::put_in_place(&files, &org, file, &entry)?,
        None => sqlite::accept(&files, &org, &entry)?,
    };
    let report = report(&backup, &restored, known_up_to, since);
    if show.json() {
        show.value(&report);
    } else {
        tell(show, &report, from, &backup);
    }
    Ok(0)
}

fn words(file: Option<&Path>, backup: &Backup, known_up_to: Option<u64>) -> String {
    let head = DatabaseHead::of(backup).words();
    let what = match file {
        Some(_) => format!("a backup {head} was put in place"),
        None => format!("the copy that lay there, {head}, was accepted"),
    };
    match known_up_to {
        Some(seq) => format!("{what}; entries up to {seq} had been written"),
        None => what,
    }
}

fn report(
    backup: &Backup,
    restored: &RestoreResult,
    known_up_to: Option<u64>,
    since: Vec<Since>,
) -> RestoreReport {
    let last = since.last().map_or(0, |one| one.seq);
    RestoreReport {
        head: DatabaseHead::of(backup),
        begins_generation: restored.history.generation(),
        kept: restored
            .aside
            .as_ref()
            .map(|path| path.display().to_string()),
        complete: known_up_to.is_none_or(|known| known <= last),
        known_up_to,
        since,
    }
}

/// The furthest that marker and anchors know, when the backup ends before it.
fn known_up_to(settings: &IssuerSettings, files: &DatabaseFiles, backup: &Backup) -> Option<u64> {
    let own = backup.history.position();
    let marked = read_mark(&files.marker)
        .ok()
        .flatten()
        .map(|mark| mark.position);
    let file = settings
        .anchors
        .as_ref()
        .and_then(|anchors| anchors.file.as_deref());
    let anchored = file.and_then(|file| anchors::read(Path::new(file)).ok()?.pop());
    let further = |known: &Position| (known.generation, known.seq) > (own.generation, own.seq);
    marked
        .into_iter()
        .chain(anchored.map(|anchor| anchor.position))
        .filter(further)
        .map(|known| known.seq)
        .max()
}

/// What the database of before says of the time after the backup.
fn since(files: &DatabaseFiles, org: &OrgName, backup: &Backup) -> Result<Vec<Since>, Refusal> {
    let store = SqliteStore::open_existing(files.clone(), org)?;
    let own = backup.history.position();
    opening::wait(async {
        let told = |fault: oam_store::StoreFault| fault.refusal();
        let there = store.audit_hash(own.seq).await.map_err(told)?;
        // Of another history: by the time, because numbers say nothing.
        let same = own.seq == 0 || there.as_ref() == Some(&own.hash);
        let filter = AuditFilter {
            from_ms: (!same).then_some(backup.at_ms.saturating_add(1)),
            ..AuditFilter::default()
        };
        let mut after = if same { own.seq } else { 0 };
        let mut found = Vec::new();
        loop {
            let page = store
                .audit(filter.clone(), after, PAGE)
                .await
                .map_err(told)?;
            let Some(last) = page.last() else {
                return Ok(found);
            };
            after = last.seq;
            found.extend(
                page.iter()
                    .filter_map(|line| told_since(line.seq, &line.line)),
            );
        }
    })?
}

fn told_since(seq: u64, line: &str) -> Option<Since> {
    let entry: AuditRecord = serde_json::from_str(line).ok()?;
    let counts = matches!(
        entry.event,
        AuditEvent::Revocation
            | AuditEvent::Restoration
            | AuditEvent::KeyRotation
            | AuditEvent::SecretRotation
    );
    counts.then(|| Since {
        seq,
        at: when(entry.at_ms),
        event: entry.event,
        who: entry.person.map(|person| match entry.source {
            Some(source) => format!("{source}:{person}"),
            None => person,
        }),
        detail: entry.detail,
    })
}

fn tell(show: &Printer, report: &RestoreReport, from: &Path, backup: &Backup) {
    let line = Line::new().look(Style::Good, "restored");
    show.line(line.text(format!(" from {}, {}", from.display(), report.head.words())));
    show.line(format!(
        "generation {} begins: agents take it, and a running server goes on with it",
        report.begins_generation
    ));
    if let Some(kept) = &report.kept {
        show.line(format!("the database of before is kept as {kept}"));
    }
    if let Some(seq) = report.known_up_to {
        show.line(Line::new().look(
            Style::Warn,
            format!(
                "written and not in it: {}",
                span("entry", "entries", report.head.seq + 1, seq)
            ),
        ));
    }
    for one in report.since.iter().take(SHOWN) {
        let word = match one.event {
            AuditEvent::Revocation => "revoked",
            AuditEvent::Restoration => "restored",
            AuditEvent::KeyRotation => "key",
            _ => "secret",
        };
        show.line(
            Line::new()
                .look(Style::Warn, format!("  {} {word}", of_rfc3339(&one.at)))
                .text(format!(" {}", one.who.as_deref().unwrap_or_default()))
                .look(
                    Style::Faint,
                    format!(" {}", one.detail.as_deref().unwrap_or_default()),
                ),
        );
    }
    if report.since.len() > SHOWN {
        show.line(format!(
            "and {} more: --json tells all",
            report.since.len() - SHOWN
        ));
    }
    if report.known_up_to.is_some() || !report.since.is_empty() {
        let at = local(backup.at_ms / 1000);
        show.next(&format!(
            "revoke again who was revoked since {at}, those above and whoever the identity provider ended: `oam-issuer revoke USER`"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::RestoreArgs;

    #[test]
    fn a_person_is_told_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("b.db");
        rusqlite::Connection::open(&database)
            .unwrap()
            .execute("CREATE TABLE t (x)", [])
            .unwrap();
        let of = |what: &str| RestoreArgs {
            what: Some(what.to_owned()),
            accept: false,
            provider: false,
        };
        for person in ["ada", "ada@acme.example", "okta:a/b", "b.db"] {
            assert_eq!(of(person).person(), Some(person));
        }
        // A path is a file also where there is none: nobody must be restored by a mistyped name.
        for file in [database.to_str().unwrap(), "/nowhere/b.db", "./b.db"] {
            assert_eq!(of(file).person(), None, "{file}");
        }
    }
}
