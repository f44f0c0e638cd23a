//! When a notice is shown: at once where somebody is at the screen, else when somebody is back. The screen is asked
//! about only while there is something to tell.

use crate::machine::NotificationKind;
use crate::notice::{self, NoticeText};
use crate::screen::ScreenState;
use oam_model::name::OrgName;

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DueNotice {
    /// Of an organization's session.
    Session(OrgName, NotificationKind),
    /// The audit log is not as it was left; what was found.
    LogChanged(String),
}

impl DueNotice {
    /// Its words.
    pub fn text(&self) -> NoticeText {
        match self {
            Self::Session(org, kind) => notice::text(org.as_str(), kind),
            Self::LogChanged(sentence) => NoticeText {
                title: "OAM: the audit log was changed".into(),
                body: format!("{sentence}. Run `oam log --verify`."),
                urgent: true,
            },
        }
    }

    /// Whether both are of one cause, and so one of them is told.
    fn is_of_the_cause_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Session(org, kind), Self::Session(theirs, other)) => {
                let soon = |kind: &NotificationKind| *kind == NotificationKind::EndsSoon;
                org == theirs && soon(kind) == soon(other)
            }
            (Self::LogChanged(_), Self::LogChanged(_)) => true,
            _ => false,
        }
    }

    /// A program that needs a sign-in is news only where no end is told.
    const fn is_sign_in_needed(&self) -> bool {
        matches!(self, Self::Session(_, NotificationKind::SignInNeeded(_)))
    }
}

/// What happens to the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeEvent {
    /// There is something to tell.
    Due(DueNotice),
    /// Somebody signed in there: what was to be told of the session before is told no more, and stands for nothing
    /// that comes after it.
    SignedIn(OrgName),
    /// The answer to [`NoticeEffect::AskScreen`] or [`NoticeEffect::AwaitPerson`].
    Screen(ScreenState),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeEffect {
    /// Asks how the screen is now.
    AskScreen,
    /// Waits until somebody is at the screen.
    AwaitPerson,
    /// Shows it, if its cause still stands.
    Show(DueNotice),
}

/// What is known of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ScreenWatch {
    /// Nothing, and nothing is to be known.
    #[default]
    Off,
    /// It is asked.
    Asked,
    /// Nobody is there; the return is waited for.
    Away,
}

/// Notices that wait for somebody to see them: one for each cause.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NoticeQueue {
    held: Vec<DueNotice>,
    watch: ScreenWatch,
}

impl NoticeQueue {
    /// What waits for somebody to see it.
    pub fn held(&self) -> impl Iterator<Item = &DueNotice> {
        self.held.iter()
    }

    /// One event.
    pub fn step(&mut self, event: NoticeEvent) -> Vec<NoticeEffect> {
        match event {
            NoticeEvent::Due(notice) => {
                self.hold(notice);
                if self.watch != ScreenWatch::Off {
                    return Vec::new();
                }
                self.watch = ScreenWatch::Asked;
                vec![NoticeEffect::AskScreen]
            }
            NoticeEvent::SignedIn(org) => {
                self.held
                    .retain(|held| !matches!(held, DueNotice::Session(of, _) if *of == org));
                Vec::new()
            }
            NoticeEvent::Screen(_) if self.watch == ScreenWatch::Off => Vec::new(),
            NoticeEvent::Screen(state) if state.is_in_use() => {
                self.watch = ScreenWatch::Off;
                self.held.drain(..).map(NoticeEffect::Show).collect()
            }
            NoticeEvent::Screen(_) => {
                self.watch = ScreenWatch::Away;
                vec![NoticeEffect::AwaitPerson]
            }
        }
    }

