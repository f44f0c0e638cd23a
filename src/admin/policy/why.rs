//! `oam-issuer policy why`: the rule by which somebody would be granted something, or what is missing.

use super::{WhyArgs, path};
use crate::opening;
use crate::show::{Line, Printer, Style};
use oam_issuer::when::when;
use oam_model::issuer::{IdentitySource, IssuerSettings};
use oam_model::name::{HubName, Repository};
use oam_model::organization::GroupSource;
use oam_model::policy::{OrgRules, Policy, PolicyRequest};
use oam_model::principal::{Groups, Principal};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::role::Action;
use oam_policy::account::Author;
use oam_policy::pattern;
use oam_policy::policy::Index;
use oam_policy::policy::cases::principal;
use oam_policy::policy::explain::{Considered, Explanation, explain};
use oam_store::People;
use oam_store::PersonRow;
use oam_store::sqlite::SqliteStore;
use oam_terminal::moment::{local, of_rfc3339};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// `oam-issuer policy why --json`.
#[derive(Serialize)]
struct WhyReport<'a> {
    /// What the policy says.
    #[serde(flatten)]
    said: &'a Explanation,
    /// Why the account was ended; null: it was not. An ended account is refused whatever the policy says.
    ended: Option<&'a str>,
    /// Who says the groups of somebody who was seen; null where they are given with the command.
    groups: Option<GroupsReport>,
}

/// The groups that count, who says them and why that counts.
#[derive(Serialize)]
struct GroupsReport {
    /// Null: they are unknown.
    groups: Option<Vec<String>>,
    /// `directory`, `poll`, `signal` or `token`.
    by: &'static str,
    /// Of when that is.
    at: String,
    because: &'static str,
    /// Those of them that are teams at GitHub, which alone says them.
    teams: Vec<String>,
    /// When GitHub was read; null: its teams count for nobody whose account is unknown.
    teams_at: Option<String>,
    /// Every group that anybody says, with its source.
    said: Vec<GroupSource>,
}

impl GroupsReport {
    fn of(row: &PersonRow) -> Self {
        let counting = row.counting_groups();
        Self {
            groups: counting.all(),
            by: counting.origin.word(),
            at: when(counting.at_ms),
            because: counting.origin.because(),
            teams: counting.teams.to_vec(),
            teams_at: row.teams.as_ref().map(|said| when(said.at_ms)),
            said: row.group_sources(),
        }
    }

    fn line(&self) -> String {
        let groups = match self.groups.as_deref() {
            None => "unknown".to_owned(),
            Some([]) => "none".to_owned(),
            Some(groups) => groups.join(", "),
        };
        let teams = match &self.teams_at {
            Some(at) if !self.teams.is_empty() => {
                let teams = self.teams.join(", ");
                format!("; GitHub says {teams} ({})", of_rfc3339(at))
            }
            _ => String::new(),
        };
        format!(
            "groups: {groups}; {} ({}){teams}",
            self.because,
            of_rfc3339(&self.at)
        )
    }
}

/// Runs it. Exits 5 when it would be refused.
pub(super) fn run(
    show: &Printer,
    settings: &IssuerSettings,
    args: &WhyArgs,
) -> Result<u8, Refusal> {
    let policy = opening::policy(show, settings, path(settings, args.policy.as_deref()))?;
    let seen = seen(settings, &policy.org, args)?;
    let principal = match &seen {
        Some(row) => known(settings, row, args)?,
        None => described(settings, &policy.org, args)?,
    };
    let wanted = PolicyRequest {
        hub: hub(settings, &policy, args)?,
        repository: args.repo.clone(),
        action: action(args),
        role: args.role.clone(),
    };
    let said = explain(&Index::new(policy), &principal, &wanted);
    let ended = seen.as_ref().and_then(|row| row.account.ended());
    let by_provider = matches!(ended, Some((Author::Provider | Author::Directory, _)));
    let ended = ended.map(|(_, end)| end);
    let groups = seen.as_ref().filter(|_| args.groups.is_empty());
    let groups = groups.map(GroupsReport::of);
    if show.json() {
        show.value(&WhyReport {
            said: &said,
            ended: ended.map(|ended| ended.reason.as_str()),
            groups,
        });
    } else {
        tell(show, &said);
        if let Some(groups) = groups {
            show.line(groups.line());
            for other in groups.said.iter().filter(|one| !one.counts) {
                show.line(format!(
                    "{} by the {} does not count ({})",
                    other.group,
                    other.by,
                    local(other.at_ms / 1000)
                ));
            }
        }
    }
    if let Some(ended) = ended {
        show.say(format!(
            "the policy is not asked now: this account was ended ({})",
            ended.reason
        ));
        show.next(&format!(
            "`oam-issuer restore {}{}` lets the person sign in again",
            args.who,
            if by_provider { " --provider" } else { "" }
        ));
    }
    let granted = said.decision.is_some() && ended.is_none();
    Ok(if granted {
        0
    } else {
        RefusalCode::Denied.exit_code()
    })
}

