use super::{Expect, Phase, VerifiedClaims, base64url};
use jsonwebtoken::Algorithm;
use oam_model::identity::Identity;
use oam_model::secret::Secret;
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;

fn good() -> Value {
    json!({
        "iss": "https://idp.example", "aud": "oam", "sub": "u1", "nonce": "n",
        "exp": NOW + 300, "iat": NOW, "auth_time": NOW - 100,
        "email": "a@acme.example", "groups": ["ml", "ops"],
    })
}

fn expect(phase: Phase<'_>) -> Expect<'_> {
    Expect {
        issuer: "https://idp.example",
        client_id: "oam",
        groups_claim: "groups",
        judges_groups: true,
        longest_token: 1024,
        now: NOW,
        phase,
    }
}

fn judge(phase: Phase<'_>, claims: &Value, access: Option<&str>) -> Result<Identity, String> {
    let access = access.map(|text| Secret::new(text.to_owned()));
    VerifiedClaims::new(claims.as_object().unwrap().clone())
        .identity(&expect(phase), Algorithm::ES256, access.as_ref())
        .map_err(|wrong| wrong.name.to_owned())
}

/// The name of the check that fails at a sign-in when this claim is this value (null: absent).
fn with(name: &str, value: Value) -> String {
    let mut claims = good();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    judge(Phase::Login("n"), &claims, Some("at")).map_or_else(|name| name, |_| "right".into())
}

fn known() -> Identity {
    judge(Phase::Login("n"), &good(), None).unwrap()
}

fn refreshed(name: &str, value: Value) -> String {
    let mut claims = good();
    claims.as_object_mut().unwrap().remove("nonce");
    claims[name] = value;
    let known = known();
    judge(Phase::Refresh(&known), &claims, None).map_or_else(|name| name, |_| "right".into())
}

#[test]
fn a_device_sign_in_takes_its_nonce_or_none_and_no_other() {
    let device = |claims: &Value| judge(Phase::Device("n"), claims, Some("at"));
    assert!(device(&good()).is_ok());
    let mut claims = good();
    claims["nonce"] = json!("of another sign-in");
    assert_eq!(device(&claims).unwrap_err(), "nonce");
    claims.as_object_mut().unwrap().remove("nonce");
    assert!(device(&claims).is_ok(), "RFC 8628 knows none");
}

#[test]
fn right_claims_give_the_identity() {
    let identity = known();
    assert_eq!(identity.issuer, "https://idp.example");
    assert_eq!(identity.subject, "u1");
    assert_eq!(identity.email.as_deref(), Some("a@acme.example"));
    assert_eq!(identity.groups, ["ml", "ops"]);
    assert_eq!(identity.auth_time, Some(NOW - 100));
    assert_eq!(identity.id_token_expires, Some(NOW + 300));
}

#[test]
fn issuer_and_audience_are_exact() {
    for bad in [
        json!("https://idp.example/"),
        json!("https://other.example"),
        json!(1),
        Value::Null,
    ] {
        assert_eq!(with("iss", bad.clone()), "iss", "{bad}");
    }
    for bad in [
        json!("oam2"),
        json!(["x"]),
        json!([]),
        json!([["oam"]]),
        json!({"oam": 1}),
        Value::Null,
    ] {
        assert_eq!(with("aud", bad.clone()), "aud", "{bad}");
    }
    assert_eq!(with("aud", json!(["oam"])), "right");
}

#[test]
fn several_audiences_need_azp_and_azp_is_this_client() {
    assert_eq!(with("aud", json!(["oam", "x"])), "azp");
    assert_eq!(with("azp", json!("x")), "azp");
    assert_eq!(with("azp", json!(["oam"])), "azp");
    assert_eq!(with("azp", json!("oam")), "right");
    let mut claims = good();
    claims["aud"] = json!(["oam", "x"]);
    claims["azp"] = json!("oam");
    assert!(judge(Phase::Login("n"), &claims, None).is_ok());
}

#[test]
fn times_are_checked_with_a_minute_of_skew() {
    for (name, value, expected) in [
        ("exp", json!(NOW - 59), "right"),
        ("exp", json!(NOW - 60), "exp"),
        ("exp", json!("1800000300"), "exp"),
        ("exp", json!(-1), "exp"),
        ("exp", json!(1_800_000_300.5), "right"),
        ("exp", Value::Null, "exp"),
        ("iat", json!(NOW + 60), "right"),
        ("iat", json!(NOW + 61), "iat"),
        ("iat", json!(NOW - 3600), "right"),
        ("iat", json!(NOW - 3601), "iat"),
        ("iat", Value::Null, "iat"),
        ("nbf", json!(NOW + 60), "right"),
        ("nbf", json!(NOW + 61), "nbf"),
        ("nbf", json!("x"), "nbf"),
        ("auth_time", json!("x"), "auth_time"),
    ] {
        assert_eq!(with(name, value.clone()), expected, "{name} {value}");
    }
    // The same ID token may come again at a refresh.
    assert_eq!(refreshed("iat", json!(NOW - 7200)), "right");
    assert_eq!(refreshed("exp", json!(NOW - 61)), "exp");
}

#[test]
fn the_nonce_is_the_one_of_this_sign_in() {
    for bad in [json!("m"), json!("nn"), json!(""), json!(1), Value::Null] {
        assert_eq!(with("nonce", bad.clone()), "nonce", "{bad}");
    }
}

#[test]
fn at_hash_binds_the_access_token_when_it_is_there() {
    use aws_lc_rs::digest::{SHA256, digest};
    let hash = |text: &str| base64url(&digest(&SHA256, text.as_bytes()).as_ref()[..16]);
    assert_eq!(with("at_hash", json!(hash("at"))), "right");
    assert_eq!(with("at_hash", json!(hash("other"))), "at_hash");
    assert_eq!(with("at_hash", json!("")), "at_hash");
    assert_eq!(with("at_hash", json!(7)), "at_hash");
}

#[test]
fn at_hash_is_as_in_the_examples_of_the_standard() {
    // OpenID Connect Core 1.0, appendix A.3.
    let access = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    let mut claims = good();
    claims["at_hash"] = json!("77QmUPtjPfzWtF2AnpK9RQ");
    let verdict = |claims: &Value| {
        let access = Secret::new(access.to_owned());
        VerifiedClaims::new(claims.as_object().unwrap().clone())
            .identity(&expect(Phase::Login("n")), Algorithm::RS256, Some(&access))
            .map_err(|wrong| wrong.name)
    };
    assert!(verdict(&claims).is_ok());
    claims["at_hash"] = json!("77QmUPtjPfzWtF2AnpK9Rq");
    assert_eq!(verdict(&claims), Err("at_hash"));
}

#[test]
fn base64url_has_no_padding() {
    for (bytes, text) in [
        (b"".as_slice(), ""),
        (b"f", "Zg"),
        (b"fo", "Zm8"),
        (b"foo", "Zm9v"),
        (b"\xfb\xff\xfe", "-__-"),
    ] {
        assert_eq!(base64url(bytes), text);
    }
}

#[test]
fn the_subject_is_somebody() {
    for bad in [json!(""), json!("a\u{1b}[2J"), json!(7), Value::Null] {
        assert_eq!(with("sub", bad.clone()), "sub", "{bad}");
    }
}

#[test]
fn a_refresh_keeps_issuer_subject_and_sign_in() {
    assert_eq!(refreshed("sub", json!("u1")), "right");
    assert_eq!(refreshed("sub", json!("u2")), "sub");
    assert_eq!(refreshed("iss", json!("https://other.example")), "iss");
    assert_eq!(refreshed("auth_time", json!(NOW + 30)), "right");
    assert_eq!(refreshed("auth_time", json!(NOW - 101)), "right");
    assert_eq!(refreshed("auth_time", Value::Null), "right");
    assert_eq!(refreshed("auth_time", json!(0)), "right");
    for absent in ["azp", "at_hash", "nbf", "email", "groups", "auth_time"] {
        assert_eq!(refreshed(absent, Value::Null), "right", "{absent}");
    }
    let other = Identity {
        issuer: "https://before.example".into(),
        ..known()
    };
    let name = judge(Phase::Refresh(&other), &good(), None).unwrap_err();
    assert_eq!(name, "iss");
}

#[test]
fn groups_are_a_list_or_one_text_and_too_many_is_said() {
    let groups = |value: Value| {
        let mut claims = good();
        claims["groups"] = value;
        judge(Phase::Login("n"), &claims, None).map(|identity| identity.groups)
    };
    assert_eq!(groups(json!("ml")).unwrap(), ["ml"]);
    assert!(groups(json!([])).unwrap().is_empty());
    assert!(groups(Value::Null).unwrap().is_empty());
    for odd in [json!(["ml", null]), json!(["ml", ""]), json!([1, "ml"])] {
        assert_eq!(groups(odd.clone()).unwrap(), ["ml"], "{odd}");
    }
    for bad in [json!({"ml": true}), json!(1)] {
        assert_eq!(groups(bad.clone()).unwrap_err(), "groups", "{bad}");
    }
    for overage in [
        json!({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}}),
        json!({"hasgroups": true}),
    ] {
        let mut claims = good();
        let map = claims.as_object_mut().unwrap();
        map.remove("groups");
        map.extend(overage.as_object().unwrap().clone());
        assert_eq!(
            judge(Phase::Login("n"), &claims, None).unwrap_err(),
            "groups"
        );
    }
    assert_eq!(with("_claim_names", json!({"other": "src1"})), "right");
}

