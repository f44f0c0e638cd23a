//! Children of `oam exec`: a private file that holds their token, for as long as they are connected.

use super::answers::PortAnswer;
use super::command::{AgentCommand, ClientRequest, GatedReply, ReplySender, say};
use super::core::AgentCore;
use super::effective_roles::WaitPolicy;
use super::org_session::Chosen;
use super::ports::ChildTokenFiles;
use super::resolve::Resolved;
use oam_config::agent::UnknownIntent;
use oam_model::caller::Caller;
use oam_model::granted::{Granted, TokenAnswer};
use oam_model::name::{OrgName, RoleName};
use oam_model::record::{EventKind, Record};
use oam_model::refusal::Refusal;
use oam_model::token_request::TokenRequest;
use oam_session::cache::TokenId;
use oam_session::machine::{Event, PersonEvent, Who};
use oam_session::role::{AccessRequest, Roles, choose};
use oam_wire::message::{Following, Reply, Request};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// A child of `oam exec`.
pub(super) struct Follower {
    pub chosen: Chosen,
    pub name: String,
    pub answers: ReplySender,
    /// The token itself is told with the first one.
    pub with_token: bool,
    /// The first token was delivered.
    pub started: bool,
}

/// What a child wants.
pub(super) struct FollowRequest {
    pub ask: TokenRequest,
    /// The name of the file's folder from before, to get the same path.
    pub again: Option<String>,
    pub with_token: bool,
}

/// All of them, and their files.
pub(super) struct Followers {
    files: Rc<dyn ChildTokenFiles>,
    children: BTreeMap<u64, Follower>,
}

