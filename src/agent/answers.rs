//! What comes back from calls that run aside.

use super::command::ReplySender;
use super::ports::{Arrived, Minted, UserInfo};
use super::state::Sealed;
use oam_model::answer::EndpointFault;
use oam_model::caller::Caller;
use oam_model::feed::{FeedItem, Poll, UploadAnswer};
use oam_model::identity::Identity;
use oam_model::name::OrgName;
use oam_model::organization::{EffectiveRoles, Organization, WhyAnswer};
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_model::sign_in::SignedInBy;
use oam_model::token_request::TokenRequest;
use oam_session::screen::ScreenState;
use std::sync::Arc;

/// What comes back from calls that run aside.
pub(super) enum PortAnswer {
    Opened(Result<Option<Sealed>, Refusal>),
    Refreshed {
        org: OrgName,
        flight: u64,
        result: Result<Arrived, EndpointFault>,
    },
    UserInfo(OrgName, u64, Box<(Identity, UserInfo)>),
    Minted {
        org: OrgName,
        flight: u64,
        request_id: String,
        result: Result<Minted, EndpointFault>,
    },
    Feed {
        org: OrgName,
        number: u64,
        news: FeedNews,
    },
    EffectiveRoles {
        org: OrgName,
        generation: u64,
        result: Result<EffectiveRoles, EndpointFault>,
    },
    Uploaded {
        org: OrgName,
        generation: u64,
        result: Result<UploadAnswer, EndpointFault>,
    },
    Explained(Box<Explained>),
    SetUp(OrgName, Box<SetUpRead>),
    HungUp {
        org: OrgName,
        follower: u64,
    },
    GatewayGone {
        org: OrgName,
        watcher: u64,
    },
    LoggedIn {
        org: OrgName,
        login: u64,
        result: Result<Accepted, Failed>,
    },
    LoginGone {
        org: OrgName,
        login: u64,
    },
    TokenRevoked {
        org: OrgName,
        sha256: String,
    },
    /// Of the user's own desktop, for what is to be told.
    Screen(ScreenState),
    /// Of a caller that waits for a sign-in, by its number.
    ScreenOfWaiter(u64, ScreenState),
}

/// What the issuer said by the feed, or how a connection to it ended.
pub(super) enum FeedNews {
    /// A message.
    Heard(FeedItem),
    /// The connection is over; the bearer that it was made with.
    Closed(u64, Result<(), EndpointFault>),
    /// A poll's answer; the bearer that it was made with.
    Polled(u64, Result<Poll, EndpointFault>),
}

/// The issuer's answer to a question, and whose answer waits for it.
pub(super) struct Explained {
    pub org: OrgName,
    /// Of the session that asked.
    pub epoch: u64,
    pub generation: u64,
    pub ask: TokenRequest,
    pub caller: Caller,
    pub answers: ReplySender,
    pub result: Result<WhyAnswer, EndpointFault>,
}

/// What a sign-in brought, and what the organization's issuer said to it; none where there is no issuer.
pub(super) struct Accepted {
    pub arrived: Arrived,
    pub said: Option<FirstAnswer>,
    pub by: SignedInBy,
    /// Userinfo named the groups.
    pub groups_by_userinfo: bool,
}

/// A sign-in that came to nothing.
pub(super) struct Failed {
    pub refusal: Refusal,
    /// The provider's session, when there was one: nobody keeps it.
    pub refresh: Option<Arc<Secret>>,
    /// The organization's issuer refused it.
    pub by_issuer: bool,
    /// How the person was to sign in, when it came to that.
    pub by: Option<SignedInBy>,
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            refresh: None,
            by_issuer: false,
            by: None,
        }
    }
}

/// What the issuer published when its digest was another.
pub(super) struct SetUpRead {
    pub digest: String,
    pub result: Result<Organization, Refusal>,
}

/// What the issuer said: the roles, or why it could not say them now.
pub(super) type FirstAnswer = Result<EffectiveRoles, EndpointFault>;
