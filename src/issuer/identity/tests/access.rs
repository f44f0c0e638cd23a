//! Access tokens, about which the provider is asked.

use super::super::SubjectTokenKind;
use super::{HERE, NOW_MS, World, at};
use oam_model::issuer::{AccessTokenCheck, IdentitySource, SecretPlace};
use oam_model::organization::SubjectKind;
use oam_model::principal::{Groups, PrincipalKind};
use oam_model::refusal::RefusalCode;
use oam_model::secret::Secret;
use oam_policy::claims::fixture::{NOW, name};
use oam_system::clock;
use serde_json::{Value, json};
use std::io::Write;
use std::pin::Pin;
use std::task::Poll;

/// A client secret in a file that only we can read.
fn secret_file() -> (tempfile::NamedTempFile, SecretPlace) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"s3cret").unwrap();
    let place = SecretPlace::File(file.path().to_string_lossy().into_owned());
    (file, place)
}

async fn introspecting(change: impl Fn(&mut IdentitySource)) -> World {
    let (_file, place) = secret_file();
    World::with(|mut source| {
        source.access_tokens = Some(AccessTokenCheck::Introspection {
            endpoint: None,
            client_id: "issuer".to_owned(),
            client_secret: place.clone(),
        });
        change(&mut source);
        vec![source]
    })
    .await
}

fn active(more: &Value) -> Value {
    let mut answer = json!({ "active": true, "sub": "00u1", "client_id": "oam",
        "exp": NOW + 900, "token_type": "Bearer", "groups": ["ml"] });
    for (name, value) in more.as_object().unwrap() {
        answer[name] = value.clone();
    }
    answer
}

async fn shown(world: &World, token: &str, now_ms: u64) -> Result<u64, RefusalCode> {
    let token = Secret::new(token.to_owned());
    let outcome = world
        .identities
        .verify(&token, SubjectTokenKind::Access, HERE, at(now_ms))
        .await;
    outcome.map(|c| c.proven_at).map_err(|r| r.code)
}

#[tokio::test]
async fn a_provider_is_asked_once_for_a_few_seconds() {
    let world = introspecting(|_| ()).await;
    world.provider.answers().introspection.1 = active(&json!({}));
    for millis in [0, 1, 4_999] {
        assert_eq!(shown(&world, "opaque", NOW_MS + millis).await, Ok(NOW));
    }
    assert_eq!(world.provider.hits("/introspect"), 1);
    assert_eq!(shown(&world, "opaque", NOW_MS + 5_000).await, Ok(NOW + 5));
    assert_eq!(shown(&world, "another", NOW_MS + 5_000).await, Ok(NOW + 5));
    assert_eq!(world.provider.hits("/introspect"), 3);
    let form = &world.provider.forms()[0];
    assert!(form.contains("token=opaque") && form.contains("token_type_hint=access_token"));
    // The person was switched off: within seconds that counts.
    world.provider.answers().introspection.1 = json!({ "active": false });
    let refused = Err(RefusalCode::BadRequest);
    assert_eq!(shown(&world, "opaque", NOW_MS + 10_000).await, refused);
}

#[tokio::test]
async fn a_provider_that_can_not_be_asked_is_no_verdict() {
    let world = introspecting(|_| ()).await;
    let unavailable = Err(RefusalCode::Unavailable);
    for (second, answer) in [(500, json!({})), (401, json!({})), (200, json!("yes"))]
        .into_iter()
        .enumerate()
    {
        world.provider.answers().introspection = answer;
        let now_ms = NOW_MS + second as u64 * 10_000;
        assert_eq!(shown(&world, "opaque", now_ms).await, unavailable);
    }
    world.provider.answers().introspection = (200, active(&json!({ "client_id": "other" })));
    let later = NOW_MS + 60_000;
    let refused = Err(RefusalCode::BadRequest);
    assert_eq!(shown(&world, "opaque", later).await, refused);
}

