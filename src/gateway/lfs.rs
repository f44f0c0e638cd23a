//! Git LFS's batch: its operation decides about the token, and the links in its answer lead through the gateway.

use crate::hub::Upstream;
use crate::link::Links;
use crate::source::HubOperation;
use http::Method;
use jiff::Timestamp;
use oam_model::name::Repository;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest request or answer of a batch. Clients ask for 100 objects at a time, some 20 KB.
pub const MOST: usize = 4 * 1024 * 1024;

#[derive(Deserialize)]
struct Request {
    operation: String,
}

/// The operation of a batch request; a field that stands twice is none.
pub fn operation(body: &[u8]) -> Option<HubOperation> {
    match serde_json::from_slice::<Request>(body)
        .ok()?
        .operation
        .as_str()
    {
        "download" => Some(HubOperation::Read),
        "upload" => Some(HubOperation::Write),
        _ => None,
    }
}

/// The answer of a hub without locks: nobody holds one. Otherwise git-lfs would write into the repository's settings
/// that this address, which is gone with the command, has none.
pub const NO_LOCKS: &str = r#"{"ours":[],"theirs":[]}"#;

/// Whether a request asks for the locks that stand in the way of a push.
pub fn verifies_locks(method: &Method, path: &str) -> bool {
    method == Method::POST && path.ends_with("/info/lfs/locks/verify")
}

/// Where the links of an answer lead.
pub struct Way<'a> {
    /// The hub whose links they are.
    pub hub: &'a Upstream,
    /// Signs the gateway's own.
    pub links: &'a Links,
    /// The gateway's address, without a slash at the end.
    pub own: &'a str,
    /// What the batch was about.
    pub repository: &'a Repository,
    /// And what for.
    pub operation: HubOperation,
    /// Unix seconds: ends of links are told as spans.
    pub now_s: u64,
}

/// An answer whose links to the hub lead through the gateway.
pub struct Led {
    /// The answer.
    pub bytes: Vec<u8>,
    /// For each link to another host the Unix seconds at which it ends, where the hub says so.
    pub handed_out: Vec<Option<u64>>,
}

/// The answer with its links to the hub's host led through the gateway. `secrets` are the token of the request and
/// its form in the header: some hubs hand it back for use with the links. `None`: it can't be read, or would tell a token.
pub fn through(body: &[u8], way: &Way<'_>, secrets: &[&str]) -> Option<Led> {
    let mut answer: Value = serde_json::from_slice(body).ok()?;
    let mut handed_out = Vec::new();
    let objects = answer.get_mut("objects").and_then(Value::as_array_mut);
    for object in objects.into_iter().flatten() {
        let actions = object.get_mut("actions").and_then(Value::as_object_mut);
        for action in actions.into_iter().flat_map(|actions| actions.values_mut()) {
            let Some(action) = action.as_object_mut() else {
                continue;
            };
            let href = action.get("href").and_then(Value::as_str);
            let at_hub = href.and_then(|href| way.hub.own(href));
            if let Some(at_hub) = &at_hub {
                let link = way.links.sign(way.repository, way.operation, at_hub);
                action.insert("href".into(), Value::String(format!("{}{link}", way.own)));
            } else {
                handed_out.push(end_of(action, way.now_s));
            }
            if let Some(headers) = action.get_mut("header").and_then(Value::as_object_mut) {
                headers.retain(|name, value| {
                    let goes = at_hub.is_some() && name.eq_ignore_ascii_case("authorization");
                    !goes && !value.as_str().is_some_and(|value| tells(value, secrets))
                });
            }
        }
    }
    let text = serde_json::to_string(&answer).ok()?;
    (!tells(&text, secrets)).then(|| Led {
        bytes: text.into_bytes(),
        handed_out,
    })
}

