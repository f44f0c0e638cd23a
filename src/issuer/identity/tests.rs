//! Every bad token of the list, against a provider on loopback.

mod access;
mod keys;

use super::stand_in::{outbound, settings};
use super::{Identities, LONGEST_TOKEN, SubjectTokenKind};
use base64_of::encode;
use oam_model::issuer::IdentitySource;
use oam_model::principal::{Principal, PrincipalKind};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::secret::Secret;
use oam_model::time::Moment;
use oam_policy::claims::fixture::{NOW, name, okta};
use oam_standin::provider::StandInProvider;
use oam_standin::signer::Signer;
use serde_json::{Value, json};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

const NOW_MS: u64 = NOW * 1000;

/// A moment at which both clocks say the same.
fn at(ms: u64) -> Moment {
    Moment::new(ms, ms)
}
/// The address that shows the tokens.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A provider with one key, and the sources that trust it.
struct World {
    provider: StandInProvider,
    signer: Signer,
    identities: Identities,
}

impl World {
    async fn with(change: impl Fn(IdentitySource) -> Vec<IdentitySource>) -> Self {
        let provider = StandInProvider::start().await;
        let signer = Signer::ec("k1");
        provider.answers().keys.push(signer.jwk.clone());
        let mut source = okta();
        source.issuer.clone_from(&provider.issuer);
        let settings = settings(change(source), Vec::new());
        let identities = Identities::new(&settings, &outbound(&settings))
            .unwrap_or_else(|r| panic!("{}", r.sentence));
        Self {
            provider,
            signer,
            identities,
        }
    }

    async fn start() -> Self {
        Self::with(|source| vec![source]).await
    }

