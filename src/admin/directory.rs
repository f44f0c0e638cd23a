//! `oam-issuer directory`: the directories that the issuer reads itself.

use super::database::{self, Database};
use super::opening;
use super::scim;
use crate::show::{Line, Printer, Style};
use clap::{Args, Subcommand};
use oam_issuer::directory::poll::{PollMode, PollOutcome, PollSummary};
use oam_issuer::overtaken::until_kept;
use oam_issuer::when::when;
use oam_issuer::{directory, files};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::count::counted;
use oam_model::directory::DirectoryPoll;
use oam_model::issuer::IssuerSettings;
use oam_model::name::SourceName;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_policy::directory::Fall;
use oam_store::{
    Batch, Directories, DirectoryState, HeldFall, PollState, Store, StoreChange, StoreFault,
};
use oam_system::clock;
use oam_terminal::moment::of_rfc3339;
use serde::Serialize;

/// How often a confirmation is written anew, when the server notes something else meanwhile.
const ATTEMPTS: usize = 8;
/// Most names that are shown of a list.
const NAMED: usize = 20;

/// `oam-issuer directory`.
#[derive(Debug, Args)]
pub struct DirectoryArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: DirectoryWhat,
}

/// What to do with directories that are read.
#[derive(Debug, Subcommand)]
pub enum DirectoryWhat {
    /// Read a directory now, and take what it says; with --dry-run only show what would change.
    #[command(
        after_help = "Examples:\n  oam-issuer directory poll company --dry-run\n  oam-issuer directory poll company --json\n\n\
            The server reads it by itself every `every`; this is for the set-up, and for who can't wait."
    )]
    Poll {
        /// The source.
        source: SourceName,
        /// Write nothing, show what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Show the directories that are read: how much each said, of when, and what is wrong.
    #[command(after_help = "Example:\n  oam-issuer directory list --json")]
    List,
    /// Confirm that so many people or memberships are gone as the last reading said: the next one is taken.
    #[command(
        after_help = "Example:\n  oam-issuer directory poll company --dry-run && oam-issuer directory confirm company\n\n\
            It holds for a day, and for no more than what was held."
    )]
    Confirm {
        /// The source.
        source: SourceName,
    },
    /// Forget what a directory said of users and groups: the groups of tokens count again. Whom it ended stays out.
    #[command(after_help = "Example:\n  oam-issuer directory forget company\n\n\
            Remove `[sources.NAME.directory]` from the configuration first, or the next reading says it again.")]
    Forget {
        /// The source.
        source: SourceName,
    },
}

/// `directory poll --json`.
#[derive(Serialize)]
struct PollReport<'a> {
    source: &'a SourceName,
    /// `taken`, `held` or `failed`.
    outcome: &'static str,
    dry_run: bool,
    /// Why it was not taken.
    why: Option<String>,
    users: u64,
    groups: u64,
    /// Whose accounts end.
    ended: &'a [String],
    /// Who is new or back.
    new: &'a [String],
    moved: Vec<MovedGroup<'a>>,
    groups_gone: &'a [String],
}

#[derive(Serialize)]
struct MovedGroup<'a> {
    group: &'a str,
    added: usize,
    removed: usize,
}

/// `directory list --json`.
#[derive(Serialize)]
struct ListReport {
    directories: Vec<PolledReport>,
}

#[derive(Serialize)]
struct PolledReport {
    source: SourceName,
    kind: &'static str,
    users: u64,
    groups: u64,
    /// Of when what it says is.
    as_of: Option<String>,
    tried_at: Option<String>,
    fault: Option<String>,
    fault_since: Option<String>,
}

/// Runs it.
pub fn run(show: &Printer, args: &DirectoryArgs) -> u8 {
    show.done(match &args.what {
        DirectoryWhat::Poll { source, dry_run } => poll(show, source, *dry_run),
        DirectoryWhat::List => list(show),
        DirectoryWhat::Confirm { source } => confirm(show, source),
        DirectoryWhat::Forget { source } => scim::forget(show, source, "oam-issuer directory list"),
    })
}

