//! Microsoft Graph (`/v1.0`). Of people it tells what changed since the last reading; groups are read as they are.

use super::rest::{Credential, RestClient, TokenRequestForm, below, with};
use super::{ReadFault, ReadOrder, WholeReading};
use crate::place;
use oam_model::answer::EndpointFault;
use oam_model::directory::DirectoryAdapter;
use oam_policy::directory::{DirectoryReading, PeopleChanged, ReadGroup, ReadUser};
use oam_system::clock;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Only changes are read for so long, seconds: then all once more, so that nothing that was missed stays.
const CHANGES_S: u64 = 24 * 3600;

#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    #[serde(rename = "@odata.deltaLink")]
    delta: Option<String>,
}

/// Somebody, or what changed of them: what is not said is as it was.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserEntry {
    id: String,
    user_principal_name: Option<String>,
    mail: Option<String>,
    account_enabled: Option<bool>,
    #[serde(rename = "@removed")]
    removed: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupEntry {
    id: String,
    display_name: Option<String>,
}

#[derive(Deserialize)]
struct MemberEntry {
    id: String,
}

pub(super) async fn read(order: &ReadOrder<'_>) -> Result<WholeReading, ReadFault> {
    let DirectoryAdapter::Entra {
        url,
        login_url,
        tenant,
        client_id,
        secret,
    } = &order.settings.adapter
    else {
        return Err(ReadFault::Astray);
    };
    let secret = place::secret(secret, "secret")?;
    let scope = format!("{url}/.default");
    let grant = TokenRequestForm {
        url: format!("{}/oauth2/v2.0/token", below(login_url, &[tenant])?),
        basic: None,
        form: Box::new(|_| {
            let value = |text: &str| Zeroizing::new(text.to_owned());
            Ok(vec![
                ("grant_type", value("client_credentials")),
                ("client_id", value(client_id)),
                ("client_secret", value(secret.expose())),
                ("scope", value(&scope)),
            ])
        }),
    };
    let mut client = RestClient::new(order, url, Credential::Granted(grant));
    let (users, cursor) = people(&mut client, url, order).await?;
    let mut reading = DirectoryReading {
        users,
        groups: None,
    };
    if let Some(attribute) = &order.settings.group {
        let mut groups = Vec::new();
        for name in order.wanted {
            for found in found(&mut client, url, attribute, name, order).await? {
                let members = below(url, &["v1.0", "groups", &found.id, "transitiveMembers"])?;
                let members = with(&members, &[("$select", "id"), ("$top", "999")])?;
                let (members, _): (Vec<MemberEntry>, _) =
                    whole(&mut client, "its members", members, order).await?;
                groups.push(ReadGroup {
                    name: name.clone(),
                    display_name: found.display_name.unwrap_or_else(|| name.clone()),
                    id: found.id,
                    members: members.into_iter().map(|member| member.id).collect(),
                });
            }
        }
        reading.groups = Some(groups);
    }
    Ok(WholeReading { reading, cursor })
}

/// Everybody, by what changed since the last reading where that is known.
async fn people(
    client: &mut RestClient<'_>,
    url: &str,
    order: &ReadOrder<'_>,
) -> Result<(Vec<ReadUser>, Option<String>), ReadFault> {
    let now_s = clock::now_s();
    let goes_on = order.cursor.and_then(|cursor| cursor.split_once(' '));
    let goes_on = goes_on.and_then(|(since, link)| Some((since.parse::<u64>().ok()?, link)));
    if let Some((since_s, link)) =
        goes_on.filter(|(since_s, _)| now_s.saturating_sub(*since_s) < CHANGES_S)
    {
        let changes = whole(client, "what changed of its users", link.to_owned(), order).await;
        match changes {
            Ok((entries, Some(delta))) => {
                let users = order
                    .known
                    .changed_by(changed(entries, &order.settings.subject));
                // Somebody of whom not enough is known: all is read.
                if let Some(users) = users {
                    return Ok((users, Some(format!("{since_s} {delta}"))));
                }
            }
            Ok((_, None)) => return Err(ReadFault::Unreadable("what changed of its users")),
            // It remembers for a week, and tells so when that is over (`resyncRequired`, `syncStateNotFound`).
            Err(ReadFault::Endpoint {
                fault:
                    EndpointFault::Status {
                        status: 400 | 404 | 410,
                        ..
                    },
                ..
            }) => {}
            Err(other) => return Err(other),
        }
    }
    let all = with(
        &format!("{url}/v1.0/users/delta"),
        &[
            ("$select", "id,userPrincipalName,mail,accountEnabled"),
            ("$top", "999"),
        ],
    )?;
    let (entries, delta) = whole(client, "its users", all, order).await?;
    let delta = delta.ok_or(ReadFault::Unreadable("its users"))?;
    let all = changed(entries, &order.settings.subject);
    let users = oam_policy::directory::Known::default().changed_by(all);
    let users = users.ok_or(ReadFault::Unreadable("its users"))?;
    Ok((users, Some(format!("{now_s} {delta}"))))
}

fn changed(entries: Vec<UserEntry>, subject: &str) -> Vec<PeopleChanged> {
    let one = |entry: UserEntry| {
        if entry.removed.is_some() {
            return PeopleChanged::Gone(entry.id);
        }
        let key = if subject == "id" {
            Some(entry.id.clone())
        } else {
            entry.user_principal_name.clone()
        };
        PeopleChanged::Is {
            key,
            user_name: entry.user_principal_name,
            email: entry.mail,
            active: entry.account_enabled,
            id: entry.id,
        }
    };
    entries.into_iter().map(one).collect()
}

/// A list to its end, and where it goes on later.
async fn whole<T: DeserializeOwned>(
    client: &mut RestClient<'_>,
    what: &'static str,
    url: String,
    order: &ReadOrder<'_>,
) -> Result<(Vec<T>, Option<String>), ReadFault> {
    let mut read = Vec::new();
    let mut asked = BTreeSet::new();
    let mut at = url;
    loop {
        let (_, page): (_, Page<T>) = client.page(what, &at).await?;
        read.extend(page.value);
        order.within(read.len())?;
        if !asked.insert(at) {
            return Err(ReadFault::Astray);
        }
        match page.next {
            Some(next) => at = next,
            None => return Ok((read, page.delta)),
        }
    }
}

async fn found(
    client: &mut RestClient<'_>,
    url: &str,
    attribute: &str,
    name: &str,
    order: &ReadOrder<'_>,
) -> Result<Vec<GroupEntry>, ReadFault> {
    let groups = format!("{url}/v1.0/groups");
    if attribute == "id" {
        let one = with(&below(&groups, &[name])?, &[("$select", "id,displayName")])?;
        let found: Option<(_, GroupEntry)> = client.find("its groups", &one).await?;
        return Ok(found.map(|(_, group)| group).into_iter().collect());
    }
    let filter = format!("displayName eq '{}'", name.replace('\'', "''"));
    let url = with(
        &groups,
        &[("$filter", filter.as_str()), ("$select", "id,displayName")],
    )?;
    let (found, _): (Vec<GroupEntry>, _) = whole(client, "its groups", url, order).await?;
    Ok(found
        .into_iter()
        .filter(|group| group.display_name.as_deref() == Some(name))
        .collect())
}
