//! Which records are shown.

use crate::args::{LogWhich, OutcomeFilter};
use crate::when;
use oam_model::name::{HubName, Repository, RoleName};
use oam_model::record::{Entry, EventKind};
use oam_model::refusal::Refusal;

/// What `oam log` was asked for.
pub struct Filter {
    since_ms: Option<u64>,
    until_ms: Option<u64>,
    repo: Option<String>,
    hub: Option<HubName>,
    role: Option<RoleName>,
    outcome: Option<OutcomeFilter>,
    request: Option<String>,
    /// How the SHA-256 begins.
    token: Option<String>,
}

impl Filter {
    /// Reads the times; `now` in Unix seconds.
    ///
    /// # Errors
    /// A time that can't be read.
    pub fn new(args: &LogWhich, now: u64) -> Result<Self, Refusal> {
        let time = |text: &Option<String>| {
            text.as_deref()
                .map(|text| when::read_time(text, now))
                .transpose()
                .map_err(|sentence| Refusal::bad_request(sentence, "run `oam log --help`"))
        };
        Ok(Self {
            since_ms: time(&args.since)?,
            until_ms: time(&args.until)?,
            repo: args.repo.as_deref().map(bare),
            hub: args.hub.clone(),
            role: args.role.clone(),
            outcome: args.outcome,
            request: args.request.clone(),
            token: args.token.as_deref().map(str::to_ascii_lowercase),
        })
    }

    /// Whether a record is shown.
    pub fn lets(&self, entry: &Entry) -> bool {
        let record = &entry.record;
        let repo = record.repository.as_ref().map(Repository::as_str);
        self.since_ms.is_none_or(|since| record.at_ms >= since)
            && self.until_ms.is_none_or(|until| record.at_ms < until)
            && self
                .repo
                .as_deref()
                .is_none_or(|wanted| repo == Some(wanted))
            && (self.hub.is_none() || record.hub == self.hub)
            && (self.request.is_none() || record.request_id == self.request)
            && self.token.as_deref().is_none_or(|start| {
                let token = record.token_sha256.as_deref();
                token.is_some_and(|token| token.starts_with(start))
            })
            && (self.role.is_none() || record.role == self.role)
            && self
                .outcome
                .is_none_or(|wanted| outcome(record.what) == wanted)
    }
}

/// The repository as records spell it.
fn bare(text: &str) -> String {
    let text = text.trim_matches('/');
    text.strip_suffix(".git").unwrap_or(text).to_owned()
}

const fn outcome(what: EventKind) -> OutcomeFilter {
    match what {
        EventKind::Grant | EventKind::Renewal | EventKind::Served => OutcomeFilter::Granted,
        EventKind::Refusal | EventKind::LoginFailed => OutcomeFilter::Refused,
        EventKind::Withdrawal | EventKind::Erase => OutcomeFilter::Withdrawn,
        EventKind::Login
        | EventKind::Logout
        | EventKind::End
        | EventKind::Proof
        | EventKind::Doubt
        | EventKind::RolesChanged => OutcomeFilter::Session,
        EventKind::Start | EventKind::Alarm | EventKind::Acknowledgement => OutcomeFilter::Agent,
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;
    use crate::args::{Cli, Command, LogWhich};
    use clap::Parser;
    use oam_model::record::{Entry, EventKind, Record};

    fn filter(line: &str) -> Filter {
        Filter::new(&args(line), 10_000).unwrap()
    }

    fn args(line: &str) -> LogWhich {
        let words = ["oam", "log"].into_iter().chain(line.split_whitespace());
        match Cli::try_parse_from(words).unwrap().command {
            Command::Log(args) => args.which,
            other => panic!("{other:?}"),
        }
    }

    fn entry(what: EventKind, at_ms: u64, repo: &str, role: &str) -> Entry {
        let mut record = Record::new(what, at_ms);
        record.repository = Some(repo.parse().unwrap());
        record.role = Some(role.parse().unwrap());
        Entry {
            seq: 1,
            prev: String::new(),
            record,
            hash: String::new(),
        }
    }

    #[test]
    fn every_filter_narrows() {
        let mut grant = entry(EventKind::Grant, 9_000_000, "acme/model", "publisher");
        grant.record.hub = Some("models".parse().unwrap());
        grant.record.request_id = Some("r-17".into());
        grant.record.token_sha256 = Some("ab12".into());
        for (line, shown) in [
            ("", true),
            ("--since 30m", true),
            ("--since 5m", false),
            ("--until 30m", false),
            ("--until 5m", true),
            ("--repo acme/model.git", true),
            ("--repo acme/mod", false),
            ("--role publisher", true),
            ("--role reader", false),
            ("--hub models", true),
            ("--hub github", false),
            ("--request r-17", true),
            ("--request r-1", false),
            ("--token AB1", true),
            ("--token b1", false),
            ("--outcome granted", true),
            ("--outcome refused", false),
            ("--role publisher --outcome refused", false),
        ] {
            assert_eq!(filter(line).lets(&grant), shown, "{line}");
        }
        let bare = Entry {
            record: Record::new(EventKind::Start, 1),
            ..grant
        };
        assert!(!filter("--repo acme/model").lets(&bare));
        assert!(filter("--outcome agent").lets(&bare));
    }

    #[test]
    fn a_time_that_cannot_be_read_is_a_usage_fault() {
        let fault = Filter::new(&args("--since someday"), 0).err().unwrap();
        assert_eq!(fault.code.exit_code(), 2);
    }
}
