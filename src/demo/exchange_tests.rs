use super::{ACCESS_TOKEN, GRANT, ID_TOKEN, RoleClaims, exchange, strict};
use crate::demo::idp::{IdClaims, Idp};
use crate::demo::key::{Key, challenge_of};
use crate::demo::oauth::Params;
use crate::demo::seed::{CLIENT, ID_TOKEN_S, ROLE_TOKEN_S};
use crate::demo::world::now_s;
use serde_json::Value;

const ISSUER: &str = "http://127.0.0.1:1";
const HUB: &str = "http://127.0.0.1:2";

fn params(pairs: &[(&str, &str)]) -> Params {
    let pairs = pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    Params::new(pairs.collect()).unwrap()
}

/// A provider with Ada signed in, and her ID token.
fn signed_in() -> (Idp, String) {
    let mut idp = Idp::new(ISSUER.into(), Key::generate().unwrap());
    let back = "http://127.0.0.1:3/callback";
    let challenge = challenge_of("verifier");
    let asked = params(&[
        ("client_id", CLIENT),
        ("redirect_uri", back),
        ("response_type", "code"),
        ("scope", "openid"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let crate::demo::idp::Authorized::Redirect(to) = idp.authorize(&asked, now_s()).unwrap() else {
        panic!("no redirect");
    };
    let url = url::Url::parse(&to).unwrap();
    let code = url
        .query_pairs()
        .find(|(n, _)| n == "code")
        .unwrap()
        .1
        .into_owned();
    let asked = params(&[
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("code", &code),
        ("redirect_uri", back),
        ("code_verifier", "verifier"),
    ]);
    let answer = idp.token(&asked, now_s()).unwrap();
    let token = answer["id_token"].as_str().unwrap().to_owned();
    (idp, token)
}

fn ask(
    idp: &mut Idp,
    subject: &str,
    change: (&str, &str),
    now: u64,
) -> Result<Value, &'static str> {
    let mut pairs = vec![
        ("grant_type", GRANT),
        ("subject_token", subject),
        ("subject_token_type", ID_TOKEN),
        ("audience", HUB),
        ("resource", "acme/model"),
        ("scope", "role:model-publisher write"),
    ];
    pairs.retain(|(name, _)| *name != change.0);
    pairs.push(change);
    exchange(idp, HUB, &params(&pairs), now).map_err(|error| error.code)
}

#[test]
fn the_role_token_names_hub_repository_role_and_actions() {
    let (mut idp, subject) = signed_in();
    let answer = ask(&mut idp, &subject, ("x", ""), now_s()).unwrap();
    assert_eq!(answer["issued_token_type"], ACCESS_TOKEN);
    assert_eq!(answer["expires_in"], ROLE_TOKEN_S);
    assert_eq!(answer["scope"], "role:model-publisher write");
    let token = answer["access_token"].as_str().unwrap();
    let claims =
        jsonwebtoken::decode::<RoleClaims>(token, idp.key().public(), &strict(ISSUER, HUB));
    let claims = claims.unwrap().claims;
    assert_eq!(
        (claims.role.as_str(), claims.repository.as_str()),
        ("model-publisher", "acme/model")
    );
    assert_eq!(claims.actions, ["read", "write"]);
    assert_eq!(claims.exp - claims.iat, ROLE_TOKEN_S);
}

#[test]
fn a_reader_gets_no_write_and_a_read_no_more_than_read() {
    let (mut idp, subject) = signed_in();
    let reader = ("scope", "role:model-reader write");
    assert_eq!(
        ask(&mut idp, &subject, reader, now_s()),
        Err("invalid_scope")
    );
    let answer = ask(
        &mut idp,
        &subject,
        ("scope", "role:model-publisher read"),
        now_s(),
    )
    .unwrap();
    let token = answer["access_token"].as_str().unwrap();
    let claims =
        jsonwebtoken::decode::<RoleClaims>(token, idp.key().public(), &strict(ISSUER, HUB));
    assert_eq!(claims.unwrap().claims.actions, ["read"]);
}

#[test]
fn what_the_table_does_not_hold_is_refused() {
    let (mut idp, subject) = signed_in();
    for (change, error) in [
        (("grant_type", "refresh_token"), "unsupported_grant_type"),
        (("subject_token_type", ACCESS_TOKEN), "invalid_request"),
        (("subject_token", "abc"), "invalid_request"),
        (("audience", "http://127.0.0.1:9"), "invalid_target"),
        (("resource", ""), "invalid_target"),
        (("resource", "other/secrets"), "invalid_target"),
        (("resource", "acme/../other"), "invalid_target"),
        (("scope", ""), "invalid_scope"),
        (("scope", "role:admin write"), "invalid_scope"),
        (("scope", "role:model-publisher manage"), "invalid_scope"),
        (
            ("scope", "role:model-publisher read write"),
            "invalid_scope",
        ),
    ] {
        assert_eq!(
            ask(&mut idp, &subject, change, now_s()),
            Err(error),
            "{change:?}"
        );
    }
    assert_eq!(idp.traffic.exchanges, 0);
}

#[test]
fn an_expired_foreign_or_misdirected_id_token_is_refused() {
    let (mut idp, subject) = signed_in();
    let late = now_s() + ID_TOKEN_S + 1;
    assert_eq!(
        ask(&mut idp, &subject, ("x", ""), late),
        Err("invalid_request")
    );

    let (_, foreign) = signed_in();
    assert_eq!(
        ask(&mut idp, &foreign, ("x", ""), now_s()),
        Err("invalid_request")
    );

    let read =
        jsonwebtoken::decode::<IdClaims>(&subject, idp.key().public(), &strict(ISSUER, CLIENT));
    let mut claims = read.unwrap().claims;
    claims.aud = "another-client".into();
    let other = idp.key().sign("JWT", &claims).unwrap();
    assert_eq!(
        ask(&mut idp, &other, ("x", ""), now_s()),
        Err("invalid_request")
    );
}

#[test]
fn after_the_end_a_valid_id_token_brings_nothing() {
    let (mut idp, subject) = signed_in();
    idp.end_all();
    assert_eq!(
        ask(&mut idp, &subject, ("x", ""), now_s()),
        Err("invalid_grant")
    );
    assert_eq!((idp.traffic.exchanges, idp.traffic.refused), (0, 1));
}
