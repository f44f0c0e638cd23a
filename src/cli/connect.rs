//! `oam setup`: asks the agent for the hubs, connects, and shows what was changed.

use super::Done;
use super::args::{SetupArgs, SetupWhat as Word};
use super::link::{Link, OtherVersion};
use super::setup::{SetupWhat, Surroundings, run as set_up};
use super::show::{Line, Show};
use super::status;
use crate::model::report::HubRow;

/// Connects what was named, or takes it back.
pub fn run(show: &Show, args: &SetupArgs) -> Done {
    let what = match args.what {
        Word::Git => SetupWhat::Git,
        Word::Hf => SetupWhat::Hf,
        Word::Service => SetupWhat::Service,
        Word::Shell => SetupWhat::Shell,
    };
    let hubs: Vec<HubRow> = if what.needs_hubs(args.undo) {
        let report = status::ask(&mut Link::open(show, OtherVersion::Name)?)?;
        report.orgs.into_iter().flat_map(|org| org.hubs).collect()
    } else {
        Vec::new()
    };
    let report = set_up(what, args.undo, &hubs, &Surroundings::find()?)?;
    if show.json() {
        show.value(&report);
        return Ok(0);
    }
    for line in report.lines() {
        show.line(Line::new().text(line));
    }
    for next in &report.next {
        show.line(Line::new().text(format!("next: {next}")));
    }
    Ok(0)
}
