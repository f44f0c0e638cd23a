//! Which notices were shown and which wait, over the restarts of the agent.

use oam_model::name::OrgName;
use oam_model::notice::ToldNotices;
use oam_session::machine::NotificationKind;
use oam_session::notice_queue::DueNotice;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What agents told on the desktop. It lies in the clear, as the tombstones do, and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NoticeMemory {
    /// By organization.
    #[serde(default)]
    pub orgs: BTreeMap<OrgName, ToldNotices>,
    /// Unix milliseconds at which it was shown that the audit log had been changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_changed_at_ms: Option<u64>,
}

impl NoticeMemory {
    /// Somebody could see it then.
    pub(super) fn shown(&mut self, notice: &DueNotice, at_ms: u64) {
        match notice {
            DueNotice::Session(org, kind) => {
                let told = self.orgs.entry(org.clone()).or_default();
                match kind {
                    NotificationKind::EndsSoon => told.ends_soon_at_ms = Some(at_ms),
                    NotificationKind::Ended(_)
                    | NotificationKind::Revoked(_)
                    | NotificationKind::SignInNeeded(_) => told.sign_in_at_ms = Some(at_ms),
                }
            }
            DueNotice::LogChanged(_) => self.log_changed_at_ms = Some(at_ms),
        }
    }

