//! `oam-issuer scim`: the tokens by which the company's directories show who they are.

use super::database::{self, Database};
use super::opening;
use super::secret::remove;
use crate::show::{Line, Printer};
use clap::{Args, Subcommand};
use oam_config::duration;
use oam_issuer::secrets::{self, NewSecret};
use oam_issuer::when::when;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::count::counted;
use oam_model::issuer::IssuerSettings;
use oam_model::name::SourceName;
use oam_model::refusal::Refusal;
use oam_model::secret::{Secret, wire};
use oam_store::{
    Batch, Directories, DirectoryState, SecretOwner, SecretRow, Secrets, Store, StoreChange,
};
use oam_system::clock;
use oam_terminal::moment::of_rfc3339;
use serde::Serialize;
use zeroize::Zeroizing;

/// `oam-issuer scim`.
#[derive(Debug, Args)]
pub struct ScimArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: ScimWhat,
}

/// What to do with directories and their tokens.
#[derive(Debug, Subcommand)]
pub enum ScimWhat {
    /// Make a token for the directory of a source, and print it: once, it is not kept.
    #[command(
        after_help = "Examples:\n  oam-issuer scim token okta > token.txt\n  oam-issuer scim token okta --overlap 24h --good-for 365d\n\n\
            Enter it at the provider as the bearer or secret token, beside the address https://ISSUER/scim/v2."
    )]
    Token {
        /// The source.
        source: SourceName,
        /// How long the token before stays good.
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
        overlap: u64,
        /// How long it is good; without it until another one takes its place.
        #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
        good_for: Option<u64>,
    },
    /// Show the directories: how much each said and when, and which tokens there are.
    #[command(after_help = "Example:\n  oam-issuer scim list --json")]
    List,
    /// Forget what a directory said of users and groups: the groups of tokens count again. Whom it ended stays out.
    #[command(
        after_help = "Example:\n  oam-issuer scim drop okta && oam-issuer scim forget okta\n\n\
            `oam-issuer restore NAME --provider` lets somebody sign in again whom it ended."
    )]
    Forget {
        /// The source.
        source: SourceName,
    },
    /// Drop all tokens of a directory: it is not listened to any more. What it said stays.
    #[command(after_help = "Example:\n  oam-issuer scim drop okta")]
    Drop {
        /// The source.
        source: SourceName,
    },
}

/// `scim token --json`.
#[derive(Serialize)]
struct TokenReport<'a> {
    source: &'a SourceName,
    /// Where the directory sends its requests.
    url: &'a str,
    #[serde(with = "wire")]
    token: &'a Secret,
}

/// `scim list --json`.
#[derive(Serialize)]
struct ListReport {
    directories: Vec<DirectoryReport>,
}

#[derive(Serialize)]
struct DirectoryReport {
    source: SourceName,
    users: u64,
    groups: u64,
    heard_at: Option<String>,
    changed_at: Option<String>,
    tokens: Vec<KeptToken>,
}

#[derive(Serialize)]
struct KeptToken {
    number: u64,
    made_at: String,
    good_until: Option<String>,
}

/// Runs it.
pub fn run(show: &Printer, args: &ScimArgs) -> u8 {
    show.done(match &args.what {
        ScimWhat::Token {
            source,
            overlap,
            good_for,
        } => token(show, source, *overlap, *good_for),
        ScimWhat::List => list(show),
        ScimWhat::Forget { source } => forget(show, source, "oam-issuer scim list"),
        ScimWhat::Drop { source } => remove(show, SecretOwner::Directory(source.clone())),
    })
}

/// Makes a token, keeps its hash, and prints it only when that is kept.
fn token(
    show: &Printer,
    source: &SourceName,
    overlap_ms: u64,
    good_for_ms: Option<u64>,
) -> Result<u8, Refusal> {
    let Database {
        settings,
        org,
        store,
    } = database::open(show)?;
    has_directory(&settings, source)?;
    let token = secrets::fresh_client_secret()?;
    let new = NewSecret {
        owner: SecretOwner::Directory(source.clone()),
        value: secrets::hash_of(&token)?,
        hub: None,
        overlap_ms,
        good_for_ms,
    };
    opening::wait(secrets::put(&store, &org, new, clock::now_ms()))??;
    let url = format!("{}/scim/v2", settings.url);
    if show.json() {
        show.value(&TokenReport {
            source,
            url: &url,
            token: &token,
        });
        return Ok(0);
    }
    show.raw(Zeroizing::new(format!("{}\n", token.expose())).as_bytes());
    show.say(format!(
        "this is the token of the directory of {source}, for {url}; it is not shown again"
    ));
    Ok(0)
}

