//! Reads GitHub when it is time: at once after an event, everything now and then.

use super::api::GitHubApp;
use super::fault::GitHubFault;
use super::sync::sync;
use crate::state::Issuer;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::name::SourceName;
use oam_policy::teams::Scope;
use oam_policy::teams::schedule::{Next, Schedule};
use oam_store::{Batch, StoreChange};
use oam_system::clock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Longest time without a look at what is configured.
const LOOK_MS: u64 = 5_000;

/// What events named and nobody has read yet.
#[derive(Default)]
pub struct TeamNews {
    named: Mutex<BTreeMap<SourceName, Scope>>,
    came: Notify,
}

impl TeamNews {
    /// An event named this.
    pub fn named(&self, source: &SourceName, scope: Scope) {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let all = match named.remove(source) {
            Some(known) => known.and(scope),
            None => scope,
        };
        named.insert(source.clone(), all);
        self.came.notify_one();
    }

    fn take(&self) -> BTreeMap<SourceName, Scope> {
        std::mem::take(&mut *self.named.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads until the server ends.
pub async fn keep(issuer: Arc<Issuer>) {
    let mut stopping = issuer.stopping.subscribe();
    let mut schedules = BTreeMap::new();
    loop {
        let wait_ms = tokio::select! {
            wait_ms = round(&issuer, &mut schedules) => wait_ms,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
            () = issuer.team_news.came.notified() => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

fn now_ms() -> u64 {
    clock::steady().ms()
}

/// Reads what is owed; tells when there is something again, in ms.
async fn round(issuer: &Issuer, schedules: &mut BTreeMap<SourceName, Schedule>) -> u64 {
    let live_config = issuer.live_config();
    schedules.retain(|source, _| live_config.github.contains_key(source));
    let mut named = issuer.team_news.take();
    let mut wait_ms = LOOK_MS;
    for (source, app) in &live_config.github {
        let new = || Schedule::new(now_ms());
        let schedule = schedules.entry(source.clone()).or_insert_with(new);
        if let Some(scope) = named.remove(source) {
            schedule.named(scope);
        }
        match schedule.next(now_ms()) {
            Next::Wait(until_ms) => wait_ms = wait_ms.min(until_ms.saturating_sub(now_ms())),
            Next::Read(scope) => {
                // What is under way is owed still, should this end here.
                wait_ms = 0;
                match sync(issuer, app, &scope).await {
                    Ok(()) => {
                        schedule.read(&scope, now_ms(), app.settings.every_ms);
                        if scope == Scope::All {
                            noted(issuer, app, None).await;
                        }
                    }
                    Err(fault) => {
                        schedule.failed(scope, now_ms(), fault.pause_ms());
                        noted(issuer, app, Some(&fault)).await;
                    }
                }
            }
        }
    }
    wait_ms
}

/// Takes down how a reading ended; a fault that lasts is an alarm once, and its end is on record too.
async fn noted(issuer: &Issuer, app: &GitHubApp, fault: Option<&GitHubFault>) {
    let source = &app.source;
    if let Some(fault) = fault {
        let why = fault.sentence();
        tracing::warn!(%source, why, "the teams at GitHub could not be read");
        if !fault.is_noted() {
            return;
        }
    }
    let Ok(state) = issuer.store.teams_state(source.clone()).await else {
        return;
    };
    let was = state.fault.map(|(why, _)| why);
    let is = fault.map(GitHubFault::sentence);
    let mut batch = Batch {
        changes: vec![StoreChange::TeamsRead {
            source: source.clone(),
            fault: is.clone(),
            at_ms: clock::now_ms(),
        }],
        entries: Vec::new(),
    };
    if is != was && fault.is_none_or(GitHubFault::is_alarm) {
        let organization = &app.settings.organization;
        let (event, words) = match (&is, fault) {
            (Some(why), Some(fault)) => (
                AuditEvent::Alarm,
                format!(
                    "the teams of {organization} can't be read, and stay as they are: {why}; {}",
                    fault.next()
                ),
            ),
            _ => (
                AuditEvent::Directory,
                format!("the teams of {organization} are read again"),
            ),
        };
        if event == AuditEvent::Alarm {
            issuer.metrics.alarm("github");
        }
        batch.entries.push(AuditRecord {
            source: Some(source.clone()),
            detail: Some(words),
            ..issuer.entry(event)
        });
    }
    if issuer.commit(batch).await.is_err() {
        tracing::warn!(%source, "how GitHub was read could not be noted");
    }
}
