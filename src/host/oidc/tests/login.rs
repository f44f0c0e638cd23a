use super::{Idp, NOW, answer};
use oam_agent::ports::Authentication::AsItStands;
use oam_agent::ports::IdentityProvider as _;
use oam_model::sign_in::SignInBy;
use oam_standin::server::Canned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;

#[tokio::test]
async fn a_sign_in_by_code_brings_tokens_and_identity_and_tells_the_browser() {
    let idp = Idp::start().await;
    let seen = Mutex::new(BTreeMap::new());
    let (arrived, page) = idp
        .login(|asked| {
            *seen.lock().unwrap() = asked.clone();
            let mut claims = idp.claims();
            claims["nonce"] = json!(asked["nonce"]);
            let answer = answer(&idp.signed(&claims));
            idp.set(|script| script.token = Canned::json(&answer));
            idp.right(asked)
        })
        .await;
    let arrived = arrived.ok().unwrap();
    assert_eq!(arrived.identity.subject, "u1");
    assert_eq!(arrived.tokens.refresh.expose(), "rt2");
    assert_eq!(arrived.tokens.access_expires, Some(NOW + 60));
    assert!(page.contains("You are signed in to acme"));
    let asked = seen.into_inner().unwrap();
    for (name, value) in [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", "oam"),
        ("scope", "openid offline_access"),
        ("prompt", "consent"),
        ("max_age", "604800"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked[name], value);
    }
    assert_ne!(asked["state"], "fixed");
    let sent = idp
        .server
        .seen()
        .iter()
        .find(|s| s.line == "POST /token")
        .unwrap()
        .form();
    assert_eq!(sent["grant_type"], "authorization_code");
    assert_eq!(sent["redirect_uri"], asked["redirect_uri"]);
    let verifier = oauth2::PkceCodeVerifier::new(sent["code_verifier"].clone());
    let challenge = oauth2::PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    assert_eq!(challenge.as_str(), asked["code_challenge"]);
}

#[tokio::test]
async fn a_sign_in_that_fails_a_check_is_refused_by_its_name_on_both_ends() {
    let idp = Idp::start().await;
    for (name, change) in [
        ("iss", json!({"iss": "https://other.example"})),
        ("aud", json!({"aud": "other"})),
        ("nonce", json!({"nonce": "other"})),
        ("exp", json!({"exp": NOW - 100})),
        ("auth_time", json!({"auth_time": NOW - 8 * 86_400})),
        ("groups", json!({"_claim_names": {"groups": "src1"}})),
    ] {
        let (arrived, page) = idp.login_with(&change).await;
        let refusal = arrived.err().unwrap();
        assert!(
            refusal.sentence.contains(&format!("`{name}`")),
            "{refusal:?}"
        );
        assert!(
            page.contains("Sign-in failed") && page.contains(&format!("<code>{name}</code>")),
            "{page}"
        );
    }
    assert_eq!(idp.server.count("/revoke"), 6, "nothing of it stays open");
}

#[tokio::test]
async fn an_answer_without_refresh_token_names_what_was_not_asked_for() {
    let idp = Idp::start().await;
    for (scope, prompt, named) in [
        ("profile", "login", "offline_access"),
        ("offline_access", "login", "`prompt = \"consent\"`"),
        ("offline_access", "login consent", "have the client allowed"),
    ] {
        let mut org = idp.org();
        org.provider.scopes = vec!["openid".into(), scope.into()];
        org.provider.extra = BTreeMap::from([("prompt".into(), prompt.into())]);
        let (arrived, _) = idp
            .login_to(&org, |asked| {
                let mut claims = idp.claims();
                claims["nonce"] = json!(asked["nonce"]);
                let mut answer = answer(&idp.signed(&claims));
                answer["refresh_token"] = Value::Null;
                idp.set(|script| script.token = Canned::json(&answer));
                idp.right(asked)
            })
            .await;
        let next = arrived.err().unwrap().next;
        assert!(next.contains(named), "{scope} {prompt}: {next}");
        let both = named.contains("offline") || !next.contains("offline_access");
        assert!(both, "what was asked for is not missing: {next}");
    }
}

