//! A plain LDAP server (RFC 4511), in pages (RFC 2696).

mod entry;

use super::{ReadFault, ReadOrder};
use crate::place;
use entry::{LdapEntry, plain};
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, ldap_escape};
use oam_model::directory::{LdapDirectory, LdapDisabled};
use oam_policy::directory::{DirectoryReading, ReadGroup, ReadUser};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Entries of one page.
const PAGE: i32 = 500;
/// Time to connect, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(30);
/// Names of groups in one filter.
const NAMES: usize = 50;
/// Most values of one attribute that a server sends in parts.
const PARTS: usize = 1_000;
/// `ACCOUNTDISABLE`.
const ACCOUNT_DISABLED: u64 = 2;
/// The word for an account that an administrator locked; another time is one of mistyped passwords.
const LOCKED: &str = "000001010000Z";

pub(super) async fn read(
    order: &ReadOrder<'_>,
    settings: &LdapDirectory,
) -> Result<DirectoryReading, ReadFault> {
    let mut ldap = connected(order, settings).await?;
    let outcome = all(&mut ldap, order, settings).await;
    // The server sees a connection that ends either way.
    let _ = ldap.unbind().await;
    outcome
}

async fn connected(order: &ReadOrder<'_>, settings: &LdapDirectory) -> Result<Ldap, ReadFault> {
    let secret = place::secret(&settings.secret, "secret")?;
    let mut how = LdapConnSettings::new()
        .set_conn_timeout(CONNECT)
        .set_starttls(settings.start_tls);
    if let Some(path) = &order.settings.ca_file {
        how = how.set_config(trusting(path)?);
    }
    let connected = LdapConnAsync::with_settings(how, &settings.url).await;
    let (connection, mut ldap) = connected.map_err(|error| lost(&error))?;
    tokio::spawn(async move {
        // What breaks it is told to whoever waits for an answer.
        let _ = connection.drive().await;
    });
    let bound = ldap
        .with_timeout(ANSWER)
        .simple_bind(&settings.bind_dn, secret.expose())
        .await;
    let bound = bound.map_err(|error| lost(&error))?;
    if bound.rc != 0 {
        return Err(ReadFault::Ldap {
            what: "the sign-in",
            code: bound.rc,
        });
    }
    Ok(ldap)
}

/// The company's own roots, and no others.
fn trusting(path: &str) -> Result<Arc<ClientConfig>, ReadFault> {
    let unreadable = || ReadFault::Unreadable("`ca_file`");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|_| unreadable())? {
        roots
            .add(certificate.map_err(|_| unreadable())?)
            .map_err(|_| unreadable())?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| unreadable())?;
    Ok(Arc::new(
        config.with_root_certificates(roots).with_no_client_auth(),
    ))
}

const fn lost(error: &LdapError) -> ReadFault {
    ReadFault::Lost(match error {
        LdapError::Io { .. } => "the server can't be reached, or its certificate is not trusted",
        LdapError::Timeout { .. } => "the server did not answer in time",
        LdapError::FilterParsing => "a filter is not as RFC 4515 has it",
        LdapError::UrlParsing { .. } | LdapError::UnknownScheme(_) => {
            "the address is none of an LDAP server"
        }
        _ => "the connection to the server broke",
    })
}

async fn all(
    ldap: &mut Ldap,
    order: &ReadOrder<'_>,
    settings: &LdapDirectory,
) -> Result<DirectoryReading, ReadFault> {
    let subject = order.settings.subject.as_str();
    let disabled = match &settings.disabled {
        LdapDisabled::UserAccountControl => "userAccountControl",
        LdapDisabled::Attribute { name, .. } => name,
    };
    let asked = [subject, &settings.user_name, &settings.email, disabled];
    let entries = search(
        ldap,
        ("its people", &settings.base, &settings.filter),
        &asked,
        order,
    )
    .await?;
    let mut users = Vec::new();
    for entry in entries {
        users.push(user(&entry, subject, settings)?);
    }
    let groups = match &order.settings.group {
        Some(attribute) => Some(groups(ldap, order, (settings, attribute.as_str()), &users).await?),
        None => None,
    };
    Ok(DirectoryReading { users, groups })
}

/// The groups that are wanted. Groups in groups are not resolved.
async fn groups(
    ldap: &mut Ldap,
    order: &ReadOrder<'_>,
    (settings, attribute): (&LdapDirectory, &str),
    users: &[ReadUser],
) -> Result<Vec<ReadGroup>, ReadFault> {
    // Distinguished names are compared without regard to case (RFC 4517 §4.2.15 of their usual parts).
    let ids: BTreeMap<String, String> = users
        .iter()
        .map(|user| (plain(&user.id), user.id.clone()))
        .collect();
    let names: Vec<&String> = order.wanted.iter().collect();
    let mut groups = Vec::new();
    for some in names.chunks(NAMES) {
        let mut filter = format!("(&{}(|", settings.group_filter);
        for name in some {
            // Writing to a String does not fail.
            let _ = write!(filter, "({attribute}={})", ldap_escape(name.as_str()));
        }
        filter.push_str("))");
        let asked = [attribute, &settings.member];
        let found = search(
            ldap,
            ("its groups", &settings.group_base, &filter),
            &asked,
            order,
        )
        .await?;
        for entry in found {
            let Some(name) = entry
                .text(attribute)
                .filter(|name| order.wanted.contains(name))
            else {
                continue;
            };
            let members = members(ldap, &entry, &settings.member, order).await?;
            groups.push(ReadGroup {
                id: entry.dn.clone(),
                display_name: name.clone(),
                name,
                members: members
                    .iter()
                    .filter_map(|dn| ids.get(&plain(dn)).cloned())
                    .collect(),
            });
        }
    }
    Ok(groups)
}

