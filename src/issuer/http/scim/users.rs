//! `/Users`.

use super::query::Query;
use super::{Asked, other_method, reply};
use crate::http::answer;
use crate::scim::ScimError;
use crate::scim::user::{UserDocument, shown};
use axum::body::Body;
use axum::http::Method;
use axum::response::Response;
use oam_store::{DirectoryPage, DirectoryUser};
use serde_json::Value;

/// Answers for all users, or for one.
pub(super) async fn answer(
    asked: &Asked,
    method: Method,
    id: Option<String>,
    body: Body,
) -> Result<Response, ScimError> {
    let query = asked.query()?;
    let directory = asked.directory();
    let (status, user) = match (method, id) {
        (Method::GET, None) => return list(asked, &query).await,
        (Method::GET, Some(id)) => (200, directory.user(&id).await?),
        (Method::POST, None) => {
            let body = asked.body(body).await?;
            (201, directory.create_user(body).await?)
        }
        (Method::PUT, Some(id)) => {
            let body = asked.body(body).await?;
            let change = |user: &DirectoryUser| UserDocument::replaced(user, body.clone());
            let changed = directory.change_user(&id, &asked.expected, change);
            (200, changed.await?)
        }
        (Method::PATCH, Some(id)) => {
            let body = asked.body(body).await?;
            let change = |user: &DirectoryUser| UserDocument::patched(user, body.clone());
            let changed = directory.change_user(&id, &asked.expected, change);
            // A body also where nothing was to be shown: Entra wants one.
            (200, changed.await?)
        }
        (Method::DELETE, Some(id)) => {
            directory.delete_user(&id, &asked.expected).await?;
            return Ok(answer::empty(204));
        }
        _ => return Ok(other_method()),
    };
    let value = shown(&user, &asked.url());
    Ok(reply::one(status, value, &asked.headers, &query))
}

/// Users that a query means.
pub(super) async fn list(asked: &Asked, query: &Query) -> Result<Response, ScimError> {
    let (users, total) = found(asked, query).await?;
    Ok(reply::list(users, total, query))
}

/// Them, and how many there are in all.
pub(super) async fn found(asked: &Asked, query: &Query) -> Result<(Vec<Value>, u64), ScimError> {
    let page = match query.wanted(false)? {
        None => DirectoryPage {
            total: 0,
            rows: Vec::new(),
        },
        Some(wanted) => {
            let store = &asked.issuer.store;
            let source = asked.source.clone();
            let page = store.directory_users(source, wanted.filter, query.skip(), query.count);
            page.await.map_err(|fault| ScimError::of(&fault))?
        }
    };
    let url = asked.url();
    let users = page.rows.iter().map(|user| shown(user, &url)).collect();
    Ok((users, page.total))
}
