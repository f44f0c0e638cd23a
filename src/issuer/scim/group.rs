//! A group's record and its members: from what a directory sends to what is kept, and to what is shown.

use super::filter::{Comparison, Path};
use super::patch::{self, Operation, Operator, ScimDocument, merge, operations, take};
use super::schema::{GROUP, OF_GROUP};
use super::{ScimError, shown_time};
use oam_model::issuer::{DirectorySettings, GroupAttribute};
use oam_store::DirectoryGroup;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Most members of a group.
const MEMBERS: usize = 100_000;
/// Longest id of a member, bytes: ours have fewer.
const ID: usize = 64;

/// Ids of users.
pub type Members = BTreeSet<String>;

/// What a request says of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupDocument {
    document: ScimDocument,
    /// Who is in it afterwards.
    pub members: Members,
}

impl GroupDocument {
    /// Of a new group.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn new(body: Value) -> Result<Self, ScimError> {
        Self::merged(ScimDocument::new(), Members::new(), body)
    }

    /// Of a group that is written anew. Members that it does not speak of stay, as does the directory's identifier: an
    /// empty list is what empties a group.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn replaced(
        group: &DirectoryGroup,
        members: Members,
        body: Value,
    ) -> Result<Self, ScimError> {
        let mut kept = attributes(group);
        kept.retain(|name, _| name == "externalId");
        Self::merged(kept, members, body)
    }

    /// Of a group that is changed.
    ///
    /// # Errors
    /// What is wrong; nothing of it is taken then.
    pub fn patched(
        group: &DirectoryGroup,
        members: Members,
        body: Value,
    ) -> Result<Self, ScimError> {
        let mut after = Self {
            document: attributes(group),
            members,
        };
        for operation in operations(body)? {
            after.apply(operation)?;
        }
        after.bounded()
    }

    fn merged(
        mut document: ScimDocument,
        mut members: Members,
        body: Value,
    ) -> Result<Self, ScimError> {
        let Value::Object(mut body) = body else {
            return Err(ScimError::syntax("the body is no object"));
        };
        if let Some(list) = take(&mut body, "members") {
            members = ids(list)?;
        }
        merge(&mut document, OF_GROUP, Operator::Replace, body)?;
        if !document.contains_key("displayName") {
            return Err(ScimError::value("`displayName` is needed"));
        }
        Self { document, members }.bounded()
    }

    fn bounded(self) -> Result<Self, ScimError> {
        if self.members.len() > MEMBERS {
            return Err(ScimError::new(
                413,
                None,
                format!("a group has at most {MEMBERS} members"),
            ));
        }
        Ok(self)
    }

    fn apply(&mut self, mut operation: Operation) -> Result<(), ScimError> {
        let Operation {
            operator,
            path,
            value,
        } = &mut operation;
        match path {
            Some(path) if path.attribute.as_deref() == Some("members") => {
                let value = std::mem::take(value);
                change(&mut self.members, *operator, path, value)
            }
            Some(_) => patch::apply(&mut self.document, OF_GROUP, operation),
            None => {
                if let Value::Object(object) = value
                    && let Some(list) = take(object, "members")
                {
                    let new = ids(list)?;
                    if *operator == Operator::Replace {
                        self.members.clear();
                    }
                    self.members.extend(new);
                }
                patch::apply(&mut self.document, OF_GROUP, operation)
            }
        }
    }

    /// The record that this makes of one: `before` is how it is kept, or an empty one with its id.
    ///
    /// # Errors
    /// It does not say how the policy names the group.
    pub fn record(
        &self,
        before: &DirectoryGroup,
        settings: &DirectorySettings,
    ) -> Result<DirectoryGroup, ScimError> {
        let text = |name| {
            let value = self.document.get(name).and_then(Value::as_str);
            value.map(str::to_owned)
        };
        let display_name = text("displayName");
        let external_id = text("externalId");
        let name = match settings.group {
            GroupAttribute::DisplayName => display_name.clone(),
            GroupAttribute::ExternalId => external_id.clone(),
        };
        let word = settings.group.word();
        Ok(DirectoryGroup {
            name: name.ok_or_else(|| {
                ScimError::value(format!(
                    "`{word}` is needed: by it the policy names the group"
                ))
            })?,
            display_name: display_name
                .ok_or_else(|| ScimError::value("`displayName` is needed"))?,
            external_id,
            ..before.clone()
        })
    }
}

