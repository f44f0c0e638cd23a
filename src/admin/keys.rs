//! `oam-issuer keys list|rotate|master`.

use super::database::{self, Database};
use super::opening;
use crate::show::{Line, Printer, Style};
use clap::{Args, Subcommand};
use oam_issuer::keys;
use oam_issuer::seal::MasterKey;
use oam_issuer::when::when;
use oam_model::refusal::Refusal;
use oam_model::secret::{Secret, wire};
use oam_policy::keys::{KeyLife, KeyState, published, state};
use oam_store::Secrets;
use oam_system::clock;
use oam_terminal::moment::of_rfc3339;
use serde::Serialize;
use zeroize::Zeroizing;

/// `oam-issuer keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: KeysWhat,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeysWhat {
    /// Show the signing keys: which one signs, which are published, until when.
    #[command(
        after_help = "Example:\n  oam-issuer keys list --json | jq '.keys[] | select(.state == \"signing\")'"
    )]
    List,
    /// Make a new signing key: published at once, it signs when hubs have had time to see it.
    #[command(after_help = "Examples:\n  oam-issuer keys rotate\n  oam-issuer keys rotate --now")]
    Rotate {
        /// Sign with it at once, for a key that others may have: hubs that keep an older key set refuse
        /// tokens until they look again.
        #[arg(long)]
        now: bool,
    },
    /// Print a fresh master key, for the file or credential that `master_key` names.
    #[command(
        after_help = "Example:\n  (umask 077; oam-issuer keys master > /etc/oam/secrets/master.key)\n\nA database that exists \
            needs the key it was made with: a lost master key means new signing keys and new client secrets."
    )]
    Master,
}

/// `keys list --json`.
#[derive(Serialize)]
struct KeysReport {
    keys: Vec<KeyReport>,
}

#[derive(Serialize)]
struct KeyReport {
    kid: String,
    algorithm: &'static str,
    state: &'static str,
    made_at: String,
    signs_from: String,
    gone_at: Option<String>,
}

/// `keys rotate --json`.
#[derive(Serialize)]
struct RotationReport {
    kid: String,
    signs_from: String,
    follows: Option<String>,
    follows_until: Option<String>,
}

/// `keys master --json`.
#[derive(Serialize)]
struct MasterReport<'a> {
    #[serde(with = "wire")]
    master_key: &'a Secret,
}

/// Runs it.
pub fn run(show: &Printer, args: &KeysArgs) -> u8 {
    show.done(match args.what {
        KeysWhat::List => list(show),
        KeysWhat::Rotate { now } => rotate(show, now),
        KeysWhat::Master => master(show),
    })
}

fn list(show: &Printer) -> Result<u8, Refusal> {
    let Database { store, .. } = database::open(show)?;
    let mut rows = opening::wait(store.keys())?.map_err(|fault| fault.refusal())?;
    let now_ms = clock::now_ms();
    let lives: Vec<KeyLife> = rows.iter().map(keys::life).collect();
    // Newest first, those that are gone and not yet dropped at the end.
    let order: Vec<&str> = published(&lives, now_ms)
        .into_iter()
        .map(|life| life.kid.as_str())
        .collect();
    rows.sort_by_key(|row| {
        order
            .iter()
            .position(|kid| *kid == row.kid)
            .unwrap_or(usize::MAX)
    });
    let reports: Vec<(KeyState, KeyReport)> = rows
        .iter()
        .map(|row| {
            let state = state(&lives, &keys::life(row), now_ms);
            let report = KeyReport {
                kid: row.kid.clone(),
                algorithm: keys::alg(row.algorithm),
                state: state.word(),
                made_at: when(row.made_at_ms),
                signs_from: when(row.signs_from_ms),
                gone_at: row.gone_at_ms.map(when),
            };
            (state, report)
        })
        .collect();
    if show.json() {
        let keys = reports.into_iter().map(|(_, report)| report).collect();
        show.value(&KeysReport { keys });
        return Ok(0);
    }
    let table: Vec<Vec<Line>> = reports
        .into_iter()
        .map(|(state, report)| columns(state, report))
        .collect();
    show.table(
        &["KEY", "ALG", "STATE", "MADE", "SIGNS FROM", "GONE AT"],
        &table,
    );
    Ok(0)
}

fn columns(state: KeyState, report: KeyReport) -> Vec<Line> {
    let look = match state {
        KeyState::Signing => Style::Strong,
        KeyState::Announced | KeyState::Retired => Style::Plain,
        KeyState::Gone => Style::Faint,
    };
    [
        report.kid,
        report.algorithm.to_owned(),
        report.state.to_owned(),
        of_rfc3339(&report.made_at),
        of_rfc3339(&report.signs_from),
        report
            .gone_at
            .as_deref()
            .map_or_else(|| "-".to_owned(), of_rfc3339),
    ]
    .map(|text| Line::new().look(look, text))
    .into()
}

fn rotate(show: &Printer, now: bool) -> Result<u8, Refusal> {
    let Database {
        settings,
        org,
        store,
    } = database::open(show)?;
    let master = MasterKey::read(&settings.master_key)?;
    let now_ms = clock::now_ms();
    let made = keys::rotate(&store, &master, settings.signing, &org, now_ms, now);
    let rotated = opening::wait(made)??;
    let (follows, follows_until) = rotated.follows.map_or((None, None), |row| {
        (Some(row.kid), row.gone_at_ms.map(when))
    });
    let report = RotationReport {
        kid: rotated.made.kid,
        signs_from: when(rotated.made.signs_from_ms),
        follows,
        follows_until,
    };
    if show.json() {
        show.value(&report);
        return Ok(0);
    }
    show.line(report.kid.as_str());
    let when = if rotated.made.signs_from_ms > now_ms {
        format!(
            "it is published now and signs from {} on",
            of_rfc3339(&report.signs_from)
        )
    } else {
        "it signs now".to_owned()
    };
    show.say(when);
    if let (Some(kid), Some(until)) = (report.follows, report.follows_until) {
        show.say(format!(
            "{kid}, which it follows, is published until {}",
            of_rfc3339(&until)
        ));
    }
    Ok(0)
}

fn master(show: &Printer) -> Result<u8, Refusal> {
    let fresh = MasterKey::fresh().map_err(|fault| {
        Refusal::unavailable(format!("no key could be made: {fault}"), "try again")
    })?;
    if show.json() {
        show.value(&MasterReport { master_key: &fresh });
    } else {
        show.raw(Zeroizing::new(format!("{}\n", fresh.expose())).as_bytes());
    }
    Ok(0)
}