impl Followers {
    pub(super) fn new(files: Rc<dyn ChildTokenFiles>) -> Self {
        let children = BTreeMap::new();
        Self { files, children }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// Whether a child uses a token of this organization.
    pub(super) fn uses(&self, org: &OrgName) -> bool {
        self.children.values().any(|f| f.chosen.org == *org)
    }

    /// Deletes all that lies there, of whatever agent.
    pub(super) fn sweep(&self) -> Result<(), String> {
        self.files.sweep()
    }

    /// Deletes the files of this agent's children and no other.
    pub(super) fn delete_own_files(&self) {
        for child in self.children.values() {
            let _ = self.delete_file(&child.name);
        }
    }

    fn delete_file(&self, name: &str) -> Result<(), String> {
        let deleted = self.files.withdraw(name);
        deleted.map_err(|why| format!("a token file could not be deleted: {why}"))
    }

    /// The name that a child asks for `again`, if nobody has it; else a fresh one.
    fn name(&self, again: Option<String>, fresh: u128) -> String {
        let taken = |name: &String| self.children.values().any(|f| f.name == *name);
        again
            .filter(|name| is_file_name(name) && !taken(name))
            .unwrap_or_else(|| format!("{fresh:032x}"))
    }

    /// Children whose ask would get another role now, or none, and why they go.
    pub(super) fn changed(
        &self,
        of: Roles<'_>,
        groups: &[String],
        unknown: UnknownIntent,
    ) -> Vec<(u64, Refusal)> {
        let org = of.org;
        let children = self.children.iter();
        let children = children.filter(|(_, following)| following.chosen.org == org.name);
        let changed = children.filter_map(|(id, following)| {
            let chosen = &following.chosen;
            let hub = org.hubs.iter().find(|hub| hub.name == chosen.hub)?;
            let wish = AccessRequest {
                repository: chosen.repository.as_ref(),
                intent: chosen.intent,
                role: Some(&chosen.choice.role),
                by_git: chosen.front == "git",
            };
            match choose(of, hub, groups, wish, unknown) {
                Ok(choice) if choice == chosen.choice => None,
                Ok(_) => Some((*id, changed(&chosen.choice.role))),
                Err(refusal) => Some((*id, refusal)),
            }
        });
        changed.collect()
    }
}

impl AgentCore {
    pub(super) fn follow(
        &mut self,
        wanted: FollowRequest,
        caller: Caller,
        answers: ReplySender,
        patience: WaitPolicy,
    ) {
        match self.resolver().resolve(&wanted.ask, "exec", &caller) {
            Resolved::NotOurs => say(&answers, Reply::NotOurs),
            Resolved::Refused(denied) => {
                if let Some(org) = self.resolver().may_read_roles_for(&denied, patience) {
                    let FollowRequest {
                        ask,
                        again,
                        with_token,
                    } = wanted;
                    let again = AgentCommand::Asked(ClientRequest {
                        request: Request::Follow {
                            ask,
                            again,
                            with_token,
                        },
                        caller,
                        answers,
                    });
                    return self.park_for_roles(&org, again);
                }
                let attended = caller.attended;
                self.record_refusal(&denied, "exec", caller);
                self.notice_by_standing(&denied, attended);
                let refusal = denied.refusal;
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

    /// The connection of an `oam exec` closed: its child is gone.
    pub(super) fn hung_up(&mut self, org: &OrgName, follower: u64) {
        if let Some(following) = self.followers.children.remove(&follower) {
            self.delete_file(&following.name);
            self.step(org, PersonEvent::Unfollowed(follower));
        }
    }

    /// Deletes the file of one child; a failure is kept for `status`.
    fn delete_file(&mut self, name: &str) {
        if let Err(why) = self.followers.delete_file(name) {
            self.durable.trouble = Some(why);
        }
    }

    /// Record, file, news: in this order.
    pub(super) fn deliver(
        &mut self,
        org: &OrgName,
        follower: u64,
        token: TokenId,
    ) -> Option<Event> {
        let now = self.now();
        let org_session = self.org_sessions.get(org)?;
        let (Some(held), Some(following)) = (
            org_session.held.get(&token),
            self.followers.children.get(&follower),
        ) else {
            return None;
        };
        let granted = following
            .chosen
            .granted(held, org_session.machine.epoch(), now);
        let (secret, gate) = (Arc::clone(&held.token), org_session.gate.clone());
        let name = following.name.clone();
        let mut record = self.delivery(following, &granted, now.wall_ms);
        held.sign(&mut record, &following.chosen.choice.rule);
        if !self.write_grant(&record) {
            return self.withdraw(follower, self.durable.unrecorded(), true);
        }
        let path = match self.followers.files.put(&name, &secret) {
            Ok(path) => path,
            Err(why) => {
                let refusal = Refusal::unavailable(
                    format!("the token file can't be written: {why}"),
                    "make room in the runtime directory, then try again",
                );
                return self.withdraw(follower, refusal, true);
            }
        };
        self.goes_out(org, &granted, now);
        let on_disk = !self.followers.files.in_memory();
        let following = self.followers.children.get_mut(&follower)?;
        let answer = if std::mem::replace(&mut following.started, true) {
            Reply::Renewed {
                expires_at: granted.expires_at,
            }
            .into()
        } else {
            let token = following.with_token.then(|| TokenAnswer {
                granted: granted.clone(),
                token: secret,
            });
            let began = Reply::Following(Following {
                granted: granted.clone(),
                path,
                name,
                hub_kind: following.chosen.hub_kind.to_owned(),
                variables: following.chosen.variables.clone(),
                on_disk,
                token,
            });
            GatedReply::gated(began, &granted, gate)
        };
        // A follower that reads no news keeps its file all the same.
        say(&following.answers, answer);
        None
    }

    fn delivery(&self, following: &Follower, granted: &Granted, now_ms: u64) -> Record {
        let what = if following.started {
            EventKind::Renewal
        } else {
            EventKind::Grant
        };
        let mut record = Record::new(what, now_ms).with_granted(granted);
        record.subject = self.subject_of(&granted.org);
        record.front = Some("exec".into());
        record.caller = Some(following.chosen.caller.clone());
        record.intent = Some(following.chosen.intent);
        record
    }

    /// Takes a follower's file away; `last`: for good, and then the session machine has to know.
    pub(super) fn withdraw(
        &mut self,
        follower: u64,
        refusal: Refusal,
        last: bool,
    ) -> Option<Event> {
        let following = self.followers.children.get(&follower)?;
        let (chosen, name) = (&following.chosen, following.name.clone());
        let what = if following.started {
            EventKind::Withdrawal
        } else {
            EventKind::Refusal
        };
        let mut record = Record::new(what, self.now().wall_ms);
        record.org = Some(chosen.org.clone());
        record.front = Some("exec".into());
        record.caller = Some(chosen.caller.clone());
        record.hub = Some(chosen.hub.clone());
        record.repository.clone_from(&chosen.repository);
        record.role = Some(chosen.choice.role.clone());
        record.intent = Some(chosen.intent);
        record.refusal = Some(refusal.code);
        record.detail = Some(refusal.sentence.clone());
        record.request_id.clone_from(&self.request_in_hand);
        // The file goes first: a full disk must not keep a token alive.
        self.delete_file(&name);
        self.write(&record);
        if let Some(following) = self.followers.children.get(&follower) {
            let reply = if last {
                Reply::Withdrawn { refusal }
            } else {
                Reply::Paused { refusal }
            };
            say(&following.answers, reply);
        }
        if !last {
            return None;
        }
        self.followers.children.remove(&follower);
        Some(PersonEvent::Unfollowed(follower).into())
    }
}

/// The name of a token file's folder: 128 bits as lower-case hex.
fn is_file_name(name: &str) -> bool {
    name.len() == 32
        && name
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn changed(role: &RoleName) -> Refusal {
    Refusal::denied(
        format!("the configuration of {role} was changed"),
        "run the command again",
    )
}
