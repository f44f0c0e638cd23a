//! Questions.

use super::{Person, Rows};
use crate::filter::LineFilter;
use crate::{AuditFilter, AuditLine, Cursor, FeedOfAll, FeedPage, PersonRow, PersonSeen, TokenRow};
use oam_model::name::SourceName;
use oam_model::principal::PrincipalKey;
use oam_model::signal::SignalSubject;
use oam_policy::account::Account;
use std::collections::{BTreeMap, BTreeSet};

/// Name of this database: it lives as long as its process.
const GENERATION: &str = "memory";

/// A member that a name gives must be the one that somebody has.
fn fits(named: Option<&String>, has: &str) -> bool {
    named.is_none_or(|named| named == has)
}

/// Whether every member of a name that is given is that of this sight; a session is one of the sessions.
fn names(
    subject: &SignalSubject,
    seen: &PersonSeen,
    mut has_session: impl FnMut(&str) -> bool,
) -> bool {
    let has_mail = |named: &String| {
        let has = seen.email.as_ref();
        has.is_some_and(|has| has.eq_ignore_ascii_case(named))
    };
    fits(subject.issuer.as_ref(), &seen.issuer)
        && fits(subject.subject.as_ref(), &seen.subject)
        && fits(subject.key.as_ref(), &seen.key.key)
        && subject.email.as_ref().is_none_or(has_mail)
        && subject.session.as_ref().is_none_or(|sid| has_session(sid))
}

impl Rows {
    pub(super) fn person(&self, key: &PrincipalKey) -> Option<PersonRow> {
        self.people.get(key).map(|person| self.shown(person))
    }

    /// A person with what the directory and GitHub say.
    fn shown(&self, person: &Person) -> PersonRow {
        PersonRow {
            directory: self.directory.evidence(&person.row.seen.key),
            teams: self.teams.evidence(&person.row.seen.key),
            ..person.row.clone()
        }
    }

    fn people(&self, is_meant: impl Fn(&Person) -> bool) -> Vec<PersonRow> {
        let found = self.people.values().filter(|person| is_meant(person));
        found.map(|person| self.shown(person)).collect()
    }

    pub(super) fn session_since(&self, key: &PrincipalKey, session: &str) -> Option<u64> {
        let sessions = &self.people.get(key)?.sessions;
        let found = sessions.iter().find(|one| one.sid == session);
        found.map(|one| one.first_s)
    }

    pub(super) fn code_exchanged(&self, key: &PrincipalKey) -> Option<u64> {
        let sessions = self.people.get(key)?.sessions.iter();
        let named = sessions.filter(|one| one.is_code_exchange());
        named.map(|one| one.first_s).max()
    }

    pub(super) fn by_signal(&self, source: &SourceName, subject: &SignalSubject) -> Vec<PersonRow> {
        if subject.is_empty() {
            return Vec::new();
        }
        self.people(|person| {
            let has_session = |sid: &str| person.sessions.iter().any(|one| one.sid == sid);
            person.row.seen.key.source == *source && names(subject, &person.row.seen, has_session)
        })
    }

    /// What was kept under names of somebody who comes for the first time.
    pub(super) fn said_of(&self, seen: &PersonSeen) -> Vec<Account> {
        let theirs = self.unmatched.iter().filter(|(source, subject, _)| {
            *source == seen.key.source
                && names(subject, seen, |sid| seen.session.as_deref() == Some(sid))
        });
        theirs.map(|(_, _, account)| account.clone()).collect()
    }

    pub(super) fn by_text(&self, text: &str) -> Vec<PersonRow> {
        if text.is_empty() {
            return Vec::new();
        }
        self.people(|person| {
            let seen = &person.row.seen;
            let by_name = |name: &Option<String>| {
                name.as_ref()
                    .is_some_and(|name| name.eq_ignore_ascii_case(text))
            };
            seen.key.key == text
                || is_key(&seen.key, text)
                || seen.subject == text
                || by_name(&seen.username)
                || by_name(&seen.email)
        })
    }

    pub(super) fn recent(
        &self,
        since_ms: u64,
        after: Option<&PrincipalKey>,
        limit: usize,
    ) -> Vec<PersonRow> {
        let mut found = self.people(|person| {
            let seen = &person.row.seen;
            after.is_none_or(|after| seen.key > *after)
                && (seen.at_ms > since_ms || self.live(&seen.key, since_ms / 1000).next().is_some())
        });
        found.truncate(limit);
        found
    }

