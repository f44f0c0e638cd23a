//! `audit export`.

use super::Format;
use super::reading::{Progress, pages};
use crate::show::Printer;
use oam_issuer::when::when;
use oam_model::count::counted;
use oam_model::line::escaped;
use oam_model::refusal::Refusal;
use oam_store::{AuditFilter, AuditLine, AuditTrail};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The columns: members of an entry, and the time for people.
const COLUMNS: [&str; 20] = [
    "seq",
    "time",
    "at_ms",
    "event",
    "org",
    "request_id",
    "source",
    "person",
    "name",
    "role",
    "hub",
    "repository",
    "action",
    "rule",
    "from",
    "token_sha256",
    "expires_at",
    "refusal",
    "detail",
    "hash",
];

/// Prints what matches, page by page.
///
/// # Errors
/// The store's fault.
pub(super) async fn run(
    show: &Printer,
    store: &dyn AuditTrail,
    filter: AuditFilter,
    format: Format,
) -> Result<u8, Refusal> {
    let mut progress = Progress::new(show);
    let mut count = 0;
    let mut odd = 0;
    if format == Format::Csv {
        show.raw(&csv(&[], true, &mut odd));
    }
    pages(store, &filter, 0, |page| {
        match format {
            Format::Jsonl => show.raw(&jsonl(page, show.to_terminal())),
            Format::Csv => show.raw(&csv(page, false, &mut odd)),
        }
        count += page.len() as u64;
        progress.at(count, "entries");
        !show.is_over()
    })
    .await?;
    drop(progress);
    if count == 0 {
        show.say("no entry matches");
        show.next("leave a filter out, or widen it; `oam-issuer people NAME` tells by which name somebody is known");
    }
    if odd > 0 {
        let odd = counted(odd, "entry", "entries");
        show.say(format!("left out, because they could not be read: {odd}"));
        show.next("run `oam-issuer audit verify`");
        return Ok(1);
    }
    Ok(0)
}

/// The bytes that were hashed, so that others can check the chain; to a terminal made harmless.
pub(super) fn jsonl(page: &[AuditLine], terminal: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in page {
        if terminal {
            bytes.extend_from_slice(escaped(&line.line).as_bytes());
        } else {
            bytes.extend_from_slice(line.line.as_bytes());
        }
        bytes.push(b'\n');
    }
    bytes
}

/// A page as rows; lines that are no JSON are counted.
pub(super) fn csv(page: &[AuditLine], header: bool, odd: &mut u64) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut failed = header && writer.write_record(COLUMNS).is_err();
    for line in page {
        match serde_json::from_str::<Map<String, Value>>(&line.line) {
            Ok(entry) => {
                let cells = COLUMNS.iter().map(|column| cell(&entry, column));
                failed |= writer.write_record(cells).is_err();
            }
            Err(_) => *odd += 1,
        }
    }
    // Writing to memory can't fail; if it did, the rows are missing and that is told.
    let bytes = writer.into_inner().unwrap_or_default();
    *odd += u64::from(failed);
    bytes
}

fn cell(entry: &Map<String, Value>, column: &str) -> String {
    let text = match (column, entry.get(column)) {
        ("time", _) => entry.get("at_ms").and_then(Value::as_u64).map(when),
        (_, Some(Value::String(text))) => Some(text.clone()),
        (_, Some(Value::Null) | None) => None,
        (_, Some(other)) => Some(other.to_string()),
    };
    text.map(|text| harmless(&text).into_owned())
        .unwrap_or_default()
}

/// A cell that a spreadsheet would calculate begins with a quotation mark instead, which it shows as text.
/// Names come from other parties, and an export is opened by whoever looks into an incident.
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}
