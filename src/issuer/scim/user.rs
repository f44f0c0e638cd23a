//! A user's record: from what a directory sends to what is kept, and to what is shown.

use super::patch::{self, Operator, ScimDocument, merge, operations, take};
use super::schema::{OF_USER, USER};
use super::{ScimError, shown_time};
use oam_model::issuer::{DirectorySettings, UserAttribute};
use oam_store::DirectoryUser;
use serde_json::{Map, Value, json};

/// What a request says of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct UserDocument(ScimDocument);

impl UserDocument {
    /// Of a new user.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn new(body: Value) -> Result<Self, ScimError> {
        Self::merged(ScimDocument::new(), body)
    }

    /// Of a user that is written anew. What it does not say of the account's state and of the directory's
    /// identifier stays: to leave them out is not to change them.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn replaced(user: &DirectoryUser, body: Value) -> Result<Self, ScimError> {
        let mut kept = Self::of(user).0;
        kept.retain(|name, _| matches!(name.as_str(), "active" | "externalId"));
        Self::merged(kept, body)
    }

    /// Of a user that is changed.
    ///
    /// # Errors
    /// What is wrong; nothing of it is taken then.
    pub fn patched(user: &DirectoryUser, body: Value) -> Result<Self, ScimError> {
        let mut document = Self::of(user).0;
        for operation in operations(body)? {
            patch::apply(&mut document, OF_USER, operation)?;
        }
        Ok(Self(document))
    }

    fn merged(mut document: ScimDocument, body: Value) -> Result<Self, ScimError> {
        let Value::Object(members) = body else {
            return Err(ScimError::syntax("the body is no object"));
        };
        merge(&mut document, OF_USER, Operator::Replace, members)?;
        if !document.contains_key("userName") {
            return Err(ScimError::value("`userName` is needed"));
        }
        Ok(Self(document))
    }

    fn of(user: &DirectoryUser) -> Self {
        let mut document = match serde_json::from_str(&user.attributes) {
            Ok(Value::Object(document)) => document,
            _ => ScimDocument::new(),
        };
        document.insert("userName".to_owned(), user.user_name.clone().into());
        document.insert("active".to_owned(), user.active.into());
        if let Some(id) = &user.external_id {
            document.insert("externalId".to_owned(), id.clone().into());
        }
        Self(document)
    }

    /// The record that this makes of one: `before` is how it is kept, or an empty one with its id.
    ///
    /// # Errors
    /// It does not say who the person is.
    pub fn record(
        self,
        before: &DirectoryUser,
        settings: &DirectorySettings,
    ) -> Result<DirectoryUser, ScimError> {
        let mut document = self.0;
        let mut text = |name| match take(&mut document, name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let user_name = text("userName").ok_or_else(|| ScimError::value("`userName` is needed"))?;
        let external_id = text("externalId");
        let key = match settings.subject {
            UserAttribute::UserName => Some(user_name.clone()),
            UserAttribute::ExternalId => external_id.clone(),
        };
        let word = settings.subject.word();
        let key = key.ok_or_else(|| {
            ScimError::value(format!(
                "`{word}` is needed: it tells which person of the identity provider this is. Let the directory \
                 send it, or choose another `subject` in the issuer's configuration"
            ))
        })?;
        let active = match take(&mut document, "active") {
            Some(Value::Bool(active)) => active,
            // Not said, or taken away: as it was.
            _ => before.active,
        };
        Ok(DirectoryUser {
            key,
            user_name,
            external_id,
            emails: emails(&document),
            active,
            attributes: Value::Object(document).to_string(),
            ..before.clone()
        })
    }
}

/// The addresses of a record, the preferred one first.
fn emails(document: &ScimDocument) -> Vec<String> {
    let list = document.get("emails").and_then(Value::as_array);
    let mut all: Vec<&Map<String, Value>> = list
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    all.sort_by_key(|one| one.get("primary") != Some(&Value::Bool(true)));
    let values = all
        .iter()
        .filter_map(|one| one.get("value").and_then(Value::as_str));
    values.map(str::to_owned).collect()
}

/// A user as it is shown.
pub fn shown(user: &DirectoryUser, url: &str) -> Value {
    let mut document = UserDocument::of(user).0;
    document.insert("schemas".to_owned(), json!([USER]));
    document.insert("id".to_owned(), user.id.clone().into());
    document.insert(
        "meta".to_owned(),
        json!({
            "resourceType": "User",
            "created": shown_time(user.created_at_ms),
            "lastModified": shown_time(user.changed_at_ms),
            "location": format!("{url}/Users/{}", user.id),
            "version": super::etag(user.version),
        }),
    );
    Value::Object(document)
}
