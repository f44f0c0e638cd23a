//! What another policy takes from those who hold roles: a role, or a part of what a role allows.

use crate::overtaken::until_kept;
use crate::record;
use crate::signal_processor::{Relaxed, listed, roles_under, shown};
use crate::state::{Issuer, LiveConfig};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::feed::FeedEvent;
use oam_model::name::RoleName;
use oam_model::policy::PolicyRequest;
use oam_model::principal::PrincipalKey;
use oam_policy::policy::{Index, role_covers};
use oam_store::{Batch, PersonRow, StoreChange, StoreFault, TokenRow};
use oam_system::clock;
use std::sync::Arc;
use tokio::sync::Mutex;

/// People in one batch.
const PEOPLE: usize = 200;
/// How often one person is compared whom others change meanwhile.
const ATTEMPTS: usize = 8;
/// People not seen for this long have no live token and no session: 14 days, ms.
const RECENT_MS: u64 = 14 * 24 * 3600 * 1000;

/// Compares the roles of everybody seen lately with those under the policy in force: who lost one is
/// told by the feed at once, and the tokens of lost roles are inactive. A token that the old policy decided
/// meanwhile is not handed out (`grant`).
pub(super) async fn compared(
    issuer: &Arc<Issuer>,
    live_config: &LiveConfig,
    was: Option<&Index>,
) -> Result<(), StoreFault> {
    let since_ms = clock::now_ms().saturating_sub(RECENT_MS);
    let mut relaxed = Relaxed::new(&live_config.policy, was);
    let mut after = None;
    loop {
        let page = issuer
            .store
            .recent_people(since_ms, after.take(), PEOPLE)
            .await?;
        match written(issuer, &mut relaxed, &page).await {
            // Somebody of them was seen or changed meanwhile, and is not to hold up the others.
            Err(StoreFault::Overtaken) => {
                for row in &page {
                    alone(issuer, &mut relaxed, &row.seen.key).await?;
                }
            }
            outcome => outcome?,
        }
        let full = page.len() == PEOPLE;
        match page.into_iter().last() {
            Some(last) if full => after = Some(last.seen.key),
            _ => return Ok(()),
        }
    }
}

/// One person, by their row of now.
async fn alone(
    issuer: &Issuer,
    relaxed: &mut Relaxed<'_>,
    key: &PrincipalKey,
) -> Result<(), StoreFault> {
    // One attempt at a time has it.
    let relaxed = Mutex::new(relaxed);
    until_kept(ATTEMPTS, || async {
        let row = issuer.store.person(key.clone()).await?;
        let mut relaxed = relaxed.lock().await;
        written(issuer, &mut relaxed, row.as_slice()).await
    })
    .await
}

/// Compares these people in one batch.
async fn written(
    issuer: &Issuer,
    relaxed: &mut Relaxed<'_>,
    people: &[PersonRow],
) -> Result<(), StoreFault> {
    let mut batch = Batch::default();
    for row in people {
        let key = row.seen.key.clone();
        let live = issuer
            .store
            .live_tokens(key, clock::now_ms() / 1000)
            .await?;
        compare(issuer, relaxed.of(&row.held), row, live, &mut batch);
    }
    if !batch.changes.is_empty() {
        let committed = issuer.commit(batch).await?;
        record::settle(issuer, committed.revoked);
    }
    Ok(())
}

fn compare(
    issuer: &Issuer,
    relaxed: &Index,
    row: &PersonRow,
    live: Vec<TokenRow>,
    batch: &mut Batch,
) {
    let after = roles_under(relaxed, row);
    let beyond = beyond(relaxed, &after.held, live);
    if !after.changed && beyond.is_empty() {
        return;
    }
    let at_ms = clock::now_ms();
    let key = &row.seen.key;
    let of_them = |event, detail| AuditRecord {
        source: Some(key.source.clone()),
        person: Some(key.key.clone()),
        name: shown(row),
        detail: Some(detail),
        ..issuer.entry(event)
    };
    if after.changed {
        let detail = format!("by the policy; lost: {}", listed(&after.lost));
        batch
            .entries
            .push(of_them(AuditEvent::RolesChanged, detail));
    }
    // An agent drops what it holds of a role that is told as lost, and reads the roles anew.
    let mut told = after.lost.clone();
    for token in beyond {
        let detail = "the policy no longer allows it to its role".to_owned();
        batch.entries.push(AuditRecord {
            role: Some(token.role.clone()),
            hub: Some(token.hub),
            repository: token.repository,
            action: Some(token.action),
            token_sha256: Some(token.sha256.clone()),
            expires_at: Some(token.expires_at),
            ..of_them(AuditEvent::TokenRevoked, detail)
        });
        batch.changes.push(StoreChange::RevokeToken {
            sha256: token.sha256,
            at_ms,
        });
        if !told.contains(&token.role) {
            told.push(token.role);
        }
    }
    batch.changes.push(StoreChange::Held {
        key: key.clone(),
        from: row.compared(),
        held: after.held.clone(),
        lost: after.lost,
        at_ms,
        feed: Some(FeedEvent::RolesChanged {
            at_ms,
            held: after.held,
            lost: told,
        }),
    });
}

/// Live tokens of roles that are still held and no longer allow what the token does.
fn beyond(policy: &Index, held: &[RoleName], mut live: Vec<TokenRow>) -> Vec<TokenRow> {
    live.retain(|token| {
        let wanted = PolicyRequest {
            hub: token.hub.clone(),
            repository: token.repository.clone(),
            action: token.action,
            role: Some(token.role.clone()),
        };
        held.contains(&token.role) && !role_covers(policy, &wanted)
    });
    live
}
