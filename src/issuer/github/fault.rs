//! Why GitHub's teams could not be read. None of it changes what is known of them.

use crate::identity::words;
use oam_model::answer::EndpointFault;
use oam_store::StoreFault;

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitHubFault {
    /// The App's key or token is not taken.
    Key,
    /// The App is not installed in the organization.
    NotInstalled,
    /// The organization suspended the App.
    Suspended,
    /// The name is another organization's: this number.
    OtherOrganization(u64),
    /// The App may not read members.
    NotAllowed(u16),
    /// The token may do more than what was asked, or does not say what it may.
    OtherPermissions(String),
    /// GitHub wants to be left alone for so long, ms.
    Limited(u64),
    /// So many teams changed while they were read.
    Moved(usize),
    /// No answer, or one that says nothing.
    Endpoint(EndpointFault),
    /// Something else than what belongs there.
    Unreadable(&'static str),
    /// The file that says whose accounts are whose.
    Accounts(String),
    /// The store is not there.
    Store(StoreFault),
}

impl From<EndpointFault> for GitHubFault {
    fn from(fault: EndpointFault) -> Self {
        Self::Endpoint(fault)
    }
}

impl From<StoreFault> for GitHubFault {
    fn from(fault: StoreFault) -> Self {
        Self::Store(fault)
    }
}

impl GitHubFault {
    /// How long GitHub wants to be left alone, ms.
    pub const fn pause_ms(&self) -> Option<u64> {
        match self {
            Self::Limited(ms) => Some(*ms),
            _ => None,
        }
    }

    /// Whether it is remembered until a reading succeeds: the others say nothing of GitHub.
    pub const fn is_noted(&self) -> bool {
        !matches!(self, Self::Limited(_) | Self::Moved(_) | Self::Store(_))
    }

    /// Whether a person has to do something about it: the others pass by themselves.
    pub const fn is_alarm(&self) -> bool {
        self.is_noted() && !matches!(self, Self::Endpoint(_) | Self::Unreadable(_))
    }

    /// What is wrong.
    pub fn sentence(&self) -> String {
        match self {
            Self::Key => "GitHub does not take the App's key".to_owned(),
            Self::NotInstalled => "the App is not installed in the organization".to_owned(),
            Self::Suspended => "the organization suspended the App".to_owned(),
            Self::OtherOrganization(id) => {
                format!("this name is an organization's whose number is {id}")
            }
            Self::NotAllowed(status) => {
                format!("the App may not read the organization's members (status {status})")
            }
            Self::OtherPermissions(what) => {
                format!("GitHub gave a token that is not what was asked for: {what}")
            }
            Self::Limited(ms) => format!("GitHub wants to be left alone for {} s", ms / 1000),
            Self::Moved(count) => format!("{count} teams changed while they were read"),
            Self::Endpoint(fault) => format!("GitHub can't be asked: {}", words(fault)),
            Self::Unreadable(what) => format!("GitHub's answer can't be read: {what}"),
            Self::Accounts(why) => why.clone(),
            Self::Store(fault) => fault.refusal().sentence,
        }
    }

    /// What helps.
    pub const fn next(&self) -> &'static str {
        match self {
            Self::Key => {
                "compare `app_id` and `private_key` with the App's page at GitHub, and this machine's clock with the time"
            }
            Self::NotInstalled => "an owner of the organization installs the App",
            Self::Suspended => {
                "an owner of the organization lifts it on the page of the installation"
            }
            Self::OtherOrganization(_) => {
                "compare `organization` and `organization_id`: somebody else can have taken a name that was given up"
            }
            Self::NotAllowed(_) | Self::OtherPermissions(_) => {
                "give the App the organization permission `Members: read` and no other, and let an owner accept it"
            }
            Self::Limited(_) | Self::Moved(_) | Self::Store(_) => "it is tried again by itself",
            Self::Endpoint(_) | Self::Unreadable(_) => {
                "look at the network between here and `api`; it is tried again by itself"
            }
            Self::Accounts(_) => "correct the file that `accounts_file` names",
        }
    }
}
