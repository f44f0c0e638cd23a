//! `oam diagnose`: what somebody who helps needs to see, without a secret, listed before it is written.

mod scrub;

use super::agent_client::{AgentClient, OtherVersion};
use super::args::DiagnoseArgs;
use super::setup::disk::{self, FileAccess};
use super::{Done, doctor, places, status};
use oam_model::refusal::Refusal;
use oam_terminal::{Line, Show, Style};
use oam_wire::message::VERSION;
use scrub::{config, scrubbed};
use serde::Serialize;
use serde_json::{Value, json};
use std::env;
use std::fs;
use std::path::Path;

/// The agent's messages that are taken, lines from the end.
const MESSAGES: usize = 300;

/// Variables whose being set matters; their values are left out.
const VARIABLES: &[&str] = &[
    "ALL_PROXY",
    "CI",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "GIT_CONFIG_COUNT",
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HF_TOKEN_PATH",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "HUGGING_FACE_HUB_TOKEN",
    "NO_PROXY",
    "OAM_ID_TOKEN",
    "OAM_ISSUER",
    "OAM_LOG",
    "OAM_NO_AUTOSTART",
    "SSH_CONNECTION",
    "WAYLAND_DISPLAY",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "https_proxy",
];

/// One part of the bundle.
#[derive(Serialize)]
struct Part {
    name: &'static str,
    /// What it is, for the list.
    about: &'static str,
    content: Value,
}

/// `oam diagnose --json`: the list; the file has the content besides.
#[derive(Serialize)]
struct ListRow<'a> {
    name: &'a str,
    about: &'a str,
    bytes: usize,
}

#[derive(Serialize)]
struct Report<'a> {
    parts: Vec<ListRow<'a>>,
    written: Option<&'a Path>,
}

/// Lists what would be written, and writes it where a file is named.
pub fn run(show: &Show, args: &DiagnoseArgs) -> Done {
    let parts = parts(show);
    let texts: Vec<String> = parts.iter().map(text).collect();
    if let Some(file) = &args.to {
        list(show, &parts, &texts);
        write(file, &texts)?;
    }
    if show.json() {
        show.value(&Report {
            parts: rows(&parts, &texts),
            written: args.to.as_deref(),
        });
    } else if let Some(file) = &args.to {
        show.line(format!("wrote {}", file.display()));
        show.next("read it once more, then send it to who helps you");
    } else {
        list(show, &parts, &texts);
        show.next("write it with --to FILE; nothing was written, and nothing is sent by itself");
    }
    Ok(0)
}

fn rows<'a>(parts: &'a [Part], texts: &[String]) -> Vec<ListRow<'a>> {
    let rows = parts.iter().zip(texts).map(|(part, text)| ListRow {
        name: part.name,
        about: part.about,
        bytes: text.len(),
    });
    rows.collect()
}

fn list(show: &Show, parts: &[Part], texts: &[String]) {
    if show.json() {
        return;
    }
    let rows: Vec<Vec<Line>> = rows(parts, texts)
        .into_iter()
        .map(|row| {
            vec![
                Line::new().look(Style::Strong, row.name),
                format!("{} bytes", row.bytes).into(),
                row.about.into(),
            ]
        })
        .collect();
    show.table(&["part", "size", "what"], &rows);
}

/// A part as it is written.
fn text(part: &Part) -> String {
    json!(part).to_string()
}

/// Every text in it without what could be a secret; before it is JSON, whose escapes would hide where one begins.
fn clean(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(scrubbed(&text)),
        Value::Array(list) => list.into_iter().map(clean).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| (key, clean(value)))
            .collect(),
        other => other,
    }
}

fn write(file: &Path, texts: &[String]) -> Result<(), Refusal> {
    if file.exists() {
        return Err(Refusal::bad_request(
            format!("{} is there already", file.display()),
            "name a file that is not",
        ));
    }
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let all = format!("[\n{}\n]\n", texts.join(",\n"));
    disk::write(&file, all.as_bytes(), FileAccess::Private)
}

fn parts(show: &Show) -> Vec<Part> {
    let part = |name, about, content| Part {
        name,
        about,
        content: clean(content),
    };
    vec![
        part(
            "system",
            "versions, and which variables are set, without their values",
            system(),
        ),
        part("doctor", "what `oam doctor` finds", doctor::findings(show)),
        part(
            "status",
            "what `oam status --json` says, without who is signed in",
            state(show),
        ),
        part(
            "config",
            "the configuration of the company and yours, without comments",
            configuration(),
        ),
        part(
            "agent-log",
            "the agent's last messages; not the audit log",
            messages(),
        ),
    ]
}

fn system() -> Value {
    let set: Vec<&str> = VARIABLES
        .iter()
        .copied()
        .filter(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
        .collect();
    json!({"version": VERSION, "os": env::consts::OS, "arch": env::consts::ARCH, "variables": set})
}

fn state(show: &Show) -> Value {
    let asked = AgentClient::open(show, OtherVersion::Name);
    match asked.and_then(|mut link| status::ask(&mut link)) {
        Err(refusal) => json!({"refusal": refusal.sentence}),
        Ok(mut report) => {
            for org in &mut report.orgs {
                org.subject = None;
                org.email = None;
            }
            json!(report)
        }
    }
}

fn configuration() -> Value {
    let read = |path: &Path| {
        let text = fs::read_to_string(path).ok()?;
        Some(config(&text))
    };
    json!({
        "company": read(&places::company_config()),
        "user": places::user_config().as_deref().and_then(read),
    })
}

fn messages() -> Value {
    let folder = places::audit_folder();
    let path = folder.and_then(|audit| Some(audit.parent()?.join("agent.log")));
    let text = path.and_then(|path| fs::read_to_string(path).ok());
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    json!(lines[lines.len().saturating_sub(MESSAGES)..])
}
