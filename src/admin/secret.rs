//! `oam-issuer secret`: the issuer's own client secrets at hubs.

use super::database::{self, Database};
use super::opening;
use crate::show::{Line, Printer};
use clap::{Args, Subcommand};
use oam_config::duration;
use oam_issuer::seal::{MasterKey, Purpose};
use oam_issuer::secrets::{self, NewSecret};
use oam_issuer::when::when;
use oam_model::issuer::{Backend, IssuerSettings};
use oam_model::name::HubName;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_store::{SecretOwner, SecretRow, Secrets};
use oam_system::clock;
use oam_terminal::moment::of_rfc3339;
use serde::Serialize;
use std::io::{IsTerminal, Read};
use zeroize::Zeroizing;

/// Longest secret that is read, bytes.
const CAP: u64 = 16 * 1024;

/// `oam-issuer secret`.
#[derive(Debug, Args)]
pub struct SecretArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: SecretWhat,
}

/// What to do with the issuer's own secrets.
#[derive(Debug, Subcommand)]
pub enum SecretWhat {
    /// Set the client secret of a hub, read from stdin.
    #[command(
        after_help = "Examples:\n  oam-issuer secret set models < secret.txt\n  oam-issuer secret set models --overlap 24h < secret.txt"
    )]
    Set {
        /// The hub.
        hub: HubName,
        /// How long the secret before stays good: it is tried when the hub refuses the new one.
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
        overlap: u64,
    },
    /// Show which secrets there are, never what they are.
    #[command(after_help = "Example:\n  oam-issuer secret list --json")]
    List,
    /// Drop all secrets of a hub: it makes no tokens any more.
    #[command(after_help = "Example:\n  oam-issuer secret drop models")]
    Drop {
        /// The hub.
        hub: HubName,
    },
}

/// `secret list --json` and `client list --json`.
#[derive(Serialize)]
pub(super) struct SecretsReport {
    pub(super) secrets: Vec<SecretReport>,
}

#[derive(Serialize)]
pub(super) struct SecretReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    hub: Option<HubName>,
    number: u64,
    made_at: String,
    good_until: Option<String>,
}

/// Runs it.
pub fn run(show: &Printer, args: &SecretArgs) -> u8 {
    show.done(match &args.what {
        SecretWhat::Set { hub, overlap } => set(show, hub, *overlap),
        SecretWhat::List => list(show, false),
        SecretWhat::Drop { hub } => remove(show, SecretOwner::Hub(hub.clone())),
    })
}

fn set(show: &Printer, hub: &HubName, overlap_ms: u64) -> Result<u8, Refusal> {
    let Database {
        settings,
        org,
        store,
    } = database::open(show)?;
    takes_a_secret(&settings, hub)?;
    let master = MasterKey::read(&settings.master_key)?;
    opening::wait(secrets::check(&store, &master))??;
    let secret = given()?;
    let value = master
        .seal(
            Purpose::ClientSecret,
            hub.as_str(),
            secret.expose().as_bytes(),
        )
        .map_err(|fault| {
            Refusal::unavailable(format!("it could not be sealed: {fault}"), "try again")
        })?;
    let new = NewSecret {
        owner: SecretOwner::Hub(hub.clone()),
        value,
        hub: None,
        overlap_ms,
        good_for_ms: None,
    };
    let number = opening::wait(secrets::put(&store, &org, new, clock::now_ms()))??;
    show.say(format!(
        "secret {number} of hub {hub} is set; a running server uses it now"
    ));
    Ok(0)
}

/// Only one backend has a client secret: a secret of another hub would never be used, and somebody would
/// believe it was.
fn takes_a_secret(settings: &IssuerSettings, hub: &HubName) -> Result<(), Refusal> {
    let known = settings.hubs.iter().find(|known| known.name == *hub);
    match known.map(|known| &known.backend) {
        Some(Backend::HuggingFaceOrg { .. }) => Ok(()),
        Some(_) => Err(Refusal::bad_request(
            format!("hub {hub} has no client secret: its backend needs none"),
            "only hubs with backend `huggingface-org` have one",
        )),
        None => Err(no_hub(settings, hub)),
    }
}

pub(super) fn no_hub(settings: &IssuerSettings, hub: &HubName) -> Refusal {
    let names: Vec<&str> = settings
        .hubs
        .iter()
        .map(|known| known.name.as_str())
        .collect();
    Refusal::bad_request(
        format!("there is no hub {hub} in the configuration"),
        format!("name one of: {}", names.join(", ")),
    )
}

