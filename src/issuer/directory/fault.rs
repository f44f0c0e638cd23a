//! Why a directory was not read to its end.

use super::ldap::LdapFault;
use oam_model::answer::EndpointFault;
use oam_model::refusal::Refusal;
use std::fmt;

/// Why a directory was not read to its end. Nothing in it is the directory's own prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFault {
    /// The secret is not where the settings say.
    Secret(String),
    /// A request was not answered as it has to be.
    Endpoint {
        what: &'static str,
        fault: EndpointFault,
    },
    /// An answer is not what belongs there.
    Unreadable(&'static str),
    /// It changed while it was read: what is on two of its pages, or on none, can't be told.
    Moved,
    /// A list does not end, or leads elsewhere.
    Astray,
    /// More people than are read.
    TooMany(u64),
    /// It took longer than it may.
    Late,
    /// The provider wants to be left alone for longer than is left.
    Limited,
    /// What the process found that reads LDAP.
    Ldap(LdapFault),
    /// That process ended without an answer, as it does at bytes that are no LDAP.
    ReaderEnded,
    /// That process could not be started.
    NoReader(&'static str),
}

impl From<Refusal> for ReadFault {
    fn from(refusal: Refusal) -> Self {
        Self::Secret(refusal.sentence)
    }
}

impl From<LdapFault> for ReadFault {
    fn from(fault: LdapFault) -> Self {
        Self::Ldap(fault)
    }
}

impl fmt::Display for ReadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(why) => f.write_str(why),
            Self::Endpoint { what, fault } => write!(f, "{what}: {}", answered(fault)),
            Self::Unreadable(what) => write!(f, "{what}: the answer is not what belongs there"),
            Self::Moved => f.write_str("it changed while it was read; the next reading will do"),
            Self::Astray => f.write_str("a list does not end, or leads to another place"),
            Self::TooMany(most) => write!(f, "it has more than {most} people (`most_users`)"),
            Self::Late => f.write_str("it took longer than `within` allows"),
            Self::Limited => f.write_str("the provider's limit of requests leaves no time"),
            Self::Ldap(fault) => fault.fmt(f),
            Self::ReaderEnded => f.write_str(
                "what the server sent is no LDAP, or far more than `most_users` allows, and ended the process that read it (look at `url`, and at who answers there)",
            ),
            Self::NoReader(why) => write!(f, "the process that reads LDAP can't be started: {why}"),
        }
    }
}

fn answered(fault: &EndpointFault) -> String {
    match fault {
        EndpointFault::NotSent { why } => format!("it can't be reached: {why}"),
        EndpointFault::Lost { why } => format!("the answer did not arrive: {why}"),
        EndpointFault::Status { status, error, .. } => match error {
            Some(error) => format!("it answered {status} ({error})"),
            None => format!("it answered {status}"),
        },
        EndpointFault::Unreadable { why } | EndpointFault::Unfit { why } => why.clone(),
        EndpointFault::Check { name, why } => format!("{name}: {why}"),
        EndpointFault::Denied { status, .. } => format!("it answered {status}"),
    }
}
