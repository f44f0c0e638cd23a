//! `oam status`.

use super::Done;
use super::agent_client::{AgentClient, OtherVersion, astray, settled};
use super::args::StatusArgs;
use super::when;
use oam_model::name::{OrgName, RoleName};
use oam_model::refusal::Refusal;
use oam_model::report::{
    FeedStatus, OrgStatus, RecordsStatus, SetUpStatus, StatusReport, TokenOut, TokenState,
};
use oam_model::standing::StandingWord;
use oam_terminal::{Line, Show, Style};
use oam_wire::client::Client;
use oam_wire::message::{Reply, Request};
use oam_wire::socket_path::SocketPath;
use std::time::Duration;

/// Reports. Exits 0 when it could report; with `--check` by the worst standing.
pub fn run(show: &Show, args: &StatusArgs) -> Done {
    if args.short {
        return Ok(short(show, args.check));
    }
    let mut link = AgentClient::open(show, OtherVersion::Replace)?;
    let report = asked(&mut link, args.check)?;
    if show.json() {
        show.value(&report);
    } else {
        print(show, &report, when::now());
    }
    Ok(if args.check { worst(&report) } else { 0 })
}

/// The report of what is known.
pub fn ask(link: &mut AgentClient) -> Result<StatusReport, Refusal> {
    asked(link, false)
}

/// `proof`: the identity provider is asked first where its last word is not fresh.
fn asked(link: &mut AgentClient, proof: bool) -> Result<StatusReport, Refusal> {
    match link.ask(Request::Status { proof })? {
        Reply::Status(report) => Ok(report),
        _ => Err(astray()),
    }
}

/// How long a prompt may wait.
const PROMPT: Duration = Duration::from_secs(1);

/// One line for a prompt: nothing is started, said or waited for. Without an agent nobody is signed in.
fn short(show: &Show, check: bool) -> u8 {
    let asked = SocketPath::find().and_then(|place| {
        let frame = Client::connect(&place)?.ask(Request::Status { proof: false }, PROMPT)?;
        settled(frame)
    });
    let Ok(Reply::Status(report)) = asked else {
        return if check { 3 } else { 0 };
    };
    let words: Vec<String> = report.orgs.iter().map(prompt).collect();
    if !words.is_empty() {
        show.whole(words.join(" "));
    }
    if check { worst(&report) } else { 0 }
}

/// `acme`, or `acme:revoked`.
fn prompt(org: &OrgStatus) -> String {
    match org.standing {
        StandingWord::Active => org.org.to_string(),
        other => format!("{}:{}", org.org, other.word()),
    }
}

/// 4 when a session is revoked, else 3 when one is not active or there is none, else 0.
fn worst(report: &StatusReport) -> u8 {
    let code = |org: &OrgStatus| match org.standing {
        StandingWord::Active => 0,
        StandingWord::Revoked => 4,
        StandingWord::Unproven | StandingWord::Ended | StandingWord::SignedOut => 3,
    };
    report.orgs.iter().map(code).max().unwrap_or(3)
}

fn print(show: &Show, report: &StatusReport, now: u64) {
    for warning in &report.warnings {
        show.line(
            Line::new()
                .look(Style::Warn, "warning: ")
                .text(warning.clone()),
        );
    }
    if report.orgs.is_empty() {
        show.line("no organization is configured");
        show.next("run `oam login URL` with the address of your company's issuer, or write the configuration; `oam config path` tells where it lies");
    }
    for org in &report.orgs {
        print_org(show, org, now);
    }
    show.line(Line::new().look(
        Style::Faint,
        format!(
            "agent {} (pid {}), session kept in {}",
            report.agent_version, report.agent_pid, report.store
        ),
    ));
}

