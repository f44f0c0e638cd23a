//! Reads the directories now and then: each at its own pace, and at once when its settings or the policy change.

use super::poll::{PollMode, PollOutcome, poll};
use crate::state::Issuer;
use oam_model::directory::DirectoryPoll;
use oam_model::name::SourceName;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Between two looks whether one is due.
const LOOK: Duration = Duration::from_millis(500);

/// What the last reading was begun with.
struct Begun {
    at: Instant,
    settings: DirectoryPoll,
    policy: String,
    running: bool,
}

/// Reads until the server ends. A reading that is under way then is given up: what of it is not written is read again.
pub async fn run(issuer: Arc<Issuer>) {
    let mut stopping = issuer.stopping.subscribe();
    let mut begun: HashMap<SourceName, Begun> = HashMap::new();
    let mut readings: JoinSet<SourceName> = JoinSet::new();
    loop {
        begin(&issuer, &mut begun, &mut readings);
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            Some(done) = readings.join_next() => {
                if let Ok(Some(one)) = done.map(|source| begun.get_mut(&source)) {
                    one.running = false;
                }
            }
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

fn begin(
    issuer: &Arc<Issuer>,
    begun: &mut HashMap<SourceName, Begun>,
    readings: &mut JoinSet<SourceName>,
) {
    let live_config = issuer.live_config();
    for source in &live_config.settings.sources {
        let Some(settings) = &source.directory else {
            continue;
        };
        let last = begun.get(&source.name);
        let every = Duration::from_millis(settings.every_ms);
        let due = last.is_none_or(|last| {
            let other = last.settings != *settings || last.policy != live_config.policy_digest;
            !last.running && (other || last.at.elapsed() >= every)
        });
        if due {
            let now = Begun {
                at: Instant::now(),
                settings: settings.clone(),
                policy: live_config.policy_digest.clone(),
                running: true,
            };
            begun.insert(source.name.clone(), now);
            readings.spawn(one(
                Arc::clone(issuer),
                source.name.clone(),
                settings.clone(),
            ));
        }
    }
}

async fn one(issuer: Arc<Issuer>, source: SourceName, settings: DirectoryPoll) -> SourceName {
    match poll(&issuer, &source, &settings, PollMode::Take).await {
        Ok(PollOutcome::Taken(summary)) => {
            tracing::debug!(%source, users = summary.users, groups = summary.groups, "a directory was read");
        }
        // Told where it is noted.
        Ok(PollOutcome::Held(_) | PollOutcome::Failed(_)) => {}
        Err(fault) => tracing::warn!(%source, ?fault, "what a directory says could not be kept"),
    }
    source
}
