//! `oam-issuer client`: hubs that may introspect tokens.

use super::database::{self, Database};
use super::opening;
use super::secret::{list, no_hub, remove};
use crate::show::Printer;
use clap::{Args, Subcommand};
use oam_config::duration;
use oam_issuer::secrets::{self, NewSecret};
use oam_model::name::HubName;
use oam_model::refusal::Refusal;
use oam_model::secret::{Secret, wire};
use oam_store::SecretOwner;
use oam_store::Secrets;
use oam_system::clock;
use serde::Serialize;
use zeroize::Zeroizing;

/// `oam-issuer client`.
#[derive(Debug, Args)]
pub struct ClientArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: ClientWhat,
}

/// What to do with registered clients.
#[derive(Debug, Subcommand)]
pub enum ClientWhat {
    /// Register a client, and print its secret: once, it is not kept.
    #[command(after_help = "Example:\n  oam-issuer client add hub-1 --hub models > secret.txt")]
    Add {
        /// The client's name: its client id.
        #[arg(value_parser = client_name)]
        name: String,
        /// The hub whose tokens it may look at.
        #[arg(long)]
        hub: HubName,
    },
    /// Give a client another secret, and print it.
    #[command(after_help = "Example:\n  oam-issuer client rotate hub-1 --overlap 24h > secret.txt")]
    Rotate {
        /// The client.
        #[arg(value_parser = client_name)]
        name: String,
        /// How long the secret before stays good.
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
        overlap: u64,
    },
    /// Show which clients there are.
    #[command(after_help = "Example:\n  oam-issuer client list --json")]
    List,
    /// Forget a client: it may look at nothing any more.
    #[command(after_help = "Example:\n  oam-issuer client drop hub-1")]
    Drop {
        /// The client.
        #[arg(value_parser = client_name)]
        name: String,
    },
}

/// `client add --json` and `client rotate --json`.
#[derive(Serialize)]
struct ClientReport<'a> {
    client: &'a str,
    hub: &'a HubName,
    #[serde(with = "wire")]
    secret: &'a Secret,
}

/// Runs it.
pub fn run(show: &Printer, args: &ClientArgs) -> u8 {
    show.done(match &args.what {
        ClientWhat::Add { name, hub } => add(show, name, hub),
        ClientWhat::Rotate { name, overlap } => rotate(show, name, *overlap),
        ClientWhat::List => list(show, true),
        ClientWhat::Drop { name } => remove(show, SecretOwner::Client(name.clone())),
    })
}

/// A client id that HTTP Basic carries as it is.
fn client_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 || !text.chars().all(plain) {
        return Err("a client's name has 1 to 64 letters, digits, `-`, `_` or `.`".to_owned());
    }
    Ok(text.to_owned())
}

fn add(show: &Printer, name: &str, hub: &HubName) -> Result<u8, Refusal> {
    let database = database::open(show)?;
    let settings = &database.settings;
    if !settings.hubs.iter().any(|known| known.name == *hub) {
        return Err(no_hub(settings, hub));
    }
    let owner = SecretOwner::Client(name.to_owned());
    let known = opening::wait(database.store.secrets(owner))?.map_err(|fault| fault.refusal())?;
    if !known.is_empty() {
        return Err(Refusal::bad_request(
            format!("client {name} is registered already"),
            format!("give it another secret with `oam-issuer client rotate {name}`"),
        ));
    }
    give(show, &database, name, hub, 0)
}

fn rotate(show: &Printer, name: &str, overlap_ms: u64) -> Result<u8, Refusal> {
    let database = database::open(show)?;
    let owner = SecretOwner::Client(name.to_owned());
    let known = opening::wait(database.store.secrets(owner))?.map_err(|fault| fault.refusal())?;
    let hub = known.into_iter().find_map(|row| row.hub).ok_or_else(|| {
        Refusal::bad_request(
            format!("there is no client {name}"),
            "see which there are with `oam-issuer client list`, or add it",
        )
    })?;
    give(show, &database, name, &hub, overlap_ms)
}

/// Makes a secret, keeps its hash, and prints it only when that is kept.
fn give(
    show: &Printer,
    database: &Database,
    name: &str,
    hub: &HubName,
    overlap_ms: u64,
) -> Result<u8, Refusal> {
    let secret = secrets::fresh_client_secret()?;
    let new = NewSecret {
        owner: SecretOwner::Client(name.to_owned()),
        value: secrets::hash_of(&secret)?,
        hub: Some(hub.clone()),
        overlap_ms,
        good_for_ms: None,
    };
    let put = secrets::put(&database.store, &database.org, new, clock::now_ms());
    opening::wait(put)??;
    if show.json() {
        show.value(&ClientReport {
            client: name,
            hub,
            secret: &secret,
        });
        return Ok(0);
    }
    show.raw(Zeroizing::new(format!("{}\n", secret.expose())).as_bytes());
    show.say(format!(
        "this is the secret of client {name}, which may introspect tokens of hub {hub}; it is not shown again"
    ));
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::client_name;

    #[test]
    fn a_clients_name_keeps_to_characters_that_basic_carries() {
        assert!(client_name("hub-1.eu_west").is_ok());
        for bad in ["", "a:b", "a b", "ä", &"x".repeat(65)] {
            assert!(client_name(bad).is_err(), "{bad}");
        }
    }
}
