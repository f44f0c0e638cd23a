//! Reading `[sources.NAME]`: whose tokens are taken.

mod access_tokens;
mod directory;
mod github;
mod poll;
mod tokens;

use super::member::claims;
use super::place::keys;
use super::preset::{PRESETS, Preset, is_any_tenant, is_pinned, kind_of, pins, preset};
use crate::address::issuer as check_issuer;
use crate::fields::{Fields, names};
use crate::provider::{checked, reauth};
use crate::suggest;
use crate::tree::{FaultCollector, KeyEntry, Span, shown};
use access_tokens::{access_tokens, check_access};
use directory::read_directory;
use github::read_github;
use oam_model::issuer::IdentitySource;
use oam_model::name::SourceName;
use oam_model::organization::SubjectKind;
use oam_model::principal::PrincipalKind;
use poll::read_poll;
use std::collections::BTreeMap;
use tokens::{algorithms, audiences, token_use};

const DAY_MS: u64 = 86_400_000;

const KEYS: [&str; 22] = [
    "every_job",
    "kind",
    "preset",
    "issuer",
    "audiences",
    "algorithms",
    "jwks_uri",
    "jwks_file",
    "subject",
    "access_tokens",
    "groups_claim",
    "groups_from_userinfo",
    "key_claim",
    "username_claim",
    "verified_emails",
    "reauth",
    "required",
    "longest_age",
    "once",
    "scim",
    "github",
    "directory",
];

/// Reads all sources. `url` is the issuer's own: the audience that a job's token has unless others are named.
pub(super) fn read_sources(
    root: &Fields<'_>,
    url: &str,
    report: &mut FaultCollector<'_>,
) -> Vec<IdentitySource> {
    let Some(entry) = root.entry("sources") else {
        root.missing("sources", report);
        return Vec::new();
    };
    let mut read: Vec<(Span, IdentitySource)> = Vec::new();
    for entry in names(&entry.node, "sources", report) {
        let Some(source) = read_source(entry, url, report) else {
            continue;
        };
        check_twin(&read, entry.place, &source, report);
        read.push((entry.place, source));
    }
    read.into_iter().map(|(_, source)| source).collect()
}

/// A token must be of one source for certain.
fn check_twin(
    known: &[(Span, IdentitySource)],
    place: Span,
    source: &IdentitySource,
    report: &mut FaultCollector<'_>,
) {
    for (_, other) in known {
        let both = source
            .audiences
            .iter()
            .find(|audience| other.audiences.contains(audience));
        if let Some(audience) = both.filter(|_| other.issuer == source.issuer) {
            report.add(
                place,
                format!(
                    "the sources `{}` and `{}` have the same issuer and the audience `{}`",
                    other.name,
                    source.name,
                    shown(audience)
                ),
                "keep one of them, or give each an audience of its own",
            );
        }
    }
}

fn read_source(
    entry: &KeyEntry,
    url: &str,
    report: &mut FaultCollector<'_>,
) -> Option<IdentitySource> {
    let path = format!("sources.{}", entry.key);
    let name = entry.key.parse::<SourceName>();
    if let Err(fault) = &name {
        report.add(entry.place, fault.to_string(), "choose another name");
    }
    let table = Fields::open(&entry.node, entry.place, &path, &KEYS, report);
    let preset = read_preset(&table, report);
    if preset.is_none() && table.entry("preset").is_some() {
        // What the right one would have brought is not missing.
        return None;
    }
    let kind = kind(&table, preset, report);
    let issuer = issuer(&table, preset, report);
    let known = kind_of(preset, issuer.as_deref());
    let audiences = audiences(&table, kind, known, url, report);
    let algorithms = algorithms(&table, preset, report);
    let keys = keys(&table, report);
    let subjects = [
        ("id-token", SubjectKind::IdToken),
        ("access-token", SubjectKind::AccessToken),
    ];
    let subject = table.choice("subject", &subjects, SubjectKind::IdToken, report);
    let access_tokens = access_tokens(&table, report);
    let groups_from_userinfo = table.yes("groups_from_userinfo", false, report);
    check_access(&table, subject, groups_from_userinfo, report);
    let required = required(&table, preset, report);
    let issuer = issuer?;
    let usual_age = preset.map_or(DAY_MS, |preset| preset.longest_age_ms);
    let source = IdentitySource {
        name: name.ok()?,
        kind,
        preset: preset.map(|preset| preset.word),
        reauth: reauth(&table, &issuer, report),
        directory: read_poll(&table, kind, &issuer, report),
        issuer,
        audiences,
        algorithms,
        keys,
        subject,
        access_tokens,
        groups_claim: word(&table, "groups_claim", "groups", report),
        groups_from_userinfo,
        key_claim: table
            .text("key_claim", report)
            .map(|text| text.value)
            .or(preset.and_then(|preset| preset.key_claim))
            .map(str::to_owned),
        username_claim: word(&table, "username_claim", usual_name(kind, preset), report),
        required,
        verified_emails: table.yes("verified_emails", false, report),
        every_job: table.yes("every_job", false, report),
        token_use: token_use(&table, kind, preset, report),
        longest_age_ms: table.duration("longest_age", 60_000..=30 * DAY_MS, usual_age, report),
        scim: read_directory(&table, kind, report),
        github: read_github(&table, kind, report),
    };
    check_strangers(&table, &source, report);
    Some(source)
}

