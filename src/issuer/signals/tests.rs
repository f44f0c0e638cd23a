//! Signals as they are posted, against a transmitter on loopback.

use super::{LoggedOut, SignalError, SignalReceiver};
use crate::identity::Identities;
use crate::identity::stand_in::{outbound, settings};
use oam_model::issuer::{IdentitySource, SecretPlace, SourceKeys, Transmitter};
use oam_model::secret::Secret;
use oam_model::signal::{Signal, SignalMeaning};
use oam_model::time::Moment;
use oam_policy::claims::fixture::{NOW, okta};
use oam_policy::signal::SetError;
use oam_policy::signal::fixture::{CAEP, transmitter};
use oam_standin::provider::StandInProvider;
use oam_standin::signer::Signer;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::Arc;

const NOW_MS: u64 = NOW * 1000;
const NOW_AT: Moment = Moment::new(NOW_MS, NOW_MS);
const SHARED: &str = "Bearer s3cret";

struct World {
    provider: StandInProvider,
    signer: Signer,
    signals: SignalReceiver,
}

impl World {
    async fn with(change: impl Fn(&mut Transmitter)) -> Self {
        Self::with_sources(change, |source| vec![source]).await
    }

    async fn with_sources(
        change: impl Fn(&mut Transmitter),
        sources: impl FnOnce(IdentitySource) -> Vec<IdentitySource>,
    ) -> Self {
        let provider = StandInProvider::start().await;
        let signer = Signer::rsa("k1");
        provider.answers().keys.push(signer.jwk.clone());
        provider.answers().ssf = Some(json!({ "critical_subject_members": ["device"] }));
        let mut source = okta();
        source.issuer.clone_from(&provider.issuer);
        let mut transmitter = transmitter(&provider.issuer);
        change(&mut transmitter);
        let settings = settings(sources(source), vec![transmitter]);
        let outside = outbound(&settings);
        let identities = Identities::new(&settings, &outside).map_err(|r| r.sentence);
        let signals = SignalReceiver::new(&settings, &outside, Arc::new(identities.unwrap()));
        Self {
            provider,
            signer,
            signals: signals.map_err(|r| r.sentence).unwrap(),
        }
    }

    async fn start() -> Self {
        Self::with(|_| ()).await
    }

    fn set(&self, more: &Value) -> Value {
        let mut set = json!({
            "iss": self.provider.issuer, "aud": "https://oam.acme.example", "iat": NOW, "jti": "1",
            "sub_id": { "format": "iss_sub", "iss": self.provider.issuer, "sub": "00u1" },
            "events": { format!("{CAEP}session-revoked"): {} },
        });
        for (name, value) in more.as_object().unwrap() {
            set[name] = value.clone();
        }
        set
    }

    async fn push(&self, token: String, header: Option<&str>) -> Result<Signal, SignalError> {
        let header = header.map(|text| Secret::new(text.to_owned()));
        self.signals
            .security_event(&Secret::new(token), header.as_ref(), NOW_AT)
            .await
    }

    async fn rejected(&self, token: String, err: SetError) {
        match self.push(token, None).await {
            Err(SignalError::Rejected(rejected)) => {
                assert_eq!(rejected.err, err, "{}", rejected.description);
            }
            other => panic!("{other:?}"),
        }
    }

    fn signed(&self, more: &Value) -> String {
        self.signer.sign(Some("secevent+jwt"), &self.set(more))
    }
}

#[tokio::test]
async fn a_signed_event_becomes_a_signal() {
    let world = World::start().await;
    let signal = world.push(world.signed(&json!({})), None).await;
    let signal = signal.unwrap_or_else(|u| panic!("{u:?}"));
    assert_eq!(signal.meaning, SignalMeaning::SessionEnded);
    assert_eq!(signal.subject.subject.as_deref(), Some("00u1"));
    let device = json!({ "sub_id": { "format": "complex",
        "user": { "format": "iss_sub", "iss": world.provider.issuer, "sub": "00u1" },
        "device": { "format": "opaque", "id": "d" } } });
    let signal = world.push(world.signed(&device), None).await;
    assert_eq!(signal.map(|s| s.meaning), Ok(SignalMeaning::NotActedOn));
}

