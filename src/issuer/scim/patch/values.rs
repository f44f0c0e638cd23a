//! Attributes of several values, and of several parts.

use super::super::ScimError;
use super::super::filter::Comparison;
use super::super::schema::{Attribute, AttributeKind, part};
use super::{Operator, set, single};
use serde_json::{Map, Value};

/// Most values of one attribute, members of a group apart.
const VALUES: usize = 16;

/// Changes an attribute of several values.
pub(super) fn values(
    list: &mut Vec<Value>,
    attribute: &Attribute,
    parts: &'static [Attribute],
    (operator, only, part): (Operator, &[Comparison], Option<&'static Attribute>),
    value: Value,
) -> Result<(), ScimError> {
    let meant = |one: &Value| only.iter().all(|wanted| holds(one, parts, wanted));
    match (operator, part) {
        (Operator::Remove, None) => {
            let named = if value.is_null() {
                None
            } else {
                Some(all_of(attribute, parts, value)?)
            };
            list.retain(|one| {
                let named = named.as_ref();
                !meant(one) || named.is_some_and(|named| !named.iter().any(|it| same(one, it)))
            });
        }
        (Operator::Remove, Some(part)) => {
            for one in list.iter_mut().filter(|one| meant(one)) {
                if let Value::Object(one) = one {
                    one.remove(part.name);
                }
            }
            list.retain(|one| one.as_object().is_some_and(|one| !one.is_empty()));
        }
        (_, Some(part)) => {
            let value = single(part, value)?;
            if !list.iter().any(&meant) {
                list.push(new_one(parts, only)?);
            }
            for one in list.iter_mut().filter(|one| meant(one)) {
                if let Value::Object(one) = one {
                    set(one, part, value.clone());
                }
            }
        }
        (operator, None) => {
            let new = all_of(attribute, parts, value)?;
            if only.is_empty() {
                if operator == Operator::Replace {
                    list.clear();
                }
                add(list, new);
            } else {
                list.retain(|one| !meant(one));
                add(list, new);
            }
        }
    }
    if list.len() > VALUES {
        return Err(ScimError::value(format!(
            "`{}` has at most {VALUES} values",
            attribute.name
        )));
    }
    Ok(())
}

/// Adds values that are not there; of several preferred ones the newest is it.
fn add(list: &mut Vec<Value>, new: Vec<Value>) {
    for one in new {
        list.retain(|kept| !same(kept, &one));
        if one.get("primary") == Some(&Value::Bool(true)) {
            for kept in list.iter_mut().filter_map(Value::as_object_mut) {
                kept.remove("primary");
            }
        }
        list.push(one);
    }
}

/// Whether two values are the same one, whatever is said besides.
fn same(one: &Value, other: &Value) -> bool {
    let value = |it: &Value| it.get("value").cloned();
    value(one) == value(other) && one.get("type") == other.get("type")
        || value(one) == value(other) && (one.get("type").is_none() || other.get("type").is_none())
}

fn holds(one: &Value, parts: &'static [Attribute], wanted: &Comparison) -> bool {
    let Some(part) = part(parts, &wanted.name) else {
        return false;
    };
    match (one.get(part.name), &wanted.value) {
        (Some(Value::String(has)), Value::String(wanted)) if part.case_exact => has == wanted,
        (Some(Value::String(has)), Value::String(wanted)) => has.eq_ignore_ascii_case(wanted),
        (Some(has), wanted) => has == wanted,
        (None, Value::Bool(false)) => part.kind == AttributeKind::Flag,
        (None, _) => false,
    }
}

/// A value that fits a filter which nothing fits yet: `emails[type eq "work"].value` of somebody without one.
fn new_one(parts: &'static [Attribute], only: &[Comparison]) -> Result<Value, ScimError> {
    let mut new = Map::new();
    for wanted in only {
        let part = part(parts, &wanted.name).ok_or_else(|| {
            ScimError::path(format!(
                "no part is called `{}`",
                wanted.name.escape_debug()
            ))
        })?;
        set(&mut new, part, single(part, wanted.value.clone())?);
    }
    Ok(Value::Object(new))
}

pub(super) fn of_parts(
    attribute: &Attribute,
    parts: &'static [Attribute],
    value: Value,
) -> Result<Map<String, Value>, ScimError> {
    let members = match value {
        Value::Null => return Ok(Map::new()),
        Value::Object(members) => members,
        Value::String(text) if part(parts, "value").is_some() => {
            Map::from_iter([("value".to_owned(), Value::String(text))])
        }
        _ => {
            return Err(ScimError::value(format!(
                "`{}` is no object",
                attribute.name
            )));
        }
    };
    let mut whole = Map::new();
    for (key, value) in members {
        if let Some(part) = part(parts, &key) {
            set(&mut whole, part, single(part, value)?);
        }
    }
    Ok(whole)
}

fn all_of(
    attribute: &Attribute,
    parts: &'static [Attribute],
    value: Value,
) -> Result<Vec<Value>, ScimError> {
    let list = match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list,
        one => vec![one],
    };
    let mut found = Vec::new();
    for one in list {
        let one = of_parts(attribute, parts, one)?;
        if !one.is_empty() {
            found.push(Value::Object(one));
        }
    }
    Ok(found)
}