    /// What waits for somebody now. Of all others the next agent finds the cause by itself.
    pub(super) fn waits<'a>(&mut self, held: impl Iterator<Item = &'a DueNotice>) {
        for told in self.orgs.values_mut() {
            told.sign_in_waits = false;
        }
        for notice in held {
            if let DueNotice::Session(org, NotificationKind::SignInNeeded(_)) = notice {
                self.orgs.entry(org.clone()).or_default().sign_in_waits = true;
            }
        }
    }

    /// Somebody signed in: whatever ends from here on is told anew.
    pub(super) fn forget(&mut self, org: &OrgName) {
        self.orgs.remove(org);
    }

    pub(super) fn of(&self, org: &OrgName) -> ToldNotices {
        self.orgs.get(org).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::NoticeMemory;
    use oam_model::standing::StandingWord;
    use oam_model::time::Moment;
    use oam_session::machine::fixture::{LIMITS, START, live};
    use oam_session::machine::{
        Effect, Event, HostEvent, IssuerEvent, NotificationKind, PersonEvent, SessionMachine,
    };
    use oam_session::notice_queue::{DueNotice, NoticeEffect, NoticeEvent, NoticeQueue};
    use oam_session::screen::ScreenState;
    use proptest::prelude::*;

    const HOUR_MS: u64 = 3_600_000;

    #[derive(Debug, Clone, Copy)]
    enum Step {
        SignsIn,
        SignsOut,
        Ends(bool),
        /// A program that nobody watches needs a sign-in, if there is no session.
        Asks,
        Passes(u64),
        /// Somebody comes to the screen, or goes.
        Screen(bool),
        /// The agent is killed, and another one starts.
        Restarts,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            2 => Just(Step::SignsIn),
            1 => Just(Step::SignsOut),
            2 => any::<bool>().prop_map(Step::Ends),
            4 => Just(Step::Asks),
            2 => prop::sample::select(vec![1_000, HOUR_MS / 2, HOUR_MS, 6 * 24 * HOUR_MS]).prop_map(Step::Passes),
            4 => any::<bool>().prop_map(Step::Screen),
            4 => Just(Step::Restarts),
        ];
        prop::collection::vec(step, 0..60)
    }

    /// An agent with one organization, its disk, and its person.
    struct World {
        now: Moment,
        machine: SessionMachine,
        queue: NoticeQueue,
        /// On disk: what was told, and the last session's end.
        disk: (String, Option<StandingWord>),
        somebody_is_there: bool,
        /// The screen is asked about.
        open: bool,
        /// Shown since the last sign-in or sign-out, and when.
        shown: Vec<(NotificationKind, u64)>,
        due: Due,
    }

    /// To be shown, and not shown yet.
    #[derive(Default)]
    struct Due {
        end: bool,
        sign_in: bool,
    }

    impl World {
        fn new() -> Self {
            Self {
                now: START,
                machine: SessionMachine::new("acme", LIMITS, 0, 0),
                queue: NoticeQueue::default(),
                disk: (String::from("{}"), None),
                somebody_is_there: true,
                open: false,
                shown: Vec::new(),
                due: Due::default(),
            }
        }

        fn memory(&self) -> NoticeMemory {
            serde_json::from_str(&self.disk.0).unwrap()
        }

        fn keep(&mut self, memory: &NoticeMemory) {
            self.disk.0 = serde_json::to_string(memory).unwrap();
        }

        fn step(&mut self, event: impl Into<Event>) {
            for effect in self.machine.step(event, self.now) {
                match effect {
                    Effect::End { word, .. } => {
                        self.disk.1 = Some(word);
                        self.shown
                            .retain(|(kind, _)| *kind == NotificationKind::EndsSoon);
                        self.due.end = word != StandingWord::SignedOut;
                    }
                    Effect::Notify(kind) => {
                        let acme = "acme".parse().unwrap();
                        self.tell(NoticeEvent::Due(DueNotice::Session(acme, kind)));
                    }
                    _ => {}
                }
            }
            self.look();
        }

        fn tell(&mut self, event: NoticeEvent) {
            let mut memory = self.memory();
            for effect in self.queue.step(event) {
                match effect {
                    NoticeEffect::AskScreen | NoticeEffect::AwaitPerson => self.open = true,
                    NoticeEffect::Show(DueNotice::Session(org, kind)) => {
                        if self.machine.still_stands(&kind, self.now) {
                            assert!(self.somebody_is_there);
                            self.shown.push((kind.clone(), self.now.wall_ms));
                            memory.shown(&DueNotice::Session(org, kind.clone()), self.now.wall_ms);
                            assert!(
                                self.machine
                                    .step(HostEvent::Shown(kind), self.now)
                                    .is_empty()
                            );
                        }
                    }
                    NoticeEffect::Show(DueNotice::LogChanged(_)) => {}
                }
            }
            memory.waits(self.queue.held());
            self.keep(&memory);
        }

        /// The desktop answers.
        fn look(&mut self) {
            while self.open && self.somebody_is_there {
                self.open = false;
                self.tell(NoticeEvent::Screen(ScreenState::InUse));
            }
            if std::mem::take(&mut self.open) {
                self.tell(NoticeEvent::Screen(ScreenState::Locked));
            }
        }

        fn play(&mut self, step: Step) {
            let lives = self.machine.standing().live().is_some();
            match step {
                Step::SignsIn => {
                    let mut memory = self.memory();
                    memory.forget(&"acme".parse().unwrap());
                    self.keep(&memory);
                    self.tell(NoticeEvent::SignedIn("acme".parse().unwrap()));
                    self.disk.1 = None;
                    self.shown.clear();
                    self.due = Due::default();
                    self.step(PersonEvent::SignedIn(live(self.now)));
                }
                Step::SignsOut => self.step(PersonEvent::SignedOut),
                Step::Ends(revoked) => {
                    let word = [StandingWord::Ended, StandingWord::Revoked][usize::from(revoked)];
                    self.step(IssuerEvent::Over(word, None));
                }
                Step::Asks => {
                    self.step(PersonEvent::TurnedAway { attended: false });
                    self.due.sign_in |= !lives && self.may_tell_again();
                }
                Step::Passes(ms) => {
                    self.now = self.now.plus(ms);
                    self.step(HostEvent::Tick);
                }
                Step::Screen(there) => {
                    self.somebody_is_there = there;
                    self.open |= there;
                    self.look();
                }
                Step::Restarts => self.restart(),
            }
            self.step(HostEvent::Tick);
        }

        fn restart(&mut self) {
            let told = self.memory().of(&"acme".parse().unwrap());
            let before = self.machine.standing().live().cloned();
            self.machine = SessionMachine::new("acme", LIMITS, 0, 0);
            (self.queue, self.open) = (NoticeQueue::default(), false);
            match (before, self.disk.1) {
                (Some(live), _) => self.step(HostEvent::Restored(Box::new(live))),
                (None, Some(word)) => self.machine = self.machine.clone().over(word, None),
                (None, None) => {}
            }
            self.step(HostEvent::Recalled(told));
        }

        /// Since it was shown last that nobody is signed in an hour has passed.
        fn may_tell_again(&self) -> bool {
            let mut last = self.shown.iter().rev();
            let last = last.find(|(kind, _)| *kind != NotificationKind::EndsSoon);
            last.is_none_or(|(_, at_ms)| self.now.wall_ms - at_ms >= HOUR_MS)
        }

        fn check(&mut self) {
            let of = |soon| {
                let shown = self
                    .shown
                    .iter()
                    .filter(move |(kind, _)| (*kind == NotificationKind::EndsSoon) == soon);
                shown.map(|(_, at_ms)| *at_ms).collect::<Vec<u64>>()
            };
            assert!(of(true).len() <= 1, "one end that comes: {:?}", self.shown);
            let hours = of(false);
            assert!(
                hours.windows(2).all(|two| two[1] - two[0] >= HOUR_MS),
                "{:?}",
                self.shown
            );
            if !self.somebody_is_there {
                return;
            }
            if std::mem::take(&mut self.due.end) && self.machine.standing().live().is_none() {
                let ended = |kind: &NotificationKind| {
                    matches!(
                        kind,
                        NotificationKind::Ended(_) | NotificationKind::Revoked(_)
                    )
                };
                assert!(
                    self.shown.iter().any(|(kind, _)| ended(kind)),
                    "the end is told: {:?}",
                    self.shown
                );
            }
            if std::mem::take(&mut self.due.sign_in) && self.machine.standing().live().is_none() {
                assert!(!self.may_tell_again(), "it is told: {:?}", self.shown);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn whichever_agent_runs_a_cause_is_told_once_when_somebody_is_there_and_a_sign_in_once_an_hour(steps in steps()) {
            let mut world = World::new();
            for step in steps {
                world.play(step);
                world.check();
            }
            world.play(Step::Screen(true));
            world.check();
        }
    }
}