    fn live<'a>(
        &'a self,
        key: &'a PrincipalKey,
        now_s: u64,
    ) -> impl Iterator<Item = &'a TokenRow> + 'a {
        let is_live = move |row: &&TokenRow| {
            row.key == *key && row.revoked_at_ms.is_none() && row.expires_at > now_s
        };
        self.tokens.iter().filter(is_live)
    }

    pub(super) fn live_tokens(&self, key: &PrincipalKey, now_s: u64) -> Vec<TokenRow> {
        by_expiry(self.live(key, now_s))
    }

    pub(super) fn outstanding_tokens(&self, key: &PrincipalKey, now_s: u64) -> Vec<TokenRow> {
        let is_over = |row: &&TokenRow| {
            let is_over = row.revoked_at_ms.is_some() || row.expires_at <= now_s;
            row.key == *key && row.sealed.is_some() && is_over
        };
        by_expiry(self.tokens.iter().filter(is_over))
    }

    pub(super) fn due_at_hubs(
        &self,
        now_s: u64,
        revoked_until_ms: u64,
        limit: usize,
    ) -> Vec<TokenRow> {
        let is_over = |row: &&TokenRow| {
            let expired = row.expires_at <= now_s;
            let revoked = row.revoked_at_ms;
            row.sealed.is_some() && revoked.map_or(expired, |at_ms| at_ms <= revoked_until_ms)
        };
        let mut over: Vec<_> = self.tokens.iter().filter(is_over).cloned().collect();
        over.sort_by_key(|row| {
            let at_ms = row.revoked_at_ms;
            (at_ms.is_none(), at_ms, row.expires_at, row.sha256.clone())
        });
        let mut places = BTreeMap::new();
        let mut found: Vec<_> = over
            .into_iter()
            .map(|row| {
                let place = places.entry(row.hub.clone()).or_insert(0usize);
                *place += 1;
                (*place, row)
            })
            .filter(|(place, _)| *place <= limit)
            .collect();
        found.sort_by(|(a, one), (b, other)| (a, &one.hub).cmp(&(b, &other.hub)));
        found.into_iter().map(|(_, row)| row).collect()
    }

    pub(super) fn feed(&self, subject: &PrincipalKey, after: Option<&Cursor>) -> FeedPage {
        let head = Cursor {
            generation: GENERATION.to_owned(),
            seq: self.feed.len() as u64,
        };
        let reset =
            after.is_some_and(|after| after.generation != head.generation || after.seq > head.seq);
        let events = after.filter(|_| !reset).map_or_else(Vec::new, |after| {
            let all = (1..).zip(&self.feed);
            let theirs = all.filter(|(seq, (key, _))| *seq > after.seq && key == subject);
            theirs
                .map(|(seq, (_, event))| (seq, event.clone()))
                .collect()
        });
        FeedPage {
            reset,
            events,
            head,
        }
    }

    pub(super) fn feed_of_all(&self, after: u64, limit: usize) -> FeedOfAll {
        let later = (1..).zip(&self.feed).filter(|(seq, _)| *seq > after);
        let events = later.map(|(seq, (key, event))| (seq, key.clone(), event.clone()));
        FeedOfAll {
            generation: GENERATION.to_owned(),
            events: events.take(limit).collect(),
        }
    }

    /// Place of a log.
    pub(super) fn log(&self, key: &PrincipalKey, log: &str) -> Option<usize> {
        self.logs
            .iter()
            .position(|row| row.key == *key && row.log == log)
    }

    pub(super) fn record(&self, key: &PrincipalKey, log: &str, seq: u64) -> Option<String> {
        let log = self.log(key, log)?;
        let found = self
            .records
            .iter()
            .find(|row| row.log == log && row.seq == seq);
        found.map(|row| row.line.clone())
    }

    pub(super) fn records(
        &self,
        after: u64,
        limit: usize,
    ) -> Vec<(u64, PrincipalKey, String, String)> {
        let later = self.records.iter().filter(|row| row.arrival > after);
        let told = later.map(|row| {
            let log = &self.logs[row.log];
            (
                row.arrival,
                log.key.clone(),
                log.log.clone(),
                row.line.clone(),
            )
        });
        told.take(limit).collect()
    }

    pub(super) fn audit(&self, filter: &AuditFilter, after: u64, limit: usize) -> Vec<AuditLine> {
        let person = filter.person.as_deref();
        let keys = person.map(|text| self.keys_of(text));
        let wanted = LineFilter::new(filter, keys.as_deref()).unwrap();
        let meant = self.audit.iter().filter(|(at_ms, link)| {
            link.seq > after
                && filter.from_ms.is_none_or(|from_ms| *at_ms >= from_ms)
                && filter.to_ms.is_none_or(|to_ms| *at_ms < to_ms)
                && wanted.is_in(link.line.as_bytes())
        });
        let lines = meant.map(|(_, link)| AuditLine {
            seq: link.seq,
            line: link.line.clone(),
        });
        lines.take(limit).collect()
    }

    /// What a line may name somebody by: the text itself, or the stable key of those who have or had that name.
    fn keys_of(&self, text: &str) -> Vec<String> {
        let mut keys = BTreeSet::from([text.to_owned()]);
        let had = self
            .names
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(text));
        keys.extend(had.map(|(_, key)| key.clone()));
        let have = self.by_text(text).into_iter();
        keys.extend(have.map(|row| row.seen.key.key));
        keys.into_iter().collect()
    }
}

/// Whether a text is `source:key`.
fn is_key(key: &PrincipalKey, text: &str) -> bool {
    text.split_once(':') == Some((key.source.as_str(), &key.key))
}

fn by_expiry<'a>(rows: impl Iterator<Item = &'a TokenRow>) -> Vec<TokenRow> {
    let mut found: Vec<_> = rows.cloned().collect();
    found.sort_by(|a, b| (a.expires_at, &a.sha256).cmp(&(b.expires_at, &b.sha256)));
    found
}
