use super::{Idp, NOW, answer, check_name, jwks};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use oam_agent::ports::IdentityProvider as _;
use oam_config::agent::{Exchange, IssuerExchange};
use oam_model::answer::EndpointFault;
use oam_model::secret::Secret;
use oam_standin::server::Canned;
use oam_standin::signer::Signer;
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test]
async fn a_refresh_brings_the_new_tokens() {
    let idp = Idp::start().await;
    let mut claims = idp.claims();
    claims["groups"] = json!(["ops"]);
    let token = idp.signed(&claims);
    let arrived = idp.refreshed(&token).await.ok().unwrap();
    assert_eq!(arrived.tokens.refresh.expose(), "rt2");
    assert_eq!(arrived.tokens.id.expose(), token);
    assert_eq!(arrived.tokens.access.expose(), "at2");
    assert_eq!(arrived.identity.groups, ["ops"]);
    // The token says nothing of it: what the session knows stays, to be compared next time.
    assert_eq!(arrived.identity.auth_time, Some(NOW - 50));
    let sent = idp
        .server
        .seen()
        .iter()
        .find(|s| s.line == "POST /token")
        .unwrap()
        .form();
    assert_eq!(sent["refresh_token"], "rt1");
    assert_eq!(idp.server.count("/.well-known/openid-configuration"), 1);
    idp.refreshed(&token).await.ok().unwrap();
    assert_eq!(idp.server.count("/.well-known/openid-configuration"), 1);
    assert_eq!(idp.server.count("/jwks"), 1);
}

#[tokio::test]
async fn what_a_refresh_leaves_out_stays_as_it_was() {
    let idp = Idp::start().await;
    idp.set(|script| script.token = Canned::json(&json!({"access_token": "at2"})));
    let arrived = idp.refresh().await.ok().unwrap();
    assert_eq!(arrived.tokens.refresh.expose(), "rt1");
    assert_eq!(arrived.tokens.id.expose(), "id1");
    assert!(arrived.without_id);
    assert_eq!(arrived.tokens.access_expires, None);
    assert_eq!(arrived.identity.groups, ["ml"]);
}

#[tokio::test]
async fn a_refreshed_id_token_that_fails_its_check_is_named() {
    let idp = Idp::start().await;
    let mut other = idp.claims();
    other["sub"] = json!("u2");
    assert_eq!(check_name(idp.refreshed(&idp.signed(&other)).await), "sub");
}

#[tokio::test]
async fn a_later_sign_in_of_the_same_person_is_a_proof_and_the_older_time_is_kept() {
    let idp = Idp::start().await;
    for auth_time in [json!(NOW + 30), json!(0), Value::Null] {
        let mut later = idp.claims();
        later["auth_time"] = auth_time;
        let arrived = idp.refreshed(&idp.signed(&later)).await.ok().unwrap();
        assert!(arrived.flaw.is_none() && !arrived.without_id);
        assert_eq!(arrived.identity.auth_time, Some(NOW - 50));
    }
}

#[tokio::test]
async fn algorithms_and_signatures_are_checked_by_name() {
    let idp = Idp::start().await;
    let good = idp.signed(&idp.claims());
    let (_, rest) = good.split_once('.').unwrap();
    let payload = rest.split_once('.').unwrap().0;
    // {"alg":"none"}, {"alg":"none","typ":"JWT"} and {"alg":"nOnE"}
    for header in [
        "eyJhbGciOiJub25lIn0",
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0",
        "eyJhbGciOiJuT25FIn0",
    ] {
        for signature in ["", "AAAA"] {
            let token = format!("{header}.{payload}.{signature}");
            assert_eq!(check_name(idp.refreshed(&token).await), "alg");
        }
    }
    let public = serde_json::to_vec(&idp.key.jwk);
    let keyed = EncodingKey::from_secret(&public.unwrap());
    for alg in [Algorithm::HS256, Algorithm::HS512] {
        let header = Header {
            kid: Some("k1".into()),
            ..Header::new(alg)
        };
        let token = jsonwebtoken::encode(&header, &idp.claims(), &keyed).unwrap();
        assert_eq!(check_name(idp.refreshed(&token).await), "alg");
    }
    let forged = Signer::ec("k1").sign(Some("JWT"), &idp.claims());
    assert_eq!(check_name(idp.refreshed(&forged).await), "signature");
    let mut other = idp.claims();
    other["sub"] = json!("u2");
    let (other, signature) = (idp.signed(&other), good.rsplit_once('.').unwrap().1);
    let swapped = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    assert_eq!(check_name(idp.refreshed(&swapped).await), "signature");
    assert_eq!(
        check_name(idp.refreshed(&good[..good.len() - 8]).await),
        "signature"
    );
    assert_eq!(check_name(idp.refreshed("not a token").await), "id_token");
    assert_eq!(check_name(idp.refreshed(&good).await), "right");
}

