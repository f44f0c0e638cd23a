//! Asks of children of `oam exec`.

use super::AgentCore;
use crate::answers::PortAnswer;
use crate::command::{ClientRequest, ReplySender, WaitPolicy, say};
use crate::followers::{FollowRequest, Follower};
use crate::org_session::Chosen;
use crate::resolve::Resolved;
use oam_model::caller::Caller;
use oam_session::machine::{PersonEvent, Who};
use oam_wire::message::{Reply, Request};

impl AgentCore {
    pub(super) fn follow(
        &mut self,
        wanted: FollowRequest,
        caller: Caller,
        answers: ReplySender,
        wait_policy: WaitPolicy,
    ) {
        match self.resolver().resolve(&wanted.ask, "exec", &caller) {
            Resolved::NotOurs => say(&answers, Reply::NotOurs),
            Resolved::Refused(denied) => {
                if let Some(waits) = self.waits_for(&denied, wait_policy) {
                    let FollowRequest {
                        ask,
                        again,
                        with_token,
                    } = wanted;
                    let request = Request::Follow {
                        ask,
                        again,
                        with_token,
                    };
                    return self.park(
                        waits,
                        ClientRequest {
                            request,
                            caller,
                            answers,
                        },
                    );
                }
                let (refusal, _) = self.deny(*denied, "exec", caller, wait_policy);
                say(&answers, Reply::Withdrawn { refusal });
            }
            Resolved::Chosen(chosen) => self.start_following(*chosen, wanted, answers),
        }
    }

    fn start_following(&mut self, chosen: Chosen, wanted: FollowRequest, answers: ReplySender) {
        let follower = self.number();
        let fresh = self.ports.rng.random();
        let name = self.followers.name(wanted.again, fresh);
        let (org, order, offline) = (chosen.org.clone(), chosen.order(), chosen.offline());
        let (gone, hung_up) = (answers.clone(), org.clone());
        self.aside.run(async move {
            gone.closed().await;
            PortAnswer::HungUp {
                org: hung_up,
                follower,
            }
        });
        let following = Follower {
            chosen,
            name,
            answers,
            with_token: wanted.with_token,
            started: false,
        };
        self.followers.children.insert(follower, following);
        let who = Who::Follower(follower);
        self.step(
            &org,
            PersonEvent::Asked {
                who,
                order,
                offline,
            },
        );
    }
}
