//! Keys: rotated, withdrawn, out of reach, and asked for by attackers.

use super::super::stand_in::{outbound, settings};
use super::super::{Identities, SubjectTokenKind};
use super::{HERE, NOW_MS, World, at};
use oam_model::issuer::SourceKeys;
use oam_model::refusal::RefusalCode;
use oam_model::secret::Secret;
use oam_policy::claims::fixture::{NOW, okta};
use oam_standin::signer::Signer;
use serde_json::{Value, json};

const HOUR_MS: u64 = 3_600_000;

impl World {
    /// A token made then, asked about then.
    async fn at(&self, now_ms: u64, signer: &Signer) -> Result<(), RefusalCode> {
        let times = json!({ "iat": now_ms / 1000, "exp": now_ms / 1000 + 300, "jti": now_ms });
        let token = Secret::new(signer.sign(None, &self.claims(&times)));
        let outcome = self
            .identities
            .verify(&token, SubjectTokenKind::Id, HERE, at(now_ms))
            .await;
        outcome.map(drop).map_err(|refusal| refusal.code)
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_once_it_is_used() {
    let world = World::start().await;
    assert_eq!(world.at(NOW_MS, &world.signer).await, Ok(()));
    let next = Signer::ec("k2");
    world.provider.answers().keys.push(next.jwk.clone());
    assert_eq!(world.at(NOW_MS + 10_000, &next).await, Ok(()));
    assert_eq!(world.provider.hits("/jwks"), 2);
    assert_eq!(world.provider.hits("/.well-known/openid-configuration"), 1);
}

#[tokio::test]
async fn another_key_under_the_same_name_is_fetched_as_often_as_an_unknown_one() {
    let world = World::start().await;
    assert_eq!(world.at(NOW_MS, &world.signer).await, Ok(()));
    let kid = world.signer.jwk["kid"].as_str().unwrap();
    let next = Signer::ec(kid);
    world.provider.answers().keys = vec![next.jwk.clone()];
    let refused = Err(RefusalCode::BadRequest);
    assert_eq!(world.at(NOW_MS + 1000, &next).await, refused);
    assert_eq!(world.provider.hits("/jwks"), 1);
    assert_eq!(world.at(NOW_MS + 10_000, &next).await, Ok(()));
    assert_eq!(world.at(NOW_MS + 11_000, &world.signer).await, refused);
    assert_eq!(world.provider.hits("/jwks"), 2);
}

#[tokio::test]
async fn unknown_keys_cost_one_fetch_in_ten_seconds() {
    let world = World::start().await;
    assert_eq!(world.at(NOW_MS, &world.signer).await, Ok(()));
    for second in 1..30 {
        for kid in ["a", "b", "c"] {
            let stranger = Signer::ec(kid);
            let outcome = world.at(NOW_MS + second * 1000, &stranger).await;
            assert_eq!(outcome, Err(RefusalCode::BadRequest));
        }
    }
    // At 0, 10 and 20 seconds, 90 tokens notwithstanding.
    assert_eq!(world.provider.hits("/jwks"), 3);
    assert_eq!(world.at(NOW_MS + 30_000, &world.signer).await, Ok(()));
}

#[tokio::test]
async fn many_at_once_cause_one_fetch() {
    let world = World::start().await;
    let all = (0..50).map(|n| {
        let token = Secret::new(world.token(&json!({ "jti": n })));
        let identities = &world.identities;
        async move {
            identities
                .verify(&token, SubjectTokenKind::Id, HERE, at(NOW_MS))
                .await
                .is_ok()
        }
    });
    let mut asked = Vec::new();
    for one in all {
        asked.push(Box::pin(one));
    }
    let outcomes = join(asked).await;
    assert!(outcomes.iter().all(|ok| *ok));
    assert_eq!(world.provider.hits("/jwks"), 1);
}

/// Polls all of them until each is done.
async fn join<F: Future<Output = bool> + Unpin>(mut all: Vec<F>) -> Vec<bool> {
    let mut done = vec![None; all.len()];
    std::future::poll_fn(move |context| {
        for (slot, future) in done.iter_mut().zip(&mut all) {
            if slot.is_none()
                && let std::task::Poll::Ready(outcome) = std::pin::Pin::new(future).poll(context)
            {
                *slot = Some(outcome);
            }
        }
        let ready: Option<Vec<bool>> = done.iter().copied().collect();
        ready.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
    })
    .await
}

#[tokio::test]
async fn keys_outlive_an_outage_of_the_provider_for_a_day() {
    let world = World::start().await;
    assert_eq!(world.at(NOW_MS, &world.signer).await, Ok(()));
    world.provider.answers().down = true;
    assert_eq!(world.at(NOW_MS + 2 * HOUR_MS, &world.signer).await, Ok(()));
    assert_eq!(world.identities.problems().len(), 1);
    assert_eq!(world.at(NOW_MS + 23 * HOUR_MS, &world.signer).await, Ok(()));
    let unavailable = Err(RefusalCode::Unavailable);
    assert_eq!(
        world.at(NOW_MS + 25 * HOUR_MS, &world.signer).await,
        unavailable
    );
    world.provider.answers().down = false;
    // Within the pause the last outcome stands, after it the provider is asked again.
    let later = NOW_MS + 25 * HOUR_MS;
    assert_eq!(world.at(later + 9_000, &world.signer).await, unavailable);
    assert_eq!(world.at(later + 10_000, &world.signer).await, Ok(()));
    assert_eq!(world.identities.problems(), Vec::<String>::new());
}

#[tokio::test]
async fn a_withdrawn_key_is_not_trusted_after_an_hour() {
    let world = World::start().await;
    assert_eq!(world.at(NOW_MS, &world.signer).await, Ok(()));
    world.provider.answers().keys = vec![Signer::ec("k2").jwk];
    assert_eq!(world.at(NOW_MS + HOUR_MS - 1, &world.signer).await, Ok(()));
    let gone = world.at(NOW_MS + HOUR_MS, &world.signer).await;
    assert_eq!(gone, Err(RefusalCode::BadRequest));
}

#[tokio::test]
async fn a_token_without_a_key_id_is_tried_with_the_one_key_that_fits() {
    let world = World::start().await;
    let bare = || world.signer.sign_as(None, None, &world.claims(&json!({})));
    assert!(world.ask(bare(), SubjectTokenKind::Id).await.is_ok());
    let ambiguous = World::start().await;
    ambiguous.provider.answers().keys.push(Signer::ec("k2").jwk);
    let bare = ambiguous
        .signer
        .sign_as(None, None, &ambiguous.claims(&json!({})));
    ambiguous.refused(bare, "does not publish").await;
}

#[tokio::test]
async fn a_key_for_something_else_is_not_used() {
    for (member, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("ES384")),
    ] {
        let world = World::start().await;
        world.provider.answers().keys[0][member] = value;
        world
            .refused(world.token(&json!({})), "does not publish")
            .await;
    }
}

#[tokio::test]
async fn an_odd_key_does_not_hide_the_others() {
    let world = World::start().await;
    let odd = json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "x", "kid": "pq" });
    world.provider.answers().keys.insert(0, odd);
    assert_eq!(world.at(NOW_MS, &world.signer).await, Ok(()));
}