#[tokio::test]
async fn groups_come_from_userinfo_where_the_source_says_so() {
    let world = introspecting(|source| source.groups_from_userinfo = true).await;
    {
        let mut answers = world.provider.answers();
        answers.introspection.1 = active(&json!({ "groups": ["old"] }));
        answers.userinfo = (200, json!({ "sub": "00u1", "groups": ["new"] }));
    }
    let principal = world
        .ask("opaque".to_owned(), SubjectTokenKind::Access)
        .await;
    let groups = principal.map(|principal| principal.groups);
    assert_eq!(groups, Ok(Groups::Known(vec!["new".to_owned()])));
    // A thin ID token of the same source is no "no groups".
    let mut thin = world.claims(&json!({}));
    thin.as_object_mut().unwrap().remove("groups");
    let token = world.signer.sign(None, &thin);
    let principal = world.ask(token, SubjectTokenKind::Id).await;
    assert!(matches!(
        principal.map(|c| c.groups),
        Ok(Groups::Unknown { .. })
    ));
}

async fn by_userinfo(any_client: bool) -> World {
    World::with(|mut source| {
        source.access_tokens = Some(AccessTokenCheck::UserInfo {
            endpoint: None,
            any_client,
        });
        vec![source]
    })
    .await
}

#[tokio::test]
async fn userinfo_alone_says_who_and_the_token_says_for_whom() {
    let world = by_userinfo(false).await;
    let refused = Err(RefusalCode::BadRequest);
    assert_eq!(shown(&world, "opaque", NOW_MS).await, refused);
    world.provider.answers().userinfo = (200, json!({ "sub": "00u1" }));
    // It is good at the provider, and any of its clients could have got it: the provider is not asked.
    let asked = world.provider.hits("/userinfo");
    assert_eq!(shown(&world, "of any client", NOW_MS).await, refused);
    assert_eq!(world.provider.hits("/userinfo"), asked);
    let ours = world.signer.sign(Some("at+jwt"), &world.claims(&json!({})));
    assert_eq!(shown(&world, &ours, NOW_MS).await, Ok(NOW));
    let mut nobodys = world.claims(&json!({}));
    nobodys.as_object_mut().unwrap().remove("aud");
    let nobodys = world.signer.sign(Some("at+jwt"), &nobodys);
    assert_eq!(shown(&world, &nobodys, NOW_MS).await, refused);
    // What is meant as a JWT and can't be read is not taken for an opaque one.
    let world = by_userinfo(true).await;
    world.provider.answers().userinfo = (200, json!({ "sub": "00u1" }));
    assert_eq!(shown(&world, "of any client", NOW_MS).await, Ok(NOW));
    for unread in [
        // No algorithm, a shared secret, a header that begins with a line feed, an empty signature.
        "eyJhbGciOiJub25lIn0.e30.x",
        "eyJhbGciOiJIUzI1NiJ9.e30.x",
        "CnsiYWxnIjoibm9uZSJ9.e30.x",
        "ewoiYWxnIjoibm9uZSJ9.e30.x",
        "eyJhbGciOiJub25lIn0.e30.",
    ] {
        assert_eq!(shown(&world, unread, NOW_MS).await, refused, "{unread}");
    }
    assert_eq!(shown(&world, "with.two.dots", NOW_MS).await, Ok(NOW));
    let foreign = world.signer.sign(
        Some("at+jwt"),
        &world.claims(&json!({ "aud": "api", "client_id": "other" })),
    );
    assert_eq!(shown(&world, &foreign, NOW_MS).await, refused);
    world.provider.answers().userinfo = (200, json!({ "groups": ["ml"] }));
    assert_eq!(shown(&world, "nobody", NOW_MS).await, refused);
}

#[tokio::test]
async fn a_bearer_is_read_as_what_its_source_sends() {
    let world = introspecting(|source| source.subject = SubjectKind::AccessToken).await;
    world.provider.answers().introspection.1 = active(&json!({ "sub": "00u9" }));
    for token in ["opaque".to_owned(), world.token(&json!({}))] {
        let bearer = Secret::new(token);
        let principal = world.identities.bearer(&bearer, HERE, at(NOW_MS)).await;
        assert_eq!(principal.map(|c| c.subject), Ok("00u9".to_owned()));
    }
}

