//! Everything else that is kept: streams, keys, secrets, the policy's digest, the agents' logs.

use super::fixture::*;
use crate::{
    AgentLogRow, KeyRow, RecordQuota, SecretOwner, SecretRow, Store, StoreChange, StoreFault,
};
use oam_audit::record::{ChainEntry, GENESIS, KnownEntry, chain, withheld};
use oam_model::issuer::SigningAlgorithm;
use oam_model::record::{EventKind, Record};

pub async fn a_stream_knows_its_latest_verification(store: &dyn Store) {
    let verified = |at_ms| {
        changes([StoreChange::StreamVerified {
            transmitter: "https://ssf.example".into(),
            at_ms,
        }])
    };
    let asked = || store.stream_verified("https://ssf.example".into());
    assert_eq!(asked().await.unwrap(), None);
    commit(store, verified(7)).await;
    commit(store, verified(5)).await;
    assert_eq!(asked().await.unwrap(), Some(7));
}

pub async fn signing_keys_are_put_replaced_and_dropped(store: &dyn Store) {
    let key = |kid: &str, signs_from_ms| KeyRow {
        kid: kid.to_owned(),
        algorithm: SigningAlgorithm::EdDsa,
        sealed: vec![1, 2, 3],
        public: "{}".into(),
        made_at_ms: 1,
        signs_from_ms,
        gone_at_ms: None,
    };
    commit(
        store,
        changes([
            StoreChange::PutKey(key("b", 9)),
            StoreChange::PutKey(key("a", 3)),
        ]),
    )
    .await;
    assert_eq!(store.keys().await.unwrap(), [key("a", 3), key("b", 9)]);
    let mut gone = key("a", 3);
    (gone.gone_at_ms, gone.algorithm) = (Some(44), SigningAlgorithm::Es256);
    commit(
        store,
        changes([
            StoreChange::PutKey(gone.clone()),
            StoreChange::DropKey("b".into()),
        ]),
    )
    .await;
    assert_eq!(store.keys().await.unwrap(), [gone]);
}

pub async fn secrets_of_an_owner_come_newest_first(store: &dyn Store) {
    let hub = SecretOwner::Hub("hf".parse().unwrap());
    let client = SecretOwner::Client("hf".into());
    let secret = |owner: &SecretOwner, number, until_ms| SecretRow {
        owner: owner.clone(),
        number,
        value: vec![u8::try_from(number).unwrap()],
        hub: matches!(owner, SecretOwner::Client(_)).then(|| "hf".parse().unwrap()),
        made_at_ms: number,
        until_ms,
    };
    commit(
        store,
        changes([
            StoreChange::PutSecret(secret(&hub, 1, None)),
            StoreChange::PutSecret(secret(&client, 1, None)),
            StoreChange::PutSecret(secret(&hub, 2, None)),
            StoreChange::PutSecret(secret(&hub, 1, Some(99))),
        ]),
    )
    .await;
    assert_eq!(
        store.secrets(hub.clone()).await.unwrap(),
        [secret(&hub, 2, None), secret(&hub, 1, Some(99))]
    );
    assert_eq!(
        store.secret_owners().await.unwrap(),
        [hub.clone(), client.clone()]
    );
    let drop = StoreChange::DropSecret {
        owner: client.clone(),
        number: 1,
    };
    commit(store, changes([drop])).await;
    assert!(store.secrets(client).await.unwrap().is_empty());
    assert_eq!(store.secret_owners().await.unwrap(), [hub]);
}

pub async fn the_digest_of_the_policy_is_the_last_one(store: &dyn Store) {
    assert_eq!(store.policy_digest().await.unwrap(), None);
    for digest in ["one", "two"] {
        commit(store, changes([StoreChange::PolicyDigest(digest.into())])).await;
        assert_eq!(
            store.policy_digest().await.unwrap().as_deref(),
            Some(digest)
        );
    }
}

fn log(count: u64) -> Vec<ChainEntry> {
    let mut prev = GENESIS.to_owned();
    (1..=count)
        .map(|seq| {
            let link = chain(seq, &prev, &Record::new(EventKind::Grant, seq)).unwrap();
            prev.clone_from(&link.hash);
            link
        })
        .collect()
}

fn held(lines: &[ChainEntry], head_seq: u64) -> StoreChange {
    let last = lines.last().unwrap();
    StoreChange::AgentLog(
        AgentLogRow {
            key: person("ada"),
            log: "l".repeat(32),
            seq: last.seq,
            hash: last.hash.clone(),
            head_seq,
            at_ms: NOW_MS,
            dropped: KnownEntry::none(),
        },
        lines.iter().map(|link| link.line.clone()).collect(),
    )
}