const fn action(args: &WhyArgs) -> Action {
    if args.manage {
        Action::Manage
    } else if args.write {
        Action::Write
    } else {
        Action::Read
    }
}

/// The person as the store has seen them. None when nobody was; with --source and other options that is well.
fn seen(
    settings: &IssuerSettings,
    org: &OrgRules,
    args: &WhyArgs,
) -> Result<Option<PersonRow>, Refusal> {
    let described = !args.groups.is_empty() || !args.claims.is_empty();
    let database = Path::new(&settings.database);
    if described && !database.exists() {
        return Ok(None);
    }
    let store = SqliteStore::open_existing(settings, &org.name)?;
    let rows = opening::wait(store.find_people(args.who.clone()))?;
    let mut rows = rows.map_err(|fault| {
        Refusal::unavailable(
            format!("the database could not be asked: {fault:?}"),
            "look at `oam-issuer audit verify`, then run the command again",
        )
    })?;
    rows.retain(|row| {
        args.source
            .as_ref()
            .is_none_or(|s| *s == row.seen.key.source)
    });
    match rows.as_slice() {
        [] if described => Ok(None),
        [] => Err(Refusal::bad_request(
            format!("nobody was seen by the name {}", args.who),
            "name what the person would have: --source, --group, --claim",
        )),
        [_] => Ok(rows.pop()),
        several => {
            let keys: Vec<String> = several.iter().map(|row| row.seen.key.to_string()).collect();
            Err(Refusal::bad_request(
                format!(
                    "{} people match {}: {}",
                    keys.len(),
                    args.who,
                    keys.join(", ")
                ),
                "name one by its key (the part behind the colon) and --source",
            ))
        }
    }
}

/// A person who was seen: their groups of then, unless others are given.
fn known(settings: &IssuerSettings, row: &PersonRow, args: &WhyArgs) -> Result<Principal, Refusal> {
    let seen = &row.seen;
    let source = settings
        .sources
        .iter()
        .find(|source| source.name == seen.key.source)
        .ok_or_else(|| {
            Refusal::denied(
                format!("the source {} is not configured any more", seen.key.source),
                "its people hold no role; `oam-issuer config check` lists the sources",
            )
        })?;
    let mut claims = claims(args)?;
    claims
        .entry("sub".to_owned())
        .or_insert_with(|| seen.subject.clone().into());
    if let Some(email) = &seen.email {
        claims
            .entry("email".to_owned())
            .or_insert_with(|| email.clone().into());
    }
    let mut person = principal(source, &seen.key.key, args.groups.clone(), claims);
    person.key = seen.key.clone();
    person.username.clone_from(&seen.username);
    if args.groups.is_empty() {
        person.groups = match row.counting_groups().all() {
            Some(groups) => Groups::Known(groups),
            None => Groups::Unknown {
                sentence: "the last token of this person did not say the groups".to_owned(),
                next: "have the provider put fewer or only the assigned groups into the token"
                    .to_owned(),
            },
        };
    }
    Ok(person)
}

/// Somebody who was never seen, as the options describe them.
fn described(
    settings: &IssuerSettings,
    org: &OrgRules,
    args: &WhyArgs,
) -> Result<Principal, Refusal> {
    let name = args.source.as_ref().unwrap_or(&org.sign_in);
    let source: Option<&IdentitySource> = settings.sources.iter().find(|s| s.name == *name);
    let Some(source) = source else {
        let names: Vec<&str> = settings.sources.iter().map(|s| s.name.as_str()).collect();
        return Err(Refusal::bad_request(
            format!("there is no source {name}"),
            format!("use one of {}", names.join(", ")),
        ));
    };
    Ok(principal(
        source,
        &args.who,
        args.groups.clone(),
        claims(args)?,
    ))
}