#[tokio::test]
async fn an_unknown_key_asks_once_more_and_not_more_often_than_every_thirty_seconds() {
    let idp = Idp::start().await;
    idp.refreshed(&idp.signed(&idp.claims()))
        .await
        .ok()
        .unwrap();
    let next = Signer::ec("k2");
    let token = next.sign(Some("JWT"), &idp.claims());
    assert_eq!(check_name(idp.refreshed(&token).await), "kid");
    assert_eq!(idp.server.count("/jwks"), 1, "rate-limited");
    idp.clock.pass(31);
    assert_eq!(check_name(idp.refreshed(&token).await), "kid");
    assert_eq!(idp.server.count("/jwks"), 2);
    idp.set(|script| script.jwks = jwks(&[&Signer::ec("k1"), &next]));
    idp.clock.pass(31);
    assert_eq!(check_name(idp.refreshed(&token).await), "right");
    assert_eq!(idp.server.count("/jwks"), 3);
}

#[tokio::test]
async fn a_token_without_key_id_is_taken_only_when_there_is_no_choice() {
    let idp = Idp::start().await;
    let token = idp.key.sign_as(Some("JWT"), None, &idp.claims());
    assert_eq!(check_name(idp.refreshed(&token).await), "right");
    idp.set(|script| script.jwks = jwks(&[&idp.key, &Signer::ec("k2")]));
    idp.clock.pass(3600);
    let mut claims = idp.claims();
    claims["exp"] = json!(NOW + 7200);
    let token = idp.key.sign_as(Some("JWT"), None, &claims);
    assert_eq!(check_name(idp.refreshed(&token).await), "kid");
}

#[tokio::test]
async fn a_key_server_that_is_down_does_not_cost_the_rotated_refresh_token() {
    let idp = Idp::start().await;
    idp.set(|script| script.jwks = Canned::Say(503, "text/html", String::new()));
    let arrived = idp
        .refreshed(&idp.signed(&idp.claims()))
        .await
        .ok()
        .unwrap();
    assert_eq!(arrived.tokens.refresh.expose(), "rt2");
    assert_eq!(arrived.tokens.id.expose(), "id1", "unchecked, so not used");
    assert_eq!(arrived.identity.groups, ["ml"]);
    let (arrived, _) = idp.login_with(&json!({})).await;
    assert!(arrived.err().unwrap().sentence.contains("`signature`"));
}

