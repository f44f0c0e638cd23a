//! The words of a notification: what happened, what to do.

use super::machine::NotificationKind;

/// Title, body and urgency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeText {
    /// One line.
    pub title: String,
    /// What to do.
    pub body: String,
    /// Stays until dismissed.
    pub urgent: bool,
}

/// The words for an occasion at an organization.
pub fn text(org: &str, occasion: NotificationKind) -> NoticeText {
    let (title, body, urgent) = match occasion {
        NotificationKind::EndsSoon => (
            format!("Your session at {org} ends soon"),
            format!("Run `oam login {org}` to go on without an interruption."),
            false,
        ),
        NotificationKind::Ended => (
            format!("Your session at {org} has ended"),
            format!(
                "Pushes and downloads are refused until you run `oam login {org}`. If that is refused, your access was removed."
            ),
            true,
        ),
        NotificationKind::Revoked => (
            format!("Your access to {org} was revoked"),
            format!("Pushes and downloads are refused. Ask the administrators of {org} why."),
            true,
        ),
        NotificationKind::SignInNeeded => (
            format!("A program needs you to sign in to {org}"),
            format!("Run `oam login {org}`."),
            false,
        ),
    };
    NoticeText {
        title,
        body,
        urgent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_says_what_to_do() {
        for occasion in [
            NotificationKind::EndsSoon,
            NotificationKind::Ended,
            NotificationKind::Revoked,
            NotificationKind::SignInNeeded,
        ] {
            let notice = text("acme", occasion);
            assert!(notice.title.contains("acme"));
            assert!(notice.body.contains("oam login") || notice.body.contains("administrators"));
        }
    }
}