fn attributes(group: &DirectoryGroup) -> ScimDocument {
    let mut document = ScimDocument::new();
    document.insert("displayName".to_owned(), group.display_name.clone().into());
    if let Some(id) = &group.external_id {
        document.insert("externalId".to_owned(), id.clone().into());
    }
    document
}

/// Changes who is in a group. What is to be removed is named by a filter or by a list; only where there is neither
/// does it mean everybody.
fn change(
    members: &mut Members,
    operator: Operator,
    path: &Path,
    value: Value,
) -> Result<(), ScimError> {
    if path.part.is_some() {
        return Err(ScimError::path("a member is added or removed as a whole"));
    }
    if !path.only.is_empty() {
        let id = filtered(&path.only)?;
        return match operator {
            Operator::Remove => {
                members.remove(id);
                Ok(())
            }
            Operator::Add | Operator::Replace => Err(ScimError::path(
                "a filter on members is for removing: add a member by `members` alone",
            )),
        };
    }
    match operator {
        Operator::Remove if value.is_null() => members.clear(),
        Operator::Remove => {
            for id in ids(value)? {
                members.remove(&id);
            }
        }
        Operator::Add => members.extend(ids(value)?),
        Operator::Replace => *members = ids(value)?,
    }
    Ok(())
}

/// The member that a filter names.
fn filtered(only: &[Comparison]) -> Result<&str, ScimError> {
    let mut id = None;
    for one in only {
        match (one.name.as_str(), &one.value) {
            ("value", Value::String(value)) if id.is_none() => id = Some(value.as_str()),
            ("type", Value::String(kind)) if kind.eq_ignore_ascii_case("user") => {}
            _ => {
                return Err(ScimError::filter(
                    "a member is named by `members[value eq \"ID\"]`",
                ));
            }
        }
    }
    id.ok_or_else(|| ScimError::filter("a member is named by `members[value eq \"ID\"]`"))
}

/// The ids that a list of members names. Whatever else stands in an entry is passed over, an `id` too.
fn ids(list: Value) -> Result<Members, ScimError> {
    let list = match list {
        Value::Null => Vec::new(),
        Value::Array(list) => list,
        one => vec![one],
    };
    list.into_iter().map(id).collect()
}

fn id(member: Value) -> Result<String, ScimError> {
    let id = match member {
        Value::String(id) => Some(id),
        Value::Object(mut member) => {
            let kind = take(&mut member, "type");
            if kind.is_some_and(|kind| {
                kind.as_str()
                    .is_some_and(|k| k.eq_ignore_ascii_case("group"))
            }) {
                return Err(ScimError::value(
                    "groups in groups are not kept: let the directory send every member",
                ));
            }
            match take(&mut member, "value") {
                Some(Value::String(id)) => Some(id),
                _ => None,
            }
        }
        _ => None,
    };
    id.filter(|id| !id.is_empty() && id.len() <= ID)
        .ok_or_else(|| ScimError::value("a member is named by the `value` of its user"))
}

/// A group as it is shown; without members where they are not asked for.
pub fn shown(group: &DirectoryGroup, members: Option<&[String]>, url: &str) -> Value {
    let mut document = attributes(group);
    document.insert("schemas".to_owned(), json!([GROUP]));
    document.insert("id".to_owned(), group.id.clone().into());
    if let Some(members) = members {
        let one = |id: &String| {
            Value::Object(Map::from_iter([
                ("value".to_owned(), Value::String(id.clone())),
                (
                    "$ref".to_owned(),
                    Value::String(format!("{url}/Users/{id}")),
                ),
                ("type".to_owned(), Value::String("User".to_owned())),
            ]))
        };
        document.insert("members".to_owned(), members.iter().map(one).collect());
    }
    document.insert(
        "meta".to_owned(),
        json!({
            "resourceType": "Group",
            "created": shown_time(group.created_at_ms),
            "lastModified": shown_time(group.changed_at_ms),
            "location": format!("{url}/Groups/{}", group.id),
            "version": super::etag(group.version),
        }),
    );
    Value::Object(document)
}
