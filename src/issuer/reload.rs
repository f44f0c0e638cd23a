//! Another configuration while the server runs: on SIGHUP, and when a file changes. A broken one leaves
//! the old one in force and says so; a changed policy is on record before it decides anything.

mod roles;

use super::files::{self, FileWatch, IssuerFiles};
use super::state::{CONFIGURATION, Issuer, LiveConfig};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::issuer::IssuerSettings;
use oam_model::name::RoleName;
use oam_model::refusal::Refusal;
use oam_policy::policy::Index;
use oam_policy::policy::diff::{self, AccessEffect};
use oam_store::{Batch, StoreChange};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);
/// Changes that an entry names one by one.
const NAMED: usize = 8;

/// Why the files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The server starts: the policy may have changed while it was down.
    Start,
    /// SIGHUP.
    Signal,
    /// A file is another one.
    File,
}

impl Cause {
    const fn word(self) -> &'static str {
        match self {
            Self::Start => "found at start",
            Self::Signal => "by SIGHUP",
            Self::File => "the file changed",
        }
    }
}

/// Watches the files until the server ends. `asked` brings one item for every SIGHUP.
pub async fn watch(issuer: Arc<Issuer>, config: PathBuf, mut asked: mpsc::Receiver<()>) {
    let mut stopping = issuer.stopping.subscribe();
    let mut seen = stamps(&issuer, &config);
    // A change whose record could not be written is tried again. The first look is owed too: the files may
    // have changed after they were read and before this watch began.
    let mut owed = true;
    loop {
        let cause = tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            got = asked.recv() => if got.is_some() { Cause::Signal } else { Cause::File },
            () = tokio::time::sleep(LOOK) => Cause::File,
        };
        // Two stat calls a second on local files: not worth a thread of their own.
        if cause == Cause::File && !seen.moved() && !owed {
            continue;
        }
        let before = stamps(&issuer, &config);
        owed = match apply(&issuer, &config, cause).await {
            Ok(()) => false,
            Err(refusal) => {
                broken(&issuer, &refusal).await;
                refusal.code == oam_model::refusal::RefusalCode::Unavailable
            }
        };
        seen = stamps(&issuer, &config);
        // Changed while it was read, or another policy file is named now: once more.
        owed |= seen != before;
    }
}

/// A file that is not taken: a warning, and an alarm once, because what an administrator wrote is not in force.
async fn broken(issuer: &Issuer, refusal: &Refusal) {
    let known = issuer.health.is_wrong(CONFIGURATION);
    issuer.health.wrong(CONFIGURATION, refusal.sentence.clone());
    if known {
        return;
    }
    issuer.metrics.alarm("configuration");
    let entry = AuditRecord {
        detail: Some(refusal.sentence.clone()),
        ..issuer.entry(AuditEvent::Alarm)
    };
    let batch = Batch {
        changes: Vec::new(),
        entries: vec![entry],
    };
    // Where it could not be written, the warning stands.
    let _ = issuer.commit(batch).await;
}

fn stamps(issuer: &Issuer, config: &Path) -> FileWatch {
    let live_config = issuer.live_config();
    FileWatch::of([config, Path::new(&live_config.settings.policy)])
}

/// Reads the files and puts them in force.
///
/// # Errors
/// They are broken, or the change can't be put on record: the old ones stay in force.
pub async fn apply(issuer: &Arc<Issuer>, config: &Path, cause: Cause) -> Result<(), Refusal> {
    let config = config.to_owned();
    let read = tokio::task::spawn_blocking(move || files::read(&config)).await;
    let files = match read {
        Ok(Ok(files)) => files,
        Ok(Err(faults)) => {
            return Err(Refusal::bad_request(
                format!(
                    "the policy or configuration on disk is not in force: {}",
                    files::words(&faults)
                ),
                "correct the file",
            ));
        }
        Err(_) => {
            return Err(Refusal::unavailable(
                "the configuration could not be read",
                "look at the log",
            ));
        }
    };
    put(issuer, files, cause).await?;
    issuer.health.right(CONFIGURATION);
    Ok(())
}

async fn put(issuer: &Arc<Issuer>, files: IssuerFiles, cause: Cause) -> Result<(), Refusal> {
    let old = issuer.live_config();
    let IssuerFiles {
        mut settings,
        policy,
        policy_text,
        ..
    } = files;
    if policy.org.name != old.org().name {
        return Err(Refusal::bad_request(
            "the policy on disk is of another organization, so it is not in force",
            "correct `name` in [org]; another organization needs an issuer of its own",
        ));
    }
    for name in fixed(&mut settings, &old.settings) {
        tracing::warn!(setting = name, "this setting changes only with a restart");
    }
    let new = LiveConfig::new(settings, policy, &policy_text, &issuer.deps())?;
    if new.policy_digest == old.policy_digest && new.settings == old.settings {
        return compared(issuer, None).await;
    }
    let changed = new.policy_digest != old.policy_digest;
    if changed {
        let detail = format!(
            "{}; {}",
            moved(&old.policy_digest, &new.policy_digest, cause),
            differences(&old.policy, &new.policy)
        );
        on_record(issuer, detail).await?;
    }
    issuer.feeds.limit(new.settings.limits.feeds);
    issuer.limit_connections(&new.settings.limits);
    issuer.replace_live_config(new);
    tracing::info!(
        policy = changed,
        cause = cause.word(),
        "another configuration is in force"
    );
    compared(issuer, Some(&old)).await
}

