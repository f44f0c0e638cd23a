//! Directories that answer late, partly, twice, nothing or with a web page: nobody is ended by that, and it is told.

use super::directory::Read;
use super::directory_stand_in::{DIALECTS, Trouble};
use crate::directory::poll::{PollMode, PollOutcome};

async fn state(read: &Read) -> oam_store::PollState {
    let source = "okta".parse().unwrap();
    read.world
        .issuer
        .store
        .directory_poll(source)
        .await
        .unwrap()
}

/// All is read then, and not only what changed.
async fn forget_cursor(read: &Read) {
    let state = oam_store::PollState {
        cursor: None,
        ..state(read).await
    };
    let source = "okta".parse().unwrap();
    let batch = oam_store::Batch {
        changes: vec![oam_store::StoreChange::PollNoted {
            source,
            state,
            from: None,
        }],
        entries: Vec::new(),
    };
    read.world.issuer.commit(batch).await.unwrap();
}

#[tokio::test]
async fn a_reading_that_is_not_whole_ends_nobody() {
    for dialect in DIALECTS {
        let read = Read::start(dialect, "").await;
        for name in ["dan", "eve", "fay", "gus"] {
            read.stand_in.company().hire(name);
        }
        read.asked("gus", "reader").await;
        read.poll().await;
        let as_of = state(&read).await.as_of_ms;
        let first = usize::from(dialect != "keycloak");
        let troubles = [
            (2 * first, Trouble::Status(500)),
            (first, Trouble::Status(403)),
            (first, Trouble::Page),
            (first, Trouble::Again),
            (0, Trouble::Nobody),
        ];
        for (at, trouble) in troubles {
            // Its pages are larger than this company.
            if dialect == "keycloak" && trouble == Trouble::Again {
                continue;
            }
            forget_cursor(&read).await;
            read.stand_in.company().trouble = Some((at, trouble.clone()));
            let outcome = read.poll_as(PollMode::Take).await;
            let held = trouble == Trouble::Nobody;
            match outcome {
                PollOutcome::Held(fall) if held => assert_eq!(fall.people, 7, "{dialect}"),
                PollOutcome::Failed(_) if !held => {}
                other => panic!("{dialect}, {trouble:?}: {other:?}"),
            }
            let state = state(&read).await;
            assert_eq!(state.as_of_ms, as_of, "{dialect}");
            assert!(
                state.fault.is_some() && state.fault_since_ms.is_some(),
                "{dialect}"
            );
            assert_eq!(
                read.asked("gus", "reader").await,
                200,
                "{dialect}, {trouble:?}"
            );
        }
        let alarms = read.world.audit("alarm").await;
        assert!(alarms.len() >= 3, "{dialect}: {alarms:?}");
        read.stand_in.company().trouble = None;
        read.poll().await;
        let state = state(&read).await;
        assert_eq!((state.fault, state.held), (None, None), "{dialect}");
    }
}

#[tokio::test]
async fn a_provider_that_puts_off_is_asked_again_and_a_token_that_ends_is_renewed() {
    for dialect in DIALECTS {
        let read = Read::start(dialect, "").await;
        read.stand_in.company().trouble = Some((0, Trouble::PutOff));
        assert_eq!(read.poll().await.users, 3, "{dialect}");
        if dialect != "okta" {
            read.stand_in.company().short = true;
            assert_eq!(read.poll().await.users, 3, "{dialect}");
        }
    }
}

#[tokio::test]
async fn a_great_fall_is_held_until_it_is_confirmed_and_no_further() {
    let read = Read::start("okta", "hold_percent = 50").await;
    for name in ["dan", "eve", "fay", "gus"] {
        read.stand_in.company().hire(name);
    }
    read.poll().await;
    for name in ["cyd", "dan", "eve", "fay", "gus"] {
        read.stand_in.company().fire(name);
    }
    assert!(matches!(
        read.poll_as(PollMode::Take).await,
        PollOutcome::Held(_)
    ));
    let held = state(&read).await;
    let fall = held.held.unwrap();
    assert_eq!((fall.people, fall.people_of), (5, 7));
    let sure = oam_store::PollState {
        confirmed: Some(fall),
        ..held
    };
    let change = oam_store::StoreChange::PollNoted {
        source: "okta".parse().unwrap(),
        state: sure,
        from: None,
    };
    let batch = oam_store::Batch {
        changes: vec![change],
        entries: Vec::new(),
    };
    read.world.issuer.commit(batch).await.unwrap();
    read.stand_in.company().fire("bob");
    assert!(
        matches!(read.poll_as(PollMode::Take).await, PollOutcome::Held(_)),
        "more than was confirmed"
    );
    read.stand_in.company().hire("bob");
    assert_eq!(read.poll().await.ended.len(), 5);
    assert_eq!(state(&read).await.confirmed, None, "it was for one reading");
}

#[tokio::test]
async fn names_that_two_people_exchange_are_taken_and_what_changed_is_enough_where_it_is_told() {
    let read = Read::start("entra", "").await;
    read.poll().await;
    let (ada, bob) = ("ada@acme.example".to_owned(), "bob@acme.example".to_owned());
    read.stand_in.company().employee("ada").name = bob;
    read.stand_in.company().employee("bob").name = ada;
    read.stand_in.company().asked.clear();
    read.poll().await;
    let asked = read.stand_in.company().asked.join("\n");
    assert!(
        asked.contains("deltatoken") && !asked.contains("%24top=999&users"),
        "{asked}"
    );
    assert!(
        !asked.contains("skiptoken"),
        "only what changed is read: {asked}"
    );
    let row = read.world.person("ada").await.unwrap();
    assert_eq!(row.seen.username.as_deref(), Some("bob@acme.example"));
    // A provider that forgot where it was is read anew.
    read.stand_in.company().trouble = Some((0, Trouble::Status(410)));
    let outcome = read.poll_as(PollMode::Take).await;
    assert!(
        matches!(outcome, PollOutcome::Failed(_)),
        "the list is in trouble too: {outcome:?}"
    );
    read.stand_in.company().trouble = None;
    assert_eq!(read.poll().await.ended.len(), 0);
}

#[tokio::test]
async fn a_directory_that_does_not_answer_in_time_ends_nobody() {
    for dialect in DIALECTS {
        let read = Read::start(dialect, "within = \"1s\"").await;
        read.stand_in.company().hire("gus");
        read.asked("gus", "reader").await;
        read.poll().await;
        let as_of = state(&read).await.as_of_ms;
        forget_cursor(&read).await;
        read.stand_in.company().trouble = Some((0, Trouble::Late));
        let outcome = read.poll_as(PollMode::Take).await;
        let PollOutcome::Failed(why) = outcome else {
            panic!("{dialect}: {outcome:?}");
        };
        assert!(why.contains("longer than `within`"), "{dialect}: {why}");
        let state = state(&read).await;
        assert_eq!(state.as_of_ms, as_of, "{dialect}");
        assert!(state.fault.is_some(), "{dialect}");
        assert_eq!(read.asked("gus", "reader").await, 200, "{dialect}");
    }
}
