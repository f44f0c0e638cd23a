//! The organization's log: whole, found by its filters, and pruned without a hole.

use super::fixture::*;
use crate::{AuditFilter, Pruned, Store, StoreChange};
use oam_audit::record::{KnownEntry, Verifier};
use oam_audit::retention;
use oam_model::audit::{AuditEvent, AuditRecord};

/// All lines, in pages.
pub async fn lines(store: &dyn Store) -> Vec<String> {
    found(store, AuditFilter::default(), 7)
        .await
        .into_iter()
        .map(|(_, line)| line)
        .collect()
}

async fn found(store: &dyn Store, filter: AuditFilter, limit: usize) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    let mut after = 0;
    loop {
        let page = store.audit(filter.clone(), after, limit).await.unwrap();
        assert!(page.len() <= limit);
        let Some(last) = page.last() else { return all };
        assert!(last.seq > after);
        after = last.seq;
        all.extend(page.into_iter().map(|line| (line.seq, line.line)));
    }
}

/// Verifies the whole chain from its first entry; tells how many entries there are.
pub async fn verified(store: &dyn Store) -> u64 {
    let mut verifier = Verifier::new(None);
    for line in lines(store).await {
        verifier.line(line.as_bytes());
    }
    let summary = verifier.finish();
    assert!(summary.intact(), "{:?}", summary.faults);
    summary.count
}

/// `person=ada from=1000`: times in milliseconds after [`NOW_MS`].
fn filter(text: &str) -> AuditFilter {
    let mut filter = AuditFilter::default();
    for (name, value) in text
        .split_whitespace()
        .filter_map(|part| part.split_once('='))
    {
        let value = Some(value.to_owned());
        let time = || {
            value
                .as_deref()
                .map(|ms| NOW_MS + ms.parse::<u64>().unwrap())
        };
        match name {
            "person" => filter.person = value,
            "role" => filter.role = value,
            "repo" => filter.repository = value,
            "token" => filter.token_sha256 = value,
            "request" => filter.request_id = value,
            "from" => filter.from_ms = time(),
            "to" => filter.to_ms = time(),
            other => panic!("{other}"),
        }
    }
    filter
}

pub async fn every_filter_finds_its_lines(store: &dyn Store) {
    let mut other = token("bob", "b1");
    other.role = role("reader");
    other.repository = Some("acme/other".parse().unwrap());
    let mut late = entry(&other);
    late.at_ms += 10_000;
    commit(
        store,
        changes([
            StoreChange::Seen(seen("ada")),
            StoreChange::Seen(seen("bob")),
        ]),
    )
    .await;
    let mut nameless = entry(&token("ada", "a2"));
    nameless.name = None;
    nameless.at_ms += 5_000;
    commit(
        store,
        entries([
            entry(&token("ada", "a1")),
            noted(AuditEvent::Start, NOW_MS + 1_000),
            nameless,
            late,
        ]),
    )
    .await;
    for (asked, seqs) in [
        ("", &[1, 2, 3, 4][..]),
        ("person=00u-ada", &[1, 3]),
        ("person=okta:00u-ada", &[1, 3]),
        // By name and by mail address also where the entry tells another name.
        ("person=Ada", &[1, 3]),
        ("person=ada@acme.example", &[1, 3]),
        ("person=nobody", &[]),
        ("role=publisher", &[1, 3]),
        ("repo=acme/other", &[4]),
        ("token=a2", &[3]),
        ("request=request-b1", &[4]),
        ("from=1000", &[2, 3, 4]),
        ("to=5000", &[1, 2]),
        ("from=1 to=10000", &[2, 3]),
        ("from=60000", &[]),
        ("person=ada role=reader", &[]),
        ("person=ada token=a2", &[3]),
        (
            "person=bob role=reader repo=acme/other token=b1 request=request-b1 from=0 to=20000",
            &[4],
        ),
    ] {
        for limit in [1, 50] {
            let seen = found(store, filter(asked), limit).await;
            let seen: Vec<u64> = seen.into_iter().map(|(seq, _)| seq).collect();
            assert_eq!(seen, seqs, "{asked:?}");
        }
    }
    verified(store).await;
}

