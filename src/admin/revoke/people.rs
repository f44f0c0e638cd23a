//! What `people` shows of somebody: standing, roles, tokens.

use super::report::{last_seen, look, standing};
use crate::show::{Line, Style};
use oam_issuer::when::when;
use oam_model::organization::GroupSource;
use oam_model::refusal::Refusal;
use oam_policy::evidence::GroupOrigin;
use oam_store::{PersonRow, TokenRow};
use oam_terminal::moment::{local, of_rfc3339};
use serde::Serialize;

/// `people --json`.
#[derive(Serialize)]
pub(super) struct PeopleReport {
    people: Vec<PersonReport>,
    /// Why it is not known how long hubs still honour tokens.
    fault: Option<String>,
}

/// Somebody with their tokens.
#[derive(Serialize)]
pub(super) struct PersonReport {
    person: String,
    subject: String,
    name: Option<String>,
    email: Option<String>,
    standing: &'static str,
    reason: Option<String>,
    since: Option<String>,
    /// Those that count; null: they are unknown.
    groups: Option<Vec<String>>,
    /// Who says them: `directory`, `poll`, `signal` or `token`.
    groups_by: &'static str,
    /// Of when that is.
    groups_at: Option<String>,
    /// Every group that anybody says, with its source.
    group_sources: Vec<GroupSource>,
    /// The groups of the last token, where others count.
    groups_of_token: Option<Vec<String>>,
    /// What the directory says of the account: `active` or `not-active`; null: it does not know the person.
    directory: Option<&'static str>,
    roles: Vec<String>,
    /// None: they never came.
    last_seen: Option<String>,
    tokens: Vec<Live>,
    outstanding: Vec<Outstanding>,
}

#[derive(Serialize)]
struct Live {
    role: String,
    hub: String,
    repository: Option<String>,
    action: &'static str,
    expires_at: String,
    token_sha256: String,
    request_id: String,
}

/// A token that is over here and that its hub was not told of, or did not end.
#[derive(Serialize)]
struct Outstanding {
    #[serde(flatten)]
    token: Live,
    revoked_at: Option<String>,
    /// None: not known.
    good_at_hub_until: Option<String>,
}

impl PeopleReport {
    pub(super) fn of(people: Vec<PersonReport>, fault: Option<&Refusal>) -> Self {
        Self {
            people,
            fault: fault.map(|fault| fault.sentence.clone()),
        }
    }
}

impl PersonReport {
    /// `outstanding`: with the Unix seconds until which the hub honours each, where that is known.
    pub(super) fn of(
        row: &PersonRow,
        live: &[TokenRow],
        outstanding: &[(TokenRow, Option<u64>)],
    ) -> Self {
        let (standing, ended) = standing(row);
        let counting = row.counting_groups();
        let by_directory = matches!(counting.origin, GroupOrigin::Directory(_));
        let still_good = |(row, until_s): &(TokenRow, Option<u64>)| Outstanding {
            token: Live::of(row),
            revoked_at: row.revoked_at_ms.map(when),
            good_at_hub_until: until_s.map(|at| when(at.saturating_mul(1000))),
        };
        Self {
            person: row.seen.key.to_string(),
            subject: row.seen.subject.clone(),
            name: row.seen.username.clone(),
            email: row.seen.email.clone(),
            standing,
            reason: ended.map(|ended| ended.reason.clone()),
            since: ended.map(|ended| when(ended.at_ms)),
            groups: counting.all(),
            groups_by: counting.origin.word(),
            groups_at: (counting.at_ms > 0).then(|| when(counting.at_ms)),
            group_sources: row.group_sources(),
            groups_of_token: row.seen.groups.clone().filter(|_| by_directory),
            directory: row
                .directory
                .as_ref()
                .map(|said| if said.active { "active" } else { "not-active" }),
            roles: row.held.iter().map(ToString::to_string).collect(),
            last_seen: last_seen(row),
            tokens: live.iter().map(Live::of).collect(),
            outstanding: outstanding.iter().map(still_good).collect(),
        }
    }

