use super::{NOW, NOW_S, World, error, token};
use crate::mint::RevokeOutcome;
use oam_model::audit::AuditEvent;
use oam_model::issuer::Backend;
use oam_store::TokenRow;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

const REVOKE: &str = "/api/credentials/revoke";

/// A hub whose revocation answers with a status that can be changed; its tokens live for an hour.
async fn world(status: u16) -> (World, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(status));
    let (answers, number) = (Arc::clone(&status), AtomicU16::new(0));
    let world = World::new(Backend::HuggingFaceTrustedPublisher, move |seen| {
        if seen.path == REVOKE {
            return (
                answers.load(Ordering::SeqCst),
                json!({"message": "tok-123"}),
            );
        }
        let n = number.fetch_add(1, Ordering::SeqCst) + 1;
        token(&format!("hf_jwt_{n}"), 3600)
    })
    .await;
    (world, status)
}

/// Mints and keeps the row, as the issuer does.
async fn issued(world: &World) -> TokenRow {
    let minted = world.ask().await.ok().unwrap();
    let row = world.row(&minted);
    assert!(!format!("{row:?}").contains("hf_jwt_"), "sealed at rest");
    world.memory.rows().tokens.push(row.clone());
    row
}

fn sealed(world: &World) -> usize {
    let rows = world.memory.rows();
    rows.tokens
        .iter()
        .filter(|row| row.sealed.is_some())
        .count()
}

#[tokio::test]
async fn tokens_of_one_hub_are_ended_by_one_order_and_put_on_record() {
    let (world, _) = world(202).await;
    let rows = [issued(&world).await, issued(&world).await];
    let outcomes = world.mint.settle(&rows, NOW).await.unwrap();
    let expected = rows
        .each_ref()
        .map(|row| (row.sha256.clone(), RevokeOutcome::Revoked));
    assert_eq!(outcomes, expected);
    let seen = world.seen(REVOKE);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].body, r#"{"credentials":["hf_jwt_1","hf_jwt_2"]}"#);
    assert_eq!(sealed(&world), 0);
    let store = world.memory.rows();
    assert_eq!(store.entries.len(), 2);
    assert_eq!(store.entries[0].event, AuditEvent::TokenRevoked);
    assert_eq!(
        store.entries[0].token_sha256.as_deref(),
        Some(rows[0].sha256.as_str())
    );
    assert!(
        store.entries[0]
            .detail
            .as_ref()
            .unwrap()
            .contains("took the order")
    );
}