fn poll(show: &Printer, source: &SourceName, dry_run: bool) -> Result<u8, Refusal> {
    let config = std::path::absolute(show.config()).unwrap_or_else(|_| show.config().to_owned());
    let read = files::read(&config);
    let files = read.map_err(|faults| opening::told(show, &config, &faults))?;
    settings_of(&files.settings, source)?;
    let mode = if dry_run {
        PollMode::Show
    } else {
        PollMode::Take
    };
    let waiting = show.waiting("the directory, which is read");
    let outcome = opening::wait(directory::once(files, source.clone(), mode));
    drop(waiting);
    let outcome = outcome??;
    let nothing = PollSummary::default();
    let (word, why, summary) = match &outcome {
        PollOutcome::Taken(summary) => ("taken", None, &**summary),
        PollOutcome::Held(fall) => ("held", Some(held(*fall)), &nothing),
        PollOutcome::Failed(why) => ("failed", Some(why.clone()), &nothing),
    };
    if show.json() {
        show.value(&PollReport {
            source,
            outcome: word,
            dry_run,
            why,
            users: summary.users,
            groups: summary.groups,
            ended: &summary.ended,
            new: &summary.new,
            moved: summary.moved.iter().map(moved).collect(),
            groups_gone: &summary.groups_gone,
        });
    } else {
        tell(show, source, &outcome, dry_run);
    }
    Ok(match outcome {
        PollOutcome::Taken(_) => 0,
        PollOutcome::Held(_) | PollOutcome::Failed(_) => 1,
    })
}

fn moved((group, added, removed): &(String, usize, usize)) -> MovedGroup<'_> {
    MovedGroup {
        group,
        added: *added,
        removed: *removed,
    }
}

fn held(fall: Fall) -> String {
    format!(
        "{} of {} people and {} of {} memberships would be gone",
        fall.people, fall.people_of, fall.memberships, fall.memberships_of
    )
}

fn tell(show: &Printer, source: &SourceName, outcome: &PollOutcome, dry_run: bool) {
    match outcome {
        PollOutcome::Failed(why) => {
            show.line(
                Line::new()
                    .look(Style::Bad, "not read ")
                    .text(format!("{source}: {why}")),
            );
        }
        PollOutcome::Held(fall) => {
            let words = format!("{source}: {}", held(*fall));
            show.line(Line::new().look(Style::Bad, "held ").text(words));
            show.next(&format!(
                "look at the filter and the rights of the reader; where it is true, run `oam-issuer directory confirm {source}`"
            ));
        }
        PollOutcome::Taken(summary) => {
            let word = if dry_run { "would be taken " } else { "taken " };
            let words = format!(
                "{source}: {}, {}",
                counted(summary.users, "user", "users"),
                counted(summary.groups, "group", "groups")
            );
            show.line(Line::new().look(Style::Good, word).text(words));
            for (what, names) in [("out", &summary.ended), ("new or back", &summary.new)] {
                if !names.is_empty() {
                    show.line(format!("  {what}: {} ({})", names.len(), some(names)));
                }
            }
            for (group, added, removed) in &summary.moved {
                show.line(format!("  group {group}: {added} in, {removed} out"));
            }
            if !summary.groups_gone.is_empty() {
                show.line(format!("  groups gone: {}", some(&summary.groups_gone)));
            }
        }
    }
}

fn some(names: &[String]) -> String {
    let more = if names.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(NAMED)].join(", "))
}

/// The settings of a directory that is read.
fn settings_of<'a>(
    settings: &'a IssuerSettings,
    source: &SourceName,
) -> Result<&'a DirectoryPoll, Refusal> {
    let known = settings.sources.iter().find(|known| known.name == *source);
    match known.map(|known| known.directory.as_ref()) {
        Some(Some(directory)) => Ok(directory),
        Some(None) => Err(Refusal::bad_request(
            format!("no directory is read for the source {source}"),
            format!(
                "add `[sources.{source}.directory]` to the configuration, then run the command again"
            ),
        )),
        None => {
            let names: Vec<&str> = settings
                .sources
                .iter()
                .map(|one| one.name.as_str())
                .collect();
            Err(Refusal::bad_request(
                format!("there is no source {source}"),
                format!("use one of {}", names.join(", ")),
            ))
        }
    }
}

