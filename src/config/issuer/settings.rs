//! Reading `issuer.toml` as a whole.

use super::hub::read_hubs;
use super::listen;
use super::place::{absolute, needed_secret, secret};
use super::source::read_sources;
use super::transmitter::read_transmitters;
use crate::address;
use crate::fields::Fields;
use crate::provider::{checked, needs_proxy};
use crate::tree::{FaultCollector, Node, Value};
use oam_model::issuer::{Anchors, IssuerSettings, ServerLimits, Signing, SigningAlgorithm};
use std::ops::RangeInclusive;

const DAY_MS: u64 = 86_400_000;

const KEYS: [&str; 19] = [
    "url",
    "listen",
    "tls",
    "trusted_proxies",
    "database",
    "marker",
    "anchors",
    "policy",
    "master_key",
    "signing",
    "sources",
    "hubs",
    "transmitters",
    "limits",
    "heartbeat",
    "metrics_token",
    "ca_file",
    "proxy",
    "proxy_auth_file",
];

/// Reads the whole tree; none when a fault was found that leaves no value to go on with.
pub(super) fn read_settings(
    tree: &Node,
    report: &mut FaultCollector<'_>,
) -> Option<IssuerSettings> {
    let root = Fields::open(tree, tree.place, "", &KEYS, report);
    let url = url(&root, report);
    let listening = listen::read(&root, url.as_deref(), report);
    let database = needed_path(&root, "database", report);
    let marker = absolute(&root, "marker", report);
    let anchors = anchors(&root, report);
    let policy = needed_path(&root, "policy", report);
    let master_key = needed_secret(&root, "master_key", report);
    let signing = signing(&root, report);
    let sources = read_sources(&root, url.as_deref().unwrap_or_default(), report);
    let hubs = read_hubs(&root, report);
    let source_names: Vec<&str> = match root.entry("sources").map(|entry| &entry.node.value) {
        Some(Value::Table(entries)) => entries.iter().map(|e| e.key.as_str()).collect(),
        _ => Vec::new(),
    };
    let transmitters = read_transmitters(&root, &sources, &source_names, report);
    let limits = limits(&root, report);
    let heartbeat_ms = root.duration("heartbeat", 1_000..=60_000, 15_000, report);
    let metrics_token = secret(&root, "metrics_token", report);
    let ca_file = absolute(&root, "ca_file", report);
    let proxy = checked(&root, "proxy", false, address::proxy, report);
    let proxy_auth_file = absolute(&root, "proxy_auth_file", report);
    needs_proxy(&root, report);
    Some(IssuerSettings {
        url: url?,
        listen: listening.listen,
        tls: listening.tls,
        trusted_proxies: listening.trusted_proxies,
        database: database?,
        marker,
        anchors,
        policy: policy?,
        master_key: master_key?,
        signing,
        sources,
        hubs,
        transmitters,
        limits,
        heartbeat_ms,
        metrics_token,
        ca_file,
        proxy,
        proxy_auth_file,
    })
}