/// `name=value` options; a name that is given twice is a list.
fn claims(args: &WhyArgs) -> Result<BTreeMap<String, Value>, Refusal> {
    let mut claims: BTreeMap<String, Value> = BTreeMap::new();
    for claim in &args.claims {
        let parts = claim.split_once('=').filter(|(name, _)| !name.is_empty());
        let Some((name, value)) = parts else {
            return Err(Refusal::bad_request(
                format!("--claim {claim} has no name and value"),
                "write it like --claim department=ml",
            ));
        };
        match claims.entry(name.to_owned()).or_insert(Value::Null) {
            Value::Array(items) => items.push(value.into()),
            Value::Null => drop(claims.insert(name.to_owned(), value.into())),
            one => *one = Value::Array(vec![one.take(), value.into()]),
        }
    }
    Ok(claims)
}

/// The hub that is meant: the one named, the only one, or the only one with a grant of that action for the
/// repository.
fn hub(settings: &IssuerSettings, policy: &Policy, args: &WhyArgs) -> Result<HubName, Refusal> {
    let names: Vec<&HubName> = settings.hubs.iter().map(|hub| &hub.name).collect();
    if let Some(name) = &args.hub {
        return if names.contains(&name) {
            Ok(name.clone())
        } else {
            Err(Refusal::bad_request(
                format!("there is no hub {name}"),
                format!("use one of {}", listed(&names)),
            ))
        };
    }
    let covers = |hub: &&&HubName| {
        let grants = policy.roles.iter().flat_map(|role| &role.grants);
        let mut of_hub = grants
            .filter(|granted| granted.grant.hub == ***hub && granted.grant.action >= action(args));
        let path = args.repo.as_ref().map(Repository::as_str);
        of_hub.any(|granted| {
            let mut patterns = granted.grant.repositories.iter();
            patterns.any(|p| path.is_some_and(|path| pattern::matches(p, path)))
        })
    };
    let covering: Vec<&HubName> = names.iter().filter(covers).copied().collect();
    match (names.as_slice(), covering.as_slice()) {
        ([only], _) | (_, [only]) => Ok((*only).clone()),
        _ => Err(Refusal::bad_request(
            "there are several hubs, and the repository does not tell which one is meant",
            format!("name one with --hub: {}", listed(&names)),
        )),
    }
}

fn listed(names: &[&HubName]) -> String {
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    names.join(", ")
}

fn tell(show: &Printer, said: &Explanation) {
    let what = said.repository.as_ref();
    let what = what.map_or_else(|| "the whole hub".to_owned(), ToString::to_string);
    let asked = format!(
        "{} on {} for {what}, as {}",
        said.action.word(),
        said.hub,
        said.subject
    );
    if let Some(decision) = &said.decision {
        show.line(Line::new().look(Style::Good, "granted ").text(asked));
        show.line(format!("  {}", decision.rule));
        show.line(format!("  held: {}", decision.because));
        show.line(format!("  for at most {} s", decision.lifetime_s));
    } else {
        show.line(Line::new().look(Style::Bad, "denied ").text(asked));
    }
    if let Some(refusal) = &said.refusal {
        show.refusal(refusal);
    }
    // The others say nothing about this ask.
    let near: Vec<&Considered> = said.roles.iter().filter(|r| r.held || r.covers).collect();
    let rows: Vec<Vec<Line>> = near.iter().map(|role| row(role)).collect();
    if !rows.is_empty() {
        show.table(&["role", "", "membership", "grant"], &rows);
    }
    let others = said.roles.len() - near.len();
    if others > 0 {
        show.line(format!("{others} more: neither held nor covering it"));
    }
}

fn row(role: &Considered) -> Vec<Line> {
    let (look, word) = match (role.chosen, role.held, role.covers) {
        (true, ..) => (Style::Good, "chosen"),
        (_, true, true) => (Style::Warn, "wider or tied"),
        (_, true, false) => (Style::Plain, "held"),
        (_, false, _) => (Style::Faint, "not held"),
    };
    vec![
        Line::from(role.role.as_str()),
        Line::new().look(look, word),
        Line::from(role.membership.as_str()),
        Line::from(role.grant.as_str()),
    ]
}
