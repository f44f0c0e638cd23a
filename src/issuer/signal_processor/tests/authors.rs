//! Ends and restorations of two authors, as they come.

use super::super::{Order, order};
use super::{NOW_MS, World, by_sub, key, org, signal};
use oam_model::signal::{Signal, SignalMeaning};
use oam_store::StoreFault;

fn told(id: &str, meaning: SignalMeaning, at_ms: u64) -> Signal {
    let mut told = signal(meaning, by_sub("ada"));
    (told.id, told.at_ms) = (id.to_owned(), at_ms);
    told
}

async fn ordered(world: &World, what: Order) -> Result<(), StoreFault> {
    let row = world.row("ada").await;
    let done = order(&world.store, &org(), &key("ada"), Some(&row), &what, NOW_MS).await;
    done.map(drop)
}

#[tokio::test]
async fn an_administrators_end_is_not_lifted_by_the_provider() {
    let world = World::start().await;
    ordered(&world, Order::EndAccount { reason: None })
        .await
        .unwrap();
    let enabled = told("e", SignalMeaning::AccountRestored, NOW_MS + 1_000);
    world.apply(&enabled).await;
    assert!(world.row("ada").await.account.administrator.is_some());
    ordered(&world, Order::Restore { provider: false })
        .await
        .unwrap();
    assert_eq!(world.row("ada").await.account.ended(), None);
}

#[tokio::test]
async fn a_provider_end_is_lifted_by_an_administrator_only_when_that_is_said() {
    let world = World::start().await;
    world
        .apply(&told("d", SignalMeaning::AccountEnded, NOW_MS))
        .await;
    let before = world.entries().await;
    let refused = ordered(&world, Order::Restore { provider: false }).await;
    assert_eq!(refused, Err(StoreFault::Unchanged));
    assert_eq!(world.entries().await, before, "nothing is written");
    ordered(&world, Order::Restore { provider: true })
        .await
        .unwrap();
    assert_eq!(world.row("ada").await.account.ended(), None);
}

#[tokio::test]
async fn an_end_and_a_restoration_posted_at_once_come_to_the_later_one() {
    for round in 0..10 {
        let world = World::start().await;
        let disabled = told("d", SignalMeaning::AccountEnded, NOW_MS + 2);
        let enabled = told("e", SignalMeaning::AccountRestored, NOW_MS + 1);
        if round % 2 == 0 {
            tokio::join!(world.apply(&enabled), world.apply(&disabled));
        } else {
            tokio::join!(world.apply(&disabled), world.apply(&enabled));
        }
        assert!(world.row("ada").await.account.ended().is_some(), "{round}");
    }
}
