//! Keycloak's admin interface (`/admin/realms/{realm}`).

use super::rest::{Credential, RestClient, TokenRequestForm, below, with};
use super::{ReadFault, ReadOrder};
use crate::place;
use oam_model::directory::DirectoryAdapter;
use oam_policy::directory::{DirectoryReading, ReadGroup, ReadUser};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// People of one page.
const PAGE: usize = 500;

#[derive(Deserialize)]
struct UserEntry {
    id: String,
    username: String,
    #[serde(default)]
    email: Option<String>,
    /// A realm that does not say so has a right too few: nobody is taken for active.
    enabled: bool,
}

#[derive(Deserialize)]
struct MemberEntry {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupEntry {
    id: String,
    name: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    sub_groups: Vec<Self>,
}

/// An entry of a list.
trait Named {
    fn id(&self) -> &str;
}

impl Named for UserEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Named for MemberEntry {
    fn id(&self) -> &str {
        &self.id
    }
}

pub(super) async fn read(order: &ReadOrder<'_>) -> Result<DirectoryReading, ReadFault> {
    let DirectoryAdapter::Keycloak {
        url,
        client_id,
        secret,
    } = &order.settings.adapter
    else {
        return Err(ReadFault::Astray);
    };
    let secret = place::secret(secret, "secret")?;
    let admin = url.replacen("/realms/", "/admin/realms/", 1);
    let grant = TokenRequestForm {
        url: format!("{url}/protocol/openid-connect/token"),
        basic: Some((client_id, &secret)),
        form: Box::new(|_| {
            Ok(vec![(
                "grant_type",
                Zeroizing::new("client_credentials".to_owned()),
            )])
        }),
    };
    let mut client = RestClient::new(order, &admin, Credential::Granted(grant));
    let users = format!("{admin}/users");
    let entries: Vec<UserEntry> = whole(&mut client, "its users", &users, order).await?;
    let users = entries
        .into_iter()
        .map(|entry| user(entry, &order.settings.subject));
    let mut reading = DirectoryReading {
        users: users.collect(),
        groups: None,
    };
    if let Some(attribute) = &order.settings.group {
        let mut groups = Vec::new();
        for name in order.wanted {
            for found in found(&mut client, &admin, attribute, name).await? {
                let members = below(&admin, &["groups", &found.id, "members"])?;
                let members: Vec<MemberEntry> =
                    whole(&mut client, "its members", &members, order).await?;
                groups.push(ReadGroup {
                    name: name.clone(),
                    display_name: found.name,
                    id: found.id,
                    members: members.into_iter().map(|member| member.id).collect(),
                });
            }
        }
        reading.groups = Some(groups);
    }
    Ok(reading)
}

fn user(entry: UserEntry, subject: &str) -> ReadUser {
    ReadUser {
        key: if subject == "username" {
            entry.username.clone()
        } else {
            entry.id.clone()
        },
        id: entry.id,
        user_name: entry.username,
        emails: entry.email.into_iter().collect(),
        active: entry.enabled,
    }
}

/// A list to its end. Its pages are told by numbers, and whoever is deleted meanwhile would move somebody over the edge of
/// one: each page begins with the last entry of the one before, or the list moved.
async fn whole<T: DeserializeOwned + Named>(
    client: &mut RestClient<'_>,
    what: &'static str,
    url: &str,
    order: &ReadOrder<'_>,
) -> Result<Vec<T>, ReadFault> {
    let mut read: Vec<T> = Vec::new();
    loop {
        let first = read.len().saturating_sub(1);
        let (first, max) = (first.to_string(), PAGE.to_string());
        let url = with(
            url,
            &[
                ("briefRepresentation", "true"),
                ("first", &first),
                ("max", &max),
            ],
        )?;
        let (_, page): (_, Vec<T>) = client.page(what, &url).await?;
        let count = page.len();
        let mut page = page.into_iter();
        if let Some(last) = read.last()
            && page.next().is_none_or(|same| same.id() != last.id())
        {
            return Err(ReadFault::Moved);
        }
        read.extend(page);
        order.within(read.len())?;
        if count < PAGE {
            return Ok(read);
        }
    }
}

/// The groups that are called so: more than one is a fault of the whole reading, which is told by its name.
async fn found(
    client: &mut RestClient<'_>,
    admin: &str,
    attribute: &str,
    name: &str,
) -> Result<Vec<GroupEntry>, ReadFault> {
    let what = "its groups";
    let one = match attribute {
        "id" => Some(below(admin, &["groups", name])?),
        "path" => {
            let segments = name.split('/').filter(|segment| !segment.is_empty());
            let segments: Vec<&str> = std::iter::once("group-by-path").chain(segments).collect();
            Some(below(admin, &segments)?)
        }
        _ => None,
    };
    if let Some(url) = one {
        let found: Option<(_, GroupEntry)> = client.find(what, &url).await?;
        let found = found.map(|(_, group)| group);
        return Ok(found.into_iter().collect());
    }
    let url = with(
        &format!("{admin}/groups"),
        &[
            ("search", name),
            ("exact", "true"),
            ("first", "0"),
            ("max", "100"),
            ("briefRepresentation", "true"),
        ],
    )?;
    let (_, tree): (_, Vec<GroupEntry>) = client.page(what, &url).await?;
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    let mut left = tree;
    while let Some(mut group) = left.pop() {
        left.append(&mut group.sub_groups);
        if group.name == name && seen.insert(group.id.clone()) {
            all.push(group);
        }
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}
