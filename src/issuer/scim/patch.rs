//! What a directory sends, applied to a record as pure functions (RFC 7644 §3.5). Names of operations and
//! attributes are read without regard to letter case, and `"False"` is false: that is how directories write.
//!
//! An attribute that no schema has is refused where a path names it: accepted and ignored, `actve = false` would
//! leave a leaver active. Where it stands beside others in an object it is passed over, for directories send
//! attributes of their own.

mod values;

use super::filter::{self, Path};
use super::schema::{Attribute, AttributeKind, Meant, meant, part};
use super::{LONGEST, ScimError};
use serde_json::{Map, Value};
use values::{of_parts, values};

/// Most operations of one request.
const OPERATIONS: usize = 10_000;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Replace,
    Remove,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operation {
    pub(super) operator: Operator,
    pub(super) path: Option<Path>,
    pub(super) value: Value,
}

/// A record as it is kept: attributes by the names that SCIM has for them.
pub(super) type ScimDocument = Map<String, Value>;

/// Takes a member of an object whose name may be written in any letter case.
pub(super) fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let key = object.keys().find(|key| key.eq_ignore_ascii_case(name))?;
    let key = key.clone();
    object.remove(&key)
}

/// The operations of a PATCH, in order.
///
/// # Errors
/// `invalidSyntax` and what reading a path tells.
pub(super) fn operations(body: Value) -> Result<Vec<Operation>, ScimError> {
    let Value::Object(mut body) = body else {
        return Err(ScimError::syntax("the body is no object"));
    };
    let Some(Value::Array(all)) = take(&mut body, "Operations") else {
        return Err(ScimError::syntax("the body has no list `Operations`"));
    };
    if all.is_empty() || all.len() > OPERATIONS {
        return Err(ScimError::syntax(format!(
            "a PATCH has 1 to {OPERATIONS} operations"
        )));
    }
    all.into_iter().map(operation).collect()
}

fn operation(value: Value) -> Result<Operation, ScimError> {
    let Value::Object(mut object) = value else {
        return Err(ScimError::syntax("an operation is no object"));
    };
    let word = match take(&mut object, "op") {
        Some(Value::String(word)) => word.to_ascii_lowercase(),
        _ => String::new(),
    };
    let operator = match word.as_str() {
        "add" => Operator::Add,
        "replace" => Operator::Replace,
        "remove" => Operator::Remove,
        _ => {
            return Err(ScimError::syntax(
                "an operation's `op` is none of add, replace, remove",
            ));
        }
    };
    let path = match take(&mut object, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) => Some(filter::path(&text)?),
        Some(_) => return Err(ScimError::path("a path is a text")),
    };
    if path.is_none() && operator == Operator::Remove {
        return Err(ScimError::bad("noTarget", "remove needs a path"));
    }
    Ok(Operation {
        operator,
        path,
        value: take(&mut object, "value").unwrap_or_default(),
    })
}

/// Applies one operation.
///
/// # Errors
/// `invalidPath`, `invalidValue`, `mutability`.
pub(super) fn apply(
    document: &mut ScimDocument,
    of: &'static [Attribute],
    operation: Operation,
) -> Result<(), ScimError> {
    let Operation {
        operator,
        path,
        value,
    } = operation;
    let Some(path) = path else {
        let Value::Object(members) = value else {
            return Err(ScimError::value(
                "an operation without a path has an object as value",
            ));
        };
        return merge(document, of, operator, members);
    };
    match named(of, &path)? {
        Some(attribute) => at(document, attribute, operator, &path, value),
        None => Ok(()),
    }
}

/// Sets every attribute of an object that is kept; the others are passed over.
///
/// # Errors
/// `invalidValue`.
pub(super) fn merge(
    document: &mut ScimDocument,
    of: &'static [Attribute],
    operator: Operator,
    members: Map<String, Value>,
) -> Result<(), ScimError> {
    for (key, value) in members {
        // The name of a schema with its attributes inside: `{"urn:…:User": {"active": false}}`.
        let lower = key.to_ascii_lowercase();
        if lower == super::schema::USER.to_ascii_lowercase()
            || lower == super::schema::GROUP.to_ascii_lowercase()
        {
            if let Value::Object(inner) = value {
                merge(document, of, operator, inner)?;
            }
            continue;
        }
        let Ok(path) = filter::path(&key) else {
            continue;
        };
        let name = path.attribute.as_deref().unwrap_or_default();
        if let Meant::Kept(attribute) = meant(of, name) {
            at(document, attribute, operator, &path, value)?;
        }
    }
    Ok(())
}

