//! What comes back from calls that run aside: each goes where it was asked for.

use super::AgentCore;
use crate::answers::PortAnswer;
use crate::durable::Opening;
use oam_session::notice_queue::NoticeEvent;

impl AgentCore {
    /// Every answer goes where it was asked for.
    pub(crate) fn answered(&mut self, inner: PortAnswer) {
        if !self.state_is_ours() {
            return;
        }
        match inner {
            PortAnswer::Opened(result) => self.opened(result),
            PortAnswer::Refreshed {
                org,
                flight,
                result,
            } => self.of_org(&org, |own, cx| own.refreshed(cx, flight, result)),
            PortAnswer::UserInfo(org, flight, said) => {
                self.of_org(&org, |own, cx| own.userinfo_said(cx, flight, *said));
            }
            PortAnswer::Minted {
                org,
                flight,
                request_id,
                result,
            } => self.of_org(&org, |own, cx| own.minted(cx, flight, request_id, result)),
            PortAnswer::Feed { org, number, news } => {
                self.of_org(&org, |own, cx| own.feed_says(cx, number, news));
            }
            PortAnswer::EffectiveRoles {
                org,
                generation,
                result,
            } => self.of_org(&org, |own, cx| own.roles_read(cx, generation, result)),
            PortAnswer::Uploaded {
                org,
                generation,
                result,
            } => self.of_org(&org, |own, cx| own.uploaded(cx, generation, result)),
            PortAnswer::Explained(explained) => self.explained(*explained),
            PortAnswer::SetUp(org, read) => self.of_org(&org, |own, cx| own.set_up_read(cx, *read)),
            PortAnswer::HungUp { org, follower } => {
                self.of_org(&org, |own, cx| own.hung_up(cx, follower));
            }
            PortAnswer::GatewayGone { org, watcher } => self.gateway_gone(&org, watcher),
            PortAnswer::LoggedIn { .. } if matches!(self.durable.opening, Opening::UnderWay) => {
                // To store it now would write over sessions that are just being read.
                self.arrived.push(inner);
            }
            PortAnswer::LoggedIn { org, login, result } => self.logged_in(&org, login, result),
            PortAnswer::LoginGone { org, login } => self.login_gone(&org, login),
            PortAnswer::TokenRevoked { org, sha256 } => {
                self.of_org(&org, |own, cx| own.token_revoked(cx, &sha256));
            }
            PortAnswer::Screen(state) => self.notices_step(NoticeEvent::Screen(state)),
            PortAnswer::ScreenOfWaiter(number, state) => self.waiter_seen(number, state),
        }
        self.drain();
        self.release();
    }

    /// Sign-ins that waited for the sealed state to be read.
    pub(crate) fn take_arrived(&mut self) {
        for inner in std::mem::take(&mut self.arrived) {
            self.answered(inner);
        }
    }
}
