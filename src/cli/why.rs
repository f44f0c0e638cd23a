//! `oam why`: which role and rule would serve, or why not.

use super::Done;
use super::agent_client::{AgentClient, OtherVersion, astray};
use super::args::WhyArgs;
use super::{when, wish};
use oam_model::organization::GroupSource;
use oam_model::report::WhyReport;
use oam_model::token_request::{HubRef, Intent, TokenRequest};
use oam_terminal::{Line, Show, Style};
use oam_wire::message::{Reply, Request};

/// Asks and prints. It reads unless `--write` is given, like `oam token` and `oam exec`: the three agree.
pub fn run(show: &Show, args: &WhyArgs) -> Done {
    let intent = if args.write {
        Intent::Write
    } else {
        Intent::Read
    };
    let ask = wish::ask(Some(&args.target), args.hub.as_ref(), None, intent)?;
    let mut link = AgentClient::open(show, OtherVersion::Replace)?;
    let asked = ask.clone();
    let Reply::Why(report) = link.ask(Request::Why { ask })? else {
        return Err(astray());
    };
    if show.json() {
        show.value(&report);
    } else {
        print(show, &asked, &report);
    }
    Ok(report.refusal.map_or(0, |refusal| refusal.code.exit_code()))
}

fn print(show: &Show, asked: &TokenRequest, report: &WhyReport) {
    show.line(understood(asked, report));
    match (&report.refusal, &report.role) {
        (Some(refusal), _) => {
            show.line(
                Line::new()
                    .look(Style::Bad, "refused: ")
                    .text(refusal.sentence.clone()),
            );
            show.line(
                Line::new()
                    .look(Style::Strong, "next: ")
                    .text(refusal.next.clone()),
            );
        }
        (None, Some(role)) => {
            show.line(
                Line::new()
                    .look(Style::Good, "granted")
                    .text(" as role ")
                    .look(Style::Strong, role.to_string()),
            );
        }
        (None, None) => show.line("granted"),
    }
    if let Some(rule) = &report.rule {
        show.line(format!("because: {rule}"));
    }
    for one in &report.groups {
        show.line(group(one));
    }
}

/// A group with who says it and of when, and why that counts or not.
fn group(one: &GroupSource) -> String {
    let counts = if one.counts { "" } else { ", does not count" };
    let at = when::full(one.at_ms / 1000);
    format!(
        "group {} by the {}, {at}{counts}: {}",
        one.group, one.by, one.because
    )
}

/// The question as it was understood; where it was not, as it was asked.
fn understood(asked: &TokenRequest, report: &WhyReport) -> String {
    let what = match (&report.repository, &asked.path) {
        (Some(repository), _) => repository.to_string(),
        (None, Some(path)) => path.clone(),
        (None, None) => "the whole hub".to_owned(),
    };
    let action = match (report.action, asked.intent) {
        (Some(action), _) => action.word(),
        (None, Intent::Write) => "write",
        (None, Intent::Read | Intent::Unknown) => "read",
    };
    let hub = match (&report.hub, &asked.hub) {
        (Some(hub), _) | (None, HubRef::Name(hub)) => format!(" at {hub}"),
        (None, HubRef::Url { protocol, host }) => format!(" at {protocol}://{host}"),
        (None, HubRef::Only | HubRef::Kind(_)) => String::new(),
    };
    let org = report.org.as_ref().map(|org| format!(" of {org}"));
    format!("asked: {action} {what}{hub}{}", org.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{HubRef, Intent, TokenRequest, WhyReport, understood};

    #[test]
    fn the_question_is_told_as_it_was_asked_where_nobody_understood_it() {
        let asked = TokenRequest {
            hub: HubRef::Only,
            path: Some("acme/model".into()),
            intent: Intent::Write,
            role: None,
        };
        let report = WhyReport {
            hub: None,
            org: None,
            repository: None,
            action: None,
            role: None,
            rule: None,
            refusal: None,
            groups: Vec::new(),
        };
        assert_eq!(understood(&asked, &report), "asked: write acme/model");
    }
}