fn user(entry: &LdapEntry, subject: &str, settings: &LdapDirectory) -> Result<ReadUser, ReadFault> {
    let unreadable = ReadFault::Unreadable("an entry of its people lacks `subject` or `user_name`");
    let key = entry.text(subject).ok_or_else(|| unreadable.clone())?;
    let user_name = entry.text(&settings.user_name).ok_or(unreadable)?;
    let active = match &settings.disabled {
        LdapDisabled::UserAccountControl => {
            let flags = entry
                .text("userAccountControl")
                .and_then(|text| text.parse::<u64>().ok());
            let flags = flags.ok_or(ReadFault::Unreadable(
                "an entry of its people lacks `userAccountControl`",
            ))?;
            flags & ACCOUNT_DISABLED == 0
        }
        LdapDisabled::Attribute { name, values } => !is_disabled(&entry.texts(name), name, values),
    };
    Ok(ReadUser {
        id: entry.dn.clone(),
        key,
        user_name,
        emails: entry.texts(&settings.email),
        active,
    })
}

fn is_disabled(has: &[String], name: &str, values: &[String]) -> bool {
    if values.is_empty() {
        let locked = name.eq_ignore_ascii_case("pwdAccountLockedTime");
        return if locked {
            has.iter().any(|value| value == LOCKED)
        } else {
            !has.is_empty()
        };
    }
    has.iter()
        .any(|value| values.iter().any(|one| one.eq_ignore_ascii_case(value)))
}

/// The members of a group. Active Directory sends the values of a large one in parts (`member;range=0-1499`).
async fn members(
    ldap: &mut Ldap,
    group: &LdapEntry,
    member: &str,
    order: &ReadOrder<'_>,
) -> Result<BTreeSet<String>, ReadFault> {
    let name = member.to_lowercase();
    let mut members: BTreeSet<String> = group.texts(&name).into_iter().collect();
    let mut part = group.range(&name);
    for _ in 0..PARTS {
        let Some((values, next)) = part else {
            return Ok(members);
        };
        members.extend(values);
        let Some(next) = next else {
            return Ok(members);
        };
        let asked = format!("{member};range={next}-*");
        let what = ("its members", group.dn.as_str(), "(objectClass=*)");
        let found = base(ldap, what, &[&asked], order).await?;
        part = found.first().and_then(|entry| entry.range(&name));
        match &part {
            None => return Err(ReadFault::Unreadable("its members")),
            // A part of before: there is no end to that.
            Some((_, Some(again))) if *again <= next => return Err(ReadFault::Astray),
            Some(_) => {}
        }
    }
    Err(ReadFault::Astray)
}

async fn search(
    ldap: &mut Ldap,
    what: (&'static str, &str, &str),
    attributes: &[&str],
    order: &ReadOrder<'_>,
) -> Result<Vec<LdapEntry>, ReadFault> {
    let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> = vec![
        Box::new(EntriesOnly::new()),
        Box::new(PagedResults::new(PAGE)),
    ];
    entries(ldap, adapters, Scope::Subtree, what, attributes, order).await
}

async fn base(
    ldap: &mut Ldap,
    what: (&'static str, &str, &str),
    attributes: &[&str],
    order: &ReadOrder<'_>,
) -> Result<Vec<LdapEntry>, ReadFault> {
    let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> =
        vec![Box::new(EntriesOnly::new())];
    entries(ldap, adapters, Scope::Base, what, attributes, order).await
}

/// All entries of a search, to its end: any result but success is a part of them.
async fn entries<'a>(
    ldap: &mut Ldap,
    adapters: Vec<Box<dyn Adapter<'a, String, Vec<String>> + 'a>>,
    scope: Scope,
    (what, base, filter): (&'static str, &str, &str),
    attributes: &[&str],
    order: &ReadOrder<'_>,
) -> Result<Vec<LdapEntry>, ReadFault> {
    let attributes: Vec<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
    let search = ldap
        .with_timeout(ANSWER)
        .streaming_search_with(adapters, base, scope, filter, attributes)
        .await;
    let mut search = search.map_err(|error| lost(&error))?;
    let mut read = Vec::new();
    while let Some(entry) = search.next().await.map_err(|error| lost(&error))? {
        read.push(LdapEntry::of(entry).ok_or(ReadFault::Unreadable(what))?);
        order.within(read.len())?;
    }
    let result = search.finish().await;
    if result.rc != 0 {
        return Err(ReadFault::Ldap {
            what,
            code: result.rc,
        });
    }
    Ok(read)
}

#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod tests;
