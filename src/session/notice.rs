//! The words of a notification: what happened, why, what to do.

use super::machine::NotificationKind;
use oam_model::refusal::Refusal;

/// Title, body and urgency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeText {
    /// One line.
    pub title: String,
    /// Why, and what to do.
    pub body: String,
    /// Stays until dismissed.
    pub urgent: bool,
}

/// The words for one kind of notification, of an organization.
pub fn text(org: &str, kind: &NotificationKind) -> NoticeText {
    let (title, body, urgent) = match kind {
        NotificationKind::EndsSoon => (
            format!("Your session at {org} ends soon"),
            format!("Run `oam login {org}` to go on without an interruption."),
            false,
        ),
        NotificationKind::Ended(refusal) => (
            format!("Your session at {org} has ended"),
            format!("Pushes and downloads are refused. {}", told(refusal)),
            true,
        ),
        NotificationKind::Revoked(refusal) => (
            format!("Your access to {org} was revoked"),
            format!("Pushes and downloads are refused. {}", told(refusal)),
            true,
        ),
        NotificationKind::SignInNeeded(refusal) => (
            format!("A program needs you to sign in to {org}"),
            told(refusal),
            false,
        ),
    };
    NoticeText {
        title,
        body,
        urgent,
    }
}

/// What a caller is told, as sentences.
fn told(refusal: &Refusal) -> String {
    let sentence = |text: &str| {
        let mut letters = text.chars();
        let first = letters.next().map(char::to_uppercase);
        let first: String = first.into_iter().flatten().collect();
        format!("{first}{}.", letters.as_str())
    };
    format!(
        "{} {}",
        sentence(&refusal.sentence),
        sentence(&refusal.next)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use oam_model::standing::{EndReason, StandingWord};

    #[test]
    fn every_notice_says_why_and_what_to_do() {
        let reason = EndReason::Words("account-disabled".into());
        let over = |word| Refusal::over("acme", word, Some(&reason));
        for kind in [
            NotificationKind::EndsSoon,
            NotificationKind::Ended(over(StandingWord::Ended)),
            NotificationKind::Revoked(over(StandingWord::Revoked)),
            NotificationKind::SignInNeeded(over(StandingWord::SignedOut)),
        ] {
            let notice = text("acme", &kind);
            assert!(notice.title.contains("acme"));
            assert!(notice.body.contains("oam login acme"), "{}", notice.body);
            let reason = notice.body.contains("the account was disabled");
            assert!(
                reason || kind == NotificationKind::EndsSoon,
                "{}",
                notice.body
            );
        }
    }
}