    fn claims(&self, more: &Value) -> Value {
        let mut claims = json!({
            "iss": self.provider.issuer, "aud": "oam", "sub": "00u1",
            "iat": NOW - 30, "exp": NOW + 600, "groups": ["ml"],
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    fn token(&self, more: &Value) -> String {
        self.signer.sign(Some("JWT"), &self.claims(more))
    }

    async fn ask(&self, token: String, kind: SubjectTokenKind) -> Result<Principal, Refusal> {
        self.identities
            .verify(&Secret::new(token), kind, HERE, at(NOW_MS))
            .await
    }

    async fn refused(&self, token: String, words: &str) {
        match self.ask(token, SubjectTokenKind::Id).await {
            Ok(principal) => panic!("taken: {principal:?}"),
            Err(refusal) => {
                assert_eq!(refusal.code, RefusalCode::BadRequest);
                assert!(refusal.sentence.contains(words), "{}", refusal.sentence);
            }
        }
    }
}

/// RFC 4648 §5 without padding, for tokens that no library would make.
mod base64_of {
    use std::fmt::Write;

    pub(super) fn encode(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bits = bytes.iter().fold(String::new(), |mut bits, byte| {
            let _ = write!(bits, "{byte:08b}");
            bits
        });
        bits.as_bytes()
            .chunks(6)
            .map(|six| {
                let text = std::str::from_utf8(six).unwrap();
                let at = usize::from_str_radix(&format!("{text:0<6}"), 2).unwrap();
                char::from(LETTERS[at])
            })
            .collect()
    }
}

fn unsigned(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| encode(value.to_string().as_bytes());
    format!("{}.{}.{}", part(header), part(claims), encode(signature))
}

#[tokio::test]
async fn a_token_of_the_source_is_taken() {
    let world = World::start().await;
    for kind in [SubjectTokenKind::Id, SubjectTokenKind::Jwt] {
        let principal = world
            .ask(world.token(&json!({})), kind)
            .await
            .unwrap_or_else(|r| panic!("{}", r.sentence));
        assert_eq!(principal.key.to_string(), "okta:00u1");
        assert_eq!(principal.issuer, world.provider.issuer);
    }
    let bearer = Secret::new(world.token(&json!({ "sub": "00u2" })));
    let principal = world.identities.bearer(&bearer, HERE, at(NOW_MS)).await;
    assert_eq!(principal.map(|c| c.subject), Ok("00u2".to_owned()));
}

#[tokio::test]
async fn a_forged_signature_is_refused() {
    let world = World::start().await;
    let stranger = Signer::ec("k1");
    let forged = stranger.sign(Some("JWT"), &world.claims(&json!({})));
    world.refused(forged, "signature").await;
    let good = world.token(&json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let other = encode(
        world
            .claims(&json!({ "sub": "root" }))
            .to_string()
            .as_bytes(),
    );
    world
        .refused(format!("{header}.{other}.{signature}"), "signature")
        .await;
    world.refused(format!("{signed}.AAAA"), "signature").await;
}

#[tokio::test]
async fn no_algorithm_is_no_signature() {
    let world = World::start().await;
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({ "alg": alg, "typ": "JWT", "kid": "k1" });
        let claims = world.claims(&json!({}));
        world
            .refused(unsigned(&header, &claims, b"x"), "algorithm")
            .await;
        let bare = unsigned(&header, &claims, b"");
        world.refused(bare, "not a signed JWT").await;
    }
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let world = World::start().await;
    let rsa = Signer::rsa("k2");
    world.provider.answers().keys.push(rsa.jwk.clone());
    let claims = world.claims(&json!({}));
    for jwk in [&world.signer.jwk, &rsa.jwk] {
        for secret in [
            jwk.to_string(),
            jwk["x"].as_str().unwrap_or("").to_owned(),
            jwk["n"].as_str().unwrap_or("").to_owned(),
        ] {
            let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
            header.kid = Some(jwk["kid"].as_str().unwrap().to_owned());
            let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
            let forged = jsonwebtoken::encode(&header, &claims, &key).unwrap();
            world.refused(forged, "shared secret").await;
        }
    }
}

#[tokio::test]
async fn an_algorithm_must_be_allowed_and_fit_its_key() {
    let world = World::start().await;
    let rsa = Signer::rsa("k2");
    world.provider.answers().keys.push(rsa.jwk.clone());
    let claims = world.claims(&json!({}));
    assert!(
        world
            .ask(rsa.sign(None, &claims), SubjectTokenKind::Id)
            .await
            .is_ok()
    );
    // The name of the elliptic key on a token signed with RSA, and the other way round.
    let swapped = rsa.sign_as(None, Some("k1"), &claims);
    world.refused(swapped, "does not publish").await;
    let swapped = world.signer.sign_as(None, Some("k2"), &claims);
    world.refused(swapped, "does not publish").await;
    let only_rsa = World::with(|mut source| {
        source.algorithms = vec!["RS256".to_owned(), "HS256".to_owned()];
        vec![source]
    })
    .await;
    only_rsa
        .refused(only_rsa.token(&json!({})), "algorithm")
        .await;
}

#[tokio::test]
async fn expired_foreign_and_mistyped_tokens_are_refused_by_name() {
    let world = World::start().await;
    for (more, words) in [
        (json!({ "exp": NOW - 61 }), "`exp`"),
        (json!({ "aud": "other" }), "`aud`"),
        (json!({ "aud": ["oam", "other"] }), "`aud`"),
        (json!({ "iat": NOW + 120 }), "`iat`"),
        (json!({ "events": {} }), "`typ`"),
        (
            json!({ "iss": "https://unknown.example" }),
            "no identity source",
        ),
        (json!({ "iss": 7 }), "no identity source"),
    ] {
        world.refused(world.token(&more), words).await;
    }
    for typ in ["at+jwt", "secevent+jwt", "logout+jwt"] {
        let token = world.signer.sign(Some(typ), &world.claims(&json!({})));
        world.refused(token, "`typ`").await;
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused_before_anything_is_fetched() {
    let world = World::start().await;
    let mut long = world.token(&json!({}));
    let _ = write!(long, "{}", "A".repeat(LONGEST_TOKEN));
    world.refused(long, "16 KiB").await;
    for text in ["", "opaque", "a.b", "a.b.c", "..", "a.b.c.d", "é.é.é"] {
        world.refused(text.to_owned(), "this token").await;
    }
    let critical = json!({ "alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false });
    let token = unsigned(&critical, &world.claims(&json!({})), b"x");
    world.refused(token, "extension").await;
    assert_eq!(world.provider.hits("/jwks"), 0);
}

#[tokio::test]
async fn a_token_of_another_sources_key_is_refused() {
    let other = World::start().await;
    let world = World::with(|source| {
        let mut second = source.clone();
        second.name = name("other");
        second.issuer.clone_from(&other.provider.issuer);
        vec![source, second]
    })
    .await;
    let posing = other.signer.sign(Some("JWT"), &world.claims(&json!({})));
    world.refused(posing, "signature").await;
    let own = other.signer.sign(Some("JWT"), &other.claims(&json!({})));
    let principal = world.ask(own, SubjectTokenKind::Id).await;
    assert_eq!(
        principal.map(|c| c.key.to_string()),
        Ok("other:00u1".to_owned())
    );
}

#[tokio::test]
async fn people_and_jobs_of_one_issuer_are_told_apart_by_audience() {
    let world = World::with(|source| {
        let mut jobs = source.clone();
        jobs.name = name("jobs");
        jobs.kind = PrincipalKind::Job;
        jobs.audiences = vec!["https://oam".to_owned()];
        vec![source, jobs]
    })
    .await;
    for (audience, key) in [("oam", "okta:00u1"), ("https://oam", "jobs:00u1")] {
        let token = world.token(&json!({ "aud": audience }));
        let principal = world.ask(token, SubjectTokenKind::Jwt).await;
        assert_eq!(principal.map(|c| c.key.to_string()), Ok(key.to_owned()));
    }
    world
        .refused(world.token(&json!({ "aud": "neither" })), "`aud`")
        .await;
}

#[tokio::test]
async fn a_verified_token_is_remembered_for_its_minute_and_not_beyond_its_end() {
    let world = World::start().await;
    let token = Secret::new(world.token(&json!({ "exp": NOW + 100 })));
    let good = async |now_ms: u64| {
        world
            .identities
            .verify(&token, SubjectTokenKind::Id, HERE, at(now_ms))
            .await
            .is_ok()
    };
    let minute = NOW_MS - NOW_MS % 60_000;
    assert!(good(minute + 60_000).await);
    // The provider withdrew the key; what was verified counts to the end of the minute.
    world.provider.answers().keys.clear();
    assert!(good(minute + 119_999).await);
    assert!(!good(NOW_MS + 161_000).await, "expired");
}