#[tokio::test]
async fn an_authentication_that_is_too_old_names_where_to_sign_out() {
    let idp = Idp::start().await;
    let old = json!({"auth_time": NOW - 8 * 86_400});
    let (arrived, page) = idp.login_with(&old).await;
    let refusal = arrived.err().unwrap();
    assert!(refusal.sentence.contains("8 days ago"), "{refusal:?}");
    assert!(refusal.sentence.contains("7 days"), "{refusal:?}");
    let step = format!("sign out at {}", idp.server.base);
    assert!(refusal.next.contains(&step), "{refusal:?}");
    assert!(page.contains("8 days ago"), "{page}");
    let young = json!({"auth_time": NOW - 6 * 86_400});
    assert!(idp.login_with(&young).await.0.is_ok());
}

#[tokio::test]
async fn the_error_of_an_answer_that_nobody_confirms_is_told_as_such() {
    let idp = Idp::start().await;
    let (arrived, page) = idp
        .login(|a| format!("error=invalid_scope&state={}", a["state"]))
        .await;
    let refusal = arrived.err().unwrap();
    for said in [
        "`iss`",
        "it is missing from the answer",
        "unconfirmed",
        "`invalid_scope`",
    ] {
        assert!(refusal.sentence.contains(said), "{said}: {refusal:?}");
        let shown = page.replace("<code>", "`").replace("</code>", "`");
        assert!(shown.contains(said), "{said}: {page}");
    }
    assert!(refusal.next.contains("scopes"), "{refusal:?}");
    // Of a stranger's error nothing is believed: no access was denied.
    assert_eq!(refusal.code, oam_model::refusal::RefusalCode::Unavailable);
}

#[tokio::test]
async fn the_issuer_of_the_answer_is_checked_before_anything_else() {
    let idp = Idp::start().await;
    let state = |asked: &BTreeMap<String, String>| asked["state"].clone();
    let (arrived, _) = idp.login(|a| format!("code=c&state={}", state(a))).await;
    assert!(arrived.err().unwrap().sentence.contains("`iss`"));
    let other = "iss=https%3A%2F%2Fother.example";
    let (arrived, _) = idp
        .login(|a| format!("error=access_denied&{other}&state={}", state(a)))
        .await;
    assert!(arrived.err().unwrap().sentence.contains("`iss`"));
    idp.set(|script| {
        script.metadata["authorization_response_iss_parameter_supported"] = json!(false);
    });
    let (arrived, _) = idp
        .login(|a| format!("code=c&{other}&state={}", state(a)))
        .await;
    assert!(arrived.err().unwrap().sentence.contains("`iss`"));
    assert_eq!(idp.server.count("/token"), 0);
}

#[tokio::test]
async fn a_refusal_of_the_provider_is_said_without_its_prose() {
    let idp = Idp::start().await;
    idp.set(|script| {
        script.metadata["authorization_response_iss_parameter_supported"] = json!(false);
    });
    for (error, code) in [
        ("access_denied", "`access_denied`"),
        ("%3Cscript%3E", "`unnamed error`"),
    ] {
        let (arrived, page) = idp
            .login(|a| format!("error={error}&error_description=tok-1&state={}", a["state"]))
            .await;
        let refusal = arrived.err().unwrap();
        assert!(refusal.sentence.contains(code), "{refusal:?}");
        assert!(!page.contains("tok-1") && !format!("{refusal:?}").contains("tok-1"));
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_or_is_another_one_is_said_before_the_browser_opens() {
    let idp = Idp::start().await;
    idp.set(|script| script.metadata["issuer"] = json!("https://other.example"));
    let refusal = idp
        .oidc
        .begin(&idp.org(), AsItStands, SignInBy::Browser)
        .await
        .err()
        .unwrap();
    assert!(refusal.sentence.contains("`issuer`"), "{refusal:?}");
    let mut org = idp.org();
    org.provider.issuer.push_str("/nothing");
    let refusal = idp
        .oidc
        .begin(&org, AsItStands, SignInBy::Browser)
        .await
        .err()
        .unwrap();
    assert!(refusal.sentence.contains("404"), "{refusal:?}");
}
