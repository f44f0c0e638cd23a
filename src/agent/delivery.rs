//! Tokens for children of `oam exec`: record, file, news; and their files taken away.

use super::command::{GatedReply, say};
use super::followers::Follower;
use super::org_context::OrgContext;
use super::org_session::{OrgSession, with_roles};
use oam_model::granted::{Granted, TokenAnswer};
use oam_model::record::{EventKind, Record};
use oam_model::refusal::Refusal;
use oam_session::cache::TokenId;
use oam_session::machine::{Event, PersonEvent};
use oam_wire::message::{Following, Reply};
use std::sync::Arc;

impl OrgSession {
    /// The connection of an `oam exec` closed: its child is gone.
    pub(super) fn hung_up(&self, cx: &mut OrgContext<'_>, follower: u64) {
        if let Some(following) = cx.followers.children.remove(&follower) {
            cx.delete_file(&following.name);
            let gone = PersonEvent::Unfollowed(follower);
            cx.queue.push(&self.name, gone.into());
        }
    }

    /// Children of `oam exec` whose ask would get another role now, or none, lose their file: a role
    /// is not renewed for as long as a child cares to run.
    pub(super) fn choose_again(&self, cx: &mut OrgContext<'_>) {
        let Some(org) = cx.settings.org(&self.name) else {
            return;
        };
        let Ok(of) = with_roles(Some(self), org) else {
            return;
        };
        let Some(live) = self.machine.standing().live() else {
            return;
        };
        let (groups, unknown) = (&live.identity.groups, cx.settings.unknown_intent);
        for (follower, refusal) in cx.followers.changed(of, groups, unknown) {
            if let Some(event) = cx.withdraw(follower, refusal, true) {
                cx.queue.push(&self.name, event.into());
            }
        }
    }

    /// Record, file, news: in this order.
    pub(super) fn deliver(
        &mut self,
        cx: &mut OrgContext<'_>,
        follower: u64,
        token: TokenId,
    ) -> Option<Event> {
        let now = cx.now();
        let (Some(held), Some(following)) =
            (self.held.get(&token), cx.followers.children.get(&follower))
        else {
            return None;
        };
        let granted = following.chosen.granted(held, self.machine.epoch(), now);
        let (secret, gate) = (Arc::clone(&held.token), self.gate.clone());
        let name = following.name.clone();
        let mut record = self.delivery(following, &granted, now.wall_ms);
        held.sign(&mut record, &following.chosen.choice.rule);
        if !cx.write_grant(&record) {
            return cx.withdraw(follower, cx.durable.unrecorded(), true);
        }
        let path = match cx.followers.files.put(&name, &secret) {
            Ok(path) => path,
            Err(why) => {
                let refusal = Refusal::unavailable(
                    format!("the token file can't be written: {why}"),
                    "make room in the runtime directory, then try again",
                );
                return cx.withdraw(follower, refusal, true);
            }
        };
        self.hand_out(cx, &granted, now);
        let on_disk = !cx.followers.files.in_memory();
        let following = cx.followers.children.get_mut(&follower)?;
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
        record.subject = self.person();
        record.front = Some("exec".into());
        record.caller = Some(following.chosen.caller.clone());
        record.intent = Some(following.chosen.intent);
        record
    }
}

impl OrgContext<'_> {
    /// Deletes the file of one child; a failure is kept for `status`.
    fn delete_file(&mut self, name: &str) {
        if let Err(why) = self.followers.delete_file(name) {
            self.durable.trouble = Some(why);
        }
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
        record.request_id = self.queue.request_in_hand();
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
