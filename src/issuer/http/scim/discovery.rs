//! What the server takes (RFC 7644 §4).

use super::query::MOST_RESULTS;
use super::{Asked, reply};
use crate::scim::ScimError;
use crate::scim::schema;
use axum::response::Response;
use serde_json::{Value, json};

/// `/ServiceProviderConfig`, `/ResourceTypes`, `/Schemas`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Config,
    ResourceTypes,
    Schemas,
}

/// Answers with all of them, or with the one of this id.
pub(super) fn answer(asked: &Asked, about: About, id: Option<&str>) -> Result<Response, ScimError> {
    if !asked.query()?.filter.is_empty() {
        // RFC 7644 §4: who asks could believe that it was applied.
        return Err(ScimError::new(403, None, "nothing is filtered here"));
    }
    let url = asked.url();
    let all = match about {
        About::Config => return Ok(reply::described(&schema::config(&url, MOST_RESULTS))),
        About::ResourceTypes => schema::resource_types(&url),
        About::Schemas => schema::schemas(&url),
    };
    let Some(id) = id else {
        let total = all.len();
        return Ok(reply::described(&json!({
            "schemas": [schema::LIST],
            "totalResults": total,
            "startIndex": 1,
            "itemsPerPage": total,
            "Resources": all,
        })));
    };
    let found = all
        .iter()
        .find(|one| one.get("id").and_then(Value::as_str) == Some(id));
    let found = found.ok_or_else(|| ScimError::nothing("description"))?;
    Ok(reply::described(found))
}
