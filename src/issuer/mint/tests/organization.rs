use super::{NOW, World, decision, error, token};
use crate::mint::RevokeOutcome;
use oam_model::audit::AuditEvent;
use oam_model::issuer::Backend;
use oam_model::principal::PrincipalKind;
use oam_model::refusal::RefusalCode;
use oam_model::role::Action;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `Basic` of `client-1` and this secret.
fn basic(secret: &str) -> String {
    use base64::Engine;
    let pair = format!("client-1:{secret}");
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    )
}

/// A hub that takes this secret only.
async fn world(good: &'static str, answer: (u16, Value)) -> World {
    let backend = Backend::HuggingFaceOrg {
        client_id: "client-1".into(),
    };
    World::new(backend, move |seen| match seen.path.as_str() {
        "/oauth/token" if seen.authorization == basic(good) => answer.clone(),
        "/oauth/token" => error(401, "invalid_client"),
        "/api/credentials/revoke" => (202, json!({})),
        _ => error(404, "not_found"),
    })
    .await
}

fn scoped(scope: &str) -> (u16, Value) {
    let mut answer = token("hf_oauth_1", 28_800);
    answer.1["scope"] = json!(scope);
    answer
}

#[tokio::test]
async fn the_member_is_named_by_e_mail_and_the_scope_is_that_of_the_grant() {
    for (action, scope) in [
        (Action::Read, "read-repos"),
        (Action::Write, "write-repos"),
        (Action::Manage, "manage-repos"),
    ] {
        let mut world = world("s3cret", scoped(scope)).await;
        world.secret("s3cret", 0).await;
        world.decision = decision(action);
        let minted = world.ask().await.ok().unwrap();
        assert_eq!(minted.expires_in_s, 900, "the role's, not the hub's");
        assert!(minted.wider_than_asked && minted.revocable());
        let seen = world.seen("/oauth/token");
        let sent: BTreeMap<String, String> = url::form_urlencoded::parse(seen[0].body.as_bytes())
            .into_owned()
            .collect();
        let expected = [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("subject_token", "ada@acme.example"),
            (
                "subject_token_type",
                "urn:huggingface:token-type:user-email",
            ),
            ("scope", scope),
        ];
        assert_eq!(sent, expected.map(|(k, v)| (k.into(), v.into())).into());
        assert_eq!(seen[0].authorization, basic("s3cret"));
    }
}

#[tokio::test]
async fn a_token_for_the_whole_hub_is_no_wider_than_asked() {
    let mut world = world("s3cret", token("hf_oauth_1", 300)).await;
    world.secret("s3cret", 0).await;
    world.repository = None;
    let minted = world.ask().await.ok().unwrap();
    assert!(!minted.wider_than_asked);
    assert_eq!(minted.expires_in_s, 300);
}

#[tokio::test]
async fn a_scope_that_is_wider_than_asked_is_refused_and_a_narrower_one_is_not() {
    for (scope, fits) in [
        ("write-repos", true),
        ("read-repos", true),
        ("read-repos write-repos", true),
        ("write-repos manage-repos", false),
        ("openid write-repos", false),
        ("write-repos inference-api", false),
    ] {
        let world = world("s3cret", scoped(scope)).await;
        world.secret("s3cret", 0).await;
        if fits {
            assert!(world.ask().await.is_ok(), "{scope}");
        } else {
            assert!(
                world.refused().await.refusal.sentence.contains("(scope)"),
                "{scope}"
            );
            assert_eq!(world.seen("/api/credentials/revoke").len(), 1);
        }
    }
}

#[tokio::test]
async fn a_missing_or_refused_secret_names_the_command_that_sets_it() {
    let world = world("s3cret", token("hf_oauth_1", 300)).await;
    let missing = world.refused().await;
    assert_eq!(missing.refusal.code, RefusalCode::Unavailable);
    assert!(
        missing
            .refusal
            .next
            .contains("oam-issuer secret set models")
    );
    assert!(world.seen("/oauth/token").is_empty());
    world.secret("wrong", 0).await;
    let refused = world.refused().await;
    assert!(
        refused
            .refusal
            .next
            .contains("oam-issuer secret set models")
    );
    assert!(refused.at_hub.is_some());
    assert_eq!(world.seen("/oauth/token").len(), 1);
}