/// The attribute that a path names; none where nothing is kept of it.
fn named(of: &'static [Attribute], path: &Path) -> Result<Option<&'static Attribute>, ScimError> {
    let Some(name) = &path.attribute else {
        return Ok(None);
    };
    match meant(of, name) {
        Meant::Kept(attribute) => Ok(Some(attribute)),
        Meant::NotKept if matches!(name.as_str(), "id" | "meta" | "schemas") => Err(
            ScimError::bad("mutability", format!("`{name}` is the issuer's to say")),
        ),
        Meant::NotKept => Ok(None),
        Meant::Unknown => Err(ScimError::path(format!(
            "no attribute is called `{}`",
            name.escape_debug()
        ))),
    }
}

fn at(
    document: &mut ScimDocument,
    attribute: &'static Attribute,
    operator: Operator,
    path: &Path,
    value: Value,
) -> Result<(), ScimError> {
    let (parts, several) = match attribute.kind {
        AttributeKind::Text | AttributeKind::Reference | AttributeKind::Flag
            if path.part.is_none() && path.only.is_empty() =>
        {
            let value = if operator == Operator::Remove {
                None
            } else {
                single(attribute, value)?
            };
            return put(document, attribute, value);
        }
        AttributeKind::Text | AttributeKind::Reference | AttributeKind::Flag => {
            return Err(ScimError::path(format!(
                "`{}` has no parts",
                attribute.name
            )));
        }
        AttributeKind::Parts(parts) => (parts, false),
        AttributeKind::Values(parts) => (parts, true),
    };
    let part = path.part.as_ref().map(|name| {
        part(parts, name).ok_or_else(|| {
            let name = name.escape_debug();
            ScimError::path(format!("`{}` has no part `{name}`", attribute.name))
        })
    });
    let part = part.transpose()?;
    if several {
        let kept = document.remove(attribute.name);
        let mut list = match kept {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        };
        values(
            &mut list,
            attribute,
            parts,
            (operator, &path.only, part),
            value,
        )?;
        let value = (!list.is_empty()).then_some(Value::Array(list));
        put(document, attribute, value)
    } else if path.only.is_empty() {
        let value = whole(document, attribute, parts, (operator, part), value)?;
        put(document, attribute, value)
    } else {
        Err(ScimError::path(format!(
            "`{}` has one value",
            attribute.name
        )))
    }
}

/// An attribute of several parts, changed as a whole or in one of them.
fn whole(
    document: &mut ScimDocument,
    attribute: &Attribute,
    parts: &'static [Attribute],
    (operator, part): (Operator, Option<&'static Attribute>),
    value: Value,
) -> Result<Option<Value>, ScimError> {
    let mut whole = match document.remove(attribute.name) {
        Some(Value::Object(whole)) => whole,
        _ => Map::new(),
    };
    match (operator, part) {
        (Operator::Remove, None) => whole.clear(),
        (Operator::Remove, Some(part)) => drop(whole.remove(part.name)),
        (_, Some(part)) => set(&mut whole, part, single(part, value)?),
        (_, None) => whole.extend(of_parts(attribute, parts, value)?),
    }
    Ok((!whole.is_empty()).then_some(Value::Object(whole)))
}

fn put(
    document: &mut ScimDocument,
    attribute: &Attribute,
    value: Option<Value>,
) -> Result<(), ScimError> {
    if attribute.required && value.is_none() {
        return Err(ScimError::value(format!("`{}` is needed", attribute.name)));
    }
    set(document, attribute, value);
    Ok(())
}

fn set(object: &mut Map<String, Value>, attribute: &Attribute, value: Option<Value>) {
    match value {
        Some(value) => drop(object.insert(attribute.name.to_owned(), value)),
        None => drop(object.remove(attribute.name)),
    }
}

/// A text or a flag; none for null and for an empty text.
fn single(attribute: &Attribute, value: Value) -> Result<Option<Value>, ScimError> {
    let wrong = |what: &str| Err(ScimError::value(format!("`{}` {what}", attribute.name)));
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(None),
        (AttributeKind::Flag, Value::Bool(flag)) => Ok(Some(Value::Bool(flag))),
        (AttributeKind::Flag, Value::String(word)) => match word.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(Value::Bool(true))),
            "false" => Ok(Some(Value::Bool(false))),
            _ => wrong("is neither true nor false"),
        },
        (AttributeKind::Flag, _) => wrong("is neither true nor false"),
        (AttributeKind::Text | AttributeKind::Reference, Value::String(text))
            if text.is_empty() =>
        {
            Ok(None)
        }
        (AttributeKind::Text | AttributeKind::Reference, Value::String(text)) => {
            if text.chars().count() > LONGEST {
                return wrong(&format!("is longer than {LONGEST} characters"));
            }
            if text.chars().any(char::is_control) {
                return wrong("holds a control character");
            }
            Ok(Some(Value::String(text)))
        }
        (_, _) => wrong("is no text"),
    }
}
