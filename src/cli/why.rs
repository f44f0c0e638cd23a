//! `oam why`: which role and rule would serve, or why not.

use super::Done;
use super::args::WhyArgs;
use super::link::{Link, OtherVersion, astray};
use super::show::{Line, Look, Show};
use super::wish;
use crate::model::ask::Intent;
use crate::model::report::WhyReport;
use crate::wire::message::{Reply, Request};

/// Asks and prints. Without `--read` or `--write` the intent is unknown, as for a program that does
/// not tell it, so that the answer is the one that such a program would get.
pub fn run(show: &Show, args: &WhyArgs) -> Done {
    let intent = match (args.write, args.read) {
        (true, _) => Intent::Write,
        (false, true) => Intent::Read,
        (false, false) => Intent::Unknown,
    };
    let ask = wish::ask(Some(&args.target), args.hub.as_ref(), None, intent)?;
    let mut link = Link::open(show, OtherVersion::Replace)?;
    let Reply::Why(report) = link.ask(Request::Why { ask })? else {
        return Err(astray());
    };
    if show.json() {
        show.value(&report);
    } else {
        print(show, &report);
    }
    Ok(report.refusal.map_or(0, |refusal| refusal.code.exit_code()))
}

fn print(show: &Show, report: &WhyReport) {
    show.line(understood(report));
    match (&report.refusal, &report.role) {
        (Some(refusal), _) => {
            show.line(
                Line::new()
                    .look(Look::Bad, "refused: ")
                    .text(refusal.sentence.clone()),
            );
            show.line(
                Line::new()
                    .look(Look::Strong, "next: ")
                    .text(refusal.next.clone()),
            );
        }
        (None, Some(role)) => {
            show.line(
                Line::new()
                    .look(Look::Good, "granted")
                    .text(" as role ")
                    .look(Look::Strong, role.to_string()),
            );
        }
        (None, None) => show.line("granted"),
    }
    if let Some(rule) = &report.rule {
        show.line(format!("because: {rule}"));
    }
}

fn understood(report: &WhyReport) -> String {
    let what = report
        .repository
        .as_ref()
        .map_or_else(|| "the whole hub".to_owned(), ToString::to_string);
    let action = report.action.map_or("use", |action| action.word());
    let hub = report.hub.as_ref().map(|hub| format!(" at {hub}"));
    let org = report.org.as_ref().map(|org| format!(" of {org}"));
    format!(
        "asked: {action} {what}{}{}",
        hub.unwrap_or_default(),
        org.unwrap_or_default()
    )
}
