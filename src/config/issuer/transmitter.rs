//! Reading `[transmitters.NAME]`: who may send signals about a source's people.

use super::place::{keys, secret, some_texts};
use crate::address::issuer;
use crate::fields::{Fields, names};
use crate::provider::checked;
use crate::suggest;
use crate::tree::{FaultCollector, KeyEntry, Span, shown};
use oam_model::issuer::{IdentitySource, Transmitter};
use oam_model::principal::PrincipalKind;

const HOUR_MS: u64 = 3_600_000;

/// Reads all transmitters. `names_of_sources` holds the faulty ones too, so that one fault does not make two.
pub(super) fn read_transmitters(
    root: &Fields<'_>,
    sources: &[IdentitySource],
    names_of_sources: &[&str],
    report: &mut FaultCollector<'_>,
) -> Vec<Transmitter> {
    let Some(entry) = root.entry("transmitters") else {
        return Vec::new();
    };
    let mut read: Vec<(Span, Transmitter)> = Vec::new();
    for entry in names(&entry.node, "transmitters", report) {
        let Some(one) = read_transmitter(entry, sources, names_of_sources, report) else {
            continue;
        };
        let twin = read.iter().any(|(_, other)| {
            other.issuer == one.issuer && other.audiences.iter().any(|a| one.audiences.contains(a))
        });
        if twin {
            report.add(
                entry.place,
                format!(
                    "two transmitters have the issuer `{}` and an audience in common",
                    shown(&one.issuer)
                ),
                "keep one of them: a signal must be of one for certain",
            );
        }
        read.push((entry.place, one));
    }
    read.into_iter().map(|(_, one)| one).collect()
}

fn read_transmitter(
    entry: &KeyEntry,
    sources: &[IdentitySource],
    names_of_sources: &[&str],
    report: &mut FaultCollector<'_>,
) -> Option<Transmitter> {
    const KEYS: [&str; 7] = [
        "issuer",
        "jwks_uri",
        "jwks_file",
        "audiences",
        "source",
        "authorization",
        "live_for",
    ];
    let path = format!("transmitters.{}", entry.key);
    let table = Fields::open(&entry.node, entry.place, &path, &KEYS, report);
    let issuer = checked(&table, "issuer", true, issuer, report);
    let keys = keys(&table, report);
    let why = "name the audience of the stream: a signal for another receiver is none for us";
    let audiences = some_texts(&table, "audiences", why, report);
    let source = table.required("source", report);
    let authorization = secret(&table, "authorization", report);
    let live_for_ms = table.duration("live_for", 0..=HOUR_MS, 0, report);
    let source = source.and_then(|named| {
        if !names_of_sources.contains(&named.value) {
            report.add(
                named.place,
                format!("there is no source `{}`", shown(named.value)),
                suggest::advice(named.value, names_of_sources),
            );
        }
        let found = sources.iter().find(|s| s.name.as_str() == named.value)?;
        if found.kind == PrincipalKind::Job {
            report.add(
                named.place,
                format!(
                    "the source `{}` is one of jobs, which have no session",
                    found.name
                ),
                "name a source of people",
            );
        }
        Some(found.name.clone())
    });
    Some(Transmitter {
        issuer: issuer?,
        keys,
        audiences: audiences.iter().map(|t| t.value.to_owned()).collect(),
        source: source?,
        authorization,
        live_for_ms,
    })
}