fn confirm(show: &Printer, source: &SourceName) -> Result<u8, Refusal> {
    let Database {
        settings,
        org,
        store,
    } = database::open(show)?;
    settings_of(&settings, source)?;
    // The server reads on meanwhile, and notes what came of it.
    let confirmed = until_kept(ATTEMPTS, || async {
        let state = store.directory_poll(source.clone()).await?;
        let Some(fall) = state.held else {
            return Ok::<_, StoreFault>(None);
        };
        let words = format!(
            "confirmed by an administrator: {} of {} people and {} of {} memberships may be gone",
            fall.people, fall.people_of, fall.memberships, fall.memberships_of
        );
        let now_ms = clock::now_ms();
        let entry = AuditRecord {
            source: Some(source.clone()),
            detail: Some(words.clone()),
            ..AuditRecord::new(AuditEvent::Directory, org.clone(), now_ms)
        };
        let sure = PollState {
            confirmed: Some(HeldFall {
                at_ms: now_ms,
                ..fall
            }),
            ..state.clone()
        };
        let noted = StoreChange::PollNoted {
            source: source.clone(),
            state: sure,
            from: Some(Box::new(state)),
        };
        let batch = Batch {
            changes: vec![noted],
            entries: vec![entry],
        };
        store.commit(batch).await?;
        Ok(Some(words))
    });
    let confirmed = opening::wait(confirmed)?.map_err(|fault| fault.refusal())?;
    let Some(words) = confirmed else {
        return Err(Refusal::new(
            RefusalCode::BadRequest,
            format!("nothing is held of the directory of {source}"),
            "see how it stands with `oam-issuer directory list`",
        ));
    };
    show.say(format!("{words}; the next reading is taken"));
    Ok(0)
}

fn list(show: &Printer) -> Result<u8, Refusal> {
    let Database {
        settings, store, ..
    } = database::open(show)?;
    let found = async {
        let mut found = Vec::new();
        for source in &settings.sources {
            if let Some(directory) = &source.directory {
                let state = store.directory_state(source.name.clone()).await?;
                let poll = store.directory_poll(source.name.clone()).await?;
                found.push(report(source.name.clone(), directory, state, poll));
            }
        }
        Ok(found)
    };
    let directories = opening::wait(found)?.map_err(|fault: StoreFault| fault.refusal())?;
    if show.json() {
        show.value(&ListReport { directories });
        return Ok(0);
    }
    if directories.is_empty() {
        show.say("no directory is read: `[sources.NAME.directory]` in the configuration says where one is");
        return Ok(0);
    }
    let rows: Vec<Vec<Line>> = directories.iter().map(columns).collect();
    show.table(
        &["SOURCE", "KIND", "USERS", "GROUPS", "AS OF", "WRONG"],
        &rows,
    );
    Ok(0)
}

fn report(
    source: SourceName,
    settings: &DirectoryPoll,
    state: DirectoryState,
    poll: PollState,
) -> PolledReport {
    PolledReport {
        source,
        kind: settings.adapter.word(),
        users: state.users,
        groups: state.groups,
        as_of: poll.as_of_ms.map(when),
        tried_at: poll.tried_at_ms.map(when),
        fault: poll.fault,
        fault_since: poll.fault_since_ms.map(when),
    }
}

fn columns(one: &PolledReport) -> Vec<Line> {
    let as_of = one.as_of.as_deref().map(of_rfc3339);
    vec![
        Line::from(one.source.as_str()),
        Line::from(one.kind),
        Line::from(one.users.to_string()),
        Line::from(one.groups.to_string()),
        Line::from(as_of.unwrap_or_else(|| "never".to_owned())),
        Line::from(one.fault.clone().unwrap_or_else(|| "nothing".to_owned())),
    ]
}
