//! Reads an LDAP server, in the process that is for that.

use super::entry::{LdapEntry, plain};
use super::sent::{LdapFault, LdapOrder, LdapPart, SentGroup, SentReading};
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, ldap_escape};
use oam_http::{refused_certificate, roots, tls_for_roots};
use oam_model::directory::LdapDisabled;
use oam_model::secret::Secret;
use oam_policy::directory::ReadUser;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, ErrorKind};
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

pub(super) async fn read(order: &LdapOrder, secret: &Secret) -> Result<SentReading, LdapFault> {
    let mut ldap = connected(order, secret).await?;
    let outcome = all(&mut ldap, order).await;
    // The server sees a connection that ends either way.
    let _ = ldap.unbind().await;
    outcome
}

async fn connected(order: &LdapOrder, secret: &Secret) -> Result<Ldap, LdapFault> {
    let mut how = LdapConnSettings::new()
        .set_conn_timeout(CONNECT)
        .set_starttls(order.start_tls);
    if order.start_tls || !order.url.to_lowercase().starts_with("ldap://") {
        // The company's own roots and no others, or the system's.
        let own = order.ca_file.as_ref().map(|path| roots(path, None));
        let own = own.transpose().map_err(|_| LdapFault::Roots)?;
        let tls = tls_for_roots(own).map_err(|_| LdapFault::Roots)?;
        how = how.set_config(Arc::new(tls));
    }
    let connected = LdapConnAsync::with_settings(how, &order.url).await;
    let (connection, mut ldap) = connected.map_err(|error| lost(&error))?;
    tokio::spawn(async move {
        // What breaks it is told to whoever waits for an answer.
        let _ = connection.drive().await;
    });
    let bound = ldap
        .with_timeout(ANSWER)
        .simple_bind(&order.bind_dn, secret.expose())
        .await;
    taken(LdapPart::SignIn, bound.map_err(|error| lost(&error))?.rc)?;
    Ok(ldap)
}

const fn taken(part: LdapPart, code: u32) -> Result<(), LdapFault> {
    match code {
        0 => Ok(()),
        code => Err(LdapFault::Code { part, code }),
    }
}

fn lost(error: &LdapError) -> LdapFault {
    match error {
        LdapError::Io { source } => unreached(source),
        LdapError::Timeout { .. } => LdapFault::Unanswered,
        LdapError::FilterParsing => LdapFault::Filter,
        LdapError::UrlParsing { .. } | LdapError::UnknownScheme(_) => LdapFault::Address,
        // The only result that the library looks at by itself.
        LdapError::LdapResult { result } => LdapFault::Code {
            part: LdapPart::Tls,
            code: result.rc,
        },
        _ => LdapFault::Broken,
    }
}

fn unreached(error: &io::Error) -> LdapFault {
    if let Some(words) = refused_certificate(error) {
        return LdapFault::Certificate(words);
    }
    let tls: Option<&rustls::Error> = error.get_ref().and_then(|inner| inner.downcast_ref());
    if tls.is_some() {
        return LdapFault::NoTls;
    }
    match error.kind() {
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        // Of the library: what came is no message.
        | ErrorKind::Other => LdapFault::Broken,
        _ => LdapFault::Unreachable,
    }
}

async fn all(ldap: &mut Ldap, order: &LdapOrder) -> Result<SentReading, LdapFault> {
    let disabled = match &order.disabled {
        LdapDisabled::UserAccountControl => "userAccountControl",
        LdapDisabled::Attribute { name, .. } => name,
    };
    let asked = [&order.subject, &order.user_name, &order.email, disabled];
    let people = (LdapPart::People, order.base.as_str(), order.filter.as_str());
    let entries = search(ldap, people, &asked, order).await?;
    let mut users = Vec::new();
    for entry in entries {
        users.push(user(&entry, order)?);
    }
    let groups = match &order.group {
        Some(attribute) => Some(groups(ldap, order, attribute, &users).await?),
        None => None,
    };
    Ok(SentReading { users, groups })
}

