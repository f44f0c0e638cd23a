//! `oam-issuer revoke`, `restore` and `people`.
//!
//! They work on the database: a running server notices the commit and tells the agents. A policy with
//! faults does not stop them, and neither does a server that is down.

mod find;
mod hubs;
mod people;
mod report;

use super::database::{self, Database};
use super::opening;
use crate::show::{Line, Printer, Style};
use clap::Args;
use find::PersonMatch;
use oam_issuer::signal_processor::{self, Applied, Order};
use oam_model::refusal::Refusal;
use oam_store::{Store, StoreFault};
use oam_system::clock;
use std::sync::Arc;

/// `oam-issuer revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The person or job: user name, e-mail, subject or stable key, of all sources or as `source:NAME` of one.
    #[arg(value_name = "USER")]
    pub user: String,
    /// USER is `source:key` of somebody who was never seen here: refused from the beginning.
    #[arg(long)]
    pub never_seen: bool,
    /// Why, for the record; the person sees it too.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// End the session only: a new sign-in is taken. Without it nobody is taken until `restore`.
    #[arg(long)]
    pub session: bool,
}

/// `oam-issuer people`.
#[derive(Debug, Args)]
pub struct PeopleArgs {
    /// User name, e-mail, subject or stable key, of all sources or as `source:NAME` of one.
    #[arg(value_name = "USER")]
    pub user: String,
}

/// Runs `revoke`.
pub fn run(show: &Printer, args: &RevokeArgs) -> u8 {
    let reason = args.reason.clone();
    let order = if args.session {
        Order::EndSession { reason }
    } else {
        Order::EndAccount { reason }
    };
    show.done(carry_out(show, &args.user, args.never_seen, &order))
}

/// Runs `restore` of a person or job; with `provider` also an end that the identity provider told is lifted.
pub fn restore(show: &Printer, user: &str, provider: bool) -> u8 {
    let order = Order::Restore { provider };
    show.done(carry_out(show, user, false, &order))
}

/// Runs `people`.
pub fn people(show: &Printer, args: &PeopleArgs) -> u8 {
    show.done(list(show, &args.user))
}

fn carry_out(show: &Printer, user: &str, never_seen: bool, order: &Order) -> Result<u8, Refusal> {
    let Database {
        settings,
        org,
        store,
    } = database::open(show)?;
    let store: Arc<dyn Store> = Arc::new(store);
    let now_ms = clock::now_ms();
    opening::wait(async {
        let found = find::one(&*store, &settings.sources, user, never_seen).await?;
        let (key, row) = match &found {
            PersonMatch::Seen(row) => (&row.seen.key, Some(row.as_ref())),
            PersonMatch::Never(key) => (key, None),
            PersonMatch::Several(rows) => {
                several(show, rows);
                return Err(find::ambiguous(user, rows));
            }
        };
        let applied = match signal_processor::order(&*store, &org, key, row, order, now_ms).await {
            Ok(applied) => applied,
            Err(StoreFault::Unchanged) => {
                unchanged(show, &found, order);
                return Ok(0);
            }
            Err(fault) => return Err(fault.refusal()),
        };
        let waiting = show.waiting("the hubs, which are told to revoke");
        let at_hubs = hubs::tell(&settings, &org, &store, &applied.revoked, now_ms).await;
        drop(waiting);
        tell(show, &found, order, &applied, &at_hubs);
        Ok(0)
    })?
}

/// Nothing was written: what is so already is said.
fn unchanged(show: &Printer, found: &PersonMatch, order: &Order) {
    let told = report::Done::unchanged(found, order);
    if show.json() {
        show.value(&told);
        return;
    }
    show.line(Line::new().look(Style::Strong, told.sentence()));
    if told.ended_by_provider() {
        show.next("`--provider` lifts that end too");
    }
}

fn several(show: &Printer, rows: &[oam_store::PersonRow]) {
    if show.json() {
        return;
    }
    let lines: Vec<Vec<Line>> = rows.iter().map(report::columns).collect();
    show.table(report::HEADER, &lines);
}

fn tell(
    show: &Printer,
    found: &PersonMatch,
    order: &Order,
    applied: &Applied,
    at_hubs: &Result<Vec<report::AtHub>, Refusal>,
) {
    let told = report::Done::of(found, order, applied, at_hubs);
    if show.json() {
        show.value(&told);
    } else {
        show.line(Line::new().look(Style::Strong, told.sentence()));
        for hub in &told.hubs {
            show.line(format!("  {}", hub.sentence()));
        }
    }
    if let Err(refusal) = at_hubs {
        show.say(Line::new().look(Style::Warn, refusal.sentence.clone()));
        show.next(&refusal.next);
    }
}

fn list(show: &Printer, user: &str) -> Result<u8, Refusal> {
    let Database {
        settings, store, ..
    } = database::open(show)?;
    let now_ms = clock::now_ms();
    let found = opening::wait(find::all(&store, user, now_ms))??;
    if found.is_empty() {
        return Err(find::nobody(user));
    }
    let mut fault = None;
    let shown: Vec<people::PersonReport> = found
        .into_iter()
        .map(|known| {
            let (at_hubs, unread) =
                hubs::honoured(&settings.master_key, known.outstanding, now_ms / 1000);
            fault = fault.take().or(unread);
            people::PersonReport::of(&known.row, &known.live, &at_hubs)
        })
        .collect();
    if show.json() {
        show.value(&people::PeopleReport::of(shown, fault.as_ref()));
        return Ok(0);
    }
    for line in shown.iter().flat_map(people::PersonReport::lines) {
        show.line(line);
    }
    if let Some(fault) = fault {
        let what = "how long hubs still honour tokens is not known";
        show.say(Line::new().look(Style::Warn, format!("{what}: {}", fault.sentence)));
        show.next(&fault.next);
    }
    Ok(0)
}

#[cfg(test)]
mod tests;
