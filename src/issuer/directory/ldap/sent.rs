//! What passes between the issuer and the process that reads LDAP: an order with the secret behind it, and one answer.

use super::super::{ReadFault, ReadOrder};
use oam_model::directory::{LdapDirectory, LdapDisabled};
use oam_policy::directory::{DirectoryReading, ReadGroup, ReadUser};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Room for what does not grow with the people, bytes.
const ROOM: u64 = 64 * 1024 * 1024;

/// What is to be read. The secret follows it, and is no part of any text.
#[derive(Serialize, Deserialize)]
pub(super) struct LdapOrder {
    pub(super) url: String,
    pub(super) start_tls: bool,
    pub(super) ca_file: Option<String>,
    pub(super) bind_dn: String,
    pub(super) secret_bytes: usize,
    pub(super) base: String,
    pub(super) filter: String,
    pub(super) subject: String,
    pub(super) user_name: String,
    pub(super) email: String,
    pub(super) disabled: LdapDisabled,
    /// The attribute that names a group; none: groups are not read.
    pub(super) group: Option<String>,
    pub(super) group_base: String,
    pub(super) group_filter: String,
    pub(super) member: String,
    /// The names of groups that are wanted.
    pub(super) wanted: BTreeSet<String>,
    pub(super) most_users: u64,
    /// When it has to be done, ms from now.
    pub(super) within_ms: u64,
}

impl LdapOrder {
    pub(super) fn new(
        order: &ReadOrder<'_>,
        settings: &LdapDirectory,
        secret_bytes: usize,
    ) -> Self {
        let of = order.settings;
        Self {
            url: settings.url.clone(),
            start_tls: settings.start_tls,
            ca_file: of.ca_file.clone(),
            bind_dn: settings.bind_dn.clone(),
            secret_bytes,
            base: settings.base.clone(),
            filter: settings.filter.clone(),
            subject: of.subject.clone(),
            user_name: settings.user_name.clone(),
            email: settings.email.clone(),
            disabled: settings.disabled.clone(),
            group: of.group.clone(),
            group_base: settings.group_base.clone(),
            group_filter: settings.group_filter.clone(),
            member: settings.member.clone(),
            wanted: order.wanted.clone(),
            most_users: of.most_users,
            within_ms: of.within_ms,
        }
    }

    /// Longest answer that is taken, bytes: names and addresses of a person take a few hundred, a membership less than ten.
    pub(super) const fn answer_cap(&self) -> u64 {
        ROOM.saturating_add(self.most_users.saturating_mul(2 * 1024))
    }

    /// Most memory that the reader may have, bytes: what the server sent, what is made of it, and the answer.
    pub(super) const fn memory_cap(&self) -> u64 {
        (4 * ROOM).saturating_add(self.most_users.saturating_mul(4 * 1024))
    }
}

/// What came of it.
#[derive(Serialize, Deserialize)]
pub(super) enum LdapAnswer {
    /// All of it.
    Read(SentReading),
    /// Nothing of it counts.
    Fault(LdapFault),
}

/// A whole reading.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SentReading {
    pub(super) users: Vec<ReadUser>,
    pub(super) groups: Option<Vec<SentGroup>>,
}

/// A group; its members are places in the list of users, which keeps many memberships short.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SentGroup {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) members: BTreeSet<usize>,
}

impl SentReading {
    /// As the issuer judges it; none: a group names nobody.
    pub(super) fn whole(self) -> Option<DirectoryReading> {
        let users = self.users;
        let group = |sent: SentGroup| {
            let members = sent.members.iter();
            let members: Option<_> = members.map(|at| Some(users.get(*at)?.id.clone())).collect();
            Some(ReadGroup {
                id: sent.id,
                display_name: sent.name.clone(),
                name: sent.name,
                members: members?,
            })
        };
        let groups = match self.groups {
            Some(groups) => Some(groups.into_iter().map(group).collect::<Option<_>>()?),
            None => None,
        };
        Some(DirectoryReading { users, groups })
    }
}

/// What was asked of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LdapPart {
    /// `StartTLS`.
    Tls,
    SignIn,
    People,
    Groups,
    Members,
}

/// Why an LDAP server was not read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LdapFault {
    Unreachable,
    /// Its certificate is refused; whose it is, in words that can be shown.
    Certificate(String),
    /// What it said in place of TLS is none, or none that is taken.
    NoTls,
    /// `ca_file`.
    Roots,
    Unanswered,
    Broken,
    Filter,
    Address,
    /// It answered something else than success (RFC 4511 §A.1).
    Code {
        part: LdapPart,
        code: u32,
    },
    /// An entry is none.
    Unreadable(LdapPart),
    /// An entry of its people lacks `subject` or `user_name`.
    Nameless,
    /// An entry of its people lacks `userAccountControl`.
    NoControl,
    /// Members that do not come to an end.
    Endless,
    /// More people than are read.
    TooMany(u64),
    Late,
}

impl LdapPart {
    const fn words(self) -> &'static str {
        match self {
            Self::Tls => "the wish for TLS",
            Self::SignIn => "the sign-in",
            Self::People => "its people",
            Self::Groups => "its groups",
            Self::Members => "its members",
        }
    }
}

impl fmt::Display for LdapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "the server can't be reached",
            Self::Certificate(words) => words,
            Self::NoTls => "the server does not speak TLS there, or none that is taken",
            Self::Roots => "the file of `ca_file` can't be read, or holds no PEM certificate",
            Self::Unanswered => "the server did not answer in time",
            Self::Broken => "the connection to the server broke",
            Self::Filter => "a filter is not as RFC 4515 has it",
            Self::Address => "the address is none of an LDAP server",
            Self::Nameless => "an entry of its people lacks `subject` or `user_name`",
            Self::NoControl => "an entry of its people lacks `userAccountControl`",
            Self::Endless => return ReadFault::Astray.fmt(f),
            Self::Late => return ReadFault::Late.fmt(f),
            Self::Code { part, code } => {
                let (what, named) = (part.words(), named(*code));
                return write!(f, "{what}: the server answered {code}{named}");
            }
            Self::Unreadable(part) => {
                return write!(f, "{}: the answer is not what belongs there", part.words());
            }
            Self::TooMany(most) => return ReadFault::TooMany(*most).fmt(f),
        })
    }
}

/// The usual codes in words.
const fn named(code: u32) -> &'static str {
    match code {
        3 => " (time limit)",
        4 => " (size limit: not all was sent)",
        8 => " (stronger authentication needed)",
        11 => " (administrative limit: not all was sent)",
        13 => " (confidentiality needed: use ldaps)",
        32 => " (no such entry: look at the bases)",
        48 | 49 => " (the name or password is not taken)",
        50 => " (it may not read this)",
        51 | 52 => " (busy or unavailable)",
        _ => "",
    }
}