pub async fn a_filter_is_not_led_astray_by_what_a_text_says(store: &dyn Store) {
    let odd = r#"a "quoted" name\"#;
    let mut named = entry(&token("bob", "b1"));
    // Somebody can call themselves by another's key, or write a member into a text.
    named.name = Some("00u-ada".into());
    named.detail = Some(r#""role":"root","person":"00u-ada","token_sha256":"x""#.into());
    let mut keyless = noted(AuditEvent::Refusal, NOW_MS);
    keyless.name = Some(odd.into());
    commit(store, changes([StoreChange::Seen(seen("ada"))])).await;
    commit(store, entries([entry(&token("ada", "a1")), named, keyless])).await;
    for (filter, seqs) in [
        (filter("role=root"), &[][..]),
        (filter("token=x"), &[]),
        (filter("person=okta:00u-ada"), &[1]),
        (filter("person=00u-bob"), &[2]),
        (
            AuditFilter {
                person: Some(odd.into()),
                ..AuditFilter::default()
            },
            &[3],
        ),
    ] {
        let seen = found(store, filter.clone(), 50).await;
        let seen: Vec<u64> = seen.into_iter().map(|(seq, _)| seq).collect();
        assert_eq!(seen, seqs, "{filter:?}");
    }
}

pub async fn a_record_is_read_back_as_it_was_written(store: &dyn Store) {
    let mut odd = entry(&token("ada", "a1"));
    odd.detail = Some("a \"word\"\n\u{0}\u{2028}'; DROP TABLE audit; --".into());
    commit(store, entries([odd.clone()])).await;
    let line = lines(store).await.remove(0);
    assert_eq!(serde_json::from_str::<AuditRecord>(&line).unwrap(), odd);
}

pub async fn a_prune_leaves_a_chain_that_says_where_it_goes_on(store: &dyn Store) {
    for number in 0..6_000u64 {
        // In one batch each thousand: what is tested is the prune.
        if number % 1000 == 0 {
            let batch = (number..number + 1000).map(|n| noted(AuditEvent::Refusal, NOW_MS + n));
            commit(store, entries(batch)).await;
        }
    }
    let kept_hash = {
        let line = lines(store).await.remove(4_999);
        oam_audit::record::link(&line).unwrap().hash
    };
    let dropped = store.prune(NOW_MS + 5_000, NOW_MS + 9_000).await.unwrap();
    assert_eq!((dropped.entries, dropped.records), (5_000, 0));
    let left = found(store, AuditFilter::default(), 400).await;
    assert_eq!(left.len(), 1_001);
    assert_eq!((left[0].0, left[1_000].0), (5_001, 6_001));
    let last: AuditRecord = serde_json::from_str(&left[1_000].1).unwrap();
    assert_eq!(
        (last.event, last.at_ms),
        (AuditEvent::Retention, NOW_MS + 9_000)
    );
    let told = retention::last_dropped(last.fact.as_ref(), None).unwrap();
    assert_eq!(
        told,
        KnownEntry {
            seq: 5_000,
            hash: kept_hash
        }
    );
    // Nothing that old is left: nothing is dropped and nothing said.
    assert_eq!(
        store.prune(NOW_MS + 5_000, NOW_MS + 9_500).await.unwrap(),
        Pruned::default()
    );
    // Everything: the entry that says so remains.
    assert_eq!(
        store
            .prune(NOW_MS + 99_000, NOW_MS + 99_000)
            .await
            .unwrap()
            .entries,
        1_001
    );
    let left = found(store, AuditFilter::default(), 10).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].0, 6_002);
    let committed = commit(store, entries([noted(AuditEvent::Start, NOW_MS)])).await;
    assert_eq!(committed.audit_seq, 6_003);
}