#[tokio::test]
async fn the_older_secret_is_tried_once_while_it_overlaps_and_raises_one_alarm() {
    let world = world("old", token("hf_oauth_1", 300)).await;
    world.secret("old", 0).await;
    world.secret("new", 60_000).await;
    for _ in 0..2 {
        assert_eq!(world.ask().await.ok().unwrap().token.expose(), "hf_oauth_1");
    }
    let used: Vec<String> = world
        .seen("/oauth/token")
        .into_iter()
        .map(|s| s.authorization)
        .collect();
    assert_eq!(
        used,
        [basic("new"), basic("old"), basic("new"), basic("old")]
    );
    let rows = world.memory.rows();
    assert_eq!(rows.entries.len(), 1, "one alarm");
    assert_eq!(rows.entries[0].event, AuditEvent::Alarm);
    assert!(
        rows.entries[0]
            .detail
            .as_ref()
            .unwrap()
            .contains("refused client secret 2")
    );
}

#[tokio::test]
async fn two_refused_secrets_are_two_tries_and_no_more() {
    let world = world("other", token("hf_oauth_1", 300)).await;
    for text in ["one", "two", "three"] {
        world.secret(text, 60_000).await;
    }
    world.refused().await;
    let seen = world.seen("/oauth/token");
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].authorization, basic("two"));
}

#[tokio::test]
async fn an_alarm_that_cannot_be_written_hands_out_nothing() {
    let world = world("old", token("hf_oauth_1", 300)).await;
    world.secret("old", 0).await;
    world.secret("new", 60_000).await;
    world.memory.rows().broken = true;
    let fault = world.refused().await;
    assert!(fault.refusal.sentence.contains("the disk is full"));
    let ended = world.seen("/api/credentials/revoke");
    assert_eq!(ended.len(), 1, "the hub had made a token");
    assert!(ended[0].body.contains("hf_oauth_1"), "{}", ended[0].body);
    world.memory.rows().broken = false;
    world.ask().await.ok().unwrap();
    let kinds: Vec<AuditEvent> = world
        .memory
        .rows()
        .entries
        .iter()
        .map(|e| e.event)
        .collect();
    assert_eq!(
        kinds,
        [AuditEvent::TokenRevoked, AuditEvent::Alarm],
        "the alarm was owed"
    );
}

#[tokio::test]
async fn a_token_wider_than_asked_is_revoked_later_when_its_hub_does_not_take_the_order() {
    let backend = Backend::HuggingFaceOrg {
        client_id: "client-1".into(),
    };
    let world = World::new(backend, |seen| match seen.path.as_str() {
        "/oauth/token" => scoped("manage-repos"),
        _ => error(503, "busy"),
    })
    .await;
    world.secret("s3cret", 0).await;
    world.refused().await;
    assert!(world.memory.details()[0].contains("not handed out; revoking it"));
    let due = world
        .mint
        .due_revocations(NOW + 30_000, NOW + 30_000)
        .await
        .unwrap();
    assert!(
        matches!(due[..], [(_, RevokeOutcome::Failed(_))]),
        "{due:?}"
    );
    assert_eq!(world.seen("/api/credentials/revoke").len(), 2);
}

#[tokio::test]
async fn who_is_no_member_is_told_so() {
    let mut world = world("s3cret", error(400, "invalid_grant")).await;
    world.secret("s3cret", 0).await;
    let unknown = world.refused().await.refusal;
    assert_eq!(unknown.code, RefusalCode::Denied);
    assert!(unknown.sentence.contains("no member"));
    world.principal.email_verified = false;
    let unverified = world.refused().await.refusal;
    assert!(unverified.sentence.contains("no verified one"));
    assert!(unverified.next.contains("email_verified"));
    world.principal.email_verified = true;
    world.principal.email = None;
    let unnamed = world.refused().await.refusal.sentence;
    assert!(unnamed.contains("no verified one"), "{unnamed}");
    world.principal.email = Some("job@acme.example".into());
    world.principal.kind = PrincipalKind::Job;
    assert!(
        world
            .refused()
            .await
            .refusal
            .sentence
            .contains("a job is none")
    );
    assert_eq!(world.seen("/oauth/token").len(), 1);
    assert!(world.memory.rows().entries.is_empty());
}

#[tokio::test]
async fn a_scope_that_the_client_lacks_is_named() {
    let world = world("s3cret", error(400, "invalid_scope")).await;
    world.secret("s3cret", 0).await;
    let refusal = world.refused().await.refusal;
    assert_eq!(refusal.code, RefusalCode::Unavailable);
    assert!(refusal.sentence.contains("write-repos"));
}

#[tokio::test]
async fn a_secret_is_used_until_its_end_and_not_after() {
    let world = world("old", token("hf_oauth_1", 300)).await;
    world.secret("old", 0).await;
    world.secret("new", 60_000).await;
    for row in &mut world.memory.rows().secrets {
        row.until_ms = row.until_ms.map(|_| NOW);
    }
    world.refused().await;
    assert_eq!(world.seen("/oauth/token").len(), 1);
}
