//! Warns of what goes past the gateway: a command is said to hold no token, so what it does with others is told.

use oam_helper::past;
use oam_terminal::{Line, Show, Style};
use std::process::{Command, Stdio};

/// More settings than this are counted.
const MOST: usize = 3;

/// Asks git for the settings of the folder in which the command starts. Without git there is nothing to warn of.
pub(super) fn warn(show: &Show, hub_url: &str) {
    let mut git = Command::new("git");
    git.args(["config", "-z", "--get-regexp", past::PATTERN]);
    let Ok(listed) = git.stdin(Stdio::null()).stderr(Stdio::null()).output() else {
        return;
    };
    let found = past::settings(&listed.stdout, hub_url);
    if found.is_empty() {
        return;
    }
    let more = match found.len().saturating_sub(MOST) {
        0 => String::new(),
        count => format!(", and {count} more"),
    };
    let named = found[..found.len().min(MOST)].join(", ");
    let warning = Line::new().look(Style::Warn, "warning: ");
    show.say(warning.text(format!(
        "settings of your own lead git past the gateway, with credentials of your own: {named}{more} (`oam help gateway`)"
    )));
}