pub async fn a_days_share_of_records_is_counted_and_begins_anew(store: &dyn Store) {
    let quota = |name: &str, day: u64, records: u64, bytes: u64| {
        changes([StoreChange::RecordQuota(RecordQuota {
            key: person(name),
            day,
            records,
            bytes,
            most_records: 10,
            most_bytes: 1_000,
        })])
    };
    commit(store, quota("ada", 5, 6, 100)).await;
    let full = Err(StoreFault::Exhausted);
    assert_eq!(store.commit(quota("ada", 5, 5, 1)).await, full);
    assert_eq!(store.commit(quota("ada", 5, 1, 901)).await, full);
    commit(store, quota("ada", 5, 4, 900)).await;
    assert_eq!(store.commit(quota("ada", 5, 1, 0)).await, full);
    commit(store, quota("bob", 5, 10, 1_000)).await;
    commit(store, quota("ada", 6, 10, 1_000)).await;
    assert_eq!(store.commit(quota("ada", 6, 1, 0)).await, full);
    // A clock that was set back does not shut anybody out until it has caught up.
    commit(store, quota("ada", 5, 10, 1_000)).await;
}

pub async fn an_agents_log_is_held_line_by_line(store: &dyn Store) {
    let lines = log(5);
    let name = || "l".repeat(32);
    assert_eq!(store.agent_log(person("ada"), name()).await.unwrap(), None);
    commit(store, changes([held(&lines[..2], 4)])).await;
    // Of a line that is another organization's only its place in the chain is held.
    let mut rest = lines[2..5].to_vec();
    rest[1].line = withheld(&rest[1].line).unwrap();
    commit(store, changes([held(&rest, 5)])).await;
    let fourth = store.agent_record(person("ada"), name(), 4).await.unwrap();
    assert_eq!(fourth.as_ref(), Some(&rest[1].line));
    let row = store
        .agent_log(person("ada"), name())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((row.seq, row.head_seq, &row.hash), (5, 5, &lines[4].hash));
    let third = store.agent_record(person("ada"), name(), 3).await.unwrap();
    assert_eq!(third.as_ref(), Some(&lines[2].line));
    assert_eq!(
        store.agent_record(person("ada"), name(), 6).await.unwrap(),
        None
    );
    assert_eq!(
        store.agent_record(person("bob"), name(), 3).await.unwrap(),
        None
    );
    let first = store.agent_records(0, 3).await.unwrap();
    assert_eq!(first.len(), 3);
    let after = first[2].0;
    let rest = store.agent_records(after, 9).await.unwrap();
    assert_eq!(rest.len(), 2);
    assert_eq!(
        (&rest[1].1, &rest[1].2, &rest[1].3),
        (&person("ada"), &name(), &lines[4].line)
    );
    // Two uploads of the same lines were checked at once: the second one checks again.
    let again = changes([held(&lines[2..5], 5), StoreChange::PolicyDigest("x".into())]);
    assert_eq!(refused(store, again).await, StoreFault::Overtaken);
    assert_eq!(store.policy_digest().await.unwrap(), None);
}

pub async fn lines_that_do_not_go_on_are_not_held(store: &dyn Store) {
    let lines = log(4);
    let invalid = |fault| matches!(fault, StoreFault::Invalid(_));
    let twice = [lines[0].clone(), lines[0].clone()];
    assert!(invalid(refused(store, changes([held(&twice, 1)])).await));
    let turned = [lines[1].clone(), lines[0].clone()];
    assert!(invalid(refused(store, changes([held(&turned, 2)])).await));
    let StoreChange::AgentLog(row, _) = held(&lines, 4) else {
        panic!("a log")
    };
    let odd = StoreChange::AgentLog(row.clone(), vec!["odd".into()]);
    assert!(invalid(refused(store, changes([odd])).await));
    let far = StoreChange::AgentLog(
        AgentLogRow {
            head_seq: u64::MAX,
            ..row
        },
        Vec::new(),
    );
    assert!(invalid(refused(store, changes([far])).await));
    let (key, name) = (person("ada"), "l".repeat(32));
    assert_eq!(store.agent_log(key.clone(), name).await.unwrap(), None);
    assert_eq!(store.agent_logs_of(key).await.unwrap(), 0);
}

pub async fn records_that_come_after_all_were_dropped_are_kept(store: &dyn Store) {
    let lines = log(5);
    commit(store, changes([held(&lines[..3], 3)])).await;
    let dropped = store.prune(NOW_MS + 1, NOW_MS + 1).await.unwrap();
    assert_eq!((dropped.entries, dropped.records), (0, 3));
    assert_eq!(store.agent_records(0, 9).await.unwrap(), []);
    commit(store, changes([held(&lines[3..], 5)])).await;
    // Nothing is old enough to go.
    let again = store.prune(NOW_MS, NOW_MS + 2).await.unwrap();
    assert_eq!(again.records, 0);
    let kept = store.agent_records(3, 9).await.unwrap();
    let kept: Vec<_> = kept.into_iter().map(|row| (row.0, row.3)).collect();
    assert_eq!(
        kept,
        [(4, lines[3].line.clone()), (5, lines[4].line.clone())]
    );
    let name = "l".repeat(32);
    let row = store.agent_log(person("ada"), name).await.unwrap().unwrap();
    assert_eq!((row.dropped.seq, &row.dropped.hash), (3, &lines[2].hash));
    let logs = store.agent_logs(0, 9).await.unwrap();
    assert_eq!(logs, [(1, row)]);
    // What was said of it is said once, and the chain is whole.
    assert_eq!(super::audit::verified(store).await, 1);
}