/// The issuer's own address has no path: `/.well-known/…` of RFC 8414 would stand elsewhere, outside of
/// what this server answers.
fn url(root: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<String> {
    let text = root.required("url", report)?;
    match address::origin(text.value) {
        Ok(address) => Some(address.url),
        Err(fault) => {
            // The words about repositories are for hubs.
            let next = if fault.what == "has a path" {
                "write scheme and host only: clients find everything else from there".to_owned()
            } else {
                fault.next
            };
            report.add(text.place, format!("`url` {}", fault.what), next);
            None
        }
    }
}

fn needed_path(root: &Fields<'_>, key: &str, report: &mut FaultCollector<'_>) -> Option<String> {
    if root.entry(key).is_none() {
        root.missing(key, report);
    }
    absolute(root, key, report)
}

fn anchors(root: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<Anchors> {
    let entry = root.entry("anchors")?;
    let known = ["file", "command", "every"];
    let table = Fields::open(&entry.node, entry.place, "anchors", &known, report);
    let file = absolute(&table, "file", report);
    let command = table.texts("command", report);
    let command = command.map_or_else(Vec::new, |texts| texts.value);
    if let Some(program) = command.first()
        && !std::path::Path::new(program.value).is_absolute()
    {
        report.add(
            program.place,
            "`anchors.command` does not begin with an absolute path",
            "write the program's whole path, then its arguments, each as a text of its own",
        );
    }
    if table.entry("file").is_none() && command.is_empty() {
        report.add(
            entry.place,
            "`anchors` names neither a file nor a command",
            "write `file = \"/…\"`, or `command = [\"/…\", …]` that gets each anchor on stdin",
        );
    }
    Some(Anchors {
        file,
        command: command.iter().map(|text| text.value.to_owned()).collect(),
        every_ms: table.duration("every", 1_000..=DAY_MS, 300_000, report),
    })
}

fn signing(root: &Fields<'_>, report: &mut FaultCollector<'_>) -> Signing {
    let mut signing = Signing {
        algorithm: SigningAlgorithm::Es256,
        announce_ms: DAY_MS / 24,
    };
    let Some(entry) = root.entry("signing") else {
        return signing;
    };
    let known = ["algorithm", "announce"];
    let table = Fields::open(&entry.node, entry.place, "signing", &known, report);
    let words = [
        ("ES256", SigningAlgorithm::Es256),
        ("EdDSA", SigningAlgorithm::EdDsa),
    ];
    signing.algorithm = table.choice("algorithm", &words, signing.algorithm, report);
    signing.announce_ms =
        table.duration("announce", 60_000..=7 * DAY_MS, signing.announce_ms, report);
    signing
}

/// What holds where nothing is said.
const USUAL: ServerLimits = ServerLimits {
    body_bytes: 1 << 20,
    request_ms: 10_000,
    exchanges_per_minute: 120,
    burst: 60,
    feeds: 20_000,
    connections: 32_768,
    connections_per_address: 1_024,
    records_per_day: 50_000,
    record_bytes_per_day: 32 << 20,
    audit_days: 0,
};

fn limits(root: &Fields<'_>, report: &mut FaultCollector<'_>) -> ServerLimits {
    let Some(entry) = root.entry("limits") else {
        return USUAL;
    };
    let known = [
        "body_bytes",
        "request",
        "exchanges_per_minute",
        "burst",
        "feeds",
        "connections",
        "connections_per_address",
        "records_per_day",
        "record_bytes_per_day",
        "audit_days",
    ];
    let table = Fields::open(&entry.node, entry.place, "limits", &known, report);
    let mut number =
        |key: &str, range: RangeInclusive<u64>, usual: u64| table.whole(key, range, usual, report);
    let rate = |found: u64, usual: u32| u32::try_from(found).unwrap_or(usual);
    let size = |found: u64, usual: usize| usize::try_from(found).unwrap_or(usual);
    let u = USUAL;
    let body = number("body_bytes", 16_384..=16 << 20, u.body_bytes as u64);
    let a_minute = number(
        "exchanges_per_minute",
        1..=100_000,
        u64::from(u.exchanges_per_minute),
    );
    let burst = number("burst", 1..=100_000, u64::from(u.burst));
    let feeds = number("feeds", 1..=1_000_000, u.feeds as u64);
    let connections = number("connections", 16..=1_000_000, u.connections as u64);
    let key = "connections_per_address";
    let of_address = number(key, 1..=1_000_000, u.connections_per_address as u64);
    let records_per_day = number("records_per_day", 1..=10_000_000, u.records_per_day);
    let key = "record_bytes_per_day";
    let record_bytes_per_day = number(key, 65_536..=1 << 40, u.record_bytes_per_day);
    let audit_days = number("audit_days", 0..=36_500, u.audit_days);
    ServerLimits {
        body_bytes: size(body, u.body_bytes),
        request_ms: table.duration("request", 1_000..=60_000, u.request_ms, report),
        exchanges_per_minute: rate(a_minute, u.exchanges_per_minute),
        burst: rate(burst, u.burst),
        feeds: size(feeds, u.feeds),
        connections: size(connections, u.connections),
        connections_per_address: size(of_address, u.connections_per_address),
        records_per_day,
        record_bytes_per_day,
        audit_days,
    }
}
