//! `oam help`: the commands, and pages about a topic. The same Markdown becomes the manual's section 7.

mod page;

use super::args::Cli;
use clap::Parser;
use clap::builder::{PossibleValue, PossibleValuesParser};
use oam_terminal::Show;
use page::{HelpPage, columns};
use std::fmt::Write as _;

/// A page that is no command's.
pub struct Topic {
    /// What is typed.
    pub name: &'static str,
    /// One line about it.
    about: &'static str,
    /// Markdown, as far as [`page`] reads it.
    text: &'static str,
}

macro_rules! topics {
    ($($name:literal: $about:literal,)*) => {
        &[$(Topic { name: $name, about: $about, text: include_str!(concat!($name, ".md")) }),*]
    };
}

/// In the order in which they are listed.
pub const TOPICS: &[Topic] = topics! {
    "roles": "which role is taken, when it is refused, and how to see why",
    "hubs": "which hosts get tokens, and what kinds of hubs there are",
    "gateway": "how `oam exec` lets a command use a hub without a token",
    "company": "set a company up, and run its issuer every day",
    "providers": "what to register at Okta, Entra ID, Keycloak, Google and others",
    "remote": "sign in where there is no browser",
    "ci": "CI jobs without a stored secret",
    "audit": "who got what: the logs, and how to verify them",
    "security": "what is promised, what happens when somebody leaves, and the limits",
    "files": "where configuration, state and logs lie",
    "json": "the shapes that `--json` prints",
};

/// Commands whose help is also had by `oam help COMMAND`; `roles` is a topic, `oam roles --help` the command's.
const COMMANDS: &[&str] = &[
    "login",
    "update",
    "logout",
    "status",
    "whoami",
    "why",
    "token",
    "exec",
    "log",
    "logs",
    "doctor",
    "diagnose",
    "setup",
    "config",
    "demo",
    "completions",
    "help",
];

/// Takes a topic, or a command; anything else is a usage fault that names the nearest.
pub fn word() -> PossibleValuesParser {
    let topics = TOPICS
        .iter()
        .map(|topic| PossibleValue::new(topic.name).help(topic.about));
    let commands = COMMANDS
        .iter()
        .map(|name| PossibleValue::new(*name).hide(true));
    PossibleValuesParser::new(topics.chain(commands))
}

/// What stands below the commands in the help of `oam`: the topics, examples, exit codes.
pub fn overview() -> String {
    let mut text = String::from("Topics, shown by `oam help TOPIC`:\n");
    for topic in TOPICS {
        // Writing to a String can't fail.
        let _ = writeln!(text, "  {:<12} {}", topic.name, topic.about);
    }
    text.push_str(
        "\nExamples:\n  oam login                 sign in at the company's identity provider\n  \
         oam setup git             let git ask OAM for its tokens\n  \
         oam exec -- hf upload acme/model .\n  \
         oam status                who is signed in, which tokens are out\n\n\
         Exit codes: 0 done, 1 failed, 2 usage, 3 signed out, ended or unproven, 4 revoked,\n\
         5 denied by policy, 6 agent unreachable.",
    );
    text
}

/// Shows a topic, a command's help, or what there is.
pub fn run(show: &Show, word: Option<&str>) -> u8 {
    let topic = TOPICS.iter().find(|topic| Some(topic.name) == word);
    if let Some(topic) = topic {
        for line in HelpPage::read(topic.text).lines(columns(show.columns())) {
            show.whole(line);
        }
        return 0;
    }
    let line = ["oam"].into_iter().chain(word).chain(["--help"]);
    if let Err(help) = Cli::try_parse_from(line) {
        // A reader that went away is no fault.
        let _ = help.print();
    }
    0
}

/// The manual's pages of the topics: file name and roff.
pub fn manual() -> impl Iterator<Item = (String, String)> {
    TOPICS.iter().map(|topic| {
        let name = format!("oam-{}", topic.name);
        let roff = HelpPage::read(topic.text).roff(&name, topic.about);
        (format!("{name}.7"), roff)
    })
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, Cli, TOPICS};
    use clap::CommandFactory;
    use std::collections::BTreeSet;

    #[test]
    fn every_command_has_its_help_by_name_too() {
        let cli = Cli::command();
        let shown = cli
            .get_subcommands()
            .filter(|command| !command.is_hide_set());
        let names: BTreeSet<&str> = shown
            .flat_map(|command| {
                [command.get_name()]
                    .into_iter()
                    .chain(command.get_visible_aliases())
            })
            .collect();
        let topics = TOPICS.iter().map(|topic| topic.name);
        let taken: BTreeSet<&str> = COMMANDS.iter().copied().chain(topics).collect();
        assert!(names.is_subset(&taken), "{:?}", names.difference(&taken));
        let hidden = ["man", "version"];
        assert!(
            hidden
                .iter()
                .all(|name| Cli::command().find_subcommand(name).is_some())
        );
        assert!(COMMANDS.iter().all(|name| names.contains(name)));
    }
}
