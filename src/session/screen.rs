//! Whether somebody is at the screen, by what the desktop says of it.

use oam_model::refusal::Refusal;

/// What the parts of a desktop say of one login session; none: the part is not there, or does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScreenHints {
    /// logind's `LockedHint`.
    pub locked: Option<bool>,
    /// logind's `IdleHint`.
    pub idle: Option<bool>,
    /// `GetActive` of the desktop's screen saver.
    pub saver: Option<bool>,
}

impl ScreenHints {
    /// One part that sees nobody is enough.
    pub fn state(self) -> ScreenState {
        let hints = [self.locked, self.idle, self.saver];
        if self.locked == Some(true) {
            ScreenState::Locked
        } else if hints.contains(&Some(true)) {
            ScreenState::Idle
        } else if hints.contains(&Some(false)) {
            ScreenState::InUse
        } else {
            ScreenState::Unknown
        }
    }
}

/// Whether somebody is at the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScreenState {
    /// Nobody tells: a server, a container, a desktop without these services. It counts as in use.
    #[default]
    Unknown,
    InUse,
    /// Nobody has touched it for a while.
    Idle,
    Locked,
}

impl ScreenState {
    /// Whether what is shown there may be seen by a person.
    pub const fn is_in_use(self) -> bool {
        matches!(self, Self::Unknown | Self::InUse)
    }

    /// What is told to a call that would wait for a person at this screen, and is answered as one without a
    /// person; none where it may wait.
    pub fn refusal(self, refusal: &Refusal) -> Option<Refusal> {
        let (why, next) = match self {
            Self::Unknown | Self::InUse => return None,
            Self::Idle => ("nobody is at the screen", "finish the sign-in there"),
            Self::Locked => ("the screen is locked", "unlock it and finish the sign-in"),
        };
        Some(Refusal {
            sentence: format!(
                "{}, and the sign-in is not waited for: {why}",
                refusal.sentence
            ),
            next: format!("{next}, then try again"),
            ..refusal.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oam_model::standing::StandingWord;
    use proptest::prelude::*;

    fn hint() -> impl Strategy<Value = Option<bool>> {
        proptest::option::of(any::<bool>())
    }

    proptest! {
        #[test]
        fn one_part_that_sees_nobody_is_enough_and_silence_is_no_absence(
            locked in hint(), idle in hint(), saver in hint(),
        ) {
            let state = ScreenHints { locked, idle, saver }.state();
            let away = [locked, idle, saver].contains(&Some(true));
            prop_assert_eq!(state.is_in_use(), !away);
            prop_assert_eq!(state == ScreenState::Locked, locked == Some(true));
            let silent = [locked, idle, saver] == [None; 3];
            prop_assert_eq!(state == ScreenState::Unknown, silent);
            let refusal = Refusal::over("acme", StandingWord::SignedOut, None);
            let told = state.refusal(&refusal);
            prop_assert_eq!(told.is_some(), away);
            if let Some(told) = told {
                prop_assert_eq!(told.code, refusal.code);
                prop_assert!(told.sentence.starts_with(&refusal.sentence));
                prop_assert_eq!(told.sentence.contains("locked"), state == ScreenState::Locked);
            }
        }
    }
}
