//! A provider: documents, keys, introspection and userinfo, each question counted.

use crate::server::{Canned, Seen, StandIn};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// What the provider answers.
pub struct Answers {
    pub down: bool,
    /// `issuer` of its documents.
    pub issuer: String,
    pub keys: Vec<Value>,
    pub introspection: (u16, Value),
    pub userinfo: (u16, Value),
    /// More members of the document for security events; none: it has no such document.
    pub ssf: Option<Value>,
    hits: HashMap<String, usize>,
    forms: Vec<String>,
}

/// The provider. It ends with the test's runtime.
pub struct StandInProvider {
    pub issuer: String,
    answers: Arc<Mutex<Answers>>,
}

impl StandInProvider {
    /// One without keys, that knows nobody.
    pub async fn start() -> Self {
        let answers = Arc::new(Mutex::new(Answers {
            down: false,
            issuer: String::new(),
            keys: Vec::new(),
            introspection: (200, json!({ "active": false })),
            userinfo: (401, json!({ "error": "invalid_token" })),
            ssf: None,
            hits: HashMap::new(),
            forms: Vec::new(),
        }));
        let shared = Arc::clone(&answers);
        let server = StandIn::start(move |base, seen| {
            let (status, answer) = answer(base, &shared, seen);
            Canned::Say(status, "application/json", answer.to_string())
        });
        let issuer = server.await.base;
        answers.lock().unwrap().issuer.clone_from(&issuer);
        Self { issuer, answers }
    }

    pub fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap()
    }

    /// How often this path was asked.
    pub fn hits(&self, path: &str) -> usize {
        self.answers().hits.get(path).copied().unwrap_or(0)
    }

    /// What was posted to introspection.
    pub fn forms(&self) -> Vec<String> {
        self.answers().forms.clone()
    }
}

fn answer(base: &str, shared: &Mutex<Answers>, seen: &Seen) -> (u16, Value) {
    let target = seen.line.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let mut answers = shared.lock().unwrap();
    *answers.hits.entry(path.to_owned()).or_default() += 1;
    if answers.down {
        return (503, json!({}));
    }
    let document = json!({
        "issuer": answers.issuer, "jwks_uri": format!("{base}/jwks"),
        "introspection_endpoint": format!("{base}/introspect"),
        "userinfo_endpoint": format!("{base}/userinfo"),
    });
    match path {
        "/.well-known/openid-configuration" => (200, document),
        "/.well-known/ssf-configuration" if answers.ssf.is_some() => {
            let mut document = document;
            let more = answers.ssf.clone().unwrap();
            let more = more.as_object().unwrap().clone();
            document.as_object_mut().unwrap().extend(more);
            (200, document)
        }
        "/jwks" => (200, json!({ "keys": answers.keys })),
        "/introspect" => {
            let head = seen.head.to_ascii_lowercase();
            assert!(head.contains("authorization: basic "), "{head}");
            answers.forms.push(seen.body.clone());
            answers.introspection.clone()
        }
        "/userinfo" => answers.userinfo.clone(),
        _ => (404, json!({})),
    }
}