/// The groups that are wanted. Groups in groups are not resolved.
async fn groups(
    ldap: &mut Ldap,
    order: &LdapOrder,
    attribute: &str,
    users: &[ReadUser],
) -> Result<Vec<SentGroup>, LdapFault> {
    // Distinguished names are compared without regard to case (RFC 4517 §4.2.15 of their usual parts).
    let places: BTreeMap<String, usize> = users
        .iter()
        .enumerate()
        .map(|(at, user)| (plain(&user.id), at))
        .collect();
    let names: Vec<&String> = order.wanted.iter().collect();
    let mut groups = Vec::new();
    for some in names.chunks(NAMES) {
        let mut filter = format!("(&{}(|", order.group_filter);
        for name in some {
            // Writing to a String does not fail.
            let _ = write!(filter, "({attribute}={})", ldap_escape(name.as_str()));
        }
        filter.push_str("))");
        let asked = [attribute, &order.member];
        let what = (LdapPart::Groups, order.group_base.as_str(), filter.as_str());
        for entry in search(ldap, what, &asked, order).await? {
            let Some(name) = entry
                .text(attribute)
                .filter(|name| order.wanted.contains(name))
            else {
                continue;
            };
            let members = members(ldap, &entry, order).await?;
            groups.push(SentGroup {
                id: entry.dn.clone(),
                name,
                members: members
                    .iter()
                    .filter_map(|dn| places.get(&plain(dn)).copied())
                    .collect(),
            });
        }
    }
    Ok(groups)
}

fn user(entry: &LdapEntry, order: &LdapOrder) -> Result<ReadUser, LdapFault> {
    let key = entry.text(&order.subject).ok_or(LdapFault::Nameless)?;
    let user_name = entry.text(&order.user_name).ok_or(LdapFault::Nameless)?;
    let active = match &order.disabled {
        LdapDisabled::UserAccountControl => {
            let flags = entry
                .text("userAccountControl")
                .and_then(|text| text.parse::<u64>().ok());
            flags.ok_or(LdapFault::NoControl)? & ACCOUNT_DISABLED == 0
        }
        LdapDisabled::Attribute { name, values } => !is_disabled(&entry.texts(name), name, values),
    };
    Ok(ReadUser {
        id: entry.dn.clone(),
        key,
        user_name,
        emails: entry.texts(&order.email),
        active,
    })
}

pub(super) fn is_disabled(has: &[String], name: &str, values: &[String]) -> bool {
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
    order: &LdapOrder,
) -> Result<BTreeSet<String>, LdapFault> {
    let name = order.member.to_lowercase();
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
        let asked = format!("{};range={next}-*", order.member);
        let what = (LdapPart::Members, group.dn.as_str(), "(objectClass=*)");
        let found = base(ldap, what, &[&asked], order).await?;
        part = found.first().and_then(|entry| entry.range(&name));
        match &part {
            None => return Err(LdapFault::Unreadable(LdapPart::Members)),
            // A part of before: there is no end to that.
            Some((_, Some(again))) if *again <= next => return Err(LdapFault::Endless),
            Some(_) => {}
        }
    }
    Err(LdapFault::Endless)
}

async fn search(
    ldap: &mut Ldap,
    what: (LdapPart, &str, &str),
    attributes: &[&str],
    order: &LdapOrder,
) -> Result<Vec<LdapEntry>, LdapFault> {
    let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> = vec![
        Box::new(EntriesOnly::new()),
        Box::new(PagedResults::new(PAGE)),
    ];
    entries(ldap, adapters, Scope::Subtree, what, attributes, order).await
}

async fn base(
    ldap: &mut Ldap,
    what: (LdapPart, &str, &str),
    attributes: &[&str],
    order: &LdapOrder,
) -> Result<Vec<LdapEntry>, LdapFault> {
    let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> =
        vec![Box::new(EntriesOnly::new())];
    entries(ldap, adapters, Scope::Base, what, attributes, order).await
}

/// All entries of a search, to its end: any result but success is a part of them.
async fn entries<'a>(
    ldap: &mut Ldap,
    adapters: Vec<Box<dyn Adapter<'a, String, Vec<String>> + 'a>>,
    scope: Scope,
    (part, base, filter): (LdapPart, &str, &str),
    attributes: &[&str],
    order: &LdapOrder,
) -> Result<Vec<LdapEntry>, LdapFault> {
    let attributes: Vec<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
    let search = ldap
        .with_timeout(ANSWER)
        .streaming_search_with(adapters, base, scope, filter, attributes)
        .await;
    let mut search = search.map_err(|error| lost(&error))?;
    let mut read = Vec::new();
    while let Some(entry) = search.next().await.map_err(|error| lost(&error))? {
        read.push(LdapEntry::of(entry).ok_or(LdapFault::Unreadable(part))?);
        if read.len() as u64 > order.most_users {
            return Err(LdapFault::TooMany(order.most_users));
        }
    }
    taken(part, search.finish().await.rc)?;
    Ok(read)
}
