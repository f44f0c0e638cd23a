//! What comes back from calls that run aside, and who takes it.

use super::core::AgentCore;
use super::feeding::FeedNews;
use super::login::{Accepted, Failed};
use super::opening::Opening;
use super::ports::{Arrived, Minted, UserInfo};
use super::state::Sealed;
use super::why::Explained;
use oam_model::answer::EndpointFault;
use oam_model::feed::UploadAnswer;
use oam_model::identity::Identity;
use oam_model::name::OrgName;
use oam_model::organization::EffectiveRoles;
use oam_model::refusal::Refusal;

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
    SetUp(OrgName, Box<super::setup::SetUpRead>),
    HungUp {
        org: OrgName,
        follower: u64,
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
}

impl AgentCore {
    /// Every answer goes where it was asked for.
    pub(super) fn answered(&mut self, inner: PortAnswer) {
        if !self.state_is_ours() {
            return;
        }
        match inner {
            PortAnswer::Opened(result) => self.opened(result),
            PortAnswer::Refreshed {
                org,
                flight,
                result,
            } => self.refreshed(&org, flight, result),
            PortAnswer::UserInfo(org, flight, said) => self.userinfo_said(&org, flight, *said),
            PortAnswer::Minted {
                org,
                flight,
                request_id,
                result,
            } => self.minted(&org, flight, request_id, result),
            PortAnswer::Feed { org, number, news } => self.feed_says(&org, number, news),
            PortAnswer::EffectiveRoles {
                org,
                generation,
                result,
            } => self.roles_read(&org, generation, result),
            PortAnswer::Uploaded {
                org,
                generation,
                result,
            } => self.uploaded(&org, generation, result),
            PortAnswer::Explained(explained) => self.explained(*explained),
            PortAnswer::SetUp(org, read) => self.set_up_read(&org, *read),
            PortAnswer::HungUp { org, follower } => self.hung_up(&org, follower),
            PortAnswer::LoggedIn { .. } if matches!(self.durable.opening, Opening::UnderWay) => {
                // To store it now would write over sessions that are just being read.
                self.arrived.push(inner);
            }
            PortAnswer::LoggedIn { org, login, result } => self.logged_in(&org, login, result),
            PortAnswer::LoginGone { org, login } => self.login_gone(&org, login),
            PortAnswer::TokenRevoked { org, sha256 } => self.token_revoked(&org, &sha256),
        }
    }

    /// Sign-ins that waited for the sealed state to be read.
    pub(super) fn take_arrived(&mut self) {
        for inner in std::mem::take(&mut self.arrived) {
            self.answered(inner);
        }
    }
}
