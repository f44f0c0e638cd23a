//! Why a directory was not read to its end.

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
    /// The LDAP server answered something else than success (RFC 4511 §A.1).
    Ldap { what: &'static str, code: u32 },
    /// The LDAP server could not be reached, or the connection broke.
    Lost(&'static str),
}

impl From<Refusal> for ReadFault {
    fn from(refusal: Refusal) -> Self {
        Self::Secret(refusal.sentence)
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
            Self::Ldap { what, code } => {
                write!(f, "{what}: the server answered {code}{}", named(*code))
            }
            Self::Lost(why) => f.write_str(why),
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