/// `list`: the command that shows which directories there are.
pub(super) fn forget(show: &Printer, source: &SourceName, list: &str) -> Result<u8, Refusal> {
    let Database { org, store, .. } = database::open(show)?;
    let state = opening::wait(store.directory_state(source.clone()))?;
    let state = state.map_err(|fault| fault.refusal())?;
    if state == DirectoryState::default() {
        return Err(Refusal::bad_request(
            format!("a directory of {source} never said anything"),
            format!("see which there are with `{list}`"),
        ));
    }
    let words = format!(
        "{} and {}",
        counted(state.users, "user", "users"),
        counted(state.groups, "group", "groups")
    );
    let entry = AuditRecord {
        source: Some(source.clone()),
        detail: Some(format!("forgotten by an administrator: {words}")),
        ..AuditRecord::new(AuditEvent::Directory, org, clock::now_ms())
    };
    let batch = Batch {
        changes: vec![StoreChange::ForgetDirectory(source.clone())],
        entries: vec![entry],
    };
    let forgotten = opening::wait(store.commit(batch))?;
    forgotten.map_err(|fault| fault.refusal())?;
    show.say(format!(
        "{words} of the directory of {source} are forgotten; the groups of tokens count again"
    ));
    Ok(0)
}

/// A token of a source without a directory would be refused, and somebody would look for why.
fn has_directory(settings: &IssuerSettings, source: &SourceName) -> Result<(), Refusal> {
    let known = settings.sources.iter().find(|known| known.name == *source);
    match known {
        Some(known) if known.scim.is_some() => Ok(()),
        Some(_) => Err(Refusal::bad_request(
            format!("the source {source} has no directory"),
            format!(
                "add `[sources.{source}.scim]` to the configuration, then run the command again"
            ),
        )),
        None => {
            let sources = settings.sources.iter();
            let names: Vec<&str> = sources.map(|one| one.name.as_str()).collect();
            Err(Refusal::bad_request(
                format!("there is no source {source}"),
                format!("use one of {}", names.join(", ")),
            ))
        }
    }
}

fn list(show: &Printer) -> Result<u8, Refusal> {
    let Database {
        settings, store, ..
    } = database::open(show)?;
    let sources = settings.sources.iter().filter(|one| one.scim.is_some());
    let names: Vec<SourceName> = sources.map(|one| one.name.clone()).collect();
    let found = async {
        let mut found = Vec::new();
        for source in names {
            let state = store.directory_state(source.clone()).await?;
            let tokens = store
                .secrets(SecretOwner::Directory(source.clone()))
                .await?;
            found.push(report(source, state, tokens));
        }
        Ok(found)
    };
    let directories =
        opening::wait(found)?.map_err(|fault: oam_store::StoreFault| fault.refusal())?;
    if show.json() {
        show.value(&ListReport { directories });
        return Ok(0);
    }
    if directories.is_empty() {
        show.say(
            "no source has a directory: `[sources.NAME.scim]` in the configuration gives it one",
        );
        return Ok(0);
    }
    let header = ["SOURCE", "USERS", "GROUPS", "HEARD", "CHANGED", "TOKENS"];
    let rows: Vec<Vec<Line>> = directories.iter().map(columns).collect();
    show.table(&header, &rows);
    Ok(0)
}

fn report(source: SourceName, state: DirectoryState, tokens: Vec<SecretRow>) -> DirectoryReport {
    let kept = |row: SecretRow| KeptToken {
        number: row.number,
        made_at: when(row.made_at_ms),
        good_until: row.until_ms.map(when),
    };
    DirectoryReport {
        source,
        users: state.users,
        groups: state.groups,
        heard_at: state.heard_at_ms.map(when),
        changed_at: state.changed_at_ms.map(when),
        tokens: tokens.into_iter().map(kept).collect(),
    }
}

fn columns(one: &DirectoryReport) -> Vec<Line> {
    let at = |at: &Option<String>| {
        let at = at.as_deref().map(of_rfc3339);
        Line::from(at.unwrap_or_else(|| "never".to_owned()))
    };
    let token = |token: &KeptToken| match &token.good_until {
        Some(until) => format!("{} until {}", token.number, of_rfc3339(until)),
        None => token.number.to_string(),
    };
    let tokens: Vec<String> = one.tokens.iter().map(token).collect();
    vec![
        Line::from(one.source.as_str()),
        Line::from(one.users.to_string()),
        Line::from(one.groups.to_string()),
        at(&one.heard_at),
        at(&one.changed_at),
        Line::from(if tokens.is_empty() {
            "none".to_owned()
        } else {
            tokens.join(", ")
        }),
    ]
}
