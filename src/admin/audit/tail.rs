//! `audit tail`.

use super::export::jsonl;
use super::reading::{PAGE, head, pages};
use crate::show::{Line, Printer, Style};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::refusal::Refusal;
use oam_store::{AuditFilter, AuditLine, AuditTrail, Store};
use oam_terminal::moment::local;
use std::collections::VecDeque;

/// Shows the last `count` entries that match, and with `follow` those that come.
///
/// # Errors
/// The store's fault.
pub(super) async fn run(
    show: &Printer,
    store: &dyn Store,
    filter: &AuditFilter,
    count: usize,
    follow: bool,
) -> Result<u8, Refusal> {
    // Before the first look, so that nothing is missed in between.
    let mut changes = store.changes();
    let end = head(store).await?;
    let lines = last(store, filter, count, end).await?;
    for line in &lines {
        print(show, line);
    }
    if lines.is_empty() && !follow {
        show.say("no entry matches");
        show.next("leave a filter out, or widen it; `oam-issuer people NAME` tells by which name somebody is known");
    }
    let mut after = end;
    while follow && !show.is_over() {
        changes.mark_unchanged();
        let seen = pages(store, filter, after, |page| {
            for line in page {
                print(show, line);
            }
            !show.is_over()
        });
        after = seen.await?;
        if changes.changed().await.is_err() {
            break;
        }
    }
    Ok(0)
}

/// The last `count` entries up to `end` that match: looked for in a window before the end that grows, so
/// that the whole log is read only when there are not as many in it.
pub(super) async fn last(
    store: &dyn AuditTrail,
    filter: &AuditFilter,
    count: usize,
    end: u64,
) -> Result<VecDeque<AuditLine>, Refusal> {
    let mut window = (PAGE as u64).max(count as u64);
    loop {
        let after = end.saturating_sub(window);
        let mut kept = VecDeque::new();
        pages(store, filter, after, |page| {
            for line in page.iter().filter(|line| line.seq <= end) {
                kept.push_back(line.clone());
                if kept.len() > count {
                    kept.pop_front();
                }
            }
            page.last().is_none_or(|line| line.seq < end)
        })
        .await?;
        if kept.len() >= count || after == 0 {
            return Ok(kept);
        }
        window = window.saturating_mul(8);
    }
}

fn print(show: &Printer, line: &AuditLine) {
    if show.json() {
        return show.raw(&jsonl(std::slice::from_ref(line), show.to_terminal()));
    }
    match serde_json::from_str::<AuditRecord>(&line.line) {
        Ok(entry) => show.line(words(&entry)),
        Err(_) => show.line(Line::new().look(
            Style::Bad,
            format!("entry {} can't be read by this version", line.seq),
        )),
    }
}

/// One entry as a line for people.
fn words(entry: &AuditRecord) -> Line {
    let (look, event) = event(entry.event);
    let mut line = Line::new()
        .look(Style::Faint, local(entry.at_ms / 1000))
        .text(" ")
        .look(look, event);
    if let Some(code) = entry.refusal {
        line = line.look(look, format!(" {}", code.word()));
    }
    let person = entry.name.as_ref().or(entry.person.as_ref());
    if let Some(person) = person {
        line = line.text(" ").look(Style::Strong, person.clone());
    }
    if let Some(role) = &entry.role {
        line = line.text(format!(" as {role}"));
    }
    if let Some(action) = entry.action {
        line = line.text(format!(" {}", action.word()));
    }
    match (&entry.hub, &entry.repository) {
        (Some(hub), Some(repository)) => line = line.text(format!(" {hub}/{repository}")),
        (Some(hub), None) => line = line.text(format!(" {hub}")),
        (None, Some(repository)) => line = line.text(format!(" {repository}")),
        (None, None) => {}
    }
    if let Some(from) = &entry.from {
        line = line.look(Style::Faint, format!(" from {from}"));
    }
    for more in [&entry.rule, &entry.detail].into_iter().flatten() {
        line = line.look(Style::Faint, format!(" — {more}"));
    }
    line
}

const fn event(event: AuditEvent) -> (Style, &'static str) {
    match event {
        AuditEvent::Start => (Style::Faint, "started"),
        AuditEvent::Stop => (Style::Faint, "stopped"),
        AuditEvent::Attempt => (Style::Faint, "attempt"),
        AuditEvent::Exchange => (Style::Good, "issued"),
        AuditEvent::Refusal => (Style::Bad, "refused"),
        AuditEvent::Revocation => (Style::Warn, "revoked"),
        AuditEvent::Restoration => (Style::Strong, "restored"),
        AuditEvent::TokenRevoked => (Style::Warn, "token revoked"),
        AuditEvent::Signal => (Style::Plain, "signal"),
        AuditEvent::Directory => (Style::Plain, "directory"),
        AuditEvent::RolesChanged => (Style::Strong, "roles changed"),
        AuditEvent::PolicyChange => (Style::Strong, "policy changed"),
        AuditEvent::KeyRotation => (Style::Strong, "key"),
        AuditEvent::SecretRotation => (Style::Strong, "secret"),
        AuditEvent::AgentRecords => (Style::Faint, "agent's records"),
        AuditEvent::Alarm => (Style::Bad, "ALARM"),
        AuditEvent::RefusalSum => (Style::Warn, "refused (sum)"),
        AuditEvent::Acknowledged => (Style::Strong, "acknowledged"),
        AuditEvent::DatabaseRestored => (Style::Warn, "database restored"),
        AuditEvent::Retention => (Style::Strong, "pruned"),
    }
}