fn required(
    table: &Fields<'_>,
    preset: Option<&Preset>,
    report: &mut FaultCollector<'_>,
) -> BTreeMap<String, Vec<String>> {
    let mut required = table
        .entry("required")
        .map(|entry| claims(entry, &table.path_of("required"), report))
        .unwrap_or_default();
    for (name, value) in preset.map_or(&[][..], |preset| preset.required) {
        required
            .entry((*name).to_owned())
            .or_insert_with(|| vec![(*value).to_owned()]);
    }
    required
}

fn usual_name(kind: PrincipalKind, preset: Option<&Preset>) -> &'static str {
    match (preset, kind) {
        (Some(preset), _) => preset.username_claim,
        (None, PrincipalKind::Person) => "preferred_username",
        (None, PrincipalKind::Job) => "sub",
    }
}

fn word(table: &Fields<'_>, key: &str, usual: &str, report: &mut FaultCollector<'_>) -> String {
    let text = table.text(key, report);
    text.map_or(usual, |text| text.value).to_owned()
}

fn read_preset(table: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<&'static Preset> {
    let text = table.text("preset", report)?;
    let found = preset(text.value);
    if found.is_none() {
        let known: Vec<&str> = PRESETS.iter().map(|preset| preset.word).collect();
        report.add(
            text.place,
            format!(
                "`{}` can't be `{}`",
                shown(&table.path_of("preset")),
                shown(text.value)
            ),
            suggest::advice(text.value, &known),
        );
    }
    found
}

fn kind(
    table: &Fields<'_>,
    preset: Option<&Preset>,
    report: &mut FaultCollector<'_>,
) -> PrincipalKind {
    let words = [
        ("person", PrincipalKind::Person),
        ("job", PrincipalKind::Job),
    ];
    let usual = if preset.is_some() {
        PrincipalKind::Job
    } else {
        PrincipalKind::Person
    };
    let kind = table.choice("kind", &words, usual, report);
    if let (Some(preset), PrincipalKind::Person, Some(entry)) = (preset, kind, table.entry("kind"))
    {
        report.add(
            entry.node.place,
            format!("`{}` is a source of jobs, not of people", preset.word),
            "remove `kind`",
        );
        return PrincipalKind::Job;
    }
    kind
}

fn issuer(
    table: &Fields<'_>,
    preset: Option<&Preset>,
    report: &mut FaultCollector<'_>,
) -> Option<String> {
    if let (Some(preset), None) = (preset, table.entry("issuer")) {
        if preset.issuer.usual.is_none() {
            report.add(
                table.place,
                format!(
                    "`{}` does not say whose {} it is",
                    shown(&table.path),
                    preset.name
                ),
                format!("add issuer = \"{}\", with your own", preset.issuer.example),
            );
        }
        return preset.issuer.usual.map(str::to_owned);
    }
    if let Some(text) = table
        .text("issuer", report)
        .filter(|t| is_any_tenant(t.value))
    {
        report.add(
            text.place,
            format!(
                "`{}` is the issuer of every Entra tenant, so anybody's people would be taken",
                shown(&table.path_of("issuer"))
            ),
            "write your own tenant's: `https://login.microsoftonline.com/TENANT-ID/v2.0`",
        );
        return None;
    }
    let read = checked(table, "issuer", true, check_issuer, report);
    check_form(table, preset, read.as_deref(), report);
    read
}

/// An address of another kind gives tokens with other claims: nothing that the preset pins would be in them.
fn check_form(
    table: &Fields<'_>,
    preset: Option<&Preset>,
    issuer: Option<&str>,
    report: &mut FaultCollector<'_>,
) {
    let (Some(preset), Some(issuer)) = (preset, issuer) else {
        return;
    };
    if (preset.issuer.fits)(issuer.trim_end_matches('/')) {
        return;
    }
    let place = table
        .entry("issuer")
        .map_or(table.place, |entry| entry.node.place);
    report.add(
        place,
        format!(
            "`{}` is no issuer of {}",
            shown(&table.path_of("issuer")),
            preset.name
        ),
        format!(
            "write it as in `{}`, or choose another preset",
            preset.issuer.example
        ),
    );
}

/// People of a shared issuer have to be pinned here, because each of them is somebody: a policy's rule "all
/// of this source" would let everybody in. Jobs are pinned here or in each rule of the policy.
fn check_strangers(table: &Fields<'_>, source: &IdentitySource, report: &mut FaultCollector<'_>) {
    let Some(pins) = pins(source).filter(|pins| pins.is_shared) else {
        return;
    };
    let required = source.required.iter();
    let mut pairs = required.map(|(name, values)| (name.as_str(), values.as_slice()));
    if source.kind == PrincipalKind::Job || is_pinned(pins.claims, &mut pairs) {
        return;
    }
    report.add(
        table.place,
        format!(
            "`{}` takes people of every organization at {}: {}",
            shown(&table.path),
            pins.name,
            pins.because
        ),
        format!("add required = {{ {} = \"…\" }}", pins.claims[0]),
    );
}