/// When a link ends: `expires_in` counts before `expires_at` (Git LFS's batch API).
fn end_of(action: &Map<String, Value>, now_s: u64) -> Option<u64> {
    let span = action.get("expires_in").and_then(Value::as_u64);
    let span = span.filter(|span| *span > 0);
    let at = action.get("expires_at").and_then(Value::as_str);
    let at = at.and_then(|at| at.parse::<Timestamp>().ok());
    match (span, at) {
        (Some(span), _) => Some(now_s.saturating_add(span)),
        (None, Some(at)) => u64::try_from(at.as_second()).ok(),
        (None, None) => None,
    }
}

fn tells(text: &str, secrets: &[&str]) -> bool {
    secrets
        .iter()
        .any(|secret| !secret.is_empty() && text.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::{Way, end_of, operation, through};
    use crate::hub::Upstream;
    use crate::link::Links;
    use crate::source::HubOperation::{Read, Write};
    use serde_json::{Value, json};

    #[test]
    fn the_operation_is_said_once_or_not_at_all() {
        assert_eq!(
            operation(br#"{"operation":"download","objects":[]}"#),
            Some(Read)
        );
        assert_eq!(
            operation(br#"{"objects":[],"operation":"upload"}"#),
            Some(Write)
        );
        for body in [
            &b"{}"[..],
            b"",
            b"[]",
            br#"{"operation":"x"}"#,
            br#"{"operation":"download","operation":"upload"}"#,
        ] {
            assert_eq!(operation(body), None);
        }
    }

    #[test]
    fn links_to_the_hub_lead_through_the_gateway_and_no_token_stands_in_them() {
        let hub = Upstream::new("http://127.0.0.1:8000", &oam_http::Via::default()).unwrap();
        let links = Links::new();
        let repository = "acme/model".parse().unwrap();
        let body = json!({"transfer": "basic", "objects": [
            {"oid": "a", "size": 1, "actions": {
                "upload": {"href": "http://127.0.0.1:8000/lfs/a?x=1", "header": {"Authorization": "Basic xyz", "X-Other": "1"}},
                "verify": {"href": "https://store.example/v?sig=1", "header": {"Authorization": "theirs"}},
            }},
            {"oid": "b", "size": 1},
        ]});
        let way = Way {
            hub: &hub,
            links: &links,
            own: "http://127.0.0.1:1",
            repository: &repository,
            operation: Write,
            now_s: 1_000,
        };
        let go = |body: &Value, secret: &str| {
            let led = through(body.to_string().as_bytes(), &way, &[secret])?;
            let answer: Value = serde_json::from_slice(&led.bytes).unwrap();
            Some((answer, led.handed_out))
        };
        let (answer, handed_out) = go(&body, "s3cret").unwrap();
        assert_eq!(handed_out, [None], "the store's, without an end");
        let actions = &answer["objects"][0]["actions"];
        let href = actions["upload"]["href"].as_str().unwrap();
        let linked = links
            .read(href.strip_prefix("http://127.0.0.1:1").unwrap())
            .unwrap();
        assert_eq!(linked.address, "/lfs/a?x=1");
        assert_eq!(linked.target.operation, Write);
        assert_eq!(actions["upload"]["header"], json!({"X-Other": "1"}));
        assert_eq!(actions["verify"], body["objects"][0]["actions"]["verify"]);
        let (answer, _) = go(&body, "theirs").unwrap();
        assert_eq!(
            answer["objects"][0]["actions"]["verify"]["header"],
            json!({})
        );
        assert_eq!(
            go(&body, "store"),
            None,
            "a token that stands elsewhere goes no further"
        );
    }
    #[test]
    fn the_end_of_a_link_to_another_host_is_read_in_both_forms() {
        for (action, end) in [
            (json!({"expires_in": 60}), Some(1_060)),
            (
                json!({"expires_at": "2026-11-10T15:29:07Z"}),
                Some(1_794_324_547),
            ),
            (
                json!({"expires_at": "2026-11-10T16:29:07+01:00", "expires_in": 0}),
                Some(1_794_324_547),
            ),
            (json!({"expires_at": "tomorrow"}), None),
            (json!({"expires_in": -5}), None),
            (json!({}), None),
        ] {
            assert_eq!(end_of(action.as_object().unwrap(), 1_000), end, "{action}");
        }
    }
}
