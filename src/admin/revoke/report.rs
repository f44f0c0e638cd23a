//! What is shown: for people and, with `--json`, for programs.

use super::find::PersonMatch;
use crate::show::{Line, Style};
use oam_issuer::mint::RevokeOutcome;
use oam_issuer::signal_processor::{Applied, Order};
use oam_issuer::when::when;
use oam_model::refusal::Refusal;
use oam_policy::admission::End;
use oam_store::{PersonRow, TokenRow};
use oam_terminal::moment::of_rfc3339;
use serde::Serialize;

/// Columns of a list of people.
pub(super) const HEADER: &[&str] = &["PERSON", "NAME", "E-MAIL", "STANDING", "LAST SEEN"];

/// What `revoke` and `restore` did.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    person: String,
    name: Option<String>,
    /// `account`, `session` or `restored`.
    what: &'static str,
    /// Whether it was so already: nothing was written.
    unchanged: bool,
    /// For a session: since when it was ended already, with nobody seen since.
    ended_before: Option<String>,
    /// The provider's or the directory's end of the account that stands.
    provider_ended: Option<String>,
    /// Tokens that were live and are not.
    tokens_ended: usize,
    /// Whether the hubs were told from here.
    hubs_told: bool,
    pub(super) hubs: Vec<AtHub>,
}

/// A token at its hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct AtHub {
    hub: String,
    role: String,
    token_sha256: String,
    expires_at: String,
    outcome: String,
    /// The hub was not told, or did not take it: until when it honours the token at most.
    still_good_until: Option<String>,
}

impl AtHub {
    pub(super) fn of(token: &TokenRow, outcome: &RevokeOutcome, until_s: u64) -> Self {
        let over = matches!(outcome, RevokeOutcome::Revoked | RevokeOutcome::Expired);
        Self {
            still_good_until: (!over).then(|| when(until_s.saturating_mul(1000))),
            hub: token.hub.to_string(),
            role: token.role.to_string(),
            token_sha256: token.sha256.clone(),
            expires_at: when(token.expires_at.saturating_mul(1000)),
            outcome: outcome.words(),
        }
    }

    pub(super) fn sentence(&self) -> String {
        let until = self.still_good_until.as_ref();
        let until = until.map_or_else(String::new, |at| {
            let at = of_rfc3339(at);
            format!("; still good at {} until {at}", self.hub)
        });
        format!("{} at {}: {}{until}", self.role, self.hub, self.outcome)
    }
}

impl Done {
    /// It was so already.
    pub(super) fn unchanged(found: &PersonMatch, order: &Order) -> Self {
        Self {
            unchanged: true,
            ..Self::of(found, order, &Applied::default(), &Ok(Vec::new()))
        }
    }

    /// Whether the provider's own end is why they are still refused.
    pub(super) const fn ended_by_provider(&self) -> bool {
        self.provider_ended.is_some()
    }

    pub(super) fn of(
        found: &PersonMatch,
        order: &Order,
        applied: &Applied,
        at_hubs: &Result<Vec<AtHub>, Refusal>,
    ) -> Self {
        let (person, name) = match found {
            PersonMatch::Seen(row) => (row.seen.key.to_string(), shown(row)),
            PersonMatch::Never(key) => (key.to_string(), None),
            PersonMatch::Several(_) => (String::new(), None),
        };
        Self {
            person,
            name,
            what: match order {
                Order::EndAccount { .. } => "account",
                Order::EndSession { .. } => "session",
                Order::Restore { .. } => "restored",
            },
            unchanged: false,
            ended_before: ended_before(found, order),
            provider_ended: stands(found, order),
            tokens_ended: applied.revoked.len(),
            hubs_told: at_hubs.is_ok(),
            hubs: at_hubs.as_ref().cloned().unwrap_or_default(),
        }
    }

