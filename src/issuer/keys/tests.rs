use super::{SigningKeys, TokenKind, rotate};
use crate::seal::MasterKey;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use oam_model::audit::AuditEvent;
use oam_model::issuer::{Signing, SigningAlgorithm};
use oam_model::name::OrgName;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::secret::Secret;
use oam_policy::keys::LONGEST_TOKEN_MS;
use oam_store::Store;
use oam_store::memory::MemoryStore;
use serde_json::{Value, json};
use std::sync::Arc;

const HOUR: u64 = 3_600_000;
const NOW: u64 = 1_800_000_000_000;
const SIGNING: Signing = Signing {
    algorithm: SigningAlgorithm::Es256,
    announce_ms: HOUR,
};

fn org() -> OrgName {
    "acme".parse().unwrap()
}

fn master(byte: u8) -> Arc<MasterKey> {
    Arc::new(MasterKey::parse(&Secret::new(format!("{byte:02x}").repeat(32))).unwrap())
}

async fn open(store: &Arc<MemoryStore>, byte: u8, now_ms: u64) -> Result<SigningKeys, Refusal> {
    let store = Arc::clone(store) as Arc<dyn Store>;
    SigningKeys::open(store, master(byte), SIGNING, org(), now_ms).await
}

/// Whether the published set verifies what is signed at this moment.
fn verified(keys: &SigningKeys, now_ms: u64) -> bool {
    let set: JwkSet = serde_json::from_str(&keys.jwks(now_ms).json).unwrap();
    let token = keys
        .sign(
            &json!({"exp": 4_102_444_800_u64}),
            TokenKind::AccessToken,
            now_ms,
        )
        .ok()
        .unwrap();
    let kid = decode_header(token.expose()).unwrap().kid.unwrap();
    let key = DecodingKey::from_jwk(set.find(&kid).unwrap()).unwrap();
    decode::<Value>(token.expose(), &key, &Validation::new(Algorithm::ES256)).is_ok()
}

#[tokio::test]
async fn the_first_start_makes_a_key_with_its_entry_and_the_next_one_uses_it() {
    let store = Arc::new(MemoryStore::default());
    let first = open(&store, 1, NOW).await.ok().unwrap();
    assert!(verified(&first, NOW));
    let set = first.jwks(NOW);
    let again = open(&store, 1, NOW + 5).await.ok().unwrap();
    assert_eq!(again.jwks(NOW + 5), set);
    assert_eq!(set.max_age_s, 1800);
    let rows = store.rows();
    assert_eq!(rows.keys.len(), 1);
    assert_eq!(rows.entries.len(), 1);
    assert_eq!(rows.entries[0].event, AuditEvent::KeyRotation);
    let detail = rows.entries[0].detail.clone().unwrap();
    assert!(detail.contains("signs at once") && detail.contains(&rows.keys[0].kid));
}

#[tokio::test]
async fn another_master_key_is_said_in_words_at_start_and_changes_nothing() {
    let store = Arc::new(MemoryStore::default());
    open(&store, 1, NOW).await.ok().unwrap();
    let refusal = open(&store, 2, NOW).await.err().unwrap();
    assert_eq!(refusal.code, RefusalCode::Unavailable);
    assert!(
        refusal.sentence.contains("the master key does not open"),
        "{refusal:?}"
    );
    let refused = rotate(&*store, &master(2), SIGNING, &org(), NOW, true).await;
    assert!(refused.is_err());
    assert_eq!(store.rows().keys.len(), 1);
}

#[tokio::test]
async fn no_key_is_made_without_its_entry() {
    let store = Arc::new(MemoryStore::default());
    store.rows().broken = true;
    let refusal = open(&store, 1, NOW).await.err().unwrap();
    assert!(refusal.sentence.contains("the disk is full"));
    assert!(store.rows().keys.is_empty());
}

#[tokio::test]
async fn a_rotation_is_published_at_once_and_signs_after_its_announcement() {
    let store = Arc::new(MemoryStore::default());
    let keys = open(&store, 1, NOW).await.ok().unwrap();
    let before = keys.jwks(NOW);
    assert_eq!(keys.reload().await, Ok(false));
    let rotated = rotate(&*store, &master(1), SIGNING, &org(), NOW + 10, false)
        .await
        .unwrap();
    assert_eq!(rotated.made.signs_from_ms, NOW + 10 + HOUR);
    assert_eq!(keys.reload().await, Ok(true));
    let after = keys.jwks(NOW + 10);
    assert_ne!(after.etag, before.etag);
    let set: JwkSet = serde_json::from_str(&after.json).unwrap();
    assert_eq!(set.keys.len(), 2);
    let kid_at = |now| {
        let token = keys.sign(&json!({}), TokenKind::IdToken, now).ok().unwrap();
        decode_header(token.expose()).unwrap().kid.unwrap()
    };
    assert_ne!(kid_at(NOW + 10), rotated.made.kid);
    assert_eq!(kid_at(NOW + 10 + HOUR), rotated.made.kid);
    assert!(verified(&keys, NOW + 10) && verified(&keys, NOW + 10 + HOUR));
    let twice = rotate(&*store, &master(1), SIGNING, &org(), NOW + 20, false)
        .await
        .err();
    assert!(twice.unwrap().next.contains("--now"));
}

#[tokio::test]
async fn a_key_whose_last_token_has_expired_goes_with_an_entry() {
    let store = Arc::new(MemoryStore::default());
    let keys = open(&store, 1, NOW).await.ok().unwrap();
    let rotated = rotate(&*store, &master(1), SIGNING, &org(), NOW, true)
        .await
        .unwrap();
    keys.reload().await.unwrap();
    let gone = rotated.follows.unwrap().gone_at_ms.unwrap();
    assert!(gone >= NOW + LONGEST_TOKEN_MS);
    assert_eq!(keys.tidy(gone - 1).await, Ok(0));
    assert_eq!(keys.tidy(gone).await, Ok(1));
    assert_eq!(store.rows().keys.len(), 1);
    assert!(store.details().last().unwrap().contains("went"));
    assert!(verified(&keys, gone));
}

#[tokio::test]
async fn algorithms_may_change_from_key_to_key() {
    let store = Arc::new(MemoryStore::default());
    let keys = open(&store, 1, NOW).await.ok().unwrap();
    let other = Signing {
        algorithm: SigningAlgorithm::EdDsa,
        ..SIGNING
    };
    rotate(&*store, &master(1), other, &org(), NOW + 1, true)
        .await
        .unwrap();
    keys.reload().await.unwrap();
    assert_eq!(keys.algorithms(NOW + 1), ["ES256", "EdDSA"]);
    let token = keys
        .sign(&json!({}), TokenKind::IdToken, NOW + 1)
        .ok()
        .unwrap();
    assert_eq!(decode_header(token.expose()).unwrap().alg, Algorithm::EdDSA);
}
