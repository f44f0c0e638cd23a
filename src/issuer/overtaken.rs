//! A change is decided from what is kept, and written only where that is still kept. Somebody else can be quicker:
//! then it is decided anew from what they left, some times.

use oam_store::StoreFault;

/// A failure that tells whether somebody else was quicker. Nothing was written then.
pub trait CanBeOvertaken {
    /// Whether it does.
    fn is_overtaken(&self) -> bool;
}

impl CanBeOvertaken for StoreFault {
    fn is_overtaken(&self) -> bool {
        matches!(self, Self::Overtaken)
    }
}

/// Decides and writes until nobody was quicker, at most `attempts` times and at least once. Each attempt has to read
/// anew what it decides from.
///
/// # Errors
/// Those of the last attempt: that it was overtaken, or another failure, which is not tried again.
pub async fn until_kept<T, E, F>(attempts: usize, mut attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: CanBeOvertaken,
    F: Future<Output = Result<T, E>>,
{
    for _ in 1..attempts {
        match attempt().await {
            Err(fault) if fault.is_overtaken() => {}
            outcome => return outcome,
        }
    }
    attempt().await
}

#[cfg(test)]
mod tests {
    use super::until_kept;
    use oam_model::principal::PrincipalKey;
    use oam_policy::claims::fixture::okta;
    use oam_store::memory::MemoryStore;
    use oam_store::{
        Batch, Compared, People, PersonRow, PersonSeen, Store, StoreChange, StoreFault,
    };

    struct World {
        store: MemoryStore,
        key: PrincipalKey,
    }

    impl World {
        /// Ada was seen.
        async fn start() -> Self {
            let key = PrincipalKey {
                source: "okta".parse().unwrap(),
                key: "00u-ada".to_owned(),
            };
            let world = Self {
                store: MemoryStore::default(),
                key,
            };
            let seen = StoreChange::Seen(PersonSeen {
                key: world.key.clone(),
                issuer: okta().issuer,
                subject: "ada".to_owned(),
                username: None,
                email: None,
                groups: None,
                session: None,
                proven_at: 1,
                at_ms: 1000,
            });
            world.write(seen).await.unwrap();
            world
        }

        async fn write(&self, change: StoreChange) -> Result<(), StoreFault> {
            let changes = vec![change];
            let entries = Vec::new();
            self.store.commit(Batch { changes, entries }).await?;
            Ok(())
        }

        async fn row(&self) -> PersonRow {
            let row = self.store.person(self.key.clone()).await.unwrap();
            row.unwrap()
        }

        /// One more role than this row has.
        async fn add(&self, row: &PersonRow, role: &str) -> Result<(), StoreFault> {
            let mut held = row.held.clone();
            held.push(role.parse().unwrap());
            let change = StoreChange::Held {
                key: self.key.clone(),
                from: Compared::of(Some(row)),
                held,
                lost: Vec::new(),
                at_ms: 2000,
                feed: None,
            };
            self.write(change).await
        }

        /// Adds `mine`, while others are quicker `often` times; after how many attempts, and what came of it.
        async fn beside_others(
            &self,
            often: usize,
            attempts: usize,
        ) -> (usize, Result<(), StoreFault>) {
            let mut tried = 0;
            let outcome = until_kept(attempts, || {
                tried += 1;
                let turn = tried;
                async move {
                    let row = self.row().await;
                    if turn <= often {
                        let theirs = format!("theirs-{turn}");
                        self.add(&row, &theirs).await.unwrap();
                    }
                    self.add(&row, "mine").await
                }
            });
            let outcome = outcome.await;
            (tried, outcome)
        }

        async fn held(&self) -> Vec<String> {
            let held = self.row().await.held;
            held.iter().map(ToString::to_string).collect()
        }
    }

    #[tokio::test]
    async fn what_others_overtake_is_decided_anew_and_neither_change_is_lost() {
        let world = World::start().await;
        assert_eq!(world.beside_others(0, 4).await, (1, Ok(())));
        let world = World::start().await;
        assert_eq!(world.beside_others(3, 4).await, (4, Ok(())));
        assert_eq!(
            world.held().await,
            ["theirs-1", "theirs-2", "theirs-3", "mine"]
        );
    }

    #[tokio::test]
    async fn when_all_attempts_are_overtaken_that_is_told_and_the_others_changes_stand() {
        let world = World::start().await;
        let outcome = world.beside_others(4, 4).await;
        assert_eq!(outcome, (4, Err(StoreFault::Overtaken)));
        let theirs = ["theirs-1", "theirs-2", "theirs-3", "theirs-4"];
        assert_eq!(world.held().await, theirs);
        // The next one who asks is served.
        assert_eq!(world.beside_others(0, 1).await, (1, Ok(())));
        assert_eq!(world.held().await.last().unwrap(), "mine");
    }

    #[tokio::test]
    async fn another_failure_is_told_at_once() {
        let mut tried = 0;
        let outcome: Result<(), StoreFault> = until_kept(4, || {
            tried += 1;
            std::future::ready(Err(StoreFault::Taken))
        })
        .await;
        assert_eq!((tried, outcome), (1, Err(StoreFault::Taken)));
    }
}
