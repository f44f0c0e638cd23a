//! What agents before this one told the person, and what of it is still to be told: a notice that nobody saw is lost
//! with its agent, and its cause is not.

use super::{Effect, NotificationKind, SessionMachine, SignInNotice};
use crate::state::SessionState;
use oam_model::notice::ToldNotices;
use oam_model::standing::StandingWord;
use oam_model::time::Moment;

impl SessionMachine {
    pub(super) fn recall(&mut self, told: ToldNotices, now: Moment, effects: &mut Vec<Effect>) {
        if self.standing.live().is_some() {
            // What was not shown the next tick brings again.
            self.ends_soon_noticed |= told.ends_soon_at_ms.is_some();
            return;
        }
        if matches!(self.sign_in_noticed, SignInNotice::At(_)) {
            // The session ended under this agent, which has told it.
            return;
        }
        match (told.sign_in_at_ms, self.end_to_tell(now)) {
            (Some(at_ms), _) => {
                let at_ms = at_ms.min(now.wall_ms);
                self.sign_in_noticed = SignInNotice::Before { at_ms };
            }
            (None, Some(kind)) => {
                self.sign_in_noticed = SignInNotice::At(now);
                return effects.push(Effect::Notify(kind));
            }
            (None, None) => {}
        }
        if told.sign_in_waits {
            self.notify_of_sign_in(now, effects);
        }
    }

    /// The hour counts from when it was seen.
    pub(super) fn shown(&mut self, kind: &NotificationKind, now: Moment) {
        if *kind != NotificationKind::EndsSoon && self.standing.live().is_none() {
            self.sign_in_noticed = SignInNotice::At(now);
        }
    }

    /// The end of the last session, where it came against the person's will.
    pub(super) fn end_to_tell(&self, now: Moment) -> Option<NotificationKind> {
        let SessionState::Over { word, .. } = &self.standing else {
            return None;
        };
        let refusal = self.standing.refusal(&self.org, now, &self.limits);
        match word {
            StandingWord::Ended => Some(NotificationKind::Ended(refusal)),
            StandingWord::Revoked => Some(NotificationKind::Revoked(refusal)),
            _ => None,
        }
    }
}
