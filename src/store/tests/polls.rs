//! What readings of a directory come to, as it is noted.

use super::fixture::*;
use crate::{HeldFall, PollState, Store, StoreChange, StoreFault};
use oam_model::name::SourceName;

fn okta() -> SourceName {
    "okta".parse().unwrap()
}

fn noted(state: &PollState, from: Option<&PollState>) -> StoreChange {
    StoreChange::PollNoted {
        source: okta(),
        state: state.clone(),
        from: from.cloned().map(Box::new),
    }
}

async fn kept(store: &dyn Store) -> PollState {
    store.directory_poll(okta()).await.unwrap()
}

pub async fn a_confirmation_is_not_lost_to_a_reading_that_goes_on_beside_it(store: &dyn Store) {
    let fall = HeldFall {
        people: 2,
        people_of: 3,
        ..HeldFall::default()
    };
    let held = PollState {
        tried_at_ms: Some(1),
        held: Some(fall),
        ..PollState::default()
    };
    let nothing = kept(store).await;
    commit(store, changes([noted(&held, Some(&nothing))])).await;
    let before = kept(store).await;
    // A command confirms it, while the server still judges by what it read before.
    let sure = PollState {
        confirmed: Some(fall),
        ..before.clone()
    };
    commit(store, changes([noted(&sure, Some(&before))])).await;
    let again = PollState {
        tried_at_ms: Some(2),
        ..before.clone()
    };
    let late = changes([noted(&again, Some(&before))]);
    assert_eq!(refused(store, late).await, StoreFault::Overtaken);
    assert_eq!(kept(store).await.confirmed, Some(fall));
    // A whole reading is noted whatever was noted before, and uses the confirmation up. How old it is stays a
    // matter of its own.
    let whole = StoreChange::PollTaken {
        source: okta(),
        as_of_ms: NOW_MS,
        groups: false,
    };
    commit(store, changes([whole, noted(&PollState::default(), None)])).await;
    let taken = kept(store).await;
    assert_eq!((taken.as_of_ms, taken.confirmed), (Some(NOW_MS), None));
    let next = PollState {
        tried_at_ms: Some(3),
        as_of_ms: None,
        ..taken.clone()
    };
    commit(store, changes([noted(&next, Some(&taken))])).await;
    assert_eq!(kept(store).await.as_of_ms, Some(NOW_MS));
}
