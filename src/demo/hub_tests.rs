use super::{HubServer, Reason, RoleClaims, wanted};
use crate::key::SigningKey;
use crate::world::now_s;
use axum::http::{HeaderMap, header};
use base64::prelude::*;
use serde_json::json;

const ISSUER: &str = "http://127.0.0.1:1";
const HUB: &str = "http://127.0.0.1:2";

fn claims() -> RoleClaims {
    RoleClaims {
        iss: ISSUER.into(),
        sub: "u-1".into(),
        aud: HUB.into(),
        iat: now_s(),
        exp: now_s() + 60,
        jti: "j".into(),
        role: "model-reader".into(),
        repository: "acme/model".into(),
        actions: vec!["read".into()],
    }
}

fn hub() -> (HubServer, SigningKey) {
    let key = SigningKey::generate().unwrap();
    let mut hub = HubServer::new(HUB.into(), ISSUER);
    hub.trust(&key.jwks().to_string()).unwrap();
    (hub, key)
}

fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::AUTHORIZATION,
        format!("Bearer {token}").parse().unwrap(),
    );
    headers
}

fn verdict(change: impl FnOnce(&mut RoleClaims), action: &str) -> Result<(), Reason> {
    let (hub, key) = hub();
    let mut claims = claims();
    change(&mut claims);
    let token = key.sign("at+jwt", &claims).unwrap();
    hub.check(&bearer(&token), "acme/model", action).map(|_| ())
}

#[test]
fn only_a_token_for_this_hub_repository_and_action_is_let_in() {
    assert_eq!(verdict(|_| (), "read"), Ok(()));
    assert_eq!(verdict(|_| (), "write"), Err(Reason::WrongAction));
    assert_eq!(
        verdict(|c| c.repository = "acme/other".into(), "read"),
        Err(Reason::WrongRepository)
    );
    assert_eq!(
        verdict(|c| c.aud = "http://127.0.0.1:9".into(), "read"),
        Err(Reason::WrongAudience)
    );
    assert_eq!(
        verdict(|c| c.iss = "http://127.0.0.1:9".into(), "read"),
        Err(Reason::WrongAudience)
    );
    assert_eq!(
        verdict(|c| c.exp = now_s() - 1, "read"),
        Err(Reason::Expired)
    );
}

#[test]
fn a_token_without_a_signature_of_ours_is_forged() {
    let (mut hub, key) = hub();
    let good = key.sign("at+jwt", &claims()).unwrap();
    let (body, signature) = good.rsplit_once('.').unwrap();
    let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let none = part(&json!({ "alg": "none" }));
    let hmac = part(&json!({ "alg": "HS256" }));
    let payload = part(&serde_json::to_value(claims()).unwrap());
    let mut changed = claims();
    changed.actions.push("write".into());
    let header_part = good.split('.').next().unwrap();
    for token in [
        SigningKey::generate()
            .unwrap()
            .sign("at+jwt", &claims())
            .unwrap(),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{hmac}.{payload}.{signature}"),
        format!(
            "{header_part}.{}.{signature}",
            part(&serde_json::to_value(changed).unwrap())
        ),
        format!("{body}."),
        "hf_abc".to_owned(),
        String::new(),
    ] {
        let outcome = hub.check(&bearer(&token), "acme/model", "read");
        let outcome = hub.count(outcome).map(|_| ());
        assert_eq!(outcome, Err(Reason::Forged), "{token}");
    }
    assert_eq!(hub.ledger.accepted, 0);
    assert_eq!(hub.ledger.refused_tokens(), 8);
}

#[test]
fn no_header_is_missing_and_two_are_too_many() {
    let (mut hub, key) = hub();
    let missing = hub.verify(&HeaderMap::new());
    assert_eq!(hub.count(missing).err(), Some(Reason::Missing));
    let token = key.sign("at+jwt", &claims()).unwrap();
    let mut twice = bearer(&token);
    twice.append(
        header::AUTHORIZATION,
        format!("Bearer {token}").parse().unwrap(),
    );
    let forged = hub.verify(&twice);
    assert_eq!(hub.count(forged).err(), Some(Reason::Forged));
    assert_eq!(hub.ledger.refused_tokens(), 1);
}

#[test]
fn basic_carries_the_token_as_password_under_any_name() {
    let (mut hub, key) = hub();
    let pair = format!("oam:{}", key.sign("at+jwt", &claims()).unwrap());
    let mut headers = HeaderMap::new();
    let standard = BASE64_STANDARD.encode(pair);
    headers.insert(
        header::AUTHORIZATION,
        format!("Basic {standard}").parse().unwrap(),
    );
    let outcome = hub.check(&headers, "acme/model", "read");
    assert!(hub.count(outcome).is_ok());
    assert_eq!(hub.ledger.tokens.len(), 1);
    assert_eq!(
        hub.ledger.last_actions("model-reader"),
        Some(&["read".to_owned()][..])
    );
}

#[test]
fn a_key_that_the_issuer_published_later_is_asked_for() {
    let (mut hub, old) = hub();
    let new = SigningKey::generate().unwrap();
    let token = new.sign("at+jwt", &claims()).unwrap();
    assert!(hub.lacks_key(&bearer(&token)));
    assert!(!hub.lacks_key(&bearer(&old.sign("at+jwt", &claims()).unwrap())));
    assert!(!hub.lacks_key(&bearer("hf_abc")));
    hub.trust(&new.jwks().to_string()).unwrap();
    assert!(hub.check(&bearer(&token), "acme/model", "read").is_ok());
}

#[test]
fn a_push_is_told_from_a_fetch_at_its_first_request() {
    let of = |get, path, query| wanted(get, path, query).map(|w| (w.repository, w.action));
    let model = || "acme/model".to_owned();
    let refs = "/acme/model/info/refs";
    assert_eq!(
        of(true, refs, "service=git-upload-pack"),
        Some((model(), "read"))
    );
    assert_eq!(
        of(true, refs, "service=git-receive-pack"),
        Some((model(), "write"))
    );
    assert_eq!(
        of(false, "/acme/model.git/git-receive-pack", ""),
        Some((model(), "write"))
    );
    assert_eq!(
        of(false, "/acme/model.git/git-upload-pack", ""),
        Some((model(), "read"))
    );
}

#[test]
fn what_is_not_smart_http_is_not_served() {
    for (get, path, query) in [
        (true, "/acme/model/info/refs", ""),
        (
            true,
            "/acme/model/info/refs",
            "service=git-upload-pack&service=git-receive-pack",
        ),
        (true, "/acme/model/HEAD", ""),
        (true, "/acme/model/objects/info/packs", ""),
        (true, "/acme/../other/info/refs", "service=git-upload-pack"),
        (true, "/acme/%2e%2e/info/refs", "service=git-upload-pack"),
        (true, "/acme/model/git-upload-pack", ""),
        (false, "/acme//git-upload-pack", ""),
    ] {
        assert_eq!(wanted(get, path, query), None, "{path}?{query}");
    }
}