#[test]
fn an_email_with_control_characters_is_not_shown() {
    let mut claims = good();
    claims["email"] = json!("a\u{1b}]0;x\u{7}@b");
    assert_eq!(judge(Phase::Login("n"), &claims, None).unwrap().email, None);
}

#[test]
fn no_audience_is_called_that_and_not_another_clients() {
    let mut claims = good();
    claims["aud"] = json!([]);
    let map = claims.as_object().unwrap().clone();
    let wrong =
        VerifiedClaims::new(map).identity(&expect(Phase::Login("n")), Algorithm::ES256, None);
    assert_eq!(wrong.unwrap_err().why, "it names no audience");
}

#[test]
fn groups_are_not_judged_where_an_issuer_reads_them() {
    let mut claims = good();
    claims["groups"] = json!({"ml": {"312": "acme.example"}});
    let mut expect = expect(Phase::Login("n"));
    expect.judges_groups = false;
    let read = VerifiedClaims::new(claims.as_object().unwrap().clone());
    let identity = read.identity(&expect, Algorithm::ES256, None);
    assert!(identity.unwrap().groups.is_empty());
    expect.groups_claim = "groups.*";
    let identity = read.identity(&expect, Algorithm::ES256, None);
    assert_eq!(identity.unwrap().groups, ["ml"]);
    claims["realm_access"] = json!({"roles": ["dev"]});
    expect.groups_claim = "realm_access.roles";
    let read = VerifiedClaims::new(claims.as_object().unwrap().clone());
    let identity = read.identity(&expect, Algorithm::ES256, None);
    assert_eq!(identity.unwrap().groups, ["dev"]);
}
