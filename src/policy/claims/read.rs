//! Reading single claims.

use super::Claims;
use crate::pattern;
use serde_json::Value;
use std::borrow::Cow;

/// A claim by its name, or by a path with dots into objects: `kubernetes.io.namespace`,
/// `realm_access.roles`. A claim whose own name has dots wins.
pub fn at<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    find(path, |name| claims.get(name))
}

/// The same of claims that lie in another map: `get` gives one by its whole name.
pub fn find<'a>(path: &str, get: impl Fn(&str) -> Option<&'a Value>) -> Option<&'a Value> {
    if let Some(value) = get(path) {
        return Some(value);
    }
    // The longest name that is there wins; each level takes a dot away, and paths come from our own files.
    path.rmatch_indices('.').find_map(|(dot, _)| {
        let inner = get(&path[..dot])?.as_object()?;
        at(inner, &path[dot + 1..])
    })
}

/// Whether a claim that is a text or a list of texts, as `aud` is, is or holds one of these.
pub fn is_one_of(value: Option<&Value>, known: &[String]) -> bool {
    let ours = |one: &Value| {
        one.as_str()
            .is_some_and(|one| known.iter().any(|known| known == one))
    };
    match value {
        Some(Value::Array(list)) => list.iter().any(ours),
        Some(one) => ours(one),
        None => false,
    }
}

/// Whether a claim is one of these patterns, whole: `*` any text without `/`, `**` any text. A list fits
/// when one of its items does; truth values and numbers are taken as they are written. A claim that is
/// missing or an object fits nothing.
pub fn fits(value: Option<&Value>, patterns: &[String]) -> bool {
    let one = |value: &Value| {
        written(value).is_some_and(|text| patterns.iter().any(|p| pattern::matches(p, &text)))
    };
    match value {
        Some(Value::Array(items)) => items.iter().any(one),
        Some(value) => one(value),
        None => false,
    }
}

/// Ids are numbers at one provider and texts at the next, truth values texts at GitLab.
fn written(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(truth) => Some(Cow::Owned(truth.to_string())),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A time in whole seconds. Fractions are cut off: some write `1.7e9` or `1700000000.5` (RFC 7519 §2).
pub fn seconds(value: &Value) -> Option<u64> {
    /// The year 9999: beyond it nothing is a time.
    const LAST: f64 = 253_402_300_799.0;
    let number = value.as_number()?;
    if let Some(whole) = number.as_u64() {
        return Some(whole);
    }
    let float = number.as_f64()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to the year 9999 was checked"
    )]
    let whole = (0.0..=LAST).contains(&float).then_some(float as u64);
    whole
}