#[tokio::test]
async fn each_fault_has_its_registered_word() {
    let world = World::start().await;
    let unknown = json!({ "iss": "https://unknown.example" });
    world
        .rejected(world.signed(&unknown), SetError::InvalidIssuer)
        .await;
    world
        .rejected(
            world.signed(&json!({ "aud": "other" })),
            SetError::InvalidAudience,
        )
        .await;
    let stranger = Signer::rsa("k1");
    let forged = stranger.sign(Some("secevent+jwt"), &world.set(&json!({})));
    world.rejected(forged, SetError::InvalidKey).await;
    let other = Signer::rsa("k9");
    let unknown_key = other.sign(Some("secevent+jwt"), &world.set(&json!({})));
    world.rejected(unknown_key, SetError::InvalidKey).await;
    for typ in [None, Some("JWT"), Some("logout+jwt")] {
        let posing = world.signer.sign(typ, &world.set(&json!({})));
        world.rejected(posing, SetError::InvalidRequest).await;
    }
    for text in ["", "x", "a.b.c"] {
        world
            .rejected(text.to_owned(), SetError::InvalidRequest)
            .await;
    }
    let long = format!("{}{}", world.signed(&json!({})), "A".repeat(super::LONGEST));
    world.rejected(long, SetError::InvalidRequest).await;
}

#[tokio::test]
async fn the_agreed_header_is_asked_for_before_anything_is_fetched() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(SHARED.as_bytes()).unwrap();
    let path = file.path().to_string_lossy().into_owned();
    let world = World::with(|transmitter| {
        transmitter.authorization = Some(SecretPlace::File(path.clone()));
    })
    .await;
    for header in [None, Some(""), Some("Bearer s3cre"), Some("bearer s3cret")] {
        match world.push(world.signed(&json!({})), header).await {
            Err(SignalError::Rejected(rejected)) => {
                assert_eq!(rejected.err, SetError::AuthenticationFailed);
            }
            other => panic!("{header:?}: {other:?}"),
        }
    }
    assert_eq!(world.provider.hits("/jwks"), 0);
    let taken = world.push(world.signed(&json!({})), Some(SHARED)).await;
    assert!(taken.is_ok());
}

#[tokio::test]
async fn keys_out_of_reach_are_no_verdict() {
    let world = World::start().await;
    world.provider.answers().down = true;
    let outcome = world.push(world.signed(&json!({})), None).await;
    assert!(
        matches!(outcome, Err(SignalError::Unavailable(_))),
        "{outcome:?}"
    );
    assert_eq!(world.signals.problems().len(), 1);
}

