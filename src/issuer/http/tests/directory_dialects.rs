//! What each dialect answers, as its maker documents it.

use super::directory_stand_in::{Asked, Company, Employee, Trouble, ok, people, status};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

macro_rules! page {
    ($company:expr, $first:expr, $size:expr) => {
        match people($company, $first, $size) {
            Ok(page) => page,
            Err(answer) => return *answer,
        }
    };
}

fn number(asked: &Asked, name: &str) -> usize {
    asked
        .query
        .get(name)
        .map_or(0, |text| text.parse().unwrap())
}

pub fn keycloak(company: &mut Company, path: &[&str], asked: &Asked) -> Response {
    let of = |one: &Employee| json!({ "id": one.id, "username": one.name, "email": one.name, "enabled": one.active, "emailVerified": true });
    match path {
        ["users"] => {
            let (page, _) = page!(company, number(asked, "first"), number(asked, "max"));
            ok(&page.iter().map(of).collect())
        }
        ["groups"] => {
            let search = &asked.query["search"];
            // A group below another one is found in its tree.
            let found = company.groups.contains_key(search).then(|| {
                json!({ "id": "top", "name": "all", "path": "/all", "subGroups": [
                    { "id": search, "name": search, "path": format!("/all/{search}"), "subGroups": [] }
                ]})
            });
            ok(&found.into_iter().collect())
        }
        ["groups", id, "members"] => {
            let members = company.groups[*id].clone();
            let own = company
                .people
                .iter()
                .filter(|one| members.contains(&one.id));
            let first = number(asked, "first");
            let own: Vec<Value> = own.skip(first).take(number(asked, "max")).map(of).collect();
            ok(&own.into())
        }
        _ => status(404),
    }
}

pub fn okta(company: &mut Company, path: &[&str], asked: &Asked, url: &str) -> Response {
    let of = |one: &Employee| {
        let status = if one.active { "ACTIVE" } else { "SUSPENDED" };
        json!({ "id": one.id, "status": status, "profile": { "login": one.name, "email": one.name } })
    };
    match path {
        ["users"] => {
            let (page, next) = page!(company, number(asked, "after"), 2);
            let body = ok(&page.iter().map(of).collect());
            match next {
                Some(after) => {
                    let link =
                        format!("<{url}/api/v1/users?limit=200&after={after}>; rel=\"next\"");
                    (
                        [("link", link), ("x-rate-limit-remaining", "5".to_owned())],
                        body,
                    )
                        .into_response()
                }
                None => body,
            }
        }
        ["groups"] => {
            let name = asked.query["search"]
                .trim_start_matches("profile.name eq ")
                .trim_matches('"');
            let found = company.groups.contains_key(name);
            let found = found.then(|| json!({ "id": name, "profile": { "name": name } }));
            ok(&found.into_iter().collect())
        }
        ["groups", id, "users"] => {
            let members = company.groups[*id].clone();
            ok(&company
                .people
                .iter()
                .filter(|one| members.contains(&one.id))
                .map(of)
                .collect())
        }
        _ => status(404),
    }
}

pub fn entra(company: &mut Company, path: &[&str], asked: &Asked, url: &str) -> Response {
    let of = |one: &Employee| json!({ "id": one.id, "userPrincipalName": one.name, "mail": one.name, "accountEnabled": one.active });
    let delta = format!("{url}/v1.0/users/delta?$deltatoken=1");
    match path {
        ["users", "delta"] if asked.query.contains_key("$deltatoken") => {
            if company.trouble == Some((0, Trouble::Status(410))) {
                return status(410);
            }
            let changed = std::mem::take(&mut company.changed);
            let removed = std::mem::take(&mut company.removed);
            let mut value: Vec<Value> = company
                .people
                .iter()
                .filter(|one| changed.contains(&one.id))
                .map(of)
                .collect();
            value.extend(
                removed
                    .iter()
                    .map(|id| json!({ "id": id, "@removed": { "reason": "changed" } })),
            );
            ok(&json!({ "value": value, "@odata.deltaLink": delta }))
        }
        ["users", "delta"] => {
            let (page, next) = page!(company, number(asked, "$skiptoken"), 2);
            let value: Vec<Value> = page.iter().map(of).collect();
            let mut body = json!({ "value": value });
            if let Some(at) = next {
                let link = format!("{url}/v1.0/users/delta?$skiptoken={at}");
                body["@odata.nextLink"] = link.into();
            } else {
                company.changed.clear();
                company.removed.clear();
                body["@odata.deltaLink"] = delta.into();
            }
            ok(&body)
        }
        ["groups"] => {
            let name = asked.query["$filter"]
                .trim_start_matches("displayName eq ")
                .trim_matches('\'');
            let found = company.groups.contains_key(name);
            let found: Vec<Value> = found
                .then(|| json!({ "id": name, "displayName": name }))
                .into_iter()
                .collect();
            ok(&json!({ "value": found }))
        }
        ["groups", id, "transitiveMembers"] => {
            let value: Vec<Value> = company.groups[*id]
                .iter()
                .map(|id| json!({ "@odata.type": "#microsoft.graph.user", "id": id }))
                .collect();
            ok(&json!({ "value": value }))
        }
        _ => status(404),
    }
}

pub fn google(company: &mut Company, path: &[&str], asked: &Asked) -> Response {
    match path {
        ["users"] => {
            let (page, next) = page!(company, number(asked, "pageToken"), 2);
            let of = |one: &Employee| json!({ "id": one.id, "primaryEmail": one.name, "suspended": !one.active });
            let users: Vec<Value> = page.iter().map(of).collect();
            let mut body = json!({ "kind": "admin#directory#users" });
            // A list of nobody is left out there.
            if !users.is_empty() {
                body["users"] = users.into();
            }
            if let Some(next) = next {
                body["nextPageToken"] = next.to_string().into();
            }
            ok(&body)
        }
        ["groups"] => {
            let name = asked.query["query"]
                .trim_start_matches("name=")
                .trim_matches('\'');
            let found = company.groups.contains_key(name);
            let found: Vec<Value> = found
                .then(
                    || json!({ "id": name, "email": format!("{name}@acme.example"), "name": name }),
                )
                .into_iter()
                .collect();
            ok(&json!({ "groups": found }))
        }
        ["groups", id, "members"] => {
            let members: Vec<Value> = company.groups[*id]
                .iter()
                .map(|id| json!({ "id": id, "type": "USER" }))
                .collect();
            ok(&json!({ "members": members }))
        }
        _ => status(404),
    }
}