fn print_org(show: &Show, org: &OrgStatus, now: u64) {
    show.line(heading(org));
    let mut rows: Vec<Vec<Line>> = Vec::new();
    let mut row = |name: &str, text: String| {
        let name = Line::new().look(Style::Faint, format!("  {name}"));
        rows.push(vec![name, text.into()]);
    };
    if let Some(detail) = &org.detail {
        row("why", detail.clone());
    }
    row("identity provider", org.issuer.clone());
    if let Some(at) = org.last_proof_at {
        let ago = when::span(now.saturating_sub(at));
        row("last proof", format!("{ago} ago"));
    }
    if let Some(at) = org.session_ends_at.filter(|_| is_alive(org.standing)) {
        row("session ends", ends(at, now));
    }
    if is_alive(org.standing) {
        row("roles", held(org));
    }
    if let Some(feed) = org.feed.as_ref().filter(|_| is_alive(org.standing)) {
        row("feed", fed(feed, now));
        if let Some(why) = feed
            .roles_trouble
            .as_ref()
            .filter(|_| org.roles_unknown.is_none())
        {
            row("roles not read", why.clone());
        }
    }
    if let Some(records) = &org.records {
        row("records", kept(records));
        if let Some(alarm) = &records.alarm {
            row("alarm", alarm.clone());
        }
    }
    if let Some(until) = org.elsewhere_until {
        row("other hosts", elsewhere(until, now));
    }
    for hub in &org.hubs {
        row("hub", format!("{} {} ({})", hub.hub, hub.url, hub.kind));
    }
    for warning in &org.warnings {
        row("warning", warning.sentence.clone());
        row("next", warning.next.clone());
    }
    for (name, text) in org.setup.iter().flat_map(|setup| changed(&org.org, setup)) {
        row(name, text);
    }
    if let Some(next) = &org.next {
        row("next", next.clone());
    }
    show.table(&[], &rows);
    print_tokens(show, org, now);
}

/// What the company changed, and how it is taken over.
fn changed(org: &OrgName, setup: &SetUpStatus) -> Vec<(&'static str, String)> {
    let mut rows: Vec<_> = setup
        .changes
        .iter()
        .map(|change| ("company changed", change.clone()))
        .collect();
    let how = if setup.sign_in {
        "takes it over, with a new sign-in"
    } else {
        "takes it over"
    };
    rows.push(("next", format!("`oam update {org}` {how}")));
    rows
}

fn print_tokens(show: &Show, org: &OrgStatus, now: u64) {
    if !org.tokens.is_empty() {
        let rows: Vec<Vec<Line>> = org
            .tokens
            .iter()
            .map(|token| token_row(token, org.standing, now))
            .collect();
        show.table(&["  role", "hub", "repository", "action", "left"], &rows);
    }
    if org.more_tokens > 0 {
        show.line(format!(
            "  and {} older ones; `oam log` has all",
            org.more_tokens
        ));
    }
}

/// The roles held; not known is another thing than none.
/// What a hub handed out through a gateway for a store's or Xet's host.
fn elsewhere(until: u64, now: u64) -> String {
    format!(
        "links and tokens that hubs gave for them: outstanding until {}",
        ends(until, now)
    )
}

fn held(org: &OrgStatus) -> String {
    let roles: Vec<&str> = org.roles.iter().map(RoleName::as_str).collect();
    match &org.roles_unknown {
        Some(why) => format!("not known: {why}"),
        None if roles.is_empty() => "none: no group of yours holds one".to_owned(),
        None => roles.join(", "),
    }
}

/// `connected, evidence of 3 s ago`.
fn fed(feed: &FeedStatus, now: u64) -> String {
    let state = match feed.state.as_str() {
        "buffered" => "buffered: a proxy holds it back, so it proves nothing",
        "late" => "late: a heartbeat is missing",
        other => other,
    };
    let polled = if feed.polling { ", polled" } else { "" };
    let evidence = feed.as_of.map_or_else(String::new, |at| {
        format!(", evidence of {} ago", when::span(now.saturating_sub(at)))
    });
    format!("{state}{polled}{evidence}")
}

/// `41 of 42 held by the organization`.
fn kept(records: &RecordsStatus) -> String {
    let why = records
        .trouble
        .as_ref()
        .map_or_else(String::new, |why| format!(" ({why})"));
    if !records.known {
        let written = records.written;
        return format!("{written} written; the organization was not asked yet what it holds{why}");
    }
    format!(
        "{} of {} held by the organization{why}",
        records.held, records.written
    )
}