fn logout_token(world: &World, more: &Value) -> Value {
    let mut token = json!({
        "iss": world.provider.issuer, "aud": "oam", "iat": NOW, "exp": NOW + 120, "jti": "1",
        "sub": "00u1", "sid": "s1",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    for (name, value) in more.as_object().unwrap() {
        token[name] = value.clone();
    }
    token
}

#[tokio::test]
async fn a_logout_token_is_verified_with_the_keys_of_its_source() {
    let mut world = World::start().await;
    world.signer.algorithm = jsonwebtoken::Algorithm::RS256;
    let token = |more: &Value| logout_token(&world, more);
    let post = async |text: String| world.signals.logout(&Secret::new(text), NOW_AT).await;
    let good = world.signer.sign(Some("logout+jwt"), &token(&json!({})));
    let told = post(good).await;
    assert_eq!(told.error, None);
    assert_eq!(told.verified[0].meaning, SignalMeaning::SessionDoubtful);
    let stranger = Signer::rsa("k1").sign(Some("logout+jwt"), &token(&json!({})));
    assert_eq!(err(post(stranger).await), SetError::InvalidKey);
    let unknown = token(&json!({ "iss": "https://unknown.example" }));
    let unknown = world.signer.sign(Some("logout+jwt"), &unknown);
    assert_eq!(err(post(unknown).await), SetError::InvalidIssuer);
    let foreign = world.signer.sign(None, &token(&json!({ "aud": "other" })));
    assert_eq!(err(post(foreign).await), SetError::InvalidAudience);
    let nonce = world.signer.sign(None, &token(&json!({ "nonce": "n" })));
    assert_eq!(err(post(nonce).await), SetError::InvalidRequest);
}

#[tokio::test]
async fn of_two_sources_of_one_issuer_the_one_that_a_logout_token_is_for_verifies_it() {
    let another = |source: IdentitySource| {
        let mut other = source.clone();
        other.name = "partners".parse().unwrap();
        other.audiences = vec!["partners".to_owned()];
        other.keys = SourceKeys::Address(format!("{}/no-keys", source.issuer));
        vec![other, source]
    };
    let mut world = World::with_sources(|_| (), another).await;
    world.signer.algorithm = jsonwebtoken::Algorithm::RS256;
    let signed = |more: &Value| {
        let token = logout_token(&world, more);
        Secret::new(world.signer.sign(Some("logout+jwt"), &token))
    };
    let told = world.signals.logout(&signed(&json!({})), NOW_AT).await;
    assert_eq!((told.verified.len(), &told.error), (1, &None));
    assert_eq!(told.verified[0].source, okta().name);
    let nobodys = signed(&json!({ "aud": "nobody" }));
    let told = world.signals.logout(&nobodys, NOW_AT).await;
    assert_eq!(err(told), SetError::InvalidAudience);
}

/// Each source has people of its own: the one who left is one of each.
#[tokio::test]
async fn a_logout_token_is_for_every_source_that_it_can_be_verified_for() {
    let more = |source: IdentitySource| {
        let named = |name: &str| IdentitySource {
            name: name.parse().unwrap(),
            ..source.clone()
        };
        let mut strangers = named("strangers");
        strangers.algorithms = vec!["ES256".to_owned()];
        let mut unreachable = named("unreachable");
        unreachable.audiences = vec!["later".to_owned()];
        unreachable.keys = SourceKeys::Address(format!("{}/no-keys", source.issuer));
        let mut second = named("second");
        second.audiences = vec!["oam".to_owned()];
        vec![strangers, unreachable, source, second]
    };
    let mut world = World::with_sources(|_| (), more).await;
    world.signer.algorithm = jsonwebtoken::Algorithm::RS256;
    let post = async |more: &Value| {
        let token = logout_token(&world, more);
        let token = Secret::new(world.signer.sign(Some("logout+jwt"), &token));
        world.signals.logout(&token, NOW_AT).await
    };
    let sources = |told: &LoggedOut| {
        let names = told.verified.iter().map(|signal| signal.source.to_string());
        names.collect::<Vec<_>>()
    };
    let told = post(&json!({})).await;
    assert_eq!(sources(&told), ["okta", "second"]);
    assert_eq!(told.error, None);
    // None is a replay of the other.
    assert_ne!(told.verified[0].id, told.verified[1].id);
    // Where one can't be verified now it is to be sent again, and counts for the others at once.
    let told = post(&json!({ "aud": ["later", "oam"] })).await;
    assert_eq!(sources(&told), ["okta", "second"]);
    assert!(matches!(told.error, Some(SignalError::Unavailable(_))));
}

fn err(told: LoggedOut) -> SetError {
    match (told.verified.is_empty(), told.error) {
        (true, Some(SignalError::Rejected(rejected))) => rejected.err,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_set_is_of_the_transmitter_that_its_audience_names_or_of_none() {
    let provider = StandInProvider::start().await;
    let signer = Signer::rsa("k1");
    provider.answers().keys.push(signer.jwk.clone());
    provider.answers().ssf = Some(json!({}));
    let mut source = okta();
    source.issuer.clone_from(&provider.issuer);
    let mut partners = source.clone();
    partners.name = "partners".parse().unwrap();
    // The first of this issuer has a password; a signal of the second is not judged by it.
    let mut first = transmitter(&provider.issuer);
    first.authorization = Some(SecretPlace::Variable("PATH".to_owned()));
    let mut second = transmitter(&provider.issuer);
    second.source = partners.name.clone();
    second.audiences = vec!["https://partners.example".to_owned()];
    let settings = settings(vec![source, partners], vec![first, second]);
    let outside = outbound(&settings);
    let identities = Identities::new(&settings, &outside).map_err(|r| r.sentence);
    let signals = SignalReceiver::new(&settings, &outside, Arc::new(identities.unwrap()));
    let world = World {
        provider,
        signer,
        signals: signals.map_err(|r| r.sentence).unwrap(),
    };
    let aud = |aud: Value| world.signed(&json!({ "aud": aud }));
    let signal = world
        .push(aud(json!("https://partners.example")), None)
        .await;
    assert_eq!(signal.unwrap().source.as_str(), "partners");
    for nobodys_or_both in [
        json!("other"),
        json!(["https://oam.acme.example", "https://partners.example"]),
    ] {
        let token = aud(nobodys_or_both);
        world.rejected(token, SetError::InvalidAudience).await;
    }
}