    fn hold(&mut self, notice: DueNotice) {
        let same = self
            .held
            .iter_mut()
            .find(|held| held.is_of_the_cause_of(&notice));
        match same {
            // The end says why; that a program needs a sign-in since then adds nothing.
            Some(held) if notice.is_sign_in_needed() && !held.is_sign_in_needed() => {}
            Some(held) => *held = notice,
            None => self.held.push(notice),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oam_model::refusal::Refusal;
    use oam_model::standing::StandingWord;
    use proptest::prelude::*;

    fn notices() -> Vec<DueNotice> {
        let mut all = vec![DueNotice::LogChanged("line 7 is gone".into())];
        for name in ["acme", "corp"] {
            let over = |word| Refusal::over(name, word, None);
            let kinds = [
                NotificationKind::EndsSoon,
                NotificationKind::Ended(over(StandingWord::Ended)),
                NotificationKind::Revoked(over(StandingWord::Revoked)),
                NotificationKind::SignInNeeded(over(StandingWord::SignedOut)),
            ];
            all.extend(kinds.map(|kind| DueNotice::Session(name.parse().unwrap(), kind)));
        }
        all
    }

    fn event() -> impl Strategy<Value = NoticeEvent> {
        prop_oneof![
            prop::sample::select(notices()).prop_map(NoticeEvent::Due),
            prop::sample::select(vec![
                ScreenState::Unknown,
                ScreenState::InUse,
                ScreenState::Idle,
                ScreenState::Locked,
            ])
            .prop_map(NoticeEvent::Screen),
        ]
    }

    /// Shown by these effects.
    fn shown(effects: &[NoticeEffect]) -> Vec<&DueNotice> {
        let shown = effects.iter().filter_map(|effect| match effect {
            NoticeEffect::Show(notice) => Some(notice),
            _ => None,
        });
        shown.collect()
    }

    proptest! {
        #[test]
        fn a_notice_waits_for_somebody_and_none_is_lost_or_told_twice(
            events in prop::collection::vec(event(), 0..60),
        ) {
            let mut queue = NoticeQueue::default();
            // Questions about the screen that are open, and what is due since the last time.
            let mut open = 0_usize;
            let mut due: Vec<DueNotice> = Vec::new();
            let last = [NoticeEvent::Screen(ScreenState::InUse)];
            for event in events.into_iter().chain(last) {
                let answer = matches!(event, NoticeEvent::Screen(_));
                if answer && open == 0 {
                    prop_assert!(queue.step(event).is_empty());
                    continue;
                }
                let seen = matches!(&event, NoticeEvent::Screen(state) if state.is_in_use());
                if let NoticeEvent::Due(notice) = &event {
                    due.push(notice.clone());
                }
                let effects = queue.step(event);
                open -= usize::from(answer);
                let told = shown(&effects);
                open += effects.len() - told.len();
                prop_assert!(open <= 1, "one question at a time");
                prop_assert!(seen || told.is_empty(), "nobody was there");
                if seen {
                    for notice in &due {
                        let of = told.iter().filter(|told| told.is_of_the_cause_of(notice));
                        prop_assert_eq!(of.count(), 1, "{:?}", notice);
                    }
                    prop_assert!(told.iter().all(|told| due.contains(told)));
                    due.clear();
                }
                prop_assert_eq!(open == 0, due.is_empty(), "no question without need");
            }
        }
    }

    #[test]
    fn an_end_that_nobody_saw_hides_nothing_of_a_later_session() {
        let [ended, needed] = [2, 4].map(|at| notices()[at].clone());
        let mut queue = NoticeQueue::default();
        queue.step(NoticeEvent::Due(ended));
        queue.step(NoticeEvent::Screen(ScreenState::Locked));
        queue.step(NoticeEvent::SignedIn("acme".parse().unwrap()));
        assert_eq!(queue.held().count(), 0);
        assert_eq!(queue.step(NoticeEvent::Due(needed.clone())), []);
        let back = NoticeEvent::Screen(ScreenState::InUse);
        assert_eq!(queue.step(back), [NoticeEffect::Show(needed)]);
    }

    #[test]
    fn the_end_is_told_rather_than_that_a_program_noticed_it() {
        let [ended, needed] = [2, 4].map(|at| notices()[at].clone());
        let mut queue = NoticeQueue::default();
        assert_eq!(
            queue.step(NoticeEvent::Due(ended.clone())),
            [NoticeEffect::AskScreen]
        );
        let locked = NoticeEvent::Screen(ScreenState::Locked);
        assert_eq!(queue.step(locked), [NoticeEffect::AwaitPerson]);
        assert_eq!(queue.step(NoticeEvent::Due(needed)), []);
        let back = NoticeEvent::Screen(ScreenState::InUse);
        assert_eq!(queue.step(back), [NoticeEffect::Show(ended)]);
    }
}