#[tokio::test]
async fn metadata_of_another_issuer_is_not_believed() {
    let world = World::start().await;
    let slash = format!("{}/", world.provider.issuer);
    world.provider.answers().issuer = slash;
    let outcome = world
        .ask(world.token(&json!({})), SubjectTokenKind::Id)
        .await;
    let refusal = outcome.err().unwrap();
    assert_eq!(refusal.code, RefusalCode::Unavailable);
    assert!(refusal.sentence.contains("another issuer"));
}

#[tokio::test]
async fn keys_may_lie_in_a_file_or_at_an_address() {
    let signer = Signer::ec("k1");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let put = |keys: &[&Value]| std::fs::write(&path, json!({ "keys": keys }).to_string()).unwrap();
    put(&[]);
    let mut source = okta();
    source.keys = SourceKeys::File(path.to_string_lossy().into_owned());
    let settings = settings(vec![source], Vec::new());
    let identities = Identities::new(&settings, &outbound(&settings))
        .unwrap_or_else(|r| panic!("{}", r.sentence));
    let claims = json!({ "iss": "https://acme.okta.example", "aud": "oam", "sub": "1",
        "iat": NOW, "exp": NOW + 60 });
    let token = Secret::new(signer.sign(None, &claims));
    let good = async |now_ms| {
        identities
            .verify(&token, SubjectTokenKind::Id, HERE, at(now_ms))
            .await
            .is_ok()
    };
    assert!(!good(NOW_MS).await);
    put(&[&signer.jwk]);
    assert!(good(NOW_MS + 10_000).await, "read again for an unknown key");
    let world = World::with(|mut source| {
        source.keys = SourceKeys::Address(format!("{}/jwks", source.issuer));
        vec![source]
    })
    .await;
    assert_eq!(world.at(NOW_MS, &world.signer).await, Ok(()));
    assert_eq!(world.provider.hits("/.well-known/openid-configuration"), 0);
}