/// Puts back what can't change while the server runs; names what would have.
fn fixed(new: &mut IssuerSettings, old: &IssuerSettings) -> Vec<&'static str> {
    let mut named = Vec::new();
    let mut keep = |name: &'static str, same: bool| {
        if !same {
            named.push(name);
        }
    };
    keep("url", new.url == old.url);
    keep("listen", new.listen == old.listen);
    keep("tls", new.tls == old.tls);
    keep("database", new.database == old.database);
    keep("marker", new.marker == old.marker);
    keep("master_key", new.master_key == old.master_key);
    keep("signing", new.signing == old.signing);
    new.url.clone_from(&old.url);
    new.listen.clone_from(&old.listen);
    new.tls.clone_from(&old.tls);
    new.database.clone_from(&old.database);
    new.marker.clone_from(&old.marker);
    new.master_key.clone_from(&old.master_key);
    new.signing = old.signing;
    named
}

fn moved(old: &str, new: &str, cause: Cause) -> String {
    let old = if old.is_empty() { "none" } else { old };
    format!("policy sha256 {old} -> {new} ({})", cause.word())
}

/// Who gains and who loses, in words.
fn differences(old: &Index, new: &Index) -> String {
    let changes = diff::diff(old.policy(), new.policy());
    let count = |effect: AccessEffect| changes.iter().filter(|one| one.effect == effect).count();
    let mut words = format!(
        "{} lost, {} gained, {} other",
        count(AccessEffect::Loses),
        count(AccessEffect::Gains),
        count(AccessEffect::Differs)
    );
    for change in changes.iter().take(NAMED) {
        let verb = match change.effect {
            AccessEffect::Loses => "loses",
            AccessEffect::Gains => "gains",
            AccessEffect::Differs => "differs:",
        };
        let role = change
            .role
            .as_ref()
            .map_or("the organization", RoleName::as_str);
        let who = change.who.as_deref().map(|who| format!(" ({who})"));
        let who = who.unwrap_or_default();
        // Writing to a String does not fail.
        let _ = write!(words, "; {role}{who} {verb} {}", change.what);
    }
    words
}

/// At start: a policy that is another than when the server last ran is a change too.
///
/// # Errors
/// The store is not there.
pub async fn found_at_start(issuer: &Arc<Issuer>) -> Result<(), Refusal> {
    let known = issuer.store.policy_digest().await;
    let known = known.map_err(|fault| fault.refusal())?.unwrap_or_default();
    let digest = issuer.live_config().policy_digest.clone();
    if known == digest {
        return Ok(());
    }
    on_record(issuer, moved(&known, &digest, Cause::Start)).await?;
    compared(issuer, None).await
}

async fn on_record(issuer: &Issuer, detail: String) -> Result<(), Refusal> {
    let entry = AuditRecord {
        detail: Some(detail),
        ..issuer.entry(AuditEvent::PolicyChange)
    };
    let batch = Batch {
        changes: Vec::new(),
        entries: vec![entry],
    };
    let written = issuer.commit(batch).await;
    written.map(drop).map_err(|fault| fault.refusal())
}

/// Compares everybody's roles with the policy in force, unless that was done. Its digest is kept only
/// after that: a comparison that failed is owed, also to the next start. `old` was in force before.
async fn compared(issuer: &Arc<Issuer>, old: Option<&LiveConfig>) -> Result<(), Refusal> {
    let live_config = issuer.live_config();
    let known = issuer.store.policy_digest().await;
    let known = known.map_err(|fault| fault.refusal())?;
    if known.as_ref() == Some(&live_config.policy_digest) {
        return Ok(());
    }
    // Only where everybody was compared with it.
    let was = old.filter(|old| known.as_ref() == Some(&old.policy_digest));
    let turn = issuer.directories.turn().await;
    let done = roles::compared(issuer, &live_config, was.map(|was| &was.policy)).await;
    drop(turn);
    let done = match done {
        Ok(()) => {
            let digest = StoreChange::PolicyDigest(live_config.policy_digest.clone());
            let batch = Batch {
                changes: vec![digest],
                entries: Vec::new(),
            };
            issuer.commit(batch).await.map(drop)
        }
        Err(fault) => Err(fault),
    };
    done.map_err(|fault| {
        tracing::error!(?fault, "roles under the new policy could not be compared");
        fault.refusal()
    })
}