/// The secret on stdin. Never from an argument: others on the machine see those (R23).
fn given() -> Result<Secret, Refusal> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return Err(Refusal::bad_request(
            "the secret is read from stdin, and stdin is a terminal that would show it",
            "give a file: `oam-issuer secret set HUB < secret.txt`",
        ));
    }
    // Room for all of it: a buffer that grows leaves its old bytes behind.
    let mut text = Zeroizing::new(String::with_capacity(16 * 1024 + 1));
    let read = input.lock().take(CAP + 1).read_to_string(&mut text);
    let secret = text.trim();
    let plain = secret.chars().all(|c| c.is_ascii_graphic());
    if read.is_err() || text.len() > 16 * 1024 || secret.is_empty() || !plain {
        return Err(Refusal::bad_request(
            "what stands on stdin is not one secret of plain characters",
            "give the client secret alone, as the hub showed it",
        ));
    }
    Ok(Secret::new(secret.to_owned()))
}

/// Shows secrets: those of clients, or the issuer's own.
pub(super) fn list(show: &Printer, of_clients: bool) -> Result<u8, Refusal> {
    let Database { store, .. } = database::open(show)?;
    let rows = opening::wait(rows(&store, of_clients))??;
    let secrets: Vec<SecretReport> = rows.into_iter().map(report).collect();
    if show.json() {
        show.value(&SecretsReport { secrets });
        return Ok(0);
    }
    let table: Vec<Vec<Line>> = secrets
        .into_iter()
        .map(|row| {
            let hub = row
                .hub
                .map_or_else(|| "-".to_owned(), |hub| hub.to_string());
            let mut columns = vec![hub, row.number.to_string(), of_rfc3339(&row.made_at)];
            columns.push(
                row.good_until
                    .as_deref()
                    .map_or_else(|| "-".to_owned(), of_rfc3339),
            );
            if let Some(client) = row.client {
                columns.insert(0, client);
            }
            columns.into_iter().map(Line::from).collect()
        })
        .collect();
    let header = ["CLIENT", "HUB", "NUMBER", "MADE", "GOOD UNTIL"];
    if table.is_empty() {
        let (whose, how) = if of_clients {
            (
                "a hub's",
                "`oam-issuer client add NAME --hub HUB` makes one",
            )
        } else {
            ("the issuer's own", "`oam-issuer secret set HUB` sets one")
        };
        show.say(format!("no secret is kept that is {whose}; {how}"));
    }
    show.table(if of_clients { &header } else { &header[1..] }, &table);
    Ok(0)
}

async fn rows(store: &dyn Secrets, of_clients: bool) -> Result<Vec<SecretRow>, Refusal> {
    let owners = store
        .secret_owners()
        .await
        .map_err(|fault| fault.refusal())?;
    let mut found = Vec::new();
    for owner in owners {
        let wanted = match owner {
            SecretOwner::Client(_) => of_clients,
            SecretOwner::Hub(_) => !of_clients,
            SecretOwner::Directory(_) => false,
        };
        if wanted {
            found.extend(
                store
                    .secrets(owner)
                    .await
                    .map_err(|fault| fault.refusal())?,
            );
        }
    }
    Ok(found)
}

fn report(row: SecretRow) -> SecretReport {
    let (client, hub) = match row.owner {
        SecretOwner::Client(name) => (Some(name), row.hub),
        SecretOwner::Hub(hub) => (None, Some(hub)),
        SecretOwner::Directory(_) => (None, None),
    };
    SecretReport {
        client,
        hub,
        number: row.number,
        made_at: when(row.made_at_ms),
        good_until: row.until_ms.map(when),
    }
}

/// Drops all secrets of an owner.
pub(super) fn remove(show: &Printer, owner: SecretOwner) -> Result<u8, Refusal> {
    let Database { org, store, .. } = database::open(show)?;
    let words = secrets::of(&owner);
    let dropped = secrets::drop_all(&store, &org, owner, clock::now_ms());
    if opening::wait(dropped)?? == 0 {
        return Err(Refusal::bad_request(
            format!("there is no secret of {words}"),
            "see which there are: `oam-issuer secret list`, `oam-issuer client list`",
        ));
    }
    show.say(format!("the secrets of {words} are dropped"));
    Ok(0)
}