    /// For people.
    pub(super) fn lines(&self) -> Vec<Line> {
        let name = self.name.as_ref().or(self.email.as_ref());
        let head = Line::new()
            .look(Style::Strong, self.person.clone())
            .text(format!(" {} ", name.map_or("", String::as_str)))
            .look(look(self.standing), self.standing);
        let mut lines = vec![head];
        if let (Some(since), Some(reason)) = (&self.since, &self.reason) {
            lines.push(format!("  since {}: {reason}", of_rfc3339(since)).into());
        }
        let roles = if self.roles.is_empty() {
            "none".to_owned()
        } else {
            self.roles.join(", ")
        };
        lines.push(format!("  roles when last compared: {roles}").into());
        lines.extend(self.group_lines());
        lines.push(match &self.last_seen {
            Some(at) => format!("  last seen {}", of_rfc3339(at)).into(),
            None => "  never seen here".into(),
        });
        let live = self.tokens.iter();
        lines.extend(live.map(|token| {
            let until = of_rfc3339(&token.expires_at);
            Line::from(format!("  live token: {}, until {until}", token.words()))
        }));
        lines.extend(self.outstanding.iter().map(Outstanding::line));
        lines
    }
}

impl PersonReport {
    /// The groups, a line for each who says some, with of when that is and why it counts or not.
    fn group_lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = self
            .group_sources
            .chunk_by(|one, next| (&one.by, one.counts) == (&next.by, next.counts))
            .map(said)
            .collect();
        // Whose word it is that they are in none.
        if !self.group_sources.iter().any(|one| one.counts)
            && let Some(at) = self.groups_at.as_deref()
        {
            let groups = self.groups.as_ref().map_or("unknown", |_| "none");
            let (by, at) = (self.groups_by, of_rfc3339(at));
            lines.insert(0, format!("  groups by the {by}, {at}: {groups}").into());
        }
        lines
    }
}

/// The groups of one who says them.
fn said(groups: &[GroupSource]) -> Line {
    let names: Vec<&str> = groups.iter().map(|one| one.group.as_str()).collect();
    let Some(first) = groups.first() else {
        return Line::new();
    };
    let counts = if first.counts { "" } else { ", do not count" };
    let at = local(first.at_ms / 1000);
    let names = names.join(", ");
    format!(
        "  groups by the {}, {at}{counts}: {names}; {}",
        first.by, first.because
    )
    .into()
}

impl Live {
    fn of(row: &TokenRow) -> Self {
        Self {
            role: row.role.to_string(),
            hub: row.hub.to_string(),
            repository: row.repository.as_ref().map(ToString::to_string),
            action: row.action.word(),
            expires_at: when(row.expires_at.saturating_mul(1000)),
            token_sha256: row.sha256.clone(),
            request_id: row.request_id.clone(),
        }
    }

    fn words(&self) -> String {
        let place = self.repository.as_deref().unwrap_or("the whole hub");
        let Self {
            role, hub, action, ..
        } = self;
        format!("{role} for {place} at {hub} ({action})")
    }
}

impl Outstanding {
    fn line(&self) -> Line {
        let (hub, words) = (&self.token.hub, self.token.words());
        let over = match &self.revoked_at {
            Some(at) => format!("revoked {}", of_rfc3339(at)),
            None => format!("over since {}", of_rfc3339(&self.token.expires_at)),
        };
        let until = match &self.good_at_hub_until {
            Some(at) => format!("still good at {hub} until {}", of_rfc3339(at)),
            None => format!("perhaps still good at {hub}: until when is not known"),
        };
        Line::new().look(Style::Warn, format!("  token {words}, {over}: {until}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{GroupSource, said};
    use oam_terminal::moment::local;

    #[test]
    fn a_line_of_groups_says_whose_they_are_of_when_and_why_they_count_or_do_not() {
        let of = |group: &str, counts| GroupSource {
            group: group.to_owned(),
            by: "token".to_owned(),
            at_ms: 1_800_000_000_000,
            counts,
            because: "why".to_owned(),
        };
        let at = local(1_800_000_000);
        assert_eq!(
            said(&[of("ml", true), of("staff", true)]).render(false),
            format!("  groups by the token, {at}: ml, staff; why")
        );
        assert_eq!(
            said(&[of("old", false)]).render(false),
            format!("  groups by the token, {at}, do not count: old; why")
        );
    }
}
