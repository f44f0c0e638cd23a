//! Desktop notifications.

use oam_agent::ports::{Notice, Notices};

/// The desktop's notification service. It is reached when there is something to say and left
/// again: an open bus connection would cost memory and wake the idle agent up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Desktop;

impl Notices for Desktop {
    fn show(&self, notice: Notice) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::debug!("no notification: not in the runtime");
            return;
        };
        runtime.spawn(deliver(notice));
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
async fn deliver(notice: Notice) {
    use notify_rust::{Notification, Timeout, Urgency};
    use std::time::Duration;
    /// A service that does not answer within this is as good as none.
    const DEADLINE: Duration = Duration::from_secs(5);

    let mut shown = Notification::new();
    shown
        .appname("OAM")
        .summary(&plain(&notice.title))
        .body(&escaped(&plain(&notice.body)));
    if notice.urgent {
        shown.urgency(Urgency::Critical).timeout(Timeout::Never);
    }
    // No action on it: any program on the bus can forge the click.
    match tokio::time::timeout(DEADLINE, shown.show_async()).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) => tracing::debug!("no notification: no service takes it"),
        Err(_) => tracing::debug!("no notification: the service did not answer in time"),
    }
}

#[cfg(any(target_os = "macos", windows))]
async fn deliver(notice: Notice) {
    // There the call blocks, so it has a thread of its own.
    let shown = tokio::task::spawn_blocking(move || {
        notify_rust::Notification::new()
            .appname("OAM")
            .summary(&plain(&notice.title))
            .body(&plain(&notice.body))
            .show()
            .is_ok()
    });
    if !matches!(shown.await, Ok(true)) {
        tracing::debug!("no notification: no service takes it");
    }
}

/// Without control characters and without those that turn the direction of text (R42).
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .filter(|c| {
            !matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
        .collect()
}

/// Bodies can hold markup by the notification standard: foreign text must not become any.
#[cfg(any(test, all(unix, not(target_os = "macos"))))]
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{Desktop, escaped, plain};
    use oam_agent::ports::{Notice, Notices};

    #[test]
    fn foreign_text_brings_no_markup_and_no_control_characters() {
        assert_eq!(plain("a\u{1b}[31m\nb\u{202e}c"), "a [31m bc");
        assert_eq!(escaped("<a href=\"x\">&"), "&lt;a href=\"x\"&gt;&amp;");
    }

    #[test]
    fn without_a_runtime_nothing_happens() {
        Desktop.show(Notice {
            title: "t".into(),
            body: "b".into(),
            urgent: false,
        });
    }
}
