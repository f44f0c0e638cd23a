//! Google's Admin SDK (`/admin/directory/v1`), as a service account that an administrator delegated to.

use super::rest::{Credential, FormPairs, RestClient, TokenRequestForm, below, with};
use super::{ReadFault, ReadOrder};
use crate::place;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use oam_model::directory::DirectoryAdapter;
use oam_model::secret::{Secret, wire};
use oam_policy::directory::{DirectoryReading, ReadGroup, ReadUser};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

const SCOPES: &str = "https://www.googleapis.com/auth/admin.directory.user.readonly \
     https://www.googleapis.com/auth/admin.directory.group.readonly \
     https://www.googleapis.com/auth/admin.directory.group.member.readonly";

/// The key file of a service account.
#[derive(Deserialize)]
struct AccountKey {
    client_email: String,
    #[serde(with = "wire")]
    private_key: Secret,
    #[serde(default)]
    private_key_id: Option<String>,
}

/// RFC 7523 §3, with the administrator as subject.
#[derive(Serialize)]
struct DelegationClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserPage {
    #[serde(default)]
    users: Vec<UserEntry>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserEntry {
    id: String,
    primary_email: String,
    suspended: bool,
    #[serde(default)]
    archived: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupPage {
    #[serde(default)]
    groups: Vec<GroupEntry>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct GroupEntry {
    id: String,
    email: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberPage {
    #[serde(default)]
    members: Vec<MemberEntry>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct MemberEntry {
    /// None: everybody of the customer, who are no entries.
    #[serde(default)]
    id: Option<String>,
}

/// A page of a list.
trait Paged: DeserializeOwned {
    type Entry;
    fn split(self) -> (Vec<Self::Entry>, Option<String>);
}

macro_rules! paged {
    ($page:ty, $entries:ident, $entry:ty) => {
        impl Paged for $page {
            type Entry = $entry;
            fn split(self) -> (Vec<$entry>, Option<String>) {
                (self.$entries, self.next_page_token)
            }
        }
    };
}
paged!(UserPage, users, UserEntry);
paged!(GroupPage, groups, GroupEntry);
paged!(MemberPage, members, MemberEntry);

pub(super) async fn read(order: &ReadOrder<'_>) -> Result<DirectoryReading, ReadFault> {
    let DirectoryAdapter::Google {
        url,
        token_url,
        administrator,
        customer,
        secret,
    } = &order.settings.adapter
    else {
        return Err(ReadFault::Astray);
    };
    let file = place::secret(secret, "secret")?;
    let key: AccountKey = serde_json::from_str(file.expose())
        .map_err(|_| ReadFault::Unreadable("the key file of the service account"))?;
    let signs = EncodingKey::from_rsa_pem(key.private_key.expose().as_bytes())
        .map_err(|_| ReadFault::Unreadable("the key of the service account"))?;
    let grant = TokenRequestForm {
        url: token_url.clone(),
        basic: None,
        form: Box::new(|now_s| assertion(&key, &signs, (administrator, token_url), now_s)),
    };
    let base = format!("{url}/admin/directory/v1");
    let mut client = RestClient::new(order, url, Credential::Granted(grant));
    let users = with(
        &format!("{base}/users"),
        &[
            ("customer", customer),
            ("maxResults", "500"),
            (
                "fields",
                "nextPageToken,users(id,primaryEmail,suspended,archived)",
            ),
        ],
    )?;
    let entries = whole::<UserPage>(&mut client, "its users", &users, order).await?;
    let users = entries
        .into_iter()
        .map(|entry| user(entry, &order.settings.subject));
    let mut reading = DirectoryReading {
        users: users.collect(),
        groups: None,
    };
    if let Some(attribute) = &order.settings.group {
        let by = (base.as_str(), attribute.as_str(), customer.as_str());
        reading.groups = Some(groups(&mut client, by, order).await?);
    }
    Ok(reading)
}

/// The groups that are wanted, with whoever is in them or in a group of theirs.
async fn groups(
    client: &mut RestClient<'_>,
    (base, attribute, customer): (&str, &str, &str),
    order: &ReadOrder<'_>,
) -> Result<Vec<ReadGroup>, ReadFault> {
    let mut groups = Vec::new();
    for name in order.wanted {
        for found in found(client, base, (attribute, name, customer), order).await? {
            let members = below(&format!("{base}/groups"), &[&found.id, "members"])?;
            let size = [("maxResults", "200"), ("includeDerivedMembership", "true")];
            let members = with(&members, &size)?;
            let members = whole::<MemberPage>(client, "its members", &members, order).await?;
            let ids = members.into_iter().filter_map(|member| member.id);
            groups.push(ReadGroup {
                name: name.clone(),
                display_name: found.name,
                id: found.id,
                members: ids.collect(),
            });
        }
    }
    Ok(groups)
}

fn assertion(
    key: &AccountKey,
    signs: &EncodingKey,
    (administrator, token_url): (&str, &str),
    now_s: u64,
) -> Result<FormPairs, ReadFault> {
    let claims = DelegationClaims {
        iss: &key.client_email,
        sub: administrator,
        scope: SCOPES,
        aud: token_url,
        iat: now_s,
        exp: now_s + 3600,
    };
    let header = Header {
        kid: key.private_key_id.clone(),
        ..Header::new(Algorithm::RS256)
    };
    let signed = jsonwebtoken::encode(&header, &claims, signs)
        .map_err(|_| ReadFault::Unreadable("the key of the service account"))?;
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned();
    Ok(vec![
        ("grant_type", Zeroizing::new(grant)),
        ("assertion", Zeroizing::new(signed)),
    ])
}

fn user(entry: UserEntry, subject: &str) -> ReadUser {
    let email = entry.primary_email;
    ReadUser {
        key: if subject == "primaryEmail" {
            email.clone()
        } else {
            entry.id.clone()
        },
        id: entry.id,
        user_name: email.clone(),
        emails: vec![email],
        active: !entry.suspended && !entry.archived,
    }
}

async fn whole<P: Paged>(
    client: &mut RestClient<'_>,
    what: &'static str,
    url: &str,
    order: &ReadOrder<'_>,
) -> Result<Vec<P::Entry>, ReadFault> {
    let mut read = Vec::new();
    let mut asked = BTreeSet::new();
    let mut token: Option<String> = None;
    loop {
        let url = match &token {
            Some(token) => with(url, &[("pageToken", token)])?,
            None => url.to_owned(),
        };
        let (_, page): (_, P) = client.page(what, &url).await?;
        let (entries, next) = page.split();
        read.extend(entries);
        order.within(read.len())?;
        token = next.filter(|next| !next.is_empty());
        match &token {
            None => return Ok(read),
            Some(next) if !asked.insert(next.clone()) => return Err(ReadFault::Astray),
            Some(_) => {}
        }
    }
}

async fn found(
    client: &mut RestClient<'_>,
    base: &str,
    (attribute, name, customer): (&str, &str, &str),
    order: &ReadOrder<'_>,
) -> Result<Vec<GroupEntry>, ReadFault> {
    let groups = format!("{base}/groups");
    if attribute != "name" {
        let found: Option<(_, GroupEntry)> =
            client.find("its groups", &below(&groups, &[name])?).await?;
        let found = found.map(|(_, group)| group);
        // An alias finds a group too, and is not its name.
        let own = |group: &GroupEntry| match attribute {
            "email" => group.email.eq_ignore_ascii_case(name),
            _ => group.id == name,
        };
        return Ok(found.filter(own).into_iter().collect());
    }
    let quoted = name.replace('\\', "\\\\").replace('\'', "\\'");
    let query = format!("name='{quoted}'");
    let url = with(
        &groups,
        &[
            ("customer", customer),
            ("query", query.as_str()),
            ("maxResults", "200"),
        ],
    )?;
    let mut found = whole::<GroupPage>(client, "its groups", &url, order).await?;
    found.retain(|group| group.name == name);
    Ok(found)
}
