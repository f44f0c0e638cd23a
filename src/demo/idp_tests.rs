use super::{Authorized, Idp};
use crate::key::{SigningKey, challenge_of};
use crate::oauth::Params;
use crate::seed::CLIENT;
use serde_json::Value;
use url::Url;

const VERIFIER: &str = "a-verifier-that-is-long-enough-for-rfc-7636-0123456789";
const BACK: &str = "http://127.0.0.1:5555/callback";
const NOW: u64 = 1_800_000_000;

fn idp() -> Idp {
    Idp::new("http://127.0.0.1:1".into(), SigningKey::generate().unwrap())
}

fn params(pairs: &[(&str, &str)]) -> Params {
    let pairs = pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
    Params::new(pairs.collect()).unwrap()
}

fn request<'a>(challenge: &'a str, change: (&'a str, &'a str)) -> Params {
    let mut pairs = vec![
        ("client_id", CLIENT),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "s1"),
        ("nonce", "n1"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ];
    pairs.retain(|(name, _)| *name != change.0);
    pairs.push(change);
    params(&pairs)
}

/// The named parameter of the redirect that a request leads to.
fn back(idp: &mut Idp, asked: &Params, name: &str) -> Option<String> {
    let Authorized::Redirect(to) = idp.authorize(asked, NOW).ok()? else {
        return None;
    };
    let url = Url::parse(&to).unwrap();
    assert!(to.starts_with(BACK), "{to}");
    url.query_pairs()
        .find(|(n, _)| n == name)
        .map(|(_, value)| value.into_owned())
}

fn redeem(idp: &mut Idp, code: &str, verifier: &str, now_s: u64) -> Result<Value, &'static str> {
    let asked = params(&[
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", verifier),
    ]);
    idp.token(&asked, now_s).map_err(|error| error.code)
}

fn refresh(idp: &mut Idp, token: &str) -> Result<Value, &'static str> {
    let asked = params(&[
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT),
        ("refresh_token", token),
    ]);
    idp.token(&asked, NOW).map_err(|error| error.code)
}

fn code(idp: &mut Idp) -> String {
    let challenge = challenge_of(VERIFIER);
    back(idp, &request(&challenge, ("x", "")), "code").unwrap()
}

fn refresh_token(answer: &Value) -> String {
    answer["refresh_token"].as_str().unwrap().to_owned()
}

#[test]
fn the_redirect_carries_state_and_issuer() {
    let mut idp = idp();
    let challenge = challenge_of(VERIFIER);
    let asked = request(&challenge, ("x", ""));
    assert_eq!(back(&mut idp, &asked, "state").as_deref(), Some("s1"));
    assert_eq!(
        back(&mut idp, &asked, "iss").as_deref(),
        Some("http://127.0.0.1:1")
    );
}

#[test]
fn a_redirect_that_leaves_the_machine_or_an_unknown_client_gets_a_page() {
    let mut idp = idp();
    for change in [
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "http://localhost:1/"),
        ("redirect_uri", "http://127.0.0.1@evil.example/"),
        ("redirect_uri", "http://user@127.0.0.1:1/"),
        ("client_id", "somebody"),
    ] {
        let outcome = idp.authorize(&request("c", change), NOW).ok();
        assert!(matches!(outcome, Some(Authorized::Page(_))), "{change:?}");
    }
}

#[test]
fn without_pkce_s256_or_openid_there_is_an_error_and_no_code() {
    let mut idp = idp();
    for (change, error) in [
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("scope", "email"), "invalid_scope"),
        (("response_type", "token"), "unsupported_response_type"),
    ] {
        let asked = request("c", change);
        assert_eq!(back(&mut idp, &asked, "error").as_deref(), Some(error));
        assert_eq!(back(&mut idp, &asked, "code"), None);
    }
}

#[test]
fn a_code_needs_its_verifier_and_its_time() {
    let mut idp = idp();
    let first = code(&mut idp);
    assert_eq!(redeem(&mut idp, &first, "wrong", NOW), Err("invalid_grant"));
    let second = code(&mut idp);
    assert_eq!(
        redeem(&mut idp, &second, VERIFIER, NOW + 60),
        Err("invalid_grant")
    );
    let third = code(&mut idp);
    assert!(redeem(&mut idp, &third, VERIFIER, NOW + 59).is_ok());
}

#[test]
fn a_code_used_twice_ends_what_came_from_it() {
    let mut idp = idp();
    let code = code(&mut idp);
    let answer = redeem(&mut idp, &code, VERIFIER, NOW).unwrap();
    assert_eq!(redeem(&mut idp, &code, VERIFIER, NOW), Err("invalid_grant"));
    assert_eq!(
        refresh(&mut idp, &refresh_token(&answer)),
        Err("invalid_grant")
    );
}

#[test]
fn a_refresh_rotates_and_reuse_ends_the_family() {
    let mut idp = idp();
    let code = code(&mut idp);
    let first = refresh_token(&redeem(&mut idp, &code, VERIFIER, NOW).unwrap());
    let second = refresh_token(&refresh(&mut idp, &first).unwrap());
    assert_ne!(first, second);
    let third = refresh_token(&refresh(&mut idp, &second).unwrap());
    assert_eq!(refresh(&mut idp, &first), Err("invalid_grant"));
    assert_eq!(
        refresh(&mut idp, &third),
        Err("invalid_grant"),
        "the family is over"
    );
}

#[test]
fn an_ended_or_revoked_session_refreshes_no_more() {
    let mut idp = idp();
    let code_one = code(&mut idp);
    let one = refresh_token(&redeem(&mut idp, &code_one, VERIFIER, NOW).unwrap());
    idp.revoke(&params(&[("token", "unknown")]));
    let one = refresh_token(&refresh(&mut idp, &one).unwrap());
    idp.revoke(&params(&[("token", &one)]));
    assert_eq!(refresh(&mut idp, &one), Err("invalid_grant"));

    let code_two = code(&mut idp);
    let two = refresh_token(&redeem(&mut idp, &code_two, VERIFIER, NOW).unwrap());
    assert_eq!(idp.end_all(), 1);
    assert_eq!(refresh(&mut idp, &two), Err("invalid_grant"));
    assert_eq!(idp.end_all(), 0);
}
