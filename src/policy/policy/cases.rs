//! A policy's answers compared with a table of expected ones, for `oam-issuer policy test`.

use super::{Index, decide};
use oam_model::issuer::IdentitySource;
use oam_model::policy::{ExpectedAnswer, PolicyCase};
use oam_model::principal::{Groups, Principal, PrincipalKey};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How one case came out; a line of `oam-issuer policy test --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseResult {
    /// 1-based line of the case.
    pub line: usize,
    /// The principal, `source:key`.
    pub subject: String,
    /// What was asked: `write acme/model on models`.
    pub asked: String,
    /// Whether the answer is the expected one.
    pub ok: bool,
    /// The expected answer: a role's name, or `denied`.
    pub expected: String,
    pub answer: String,
    /// Why, in words.
    pub why: String,
}

/// Somebody as an administrator describes them: verified by nobody, so for questions only.
pub fn principal(
    source: &IdentitySource,
    who: &str,
    groups: Vec<String>,
    claims: BTreeMap<String, Value>,
) -> Principal {
    let mut all = claims;
    let subject = all.entry("sub".to_owned()).or_insert_with(|| who.into());
    let subject = subject.as_str().unwrap_or(who).to_owned();
    // A number stands for its text, as in the tokens of those who send ids as numbers.
    let text = |name: &str| match all.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let key = source.key_claim.as_deref().and_then(text);
    Principal {
        key: PrincipalKey {
            source: source.name.clone(),
            key: key.unwrap_or_else(|| who.to_owned()),
        },
        kind: source.kind,
        issuer: source.issuer.clone(),
        username: Some(text(&source.username_claim).unwrap_or_else(|| who.to_owned())),
        email: text("email"),
        email_verified: false,
        subject,
        groups: Groups::Known(groups),
        session: None,
        claims: Arc::new(all.into_iter().collect()),
        proven_at: 0,
        auth_time: None,
        expires_at: 0,
    }
}

/// Asks the policy and compares. `sources` are those of the settings; a case of another source is not read.
pub fn judge(index: &Index, sources: &[IdentitySource], cases: &[PolicyCase]) -> Vec<CaseResult> {
    cases
        .iter()
        .filter_map(|case| {
            let source = sources.iter().find(|source| source.name == case.source)?;
            Some(judge_one(index, source, case))
        })
        .collect()
}

fn judge_one(index: &Index, source: &IdentitySource, case: &PolicyCase) -> CaseResult {
    let principal = principal(source, &case.who, case.groups.clone(), case.claims.clone());
    let (answer, why) = match decide(index, &principal, &case.wanted) {
        Ok(decision) => (
            ExpectedAnswer::Role(decision.role),
            format!("{}; {}", decision.rule, decision.because),
        ),
        Err(refusal) => (
            ExpectedAnswer::Denied,
            format!("{}; {}", refusal.sentence, refusal.next),
        ),
    };
    let repository = case.wanted.repository.as_ref();
    CaseResult {
        line: case.line,
        subject: principal.key.to_string(),
        asked: format!(
            "{} {} on {}",
            case.wanted.action.word(),
            repository.map_or("everything", |repository| repository.as_str()),
            case.wanted.hub
        ),
        ok: answer == case.expect,
        expected: word(&case.expect),
        answer: word(&answer),
        why,
    }
}

fn word(answer: &ExpectedAnswer) -> String {
    match answer {
        ExpectedAnswer::Denied => "denied".to_owned(),
        ExpectedAnswer::Role(role) => role.to_string(),
    }
}
