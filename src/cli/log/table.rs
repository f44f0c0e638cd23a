//! Records as a table, or as they are.

use crate::when;
use oam_model::caller::Caller;
use oam_model::record::{Entry, EventKind};
use oam_model::sign_in::SignedInBy;
use oam_terminal::{Line, Show, Style, escaped};

/// Prints records in blocks, so that columns line up without holding the whole log.
pub(super) struct Table<'a> {
    show: &'a Show,
    rows: Vec<Vec<Line>>,
    begun: bool,
}

impl<'a> Table<'a> {
    const BLOCK: usize = 200;
    const HEADER: [&'static str; 7] = [
        "time",
        "outcome",
        "role",
        "action",
        "repository",
        "caller",
        "life",
    ];

    pub(super) fn new(show: &'a Show) -> Self {
        Self {
            show,
            rows: Vec::new(),
            begun: false,
        }
    }

    pub(super) fn row(&mut self, entry: &Entry, line: &[u8]) {
        if self.show.json() {
            self.raw(line);
            return;
        }
        self.rows.push(cells(entry));
        if self.rows.len() >= Self::BLOCK {
            self.flush();
        }
    }

    /// One that has just come: a line of its own, because those to come have no width yet.
    pub(super) fn news(&self, entry: &Entry, line: &[u8]) {
        if self.show.json() {
            return self.raw(line);
        }
        let told = cells(entry).into_iter().filter(|cell| *cell != none());
        let joined = told.fold(Line::new(), |all, cell| {
            let gap = if all == Line::new() { "" } else { "  " };
            cell.pieces()
                .fold(all.text(gap), |all, (look, text)| all.look(look, text))
        });
        self.show.line(joined);
    }

    /// The bytes of the file, so that others can check the chain; to a terminal made harmless.
    fn raw(&self, line: &[u8]) {
        let mut bytes = if self.show.to_terminal() {
            escaped(&String::from_utf8_lossy(line)).into_bytes()
        } else {
            line.to_vec()
        };
        bytes.push(b'\n');
        self.show.raw(&bytes);
    }

    /// Prints what is held back.
    pub(super) fn flush(&mut self) {
        let header: &[&str] = if self.begun { &[] } else { &Self::HEADER };
        self.show.table(header, &self.rows);
        self.begun = true;
        self.rows.clear();
    }

    pub(super) fn end(mut self) {
        if self.show.json() {
            return;
        }
        if !self.rows.is_empty() {
            self.flush();
        } else if !self.begun {
            self.show.say("no record matches");
            self.show
                .next("`oam log` without a filter shows all that there are");
        }
    }
}

fn none() -> Line {
    "-".into()
}

fn cells(entry: &Entry) -> Vec<Line> {
    let record = &entry.record;
    let text = |value: Option<String>| value.map_or_else(none, Line::from);
    let hub = record.hub.as_ref().map(ToString::to_string);
    let place = match (hub, &record.repository) {
        (Some(hub), Some(repository)) => Some(format!("{hub}/{repository}")),
        (hub, None) => hub,
        (None, Some(repository)) => Some(repository.to_string()),
    };
    let wider = if record.wider_than_asked {
        " (wider)"
    } else {
        ""
    };
    let life = record.expires_at.map(|at| {
        let span = when::span(at.saturating_sub(record.at_ms / 1000));
        format!("{span}{wider}")
    });
    vec![
        when::full(record.at_ms / 1000).into(),
        outcome(entry),
        text(record.role.as_ref().map(ToString::to_string)),
        text(record.action.map(|action| action.word().to_owned())),
        text(place),
        text(record.caller.as_ref().map(caller)),
        text(life),
    ]
}

/// Programs that only carry a question: who asked stands behind them.
const CARRIERS: &[&str] = &[
    "?",
    "git-credential-oam",
    "git credential-oam",
    "git credential",
    "git-remote-http",
    "git-remote-https",
    "git remote-http",
    "git remote-https",
    "sh",
];

/// The program for which a token was asked, `git push [4711]`; all of its ancestors are in the record.
fn caller(caller: &Caller) -> String {
    let name = caller.executable.as_deref().unwrap_or("?");
    let name = name.rsplit('/').next().unwrap_or(name);
    let names = || {
        [name]
            .into_iter()
            .chain(caller.ancestry.iter().map(String::as_str))
    };
    let telling = names().find(|name| !CARRIERS.contains(name));
    format!("{} [{}]", telling.unwrap_or(name), caller.pid)
}

fn outcome(entry: &Entry) -> Line {
    let record = &entry.record;
    let (look, word) = match record.what {
        EventKind::Grant => (Style::Good, "granted"),
        EventKind::Renewal => (Style::Good, "renewed"),
        EventKind::Refusal => (Style::Bad, "refused"),
        EventKind::Withdrawal => (Style::Warn, "withdrawn"),
        EventKind::Erase => (Style::Warn, "erased"),
        EventKind::Served => (Style::Faint, "served"),
        EventKind::Login => (Style::Strong, "signed in"),
        EventKind::LoginFailed => (Style::Bad, "sign-in failed"),
        EventKind::Logout => (Style::Strong, "signed out"),
        EventKind::End => (Style::Bad, "session over"),
        EventKind::Proof => (Style::Faint, "proven"),
        EventKind::Doubt => (Style::Warn, "in doubt"),
        EventKind::RolesChanged => (Style::Strong, "roles changed"),
        EventKind::Start => (Style::Faint, "agent started"),
        EventKind::Alarm => (Style::Bad, "ALARM"),
        EventKind::Acknowledgement => (Style::Strong, "acknowledged"),
    };
    let line = Line::new().look(look, word);
    let line = match &record.served {
        Some(served) if served.incomplete => line.text(", at least"),
        Some(_) | None => line,
    };
    let line = match record.signed_in_by {
        Some(SignedInBy::Device) => line.text(" by device code"),
        Some(SignedInBy::Browser) | None => line,
    };
    match record.refusal {
        Some(code) => line.text(format!(": {}", code.word())),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller, caller};

    #[test]
    fn the_caller_is_who_asked_and_not_who_carried_the_question() {
        let of = |executable: &str, ancestry: &[&str]| {
            caller(&Caller {
                pid: 7,
                executable: Some(executable.to_owned()),
                ancestry: ancestry.iter().map(|step| (*step).to_owned()).collect(),
                ..Caller::default()
            })
        };
        let git = ["git credential-oam", "git-remote-https", "git push", "bash"];
        assert_eq!(of("/usr/bin/git-credential-oam", &git), "git push [7]");
        assert_eq!(of("/usr/bin/python3.11", &["bash"]), "python3.11 [7]");
        assert_eq!(
            of("/usr/bin/git-credential-oam", &[]),
            "git-credential-oam [7]"
        );
        assert_eq!(caller(&Caller::default()), "? [0]");
    }
}
