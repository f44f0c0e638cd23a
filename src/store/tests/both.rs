//! Any changes, on both stores at once: they keep and answer the same, and an account is what its events come to
//! by their times.

mod deciding;
mod directory;
mod steps;

use super::fixture::*;
use crate::memory::MemoryStore;
use crate::sqlite::SqliteStore;
use crate::{Batch, Compared, Cursor, PersonRow, Store, StoreChange, StoreFault};
use oam_model::principal::PrincipalKey;
use oam_policy::account::Account;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use steps::{
    Step, any_step, arrivals, at_ms, change, event, is_ended_by_time, of_source, said_name,
};

/// Both stores. They are kept for all cases of a test, each with people of its own: to open a database takes
/// longer than a case.
struct Both {
    _folder: tempfile::TempDir,
    sqlite: SqliteStore,
    memory: MemoryStore,
    runtime: tokio::runtime::Runtime,
    cases: Cell<usize>,
}

impl Both {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issuer.db");
        Self {
            sqlite: SqliteStore::open(&path, &"acme".parse().unwrap()).unwrap(),
            memory: MemoryStore::default(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap(),
            cases: Cell::new(0),
            _folder: folder,
        }
    }

    /// A name that no other case has.
    fn new_name(&self) -> String {
        self.cases.set(self.cases.get() + 1);
        format!("p{}", self.cases.get())
    }

    /// Commits to both, which come to the same.
    fn commit(&self, batch: Batch) -> bool {
        self.try_commit(batch).is_ok()
    }

    fn try_commit(&self, batch: Batch) -> Result<(), StoreFault> {
        let committed = self.runtime.block_on(self.sqlite.commit(batch.clone()));
        let sorted = committed.map(|mut committed| {
            committed.revoked.sort_by(|a, b| a.sha256.cmp(&b.sha256));
            committed
        });
        let memory = self.runtime.block_on(self.memory.commit(batch));
        let memory = memory.map(|mut committed| {
            committed.revoked.sort_by(|a, b| a.sha256.cmp(&b.sha256));
            committed
        });
        assert_eq!(sorted, memory);
        sorted.map(drop)
    }

    /// What both answer to a question.
    fn ask<T: PartialEq + std::fmt::Debug>(&self, question: &impl AsyncFn(&dyn Store) -> T) -> T {
        let answer = self.runtime.block_on(question(&self.sqlite));
        assert_eq!(answer, self.runtime.block_on(question(&self.memory)));
        answer
    }

    fn row(&self, key: &PrincipalKey) -> Option<PersonRow> {
        self.ask(&async |store| store.person(key.clone()).await.unwrap())
    }

    fn account(&self, key: &PrincipalKey) -> Account {
        self.row(key).map(|row| row.account).unwrap_or_default()
    }

    fn compared(&self, key: &PrincipalKey) -> Compared {
        Compared::of(self.row(key).as_ref())
    }

    fn run<S: Strategy>(&self, cases: u32, strategy: S, test: impl Fn(&Self, S::Value)) {
        let config = Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        };
        let outcome = TestRunner::new(config).run(&strategy, |value| {
            test(self, value);
            Ok(())
        });
        outcome.unwrap_or_else(|fault| panic!("{fault}"));
    }
}

/// Of two sources with the same stable key, so that none is taken for the other.
#[test]
fn an_account_is_the_one_by_its_events_times_in_both_stores() {
    Both::new().run(24, (arrivals(), arrivals()), |both, (okta, entra)| {
        let name = both.new_name();
        let people = [of_source("okta", &name), of_source("entra", &name)];
        let longest = okta.2.len().max(entra.2.len());
        for number in 0..longest {
            for (who, (_, _, arrived)) in people.iter().zip([&okta, &entra]) {
                let Some(step) = arrived.get(number) else {
                    continue;
                };
                let known = both.account(&who.key);
                let done = both.commit(changes([change(
                    who,
                    step,
                    number,
                    both.compared(&who.key),
                )]));
                let after = event(step).map(|event| known.clone().after(&event));
                let expected = after.filter(|_| done).unwrap_or(known);
                assert_eq!(both.account(&who.key), expected, "{step:?}");
            }
        }
        for (who, (told, ordered, _)) in people.iter().zip([&okta, &entra]) {
            let account = both.account(&who.key);
            // In the order of their times.
            let mut by_time: Vec<_> = told.iter().filter_map(event).collect();
            by_time.extend(ordered.iter().filter_map(event));
            let whole = by_time.iter().fold(Account::default(), Account::after);
            assert_eq!(account.provider, whole.provider);
            assert_eq!(account.ended_by_provider(), whole.ended_by_provider());
            assert_eq!(
                account.ended_by_provider().is_some(),
                is_ended_by_time(told)
            );
            assert_eq!(account.doubt, whole.doubt);
            assert_eq!(
                account.administrator.is_some(),
                whole.administrator.is_some()
            );
            let stands = matches!(ordered.last(), Some(Step::Ended(..)));
            assert_eq!(account.administrator.is_some(), stands);
        }
    });
}

#[test]
fn any_changes_come_to_the_same_in_both_stores() {
    let steps = prop::collection::vec((any::<bool>(), any_step()), 1..14);
    Both::new().run(32, steps, |both, steps| {
        let name = both.new_name();
        let people = [of_source("okta", &name), of_source("entra", &name)];
        for (number, (first, step)) in steps.iter().enumerate() {
            let who = &people[usize::from(!first)];
            let wanted = changes([change(who, step, number, both.compared(&who.key))]);
            if !both.commit(wanted) && matches!(step, Step::Seen { .. }) {
                // Something was said of them before they came.
                both.commit(changes([StoreChange::TakeOver(who.clone())]));
            }
        }
        for who in &people {
            let key = &who.key;
            let row = both.row(key);
            // A token that lives was never ended, whatever came between.
            let live = both.ask(&async |store| store.live_tokens(key.clone(), NOW).await.unwrap());
            assert!(live.iter().all(|token| token.revoked_at_ms.is_none()));
            both.ask(&async |store| store.is_spoken_of(who.clone()).await.unwrap());
            for sid in ["s1", "s2", &format!("sid-{name}")] {
                let since = both.ask(&async |store| {
                    let since = store.session_since(key.clone(), sid.to_owned()).await;
                    since.unwrap()
                });
                assert!(since.is_none() || row.is_some());
            }
            for number in 0..4 {
                both.ask(&async |store| {
                    let named = said_name(who, number);
                    store.people(key.source.clone(), named).await.unwrap()
                });
            }
            for text in [&name, &key.key, &who.subject, &format!("okta:{}", key.key)] {
                both.ask(&async |store| store.find_people(text.clone()).await.unwrap());
            }
            let events = both.ask(&async |store| {
                let start = Cursor {
                    seq: 0,
                    ..store.feed(key.clone(), None).await.unwrap().head
                };
                let page = store.feed(key.clone(), Some(start)).await.unwrap();
                (page.reset, page.events, page.head.seq)
            });
            assert!(!events.0);
        }
        both.ask(&async |store| store.recent_people(at_ms(4), None, 1_000).await.unwrap());
    });
}
