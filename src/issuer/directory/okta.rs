//! Okta's management interface (`/api/v1`).

use super::rest::{Credential, RestClient, below, next_link, with};
use super::{ReadFault, ReadOrder};
use crate::place;
use oam_model::directory::DirectoryAdapter;
use oam_policy::directory::{DirectoryReading, ReadGroup, ReadUser};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

#[derive(Deserialize)]
struct UserEntry {
    id: String,
    status: String,
    profile: ProfileEntry,
}

#[derive(Deserialize)]
struct ProfileEntry {
    login: String,
    #[serde(default)]
    email: Option<String>,
}

#[derive(Deserialize)]
struct MemberEntry {
    id: String,
}

#[derive(Deserialize)]
struct GroupEntry {
    id: String,
    profile: GroupProfile,
}

#[derive(Deserialize)]
struct GroupProfile {
    name: String,
}

pub(super) async fn read(order: &ReadOrder<'_>) -> Result<DirectoryReading, ReadFault> {
    let DirectoryAdapter::Okta { url, secret } = &order.settings.adapter else {
        return Err(ReadFault::Astray);
    };
    let secret = place::secret(secret, "secret")?;
    // A token of an OAuth client is a JWT; one of an administrator is not.
    let scheme = if secret.expose().split('.').count() == 3 {
        "Bearer"
    } else {
        "SSWS"
    };
    let shown = Zeroizing::new(format!("{scheme} {}", secret.expose()));
    let mut client = RestClient::new(order, url, Credential::Fixed(shown));
    let users = with(&format!("{url}/api/v1/users"), &[("limit", "200")])?;
    let entries: Vec<UserEntry> = whole(&mut client, "its users", users, order).await?;
    let users = entries
        .into_iter()
        .map(|entry| user(entry, &order.settings.subject));
    let mut reading = DirectoryReading {
        users: users.collect(),
        groups: None,
    };
    let Some(attribute) = &order.settings.group else {
        return Ok(reading);
    };
    let mut groups = Vec::new();
    for name in order.wanted {
        for found in found(&mut client, url, attribute, name, order).await? {
            let members = below(url, &["api", "v1", "groups", &found.id, "users"])?;
            let members = with(&members, &[("limit", "200")])?;
            let members: Vec<MemberEntry> =
                whole(&mut client, "its members", members, order).await?;
            groups.push(ReadGroup {
                name: name.clone(),
                display_name: found.profile.name,
                id: found.id,
                members: members.into_iter().map(|member| member.id).collect(),
            });
        }
    }
    reading.groups = Some(groups);
    Ok(reading)
}

fn user(entry: UserEntry, subject: &str) -> ReadUser {
    let ProfileEntry { login, email } = entry.profile;
    ReadUser {
        key: if subject == "login" {
            login.clone()
        } else {
            entry.id.clone()
        },
        id: entry.id,
        user_name: login,
        emails: email.into_iter().collect(),
        // Somebody who mistyped a password is locked out or has to recover it, and is still with the company.
        active: !matches!(
            entry.status.as_str(),
            "SUSPENDED" | "DEPROVISIONED" | "STAGED"
        ),
    }
}

async fn whole<T: DeserializeOwned>(
    client: &mut RestClient<'_>,
    what: &'static str,
    url: String,
    order: &ReadOrder<'_>,
) -> Result<Vec<T>, ReadFault> {
    let mut read = Vec::new();
    let mut asked = BTreeSet::new();
    let mut next = Some(url);
    while let Some(url) = next {
        let (headers, page): (_, Vec<T>) = client.page(what, &url).await?;
        read.extend(page);
        order.within(read.len())?;
        next = next_link(&headers);
        if !asked.insert(url) {
            return Err(ReadFault::Astray);
        }
    }
    Ok(read)
}

async fn found(
    client: &mut RestClient<'_>,
    url: &str,
    attribute: &str,
    name: &str,
    order: &ReadOrder<'_>,
) -> Result<Vec<GroupEntry>, ReadFault> {
    let groups = format!("{url}/api/v1/groups");
    if attribute == "id" {
        let found: Option<(_, GroupEntry)> =
            client.find("its groups", &below(&groups, &[name])?).await?;
        return Ok(found.map(|(_, group)| group).into_iter().collect());
    }
    let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
    let search = format!("profile.name eq \"{quoted}\"");
    let url = with(&groups, &[("search", search.as_str()), ("limit", "200")])?;
    let mut found: Vec<GroupEntry> = whole(client, "its groups", url, order).await?;
    found.retain(|group| group.profile.name == name);
    Ok(found)
}
