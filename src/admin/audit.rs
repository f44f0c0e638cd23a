//! `oam-issuer audit verify|export|tail|prune`: the organization's log read from the database itself, also
//! while the server is down.

mod acknowledge;
mod agents;
mod export;
mod filter;
mod reading;
mod tail;
mod verify;

use super::database::{self, Database};
use super::opening;
use crate::show::Printer;
use clap::{Args, Subcommand, ValueEnum};
use filter::FilterArgs;
use oam_audit::history::{Position, Verdict, judge};
use oam_audit::record::KnownEntry;
use oam_issuer::anchors;
use oam_issuer::when;
use oam_model::audit::AuditRecord;
use oam_model::issuer::IssuerSettings;
use oam_model::refusal::Refusal;
use oam_store::{AuditFilter, AuditLine, AuditTrail, Pruned};
use oam_system::clock;
use oam_terminal::moment::local;
use serde::Serialize;
use std::path::Path;

/// `oam-issuer audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: AuditWhat,
}

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum AuditWhat {
    /// Check the whole chain and the agents' logs; exits 1 when the organization's log is not as it was written, 3 when
    /// only a log of an agent is not.
    #[command(
        after_help = "Examples:\n  oam-issuer audit verify\n  oam-issuer audit verify --anchor 1200:5f3c…\n\n\
            A log that was written anew as a whole, or whose end was cut, can only be told with an entry that is \
            known from elsewhere: note number and hash of the last entry now and then, and give them as --anchor."
    )]
    Verify {
        /// An entry known from elsewhere, NUMBER:HASH; may be repeated.
        #[arg(long = "anchor", value_name = "NUMBER:HASH", value_parser = verify::anchor)]
        anchors: Vec<oam_audit::record::KnownEntry>,
    },
    /// Take note, on record, of what is wrong with agents' logs: `verify` counts it as acknowledged from then on.
    #[command(
        after_help = "Example:\n  oam-issuer audit acknowledge\n\nOnly what `audit verify` finds now is acknowledged; what comes later \
            is a fault again. The organization's own log can't be acknowledged."
    )]
    Acknowledge,
    /// Print entries, oldest first.
    #[command(
        after_help = "Examples:\n  oam-issuer audit export > audit.jsonl\n  oam-issuer audit export --format csv --person ada --since 30d > ada.csv\n  \
            oam-issuer audit export --token-sha256 \"$(printf %s \"$TOKEN\" | sha256sum | cut -d' ' -f1)\"\n\n\
            jsonl: the lines as they are hashed. csv: a cell that a spreadsheet would take for a formula (it begins with \
            = + - @, a tab or a carriage return) gets a ' in front."
    )]
    Export {
        /// How entries are written.
        #[arg(long, value_enum, default_value = "jsonl")]
        format: Format,
        /// Which entries.
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Show the last entries, and with -f those that come.
    #[command(
        after_help = "Examples:\n  oam-issuer audit tail\n  oam-issuer audit tail -f --role model-publisher\n  oam-issuer audit tail -f --json"
    )]
    Tail {
        /// Go on with entries as they are written.
        #[arg(long, short)]
        follow: bool,
        /// How many of the last ones.
        #[arg(long, short = 'n', default_value_t = 20, value_name = "COUNT")]
        lines: usize,
        /// Which entries.
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Drop the oldest entries and agents' records; the log says so and from which hashes the chains go on.
    #[command(
        after_help = "Examples:\n  oam-issuer audit prune\n  oam-issuer audit prune --before 2026-01-01\n\nWithout --before what is \
            older than `audit_days` of issuer.toml is dropped. Export first what must be kept."
    )]
    Prune {
        /// Drop what is from before this: 90d, 2026-01-01, or RFC 3339.
        #[arg(long, value_name = "TIME")]
        before: Option<String>,
    },
}

/// How entries are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A JSON object a line, as it is hashed.
    Jsonl,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
}

/// Runs it.
pub fn run(show: &Printer, args: &AuditArgs) -> u8 {
    show.done(work(show, args))
}

