//! Reading signed tokens and keys before anything of them is trusted (RFC 7515, RFC 7517): one reader for the agent and
//! the issuer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Most keys that are kept of one set.
pub const MOST_KEYS: usize = 64;

/// What of a token's header is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoseHeader {
    /// `alg` as it is written, at most 32 plain characters; empty when it is no text.
    pub alg: String,
    /// `kid`; a number as its text.
    pub kid: Option<String>,
    /// `typ`.
    pub typ: Option<String>,
    /// Whether it demands an extension.
    pub crit: bool,
}

/// The header of a token in three parts; none: it is no signed token. `null` is absent.
pub fn header(token: &str) -> Option<JoseHeader> {
    let header = part(token, 0)?;
    if token.split('.').count() != 3 {
        return None;
    }
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '.');
    Some(JoseHeader {
        alg: text("alg")
            .unwrap_or_default()
            .chars()
            .filter(plain)
            .take(32)
            .collect(),
        kid: header.get("kid").and_then(name),
        typ: text("typ").map(str::to_owned),
        crit: header.get("crit").is_some_and(|crit| !crit.is_null()),
    })
}

/// The claims of a token, which nobody has verified.
pub fn claims(token: &str) -> Option<Map<String, Value>> {
    part(token, 1)
}

/// Why a header's algorithm is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unaccepted {
    /// No algorithm of this name is known here; `none` is one of them.
    Unknown,
    /// What it would be keyed with is public, or known to everybody who may verify.
    Symmetric,
    /// The header demands an extension.
    Extension,
}

impl JoseHeader {
    /// The algorithm of the signature. Only asymmetric ones are accepted, and `none` is no signature (R30, RFC 8725
    /// §3.1 and §3.2).
    ///
    /// # Errors
    /// Why not.
    pub fn accepted(&self) -> Result<Algorithm, Unaccepted> {
        let accepted = accepted(&self.alg)?;
        if self.crit {
            return Err(Unaccepted::Extension);
        }
        Ok(accepted)
    }
}

/// The algorithm of this name, when it is one that is accepted.
///
/// # Errors
/// Why not.
pub fn accepted(alg: &str) -> Result<Algorithm, Unaccepted> {
    let known: Algorithm = algorithm(alg).parse().map_err(|_| Unaccepted::Unknown)?;
    if known.family() == AlgorithmFamily::Hmac {
        return Err(Unaccepted::Symmetric);
    }
    Ok(known)
}

/// The name under which a library knows the algorithm: RFC 9864 names the curve where RFC 8037 names the family.
pub fn algorithm(alg: &str) -> &str {
    if alg == "Ed25519" { "EdDSA" } else { alg }
}

/// A key as a library reads it: some providers number their keys, some name the curve as the algorithm.
pub fn tidied(mut key: Value) -> Value {
    if let Some(members) = key.as_object_mut() {
        if let Some(kid) = members.get("kid").and_then(name) {
            members.insert("kid".to_owned(), Value::String(kid));
        }
        let alg = members.get("alg").and_then(Value::as_str).map(algorithm);
        if let Some(alg) = alg.map(str::to_owned) {
            members.insert("alg".to_owned(), Value::String(alg));
        }
        members.retain(|_, value| !value.is_null());
    }
    key
}

fn name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn part(token: &str, number: usize) -> Option<Map<String, Value>> {
    let part = token.split('.').nth(number)?;
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    object(&bytes)
}

/// A JSON object in which no member stands twice, at any depth: two readers of a signed text could take one each
/// (RFC 7519 §4, RFC 8725 §2.4).
pub fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(bytes).ok()? {
        Unique(Value::Object(members)) => Some(members),
        Unique(_) => None,
    }
}

/// A value without double members.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without double members")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Unique, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Unique(Value::Array(values)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unique, A::Error> {
        let mut map = Map::new();
        while let Some((name, Unique(value))) = members.next_entry::<String, Unique>()? {
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Unique(Value::Object(map)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Unaccepted, algorithm, header, object, tidied};
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    fn of(value: &Value) -> super::JoseHeader {
        let text = URL_SAFE_NO_PAD.encode(value.to_string());
        header(&format!("{text}.e30.AAAA")).unwrap()
    }

    #[test]
    fn a_numbered_key_and_an_algorithm_of_another_name_are_read() {
        let read = of(&json!({"alg": "Ed25519", "kid": 7, "typ": null, "crit": null}));
        assert_eq!(
            (read.kid.as_deref(), read.typ, read.crit),
            (Some("7"), None, false)
        );
        assert_eq!(algorithm(&read.alg), "EdDSA");
        assert_eq!(of(&json!({"alg": "ES512"})).alg, "ES512");
        assert_eq!(of(&json!({"alg": ["none"]})).alg, "");
        assert!(of(&json!({"alg": "ES256", "crit": ["b64"]})).crit);
    }

    #[test]
    fn only_asymmetric_algorithms_without_extensions_are_accepted() {
        let accepted = |header: Value| of(&header).accepted();
        assert_eq!(accepted(json!({"alg": "Ed25519"})), Ok(Algorithm::EdDSA));
        for (alg, why) in [
            ("none", Unaccepted::Unknown),
            ("ES512", Unaccepted::Unknown),
            ("", Unaccepted::Unknown),
            ("HS256", Unaccepted::Symmetric),
        ] {
            assert_eq!(accepted(json!({ "alg": alg })), Err(why), "{alg}");
        }
        let demanding = json!({"alg": "ES256", "crit": ["b64"]});
        assert_eq!(accepted(demanding), Err(Unaccepted::Extension));
    }

    #[test]
    fn what_is_no_token_in_three_parts_is_none() {
        for bad in ["", "a.b", "e30.e30", "e30.e30.a.b", "W10.e30.a", "!.e30.a"] {
            assert!(header(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_member_that_stands_twice_makes_it_no_object() {
        let whole = br#"{"a":[1,-2,0.5,"x",null,true,{"b":{}}],"c":"\u00e4"}"#;
        assert_eq!(
            object(whole).map(Value::Object),
            serde_json::from_slice(whole).ok()
        );
        for bad in [
            r#"{"sub":"ada","sub":"bob"}"#,
            r#"{"sub":"ada","s\u0075b":"bob"}"#,
            r#"{"act":[{"sub":"a","sub":"a"}]}"#,
            r#"{"sub":"ada"} {}"#,
            "[]",
            "",
        ] {
            assert_eq!(object(bad.as_bytes()), None, "{bad}");
        }
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"ada","sub":"bob"}"#);
        assert_eq!(super::claims(&format!("e30.{claims}.AAAA")), None);
    }

    #[test]
    fn a_key_is_written_as_the_library_reads_it() {
        let key = tidied(json!({"kty": "OKP", "kid": 7, "alg": "Ed25519", "use": null}));
        assert_eq!(key, json!({"kty": "OKP", "kid": "7", "alg": "EdDSA"}));
    }
}
