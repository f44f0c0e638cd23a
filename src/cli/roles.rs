//! `oam roles`.

use super::Done;
use super::agent_client::{AgentClient, OtherVersion, astray};
use super::when;
use oam_model::report::{RoleRow, RolesReport};
use oam_model::role::OfflineRule;
use oam_terminal::{Line, Show, Style};
use oam_wire::message::{Reply, Request};

/// Lists the roles.
pub fn run(show: &Show) -> Done {
    let mut link = AgentClient::open(show, OtherVersion::Replace)?;
    let Reply::Roles(report) = link.ask(Request::Roles)? else {
        return Err(astray());
    };
    if show.json() {
        show.value(&report);
    } else {
        print(show, &report);
    }
    Ok(0)
}

fn print(show: &Show, report: &RolesReport) {
    if report.roles.is_empty() && report.without.is_empty() {
        show.line("no organization is configured");
    }
    for org in &report.without {
        show.line(org.why.clone());
        show.next(&org.next);
    }
    for role in &report.roles {
        show.line(heading(role));
        if let Some(text) = &role.description {
            show.line(format!("  {text}"));
        }
        show.line(Line::new().look(Style::Faint, format!("  {}", about(role))));
        let rows: Vec<Vec<Line>> = role
            .grants
            .iter()
            .map(|grant| {
                vec![
                    format!("  {}", grant.action.word()).into(),
                    grant.hub.to_string().into(),
                    grant.repositories.join(", ").into(),
                ]
            })
            .collect();
        show.table(&[], &rows);
    }
}

fn heading(role: &RoleRow) -> Line {
    let line = Line::new()
        .look(Style::Strong, role.role.to_string())
        .text(format!(" of {}: ", role.org));
    let line = if role.held {
        line.look(Style::Good, "held")
    } else {
        line.look(Style::Faint, "not held")
    };
    line.text(format!(", {}", role.because))
}

fn about(role: &RoleRow) -> String {
    let offline = match role.offline {
        OfflineRule::Grace => "served until the lease ends when the identity can't be proven",
        OfflineRule::Strict => "served only with a fresh proof",
    };
    format!(
        "tokens live up to {}; {offline}",
        when::span(role.lifetime_s)
    )
}