#[tokio::test]
async fn an_opaque_token_is_not_shown_to_a_provider_that_may_not_have_made_it() {
    let (_file, place) = secret_file();
    let world = World::with(|mut source| {
        source.access_tokens = Some(AccessTokenCheck::Introspection {
            endpoint: None,
            client_id: "issuer".to_owned(),
            client_secret: place.clone(),
        });
        let mut second = source.clone();
        second.name = name("second");
        second.issuer = "https://second.example".to_owned();
        let mut jobs = source.clone();
        jobs.name = name("jobs");
        jobs.kind = PrincipalKind::Job;
        jobs.access_tokens = None;
        vec![source, second, jobs]
    })
    .await;
    let refused = Err(RefusalCode::BadRequest);
    assert_eq!(shown(&world, "opaque", NOW_MS).await, refused);
    assert_eq!(world.provider.hits("/introspect"), 0);
    // A JWT says whose it is.
    world.provider.answers().introspection.1 = active(&json!({}));
    let token = world.signer.sign(Some("at+jwt"), &world.claims(&json!({})));
    assert_eq!(shown(&world, &token, NOW_MS).await, Ok(NOW));
    let token = world
        .signer
        .sign(Some("at+jwt"), &world.claims(&json!({ "jti": "2" })));
    assert!(world.ask(token, SubjectTokenKind::Jwt).await.is_ok());
}

#[tokio::test]
async fn a_source_without_a_check_takes_no_access_token() {
    let world = World::start().await;
    let refused = Err(RefusalCode::BadRequest);
    assert_eq!(shown(&world, "opaque", NOW_MS).await, refused);
}

/// All outcomes; each future is begun before any goes on.
async fn at_once<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut open: Vec<Pin<Box<_>>> = futures.into_iter().map(Box::pin).collect();
    let mut outcomes = Vec::new();
    std::future::poll_fn(|context| {
        open.retain_mut(|one| match one.as_mut().poll(context) {
            Poll::Ready(outcome) => {
                outcomes.push(outcome);
                false
            }
            Poll::Pending => true,
        });
        if open.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    outcomes
}

#[tokio::test]
async fn a_strangers_garbage_is_asked_about_at_a_rate_and_known_people_go_on() {
    let world = introspecting(|_| ()).await;
    world.provider.answers().introspection.1 = active(&json!({}));
    assert_eq!(shown(&world, "known", NOW_MS).await, Ok(NOW));
    world.provider.answers().introspection.1 = json!({ "active": false });
    let before = world.provider.hits("/introspect");
    let began = clock::steady();
    let mut busy = 0;
    for number in 0..300 {
        match shown(&world, &format!("garbage-{number}"), NOW_MS).await {
            Err(RefusalCode::Busy) => busy += 1,
            Err(RefusalCode::BadRequest) => {}
            other => panic!("{other:?}"),
        }
    }
    // Sixty at once, and two a second of the real clock.
    let refilled = clock::steady().since_us(began) / 500_000 + 1;
    let asked = world.provider.hits("/introspect") - before;
    assert_eq!(asked + busy, 300);
    assert!(asked as u64 <= 60 + refilled, "{asked} questions");
    assert!(busy > 0);
    // From the same address: somebody who is known is asked about all the same.
    world.provider.answers().introspection.1 = active(&json!({}));
    let later = NOW_MS + 10_000;
    assert_eq!(shown(&world, "known", later).await, Ok(NOW + 10));
}

#[tokio::test]
async fn unknown_tokens_of_one_address_have_a_share_and_a_known_one_does_not_wait_for_them() {
    let world = introspecting(|_| ()).await;
    world.provider.answers().introspection.1 = active(&json!({}));
    assert_eq!(shown(&world, "known", NOW_MS).await, Ok(NOW));
    let before = world.provider.hits("/introspect");
    let later = NOW_MS + 10_000;
    let mut names: Vec<String> = (0..40).map(|number| format!("unknown-{number}")).collect();
    names.push("known".to_owned());
    let asked = &world;
    let shows = names.iter().map(|token| async move {
        let outcome = shown(asked, token, later).await;
        (token == "known", outcome)
    });
    let outcomes = at_once(shows.collect()).await;
    let known = outcomes.iter().find(|(known, _)| *known).unwrap();
    assert_eq!(known.1, Ok(NOW + 10));
    let count = |wanted: Result<u64, RefusalCode>| {
        outcomes
            .iter()
            .filter(|(_, outcome)| *outcome == wanted)
            .count()
    };
    assert_eq!(
        count(Err(RefusalCode::Busy)),
        32,
        "eight of an address at once"
    );
    assert_eq!(count(Ok(NOW + 10)), 9);
    assert_eq!(world.provider.hits("/introspect") - before, 9);
}