#[tokio::test]
async fn faults_of_a_refresh_are_facts_and_the_token_is_sent_once() {
    let idp = Idp::start().await;
    let status = |status, error: Option<&str>| EndpointFault::Status {
        status,
        error: error.map(Into::into),
        bare: error.is_none() && status != 500,
    };
    let mut asked = 0;
    for (canned, expected) in [
        (
            Canned::error(400, "invalid_grant"),
            Some(status(400, Some("invalid_grant"))),
        ),
        (Canned::Say(400, "", String::new()), Some(status(400, None))),
        (Canned::Say(401, "", String::new()), Some(status(401, None))),
        (
            Canned::Say(500, "text/html", "<p>".into()),
            Some(status(500, None)),
        ),
        (
            Canned::Say(429, "text/plain", "slow".into()),
            Some(status(429, None)),
        ),
        (Canned::Reset, None),
        (
            Canned::Say(200, "text/html", "<p>sign in to the network".into()),
            None,
        ),
    ] {
        idp.set(|script| script.token = canned);
        let fault = idp.refresh().await.err().unwrap();
        asked += 1;
        assert_eq!(idp.server.count("/token"), asked);
        match expected {
            Some(expected) => assert_eq!(fault, expected),
            None => assert!(matches!(
                fault,
                EndpointFault::Lost { .. } | EndpointFault::Unreadable { .. }
            )),
        }
    }
}

#[tokio::test]
async fn a_discovery_that_fails_never_looks_like_an_answer_to_the_refresh() {
    let idp = Idp::start().await;
    idp.set(|script| script.metadata["issuer"] = json!("https://portal.example"));
    let fault = idp.refresh().await.err().unwrap();
    assert!(matches!(fault, EndpointFault::NotSent { .. }), "{fault:?}");
    assert_eq!(idp.server.count("/token"), 0);
}

#[tokio::test]
async fn a_sign_out_revokes_at_the_provider_or_says_why_not() {
    let idp = Idp::start().await;
    let revoke = || {
        idp.oidc
            .revoke(&idp.org(), Arc::new(Secret::new("rt1".into())))
    };
    assert_eq!(revoke().await, Ok(()));
    let form = idp.server.seen().last().unwrap().form();
    assert_eq!(
        (form["token"].as_str(), form["client_id"].as_str()),
        ("rt1", "oam")
    );
    idp.set(|script| script.revocation = Canned::error(503, "temporarily_unavailable"));
    assert_eq!(
        revoke().await.unwrap_err(),
        "it answered 503, `temporarily_unavailable`"
    );
    idp.set(|script| script.metadata["revocation_endpoint"] = Value::Null);
    idp.clock.pass(24 * 3600);
    assert!(
        revoke()
            .await
            .unwrap_err()
            .contains("it has no revocation endpoint")
    );
}

#[tokio::test]
async fn another_key_under_the_same_name_is_asked_for_once_in_thirty_seconds() {
    let idp = Idp::start().await;
    let token = idp.signed(&idp.claims());
    assert_eq!(check_name(idp.refreshed(&token).await), "right");
    let next = Signer::ec("k1");
    idp.set(|script| script.jwks = jwks(&[&next]));
    let other = next.sign(Some("JWT"), &idp.claims());
    assert_eq!(check_name(idp.refreshed(&other).await), "signature");
    assert_eq!(idp.server.count("/jwks"), 1, "rate-limited");
    idp.clock.pass(31);
    assert_eq!(check_name(idp.refreshed(&other).await), "right");
    assert_eq!(check_name(idp.refreshed(&token).await), "signature");
    assert_eq!(idp.server.count("/jwks"), 2);
}

#[tokio::test]
async fn a_token_that_an_issuer_would_not_take_is_refused_at_the_sign_in() {
    let idp = Idp::start().await;
    let groups: Vec<String> = (0..2000).map(|n| format!("group-{n:06}")).collect();
    let (at_endpoint, _) = idp.login_with(&json!({ "groups": groups })).await;
    assert!(at_endpoint.is_ok());
    let mut org = idp.org();
    org.exchange = Exchange::Issuer(IssuerExchange::at("https://issuer.example"));
    let token = idp.signed(&json!({
        "iss": idp.server.base, "aud": "oam", "sub": "u1", "iat": NOW, "exp": NOW + 300, "groups": groups,
    }));
    let answered = answer(&token);
    idp.set(|script| script.token = Canned::json(&answered));
    let arrived = idp.refresh_of(&org).await;
    assert_eq!(check_name(arrived), "size");
}