    pub(super) fn sentence(&self) -> String {
        let who = match &self.name {
            Some(name) => format!("{name} ({})", self.person),
            None => self.person.clone(),
        };
        let tokens = match self.tokens_ended {
            0 => "no token was live".to_owned(),
            1 => "1 live token is inactive now".to_owned(),
            many => format!("{many} live tokens are inactive now"),
        };
        let by_provider = self.provider_ended.as_ref();
        let stands = by_provider.map_or_else(String::new, |why| {
            format!("; the provider's own end stands: {why}")
        });
        match (self.what, self.unchanged) {
            ("account", true) => {
                return format!("the account of {who} was ended by an administrator already");
            }
            (_, true) => {
                return format!("no end by an administrator is to be lifted for {who}{stands}");
            }
            _ if !stands.is_empty() => return format!("restored for {who}{stands}"),
            _ => {}
        }
        match self.what {
            "account" => format!("the account of {who} is ended until it is restored; {tokens}"),
            "session" => match &self.ended_before {
                Some(at) => format!(
                    "the session of {who} was ended already, {}, and nobody came since; a sign-in from before \
                     now is over too; {tokens}",
                    of_rfc3339(at)
                ),
                None => format!("the session of {who} is ended; {tokens}"),
            },
            _ => format!("{who} may sign in again; what was ended stays ended"),
        }
    }
}

/// An order to end a session that is over is no order for nothing: there may be a sign-in at the provider since
/// that was not shown here yet.
fn ended_before(found: &PersonMatch, order: &Order) -> Option<String> {
    match (found, order) {
        (PersonMatch::Seen(row), Order::EndSession { .. }) => match standing(row) {
            ("session-ended", Some(end)) => Some(when(end.at_ms)),
            _ => None,
        },
        _ => None,
    }
}

/// What keeps somebody out whom an administrator restores.
fn stands(found: &PersonMatch, order: &Order) -> Option<String> {
    match (found, order) {
        (PersonMatch::Seen(row), Order::Restore { provider: false }) => {
            let directory = row.account.directory.as_ref();
            let end = directory.or_else(|| row.account.ended_by_provider());
            end.map(|end| end.reason.clone())
        }
        _ => None,
    }
}

/// The gravest end that still counts. A session that ended before the last proof of the person was followed by
/// a new sign-in.
pub(super) fn standing(row: &PersonRow) -> (&'static str, Option<&End>) {
    let proven_ms = row.seen.proven_at.saturating_mul(1000);
    let current = |ended: &&End| ended.at_ms >= proven_ms;
    if let Some((_, ended)) = row.account.ended() {
        return ("account-ended", Some(ended));
    }
    if let Some(ended) = row.account.session.as_ref().filter(current) {
        return ("session-ended", Some(ended));
    }
    match row.account.doubt.as_ref().filter(current) {
        Some(ended) => ("doubt", Some(ended)),
        None => ("active", None),
    }
}

fn shown(row: &PersonRow) -> Option<String> {
    row.seen.username.clone().or_else(|| row.seen.email.clone())
}

/// One line of a list of people.
pub(super) fn columns(row: &PersonRow) -> Vec<Line> {
    let text = |text: &Option<String>| Line::new().text(text.clone().unwrap_or_default());
    let (standing, _) = standing(row);
    vec![
        Line::new().look(Style::Strong, row.seen.key.to_string()),
        text(&row.seen.username),
        text(&row.seen.email),
        Line::new().look(look(standing), standing),
        Line::new().look(
            Style::Faint,
            last_seen(row).map_or_else(|| "never".to_owned(), |at| of_rfc3339(&at)),
        ),
    ]
}

/// When they were last here; there is a row too of somebody who was ended before they ever came.
pub(super) fn last_seen(row: &PersonRow) -> Option<String> {
    (!row.is_never_seen()).then(|| when(row.seen.at_ms))
}

pub(super) fn look(standing: &str) -> Style {
    match standing {
        "active" => Style::Good,
        "doubt" => Style::Warn,
        _ => Style::Bad,
    }
}