#[tokio::test]
async fn a_failed_revocation_is_on_record_once_and_is_tried_until_it_works() {
    let (world, status) = world(503).await;
    let mut row = issued(&world).await;
    row.revoked_at_ms = Some(NOW);
    world.memory.rows().tokens[0].revoked_at_ms = Some(NOW);
    let outcomes = world.mint.settle(&[row], NOW).await.unwrap();
    assert!(matches!(&outcomes[0].1, RevokeOutcome::Failed(why) if why.contains("503")));
    // At first it is left to whoever revoked it.
    let soon = world
        .mint
        .due_revocations(NOW + 29_999, NOW + 29_999)
        .await
        .unwrap();
    assert!(soon.is_empty());
    // Each failure leaves the hub alone for longer: at once, after 5 s, after 10 more.
    let mut tried = Vec::new();
    for later in (30_000..60_000).step_by(1000) {
        let again = world
            .mint
            .due_revocations(NOW + later, NOW + later)
            .await
            .unwrap();
        if let Some((_, outcome)) = again.first() {
            assert!(matches!(outcome, RevokeOutcome::Failed(_)));
            tried.push(later);
        }
    }
    assert_eq!(tried, [30_000, 35_000, 45_000]);
    assert_eq!(world.seen(REVOKE).len(), 1 + tried.len());
    assert_eq!((world.memory.details().len(), sealed(&world)), (1, 1));
    status.store(202, Ordering::SeqCst);
    let done = world
        .mint
        .due_revocations(NOW + 65_000, NOW + 65_000)
        .await
        .unwrap();
    assert_eq!(done[0].1, RevokeOutcome::Revoked);
    assert_eq!((world.memory.details().len(), sealed(&world)), (2, 0));
    assert!(
        world
            .mint
            .due_revocations(NOW + 66_000, NOW + 66_000)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_token_that_the_hub_made_longer_lived_is_ended_with_the_roles_lifetime() {
    let (world, _) = world(202).await;
    let row = issued(&world).await;
    assert_eq!(row.expires_at, NOW_S + 900);
    assert!(
        world
            .mint
            .due_revocations(NOW + 899_999, NOW + 899_999)
            .await
            .unwrap()
            .is_empty()
    );
    let ended = world
        .mint
        .due_revocations(NOW + 900_000, NOW + 900_000)
        .await
        .unwrap();
    assert_eq!(ended, [(row.sha256, RevokeOutcome::Revoked)]);
    assert_eq!(world.memory.details().len(), 1);
}

#[tokio::test]
async fn a_token_that_died_in_its_time_is_forgotten_without_a_word() {
    let (world, _) = world(202).await;
    let row = issued(&world).await;
    // The wall clock is ahead, and not believed yet.
    let early = world.mint.due_revocations(NOW + 3_600_000, NOW).await;
    assert_eq!((early.unwrap().len(), sealed(&world)), (0, 1));
    let ended = world
        .mint
        .due_revocations(NOW + 3_600_000, NOW + 3_600_000)
        .await
        .unwrap();
    assert_eq!(ended, [(row.sha256, RevokeOutcome::Expired)]);
    assert!(world.seen(REVOKE).is_empty());
    assert_eq!((world.memory.details().len(), sealed(&world)), (0, 0));
}

#[tokio::test]
async fn a_hub_is_told_of_a_revocation_whatever_the_wall_clock_says() {
    let (world, _) = world(202).await;
    let mut row = issued(&world).await;
    let leapt = NOW + 30 * 86_400_000;
    row.revoked_at_ms = Some(leapt);
    let outcomes = world.mint.settle(&[row], leapt).await.unwrap();
    assert_eq!(outcomes[0].1, RevokeOutcome::Revoked);
    assert_eq!((world.seen(REVOKE).len(), sealed(&world)), (1, 0));
}

#[tokio::test]
async fn a_hub_that_says_it_has_no_way_is_asked_again_while_the_token_is_good() {
    let (world, status) = world(405).await;
    let mut row = issued(&world).await;
    row.revoked_at_ms = Some(NOW);
    world.memory.rows().tokens[0].revoked_at_ms = Some(NOW);
    let outcomes = world.mint.settle(&[row], NOW).await.unwrap();
    assert!(matches!(&outcomes[0].1, RevokeOutcome::Failed(why) if why.contains("405")));
    assert_eq!(sealed(&world), 1);
    assert!(!world.memory.details()[0].contains("tok-123"));
    status.store(202, Ordering::SeqCst);
    let again = world
        .mint
        .due_revocations(NOW + 30_000, NOW + 30_000)
        .await
        .unwrap();
    assert_eq!((&again[0].1, sealed(&world)), (&RevokeOutcome::Revoked, 0));
}

#[tokio::test]
async fn own_tokens_and_tokens_that_are_not_kept_cannot_be_ended_at_a_hub() {
    let own = World::new(Backend::Jwt { audience: None }, |_| error(500, "not_asked")).await;
    let minted = own.ask().await.ok().unwrap();
    let outcomes = own.mint.revoke_at_hub(&[own.row(&minted)], NOW).await;
    assert!(
        matches!(&outcomes[0].1, RevokeOutcome::NotPossible(why) if why.contains("own tokens"))
    );
    let (world, _) = world(202).await;
    let row = issued(&world).await;
    let unkept = TokenRow {
        sealed: None,
        ..row.clone()
    };
    // Moved from another row: it is not the token of this one.
    let moved = TokenRow {
        sha256: "00".repeat(32),
        ..row.clone()
    };
    let elsewhere = TokenRow {
        hub: "gone".parse().unwrap(),
        ..row
    };
    let outcomes = world.mint.revoke_at_hub(&[unkept], NOW).await;
    assert!(matches!(outcomes[0].1, RevokeOutcome::NotPossible(_)));
    // What this master key does not open another one may: it is tried until the token is over for certain.
    let rows = std::slice::from_ref(&moved);
    let outcomes = world.mint.revoke_at_hub(rows, NOW).await;
    assert!(matches!(&outcomes[0].1, RevokeOutcome::NotAsked(why) if why.contains("master key")));
    let a_day_later = NOW + 2 * 24 * 3_600_000;
    let outcomes = world.mint.revoke_at_hub(rows, a_day_later).await;
    assert!(matches!(outcomes[0].1, RevokeOutcome::NotPossible(_)));
    // A hub that is not configured now may be put back: it is tried again until the token is over there.
    let outcomes = world
        .mint
        .revoke_at_hub(std::slice::from_ref(&elsewhere), NOW)
        .await;
    assert!(
        matches!(&outcomes[0].1, RevokeOutcome::NotAsked(why) if why.contains("not configured"))
    );
    assert!(!outcomes[0].1.is_final());
    let until = world.mint.honoured_until(&elsewhere);
    let over = world.mint.revoke_at_hub(&[elsewhere], until * 1000).await;
    assert_eq!(over[0].1, RevokeOutcome::Expired);
    assert!(world.seen(REVOKE).is_empty());
}

#[tokio::test]
async fn a_token_that_is_not_handed_out_is_ended_also_while_nothing_can_be_put_on_record() {
    let (world, _) = world(202).await;
    let minted = world.ask().await.ok().unwrap();
    world.memory.rows().broken = true;
    world.mint.discard(&world.order(), minted).await;
    assert_eq!(
        world.seen(REVOKE)[0].body,
        r#"{"credentials":["hf_jwt_1"]}"#
    );
}

#[tokio::test]
async fn outcomes_that_cannot_be_written_are_found_again_by_the_sweep() {
    let (world, _) = world(202).await;
    let row = issued(&world).await;
    world.memory.rows().broken = true;
    assert!(world.mint.settle(&[row], NOW).await.is_err());
    assert_eq!(sealed(&world), 1);
}