const fn is_alive(standing: StandingWord) -> bool {
    matches!(standing, StandingWord::Active | StandingWord::Unproven)
}

fn heading(org: &OrgStatus) -> Line {
    let look = match org.standing {
        StandingWord::Active => Style::Good,
        StandingWord::Unproven | StandingWord::SignedOut => Style::Warn,
        StandingWord::Ended | StandingWord::Revoked => Style::Bad,
    };
    let mut line = Line::new()
        .look(Style::Strong, org.org.to_string())
        .text(": ")
        .look(look, org.standing.word());
    if let Some(who) = org.email.as_ref().or(org.subject.as_ref()) {
        line = line.text(format!(", {who}"));
    }
    if let (Some(_), Some(subject)) = (&org.email, &org.subject) {
        line = line.look(Style::Faint, format!(" ({subject})"));
    }
    line
}

/// `in 6 d 3 h (2026-07-01 14:00:00+02:00)`.
pub fn ends(at: u64, now: u64) -> String {
    format!(
        "in {} ({})",
        when::span(at.saturating_sub(now)),
        when::full(at)
    )
}

fn token_row(token: &TokenOut, standing: StandingWord, now: u64) -> Vec<Line> {
    let granted = &token.granted;
    let span = when::span(granted.expires_at.saturating_sub(now));
    let left = match token.state {
        TokenState::Held => Line::from(span),
        // Of before a restart of the agent: it is out, and as good as its person is.
        TokenState::OutstandingUntil if is_alive(standing) => {
            Line::from(format!("{span}, held by nobody here"))
        }
        TokenState::OutstandingUntil => {
            let until = when::full(granted.expires_at);
            Line::new().look(Style::Warn, format!("outstanding until {until}"))
        }
        TokenState::Revoked => Line::new().look(Style::Faint, "revoked"),
    };
    let repository = granted
        .repository
        .as_ref()
        .map_or_else(|| "all of it".to_owned(), ToString::to_string);
    let wider = if granted.wider_than_asked {
        " (wider than asked)"
    } else {
        ""
    };
    vec![
        format!("  {}", granted.role).into(),
        granted.hub.to_string().into(),
        repository.into(),
        format!("{}{wider}", granted.action.word()).into(),
        left,
    ]
}

#[cfg(test)]
mod tests {
    use super::{StandingWord, StatusReport, held, prompt, worst};

    fn report(standings: &[StandingWord]) -> StatusReport {
        let org = |standing: &StandingWord| {
            serde_json::json!({
                "org": "acme", "issuer": "https://idp", "standing": standing, "detail": null,
                "next": null, "subject": null, "email": null, "signed_in_at": null,
                "last_proof_at": null, "session_ends_at": null, "epoch": 0, "roles": [],
                "hubs": [], "tokens": []
            })
        };
        serde_json::from_value(serde_json::json!({
            "agent_version": "1", "agent_pid": 1, "store": "memory", "warnings": [],
            "orgs": standings.iter().map(org).collect::<Vec<_>>()
        }))
        .unwrap()
    }

    #[test]
    fn roles_that_are_not_known_are_not_called_none() {
        let mut org = report(&[StandingWord::Active]).orgs.remove(0);
        assert!(held(&org).starts_with("none"));
        org.roles_unknown = Some("the issuer of acme was not asked yet".into());
        assert_eq!(
            held(&org),
            "not known: the issuer of acme was not asked yet"
        );
    }

    #[test]
    fn a_prompt_names_what_is_not_as_it_should_be() {
        let report = report(&[StandingWord::Active, StandingWord::SignedOut]);
        let words: Vec<String> = report.orgs.iter().map(prompt).collect();
        assert_eq!(words, ["acme", "acme:signed-out"]);
    }

    #[test]
    fn check_exits_by_the_worst_standing() {
        use StandingWord::{Active, Ended, Revoked, SignedOut};
        assert_eq!(worst(&report(&[Active, Active])), 0);
        assert_eq!(worst(&report(&[Active, SignedOut])), 3);
        assert_eq!(worst(&report(&[Revoked, Ended])), 4);
        assert_eq!(
            worst(&report(&[])),
            3,
            "nothing configured is not signed in"
        );
    }
}
