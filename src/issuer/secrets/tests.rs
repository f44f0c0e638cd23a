use super::{NewSecret, drop_all, fresh_client_secret, hash_of, of_hub, put, verify_client};
use crate::seal::{MasterKey, Purpose};
use oam_model::name::{HubName, OrgName};
use oam_model::secret::Secret;
use oam_store::SecretOwner;
use oam_store::memory::MemoryStore;

const NOW: u64 = 1_800_000_000_000;

fn org() -> OrgName {
    "acme".parse().unwrap()
}

fn hub() -> HubName {
    "models".parse().unwrap()
}

fn master(byte: u8) -> MasterKey {
    MasterKey::parse(&Secret::new(format!("{byte:02x}").repeat(32))).unwrap()
}

async fn set(store: &MemoryStore, text: &str, overlap_ms: u64, now_ms: u64) -> u64 {
    let value = master(1).seal(Purpose::ClientSecret, "models", text.as_bytes());
    let new = NewSecret {
        owner: SecretOwner::Hub(hub()),
        value: value.unwrap(),
        hub: None,
        overlap_ms,
        good_for_ms: None,
    };
    put(store, &org(), new, now_ms).await.unwrap()
}

async fn texts(store: &MemoryStore, now_ms: u64) -> Vec<String> {
    let known = of_hub(store, &master(1), &hub(), now_ms)
        .await
        .ok()
        .unwrap();
    known
        .iter()
        .map(|(_, secret)| secret.expose().to_owned())
        .collect()
}

#[tokio::test]
async fn the_newest_secret_comes_first_and_an_older_one_ends_with_its_overlap() {
    let store = MemoryStore::default();
    assert_eq!(set(&store, "one", 0, NOW).await, 1);
    assert_eq!(set(&store, "two", 1000, NOW).await, 2);
    assert_eq!(texts(&store, NOW + 999).await, ["two", "one"]);
    assert_eq!(texts(&store, NOW + 1000).await, ["two"]);
    // A second overlap does not lengthen the first one's.
    assert_eq!(set(&store, "three", 5000, NOW + 500).await, 3);
    assert_eq!(texts(&store, NOW + 999).await, ["three", "two", "one"]);
    assert_eq!(texts(&store, NOW + 1000).await, ["three", "two"]);
    // Without overlap nothing older is left.
    set(&store, "four", 0, NOW + 600).await;
    assert_eq!(texts(&store, NOW + 600).await, ["four"]);
    assert_eq!(store.rows().secrets.len(), 1);
    assert_eq!(store.rows().entries.len(), 4);
    assert!(!format!("{:?}", store.rows().entries).contains("four"));
}

#[tokio::test]
async fn another_master_key_and_another_hub_do_not_open_a_secret() {
    let store = MemoryStore::default();
    set(&store, "one", 0, NOW).await;
    let refusal = of_hub(&store, &master(2), &hub(), NOW).await.err().unwrap();
    assert!(refusal.sentence.contains("hub models") && refusal.next.contains("master_key"));
    assert!(super::check(&store, &master(2)).await.is_err());
    assert!(super::check(&store, &master(1)).await.is_ok());
    for row in &mut store.rows().secrets {
        row.owner = SecretOwner::Hub("other".parse().unwrap());
    }
    assert!(super::check(&store, &master(1)).await.is_err());
}

#[tokio::test]
async fn a_client_is_known_by_its_secret_and_only_while_it_is_good() {
    let store = MemoryStore::default();
    let (old, new) = (
        fresh_client_secret().ok().unwrap(),
        fresh_client_secret().ok().unwrap(),
    );
    for (secret, overlap_ms) in [(&old, 0), (&new, 1000)] {
        let client = NewSecret {
            owner: SecretOwner::Client("hub-1".into()),
            value: hash_of(secret).unwrap(),
            hub: Some(hub()),
            overlap_ms,
            good_for_ms: None,
        };
        put(&store, &org(), client, NOW).await.unwrap();
    }
    let ask =
        async |name: &str, secret: &Secret, now| verify_client(&store, name, secret, now).await;
    assert_eq!(ask("hub-1", &new, NOW).await, Ok(Some(hub())));
    assert_eq!(ask("hub-1", &old, NOW).await, Ok(Some(hub())));
    assert_eq!(ask("hub-1", &old, NOW + 1000).await, Ok(None));
    assert_eq!(ask("hub-2", &new, NOW).await, Ok(None));
    assert_eq!(
        ask("hub-1", &Secret::new(String::new()), NOW).await,
        Ok(None)
    );
    assert_eq!(
        ask("hub-1", &fresh_client_secret().ok().unwrap(), NOW).await,
        Ok(None)
    );
    for row in &store.rows().secrets {
        assert!(!String::from_utf8_lossy(&row.value).contains(new.expose()));
    }
    assert_eq!(
        drop_all(&store, &org(), SecretOwner::Client("hub-1".into()), NOW).await,
        Ok(2)
    );
    assert_eq!(ask("hub-1", &new, NOW).await, Ok(None));
    assert_eq!(
        drop_all(&store, &org(), SecretOwner::Client("hub-1".into()), NOW).await,
        Ok(0)
    );
}

#[test]
fn the_same_secret_never_has_the_same_hash() {
    let secret = Secret::new("s".into());
    assert_ne!(hash_of(&secret).unwrap(), hash_of(&secret).unwrap());
}

#[tokio::test]
async fn a_damaged_row_lets_nobody_in() {
    let store = MemoryStore::default();
    let secret = Secret::new("s".into());
    for value in [Vec::new(), vec![0; 16], vec![0; 48]] {
        let client = NewSecret {
            owner: SecretOwner::Client("c".into()),
            value,
            hub: Some(hub()),
            overlap_ms: 1000,
            good_for_ms: None,
        };
        put(&store, &org(), client, NOW).await.unwrap();
    }
    assert_eq!(verify_client(&store, "c", &secret, NOW).await, Ok(None));
}
