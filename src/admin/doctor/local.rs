//! What lies on this machine: secrets, database, marker, anchors, policy, room on the disk.

use super::{Finding, State, directory};
use oam_audit::history::Verdict;
use oam_issuer::anchors;
use oam_issuer::files::IssuerFiles;
use oam_issuer::keys::{SigningKeys, sha256};
use oam_issuer::place;
use oam_issuer::process;
use oam_issuer::seal::MasterKey;
use oam_issuer::secrets;
use oam_model::issuer::{AccessTokenCheck, IssuerSettings, SecretPlace};
use oam_model::refusal::Refusal;
use oam_store::Secrets;
use oam_store::sqlite::{DatabaseFiles, SqliteStore};
use oam_store::{AuditTrail, Policies};
use oam_system::clock;
use std::path::Path;
use std::sync::Arc;

/// Room on the database's disk below which somebody has to look, and below which nothing is granted soon, bytes.
const LITTLE: u64 = 1 << 30;
const NONE_LEFT: u64 = 64 << 20;

pub(super) async fn look(files: &IssuerFiles, findings: &mut Vec<Finding>) {
    let settings = &files.settings;
    let master = MasterKey::read(&settings.master_key);
    findings.push(match &master {
        Ok(_) => Finding::ok("master key", "it can be read"),
        Err(refusal) => Finding::of("master key", refusal),
    });
    for (part, place) in secret_places(settings) {
        findings.push(match place::secret(place, &part) {
            Ok(_) => Finding::ok(part, "it can be read"),
            Err(refusal) => Finding::of(part, &refusal),
        });
    }
    findings.extend(room(Path::new(&settings.database)));
    match SqliteStore::open_existing(settings, &files.policy.org.name) {
        Ok(store) => database(files, Arc::new(store), master.ok(), findings).await,
        Err(refusal) => findings.push(Finding::of("database", &refusal)),
    }
}

/// The other secrets that the settings name.
fn secret_places(settings: &IssuerSettings) -> Vec<(String, &SecretPlace)> {
    let metrics = settings.metrics_token.iter();
    let mut places: Vec<_> = metrics
        .map(|place| ("metrics_token".to_owned(), place))
        .collect();
    for source in &settings.sources {
        if let Some(AccessTokenCheck::Introspection { client_secret, .. }) = &source.access_tokens {
            places.push((
                format!("client_secret of source {}", source.name),
                client_secret,
            ));
        }
        if let Some(github) = &source.github {
            let part = |key: &str| format!("{key} of source {}", source.name);
            places.push((part("private_key"), &github.private_key));
            let hook = github.webhook_secret.iter();
            places.extend(hook.map(|place| (part("webhook_secret"), place)));
        }
    }
    for one in &settings.transmitters {
        let part = || format!("authorization of transmitter {}", one.issuer);
        places.extend(one.authorization.iter().map(|place| (part(), place)));
    }
    places
}

async fn database(
    files: &IssuerFiles,
    store: Arc<SqliteStore>,
    master: Option<MasterKey>,
    findings: &mut Vec<Finding>,
) {
    let settings = &files.settings;
    match store.misfit() {
        Some(refusal) => findings.push(Finding::of("database", refusal)),
        None => findings.push(history(settings, &*store).await),
    }
    if let Some(master) = master {
        findings.push(match sealed(files, Arc::clone(&store), master).await {
            Ok(found) => found,
            Err(refusal) => Finding::of("keys", &refusal),
        });
    }
    findings.push(policy(files, &*store).await);
    findings.extend(anchored(settings, &*store).await);
    directory::look(settings, &*store, clock::now_ms(), findings).await;
}

async fn history(settings: &IssuerSettings, store: &dyn AuditTrail) -> Finding {
    let marker = DatabaseFiles::from(settings).marker;
    match store.history().await {
        Ok(history) => {
            let end = history.position();
            Finding::ok(
                "database",
                format!(
                    "up to entry {} of generation {}, as its marker {} knows",
                    end.seq,
                    end.generation,
                    marker.display()
                ),
            )
        }
        Err(fault) => Finding::of("database", &fault.refusal()),
    }
}

/// What is sealed opens with the master key.
async fn sealed(
    files: &IssuerFiles,
    store: Arc<SqliteStore>,
    master: MasterKey,
) -> Result<Finding, Refusal> {
    secrets::check(&*store, &master).await?;
    let rows = store.keys().await.map_err(|fault| fault.refusal())?;
    if rows.is_empty() {
        // The first start makes one; to look at it must not.
        return Ok(Finding::ok(
            "keys",
            "there is none yet: the first start makes one",
        ));
    }
    let count = rows.len();
    let signing = files.settings.signing;
    let org = files.policy.org.name.clone();
    SigningKeys::open(store, Arc::new(master), signing, org, clock::now_ms()).await?;
    Ok(Finding::ok(
        "keys",
        format!("the master key opens all {count}"),
    ))
}

/// The policy on disk, and the one that was in force last.
async fn policy(files: &IssuerFiles, store: &dyn Policies) -> Finding {
    let own = sha256(files.policy_text.as_bytes());
    match store.policy_digest().await {
        Ok(Some(digest)) if digest != own => Finding::bad(
            "policy",
            State::Warning,
            "the policy on disk is another than the one in force",
            "a running server takes it within seconds, unless /readyz warns of `configuration`; else start the server",
        ),
        Ok(Some(_)) => Finding::ok("policy", "the policy on disk is in force"),
        Ok(None) => Finding::ok("policy", "none was in force yet: the first start takes it"),
        Err(fault) => Finding::of("policy", &fault.refusal()),
    }
}

/// The last anchor of the file: that there is one, and that the database holds it.
async fn anchored(settings: &IssuerSettings, store: &dyn AuditTrail) -> Option<Finding> {
    let file = settings.anchors.as_ref()?.file.as_ref()?;
    let last = anchors::read(Path::new(file))
        .ok()
        .and_then(|mut all| all.pop());
    let Some(last) = last else {
        return Some(Finding::bad(
            "anchors",
            State::Warning,
            format!("{file} holds no anchor"),
            "start the server; /readyz warns of `anchors` where it can't write the file",
        ));
    };
    let history = store.history().await.ok()?;
    let there = store.audit_hash(last.position.seq).await.ok()?;
    let verdict = oam_audit::history::judge(&history, &last.position, there.as_deref());
    Some(match verdict {
        Verdict::Held | Verdict::GivenUp => Finding::ok(
            "anchors",
            format!(
                "the last one is of {}, entry {}",
                last.at, last.position.seq
            ),
        ),
        Verdict::Older | Verdict::Another => Finding::bad(
            "anchors",
            State::Fault,
            format!(
                "{file} knows entry {}:{}, which the database does not hold",
                last.position.seq, last.position.hash
            ),
            "put the last database back, or run `oam-issuer restore --accept` and revoke again who was revoked since",
        ),
    })
}

fn room(database: &Path) -> Option<Finding> {
    let folder = database.parent().unwrap_or_else(|| Path::new("/"));
    process::free_room(folder).map(judge_room)
}

pub(super) fn judge_room(free: u64) -> Finding {
    let words = format!("{} MiB are free on the database's disk", free >> 20);
    let next = "make room: `oam-issuer audit prune` drops what is older than `audit_days`, after an export";
    if free < NONE_LEFT {
        return Finding::bad("disk", State::Fault, words, next);
    }
    if free < LITTLE {
        return Finding::bad("disk", State::Warning, words, next);
    }
    Finding::ok("disk", words)
}
