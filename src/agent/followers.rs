//! Children of `oam exec`: a private file that holds their token, for as long as they are connected.

use super::answers::PortAnswer;
use super::asks::Resolved;
use super::command::{AgentCommand, News, Started};
use super::core::AgentCore;
use super::effective_roles::WaitPolicy;
use super::org_session::{Chosen, Follower};
use oam_model::caller::Caller;
use oam_model::granted::Granted;
use oam_model::name::OrgName;
use oam_model::record::{EventKind, Record};
use oam_model::refusal::Refusal;
use oam_model::token_request::TokenRequest;
use oam_session::cache::TokenId;
use oam_session::machine::{Event, PersonEvent, Who};
use std::sync::Arc;
use tokio::sync::mpsc;

impl AgentCore {
    pub(super) fn follow(
        &mut self,
        ask: TokenRequest,
        again: Option<String>,
        caller: Caller,
        news: mpsc::Sender<News>,
        patience: WaitPolicy,
    ) {
        match self.resolve(&ask, "exec", &caller) {
            Resolved::NotOurs => {
                let _ = news.try_send(News::NotOurs);
            }
            Resolved::Refused(denied) => {
                if let Some(org) = self.may_read_roles_for(&denied, patience) {
                    let again = AgentCommand::Follow {
                        ask,
                        again,
                        caller,
                        news,
                    };
                    return self.park_for_roles(&org, again);
                }
                let attended = caller.attended;
                self.record_refusal(&denied, "exec", caller);
                self.notice_by_standing(&denied, attended);
                let _ = news.try_send(News::Withdrawn(denied.refusal));
            }
            Resolved::Chosen(chosen) => self.start_following(*chosen, again, news),
        }
    }

    fn start_following(&mut self, chosen: Chosen, again: Option<String>, news: mpsc::Sender<News>) {
        let follower = self.number();
        let taken = |name: &String| self.following.values().any(|f| f.name == *name);
        let name = again
            .filter(|name| is_file_name(name) && !taken(name))
            .unwrap_or_else(|| format!("{:032x}", self.ports.dice.roll()));
        let (org, order, offline) = (chosen.org.clone(), chosen.order(), chosen.offline());
        let (gone, inner, hung_up) = (news.clone(), self.inner.clone(), org.clone());
        tokio::task::spawn_local(async move {
            gone.closed().await;
            let _ = inner.send(PortAnswer::HungUp {
                org: hung_up,
                follower,
            });
        });
        let following = Follower {
            chosen,
            name,
            news,
            started: false,
        };
        self.following.insert(follower, following);
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
        if let Some(following) = self.following.remove(&follower) {
            self.delete_file(&following.name);
            self.step(org, PersonEvent::Unfollowed(follower));
        }
    }

    /// Deletes the files of this agent's followers and no other.
    pub(super) fn delete_own_files(&mut self) {
        let names: Vec<String> = self.following.values().map(|f| f.name.clone()).collect();
        for name in names {
            self.delete_file(&name);
        }
    }

    fn delete_file(&mut self, name: &str) {
        if let Err(why) = self.ports.files.withdraw(name) {
            self.save_trouble = Some(format!("a token file could not be deleted: {why}"));
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
        let (Some(held), Some(following)) =
            (org_session.held.get(&token), self.following.get(&follower))
        else {
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
            return self.withdraw(follower, self.unrecorded(), true);
        }
        let path = match self.ports.files.put(&name, &secret) {
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
        let on_disk = !self.ports.files.in_memory();
        let following = self.following.get_mut(&follower)?;
        let news = if std::mem::replace(&mut following.started, true) {
            News::Renewed {
                expires_at: granted.expires_at,
            }
        } else {
            let (hub_kind, variables) = (
                following.chosen.hub_kind,
                following.chosen.variables.clone(),
            );
            let started = Started {
                granted,
                token: secret,
                path,
                name,
                hub_kind,
                variables,
                on_disk,
            };
            News::Following(Box::new(started), gate)
        };
        // A follower that reads no news keeps its file all the same.
        let _ = following.news.try_send(news);
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
        let following = self.following.get(&follower)?;
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
        if let Some(following) = self.following.get(&follower) {
            let news = if last {
                News::Withdrawn(refusal)
            } else {
                News::Paused(refusal)
            };
            let _ = following.news.try_send(news);
        }
        if !last {
            return None;
        }
        self.following.remove(&follower);
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
