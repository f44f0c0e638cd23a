//! `/Groups`.

use super::query::Query;
use super::{Asked, other_method, reply};
use crate::http::answer;
use crate::scim::ScimError;
use crate::scim::group::{GroupDocument, Members, shown};
use axum::body::Body;
use axum::http::Method;
use axum::response::Response;
use oam_store::DirectoryGroup;
use serde_json::Value;

/// Most members in one page of groups; a page of larger groups has fewer of them.
const MEMBERS: usize = 20_000;

/// Most members that are shown unasked after a change: nobody wants all of them back for one that was added.
const SHOWN: usize = 1_000;

/// Answers for all groups, or for one.
pub(super) async fn answer(
    asked: &Asked,
    method: Method,
    id: Option<String>,
    body: Body,
) -> Result<Response, ScimError> {
    let query = asked.query()?;
    let is_patch = method == Method::PATCH;
    let directory = asked.directory();
    let (status, group) = match (method, id) {
        (Method::GET, None) => return list(asked, &query).await,
        (Method::GET, Some(id)) => (200, directory.group(&id).await?),
        (Method::POST, None) => {
            let body = asked.body(body).await?;
            (201, directory.create_group(body).await?)
        }
        (Method::PUT, Some(id)) => {
            let body = asked.body(body).await?;
            let change = |group: &DirectoryGroup, members: Members| {
                GroupDocument::replaced(group, members, body.clone())
            };
            let changed = directory.change_group(&id, &asked.expected, change);
            (200, changed.await?)
        }
        (Method::PATCH, Some(id)) => {
            let body = asked.body(body).await?;
            let change = |group: &DirectoryGroup, members: Members| {
                GroupDocument::patched(group, members, body.clone())
            };
            let changed = directory.change_group(&id, &asked.expected, change);
            (200, changed.await?)
        }
        (Method::DELETE, Some(id)) => {
            directory.delete_group(&id, &asked.expected).await?;
            return Ok(answer::empty(204));
        }
        _ => return Ok(other_method()),
    };
    let members = if query.shows("members") {
        Some(directory.members(&group.id).await?)
    } else {
        None
    };
    if is_patch && !query.chooses() && members.as_ref().is_some_and(|all| all.len() > SHOWN) {
        return Ok(reply::done(group.version));
    }
    let value = shown(&group, members.as_deref(), &asked.url());
    Ok(reply::one(status, value, &asked.headers, &query))
}

/// Groups that a query means.
pub(super) async fn list(asked: &Asked, query: &Query) -> Result<Response, ScimError> {
    let (groups, total) = found(asked, query).await?;
    Ok(reply::list(groups, total, query))
}

/// Them, and how many there are in all.
pub(super) async fn found(asked: &Asked, query: &Query) -> Result<(Vec<Value>, u64), ScimError> {
    let Some(wanted) = query.wanted(true)? else {
        return Ok((Vec::new(), 0));
    };
    let directory = asked.directory();
    let store = &asked.issuer.store;
    let source = asked.source.clone();
    let page = store.directory_groups(source, wanted.filter, query.skip(), query.count);
    let page = page.await.map_err(|fault| ScimError::of(&fault))?;
    let (mut total, url) = (page.total, asked.url());
    let (mut groups, mut shown_members) = (Vec::new(), 0);
    for group in &page.rows {
        let members = if query.shows("members") || wanted.member.is_some() {
            Some(directory.members(&group.id).await?)
        } else {
            None
        };
        let all = members.as_deref().unwrap_or_default();
        if wanted
            .member
            .as_ref()
            .is_some_and(|wanted| !all.contains(wanted))
        {
            total = total.saturating_sub(1);
            continue;
        }
        shown_members += all.len();
        if shown_members > MEMBERS && !groups.is_empty() {
            break;
        }
        let members = members.filter(|_| query.shows("members"));
        groups.push(shown(group, members.as_deref(), &url));
    }
    Ok((groups, total))
}