fn work(show: &Printer, args: &AuditArgs) -> Result<u8, Refusal> {
    let Database {
        settings,
        org,
        store,
    } = database::open(show)?;
    let now_ms = clock::now_ms();
    match &args.what {
        AuditWhat::Verify { anchors } => {
            let mut anchors = anchors.clone();
            anchors.extend(written(&settings, &store)?);
            opening::wait(verify::run(show, &store, anchors))?
        }
        AuditWhat::Acknowledge => {
            let anchors = written(&settings, &store)?.into_iter().collect();
            opening::wait(acknowledge::run(show, &store, anchors, &org, now_ms))?
        }
        AuditWhat::Export { format, filter } => {
            let filter = filter.read(now_ms)?;
            opening::wait(export::run(show, &store, filter, *format))?
        }
        AuditWhat::Tail {
            follow,
            lines,
            filter,
        } => {
            let filter = filter.read(now_ms)?;
            opening::wait(tail::run(show, &store, &filter, *lines, *follow))?
        }
        AuditWhat::Prune { before } => {
            let last_ms = opening::wait(last_at(&store))??;
            let days = settings.limits.audit_days;
            let before_ms = before_ms(before.as_deref(), days, now_ms, last_ms)?;
            let dropped =
                opening::wait(store.prune(before_ms, now_ms))?.map_err(|fault| fault.refusal())?;
            pruned(show, &dropped, before_ms);
            Ok(0)
        }
    }
}

/// The last anchor that the issuer wrote to the file that the settings name; not one that a restore gave up.
fn written(
    settings: &IssuerSettings,
    store: &dyn AuditTrail,
) -> Result<Option<KnownEntry>, Refusal> {
    let file = settings
        .anchors
        .as_ref()
        .and_then(|anchors| anchors.file.as_ref());
    let last = file.and_then(|file| anchors::read(Path::new(file)).ok()?.pop());
    let Some(Position {
        generation,
        seq,
        hash,
    }) = last.map(|last| last.position)
    else {
        return Ok(None);
    };
    let history = opening::wait(store.history())?.map_err(|fault| fault.refusal())?;
    let known = Position {
        generation,
        seq,
        hash,
    };
    let there = opening::wait(store.audit_hash(seq))?.map_err(|fault| fault.refusal())?;
    let given_up = judge(&history, &known, there.as_deref()) == Verdict::GivenUp;
    Ok((!given_up && seq > 0).then_some(KnownEntry {
        seq,
        hash: known.hash,
    }))
}

/// When the last entry was written; none: there is no entry.
async fn last_at(store: &dyn AuditTrail) -> Result<Option<u64>, Refusal> {
    let end = reading::head(store).await?;
    let last = tail::last(store, &AuditFilter::default(), 1, end).await?;
    let at = |line: &AuditLine| serde_json::from_str::<AuditRecord>(&line.line).ok();
    Ok(last.front().and_then(at).map(|entry| entry.at_ms))
}

/// Longest time that may lie between the last entry and now, for a prune by age: a server that is used writes more
/// often, and a clock that was set forward would drop what must be kept.
const LEAP_MS: u64 = 7 * 86_400_000;

/// Up to where a prune goes: what was asked, else what the settings say. An age is counted from a clock that fits the
/// last entry; a date means itself.
fn before_ms(
    asked: Option<&str>,
    audit_days: u64,
    now_ms: u64,
    last_ms: Option<u64>,
) -> Result<u64, Refusal> {
    let is_date = asked.is_some_and(when::is_absolute);
    if let Some(last) = last_ms.filter(|last| now_ms > last + LEAP_MS && !is_date) {
        return Err(Refusal::bad_request(
            format!(
                "the clock says {}, and the last entry was written at {}: more than a week lies between, so nothing was dropped by age",
                local(now_ms / 1000),
                local(last / 1000)
            ),
            "correct the clock; when it is right, name a date: --before 2026-01-01",
        ));
    }
    match asked {
        Some(text) => when::read(text, now_ms)
            .map_err(|why| Refusal::bad_request(why, "run `oam-issuer audit prune --help`")),
        None if audit_days == 0 => Err(Refusal::bad_request(
            "`audit_days` of issuer.toml is 0: entries are kept for ever, so nothing was dropped",
            "name a time with --before, or set `audit_days`",
        )),
        None => Ok(now_ms.saturating_sub(audit_days.saturating_mul(86_400_000))),
    }
}

/// `audit prune --json`.
#[derive(Serialize)]
struct PruneReport {
    /// Audit entries.
    dropped: u64,
    /// Records of agents.
    records_dropped: u64,
    before: String,
}

fn pruned(show: &Printer, pruned: &Pruned, before_ms: u64) {
    let Pruned { entries, records } = *pruned;
    if show.json() {
        return show.value(&PruneReport {
            dropped: entries,
            records_dropped: records,
            before: when::when(before_ms),
        });
    }
    let before = local(before_ms / 1000);
    show.line(match entries {
        0 => format!("no entry is older than {before}: none was dropped"),
        1 => format!("1 entry from before {before} was dropped"),
        many => format!("{many} entries from before {before} were dropped"),
    });
    show.line(match records {
        0 => format!("no agent's record arrived before {before}: none was dropped"),
        1 => format!("1 agent's record that arrived before {before} was dropped"),
        many => format!("{many} agents' records that arrived before {before} were dropped"),
    });
}

#[cfg(test)]
mod tests;
