//! Reading `[hubs.NAME]`: for which hubs tokens are made, and how.

use crate::fields::{Fields, Placed, choose, names};
use crate::hub::{KEYS, ReadHub, read_opened};
use crate::tree::{FaultCollector, KeyEntry, shown};
use oam_model::issuer::{Backend, IssuerHub};
use oam_model::name::HubName;

/// How a token is made, as words.
#[derive(Clone, Copy)]
enum Way {
    Jwt,
    Publisher,
    Org,
}

const WAYS: [(&str, Way); 3] = [
    ("jwt", Way::Jwt),
    ("huggingface-trusted-publisher", Way::Publisher),
    ("huggingface-org", Way::Org),
];

pub(super) fn read_hubs(root: &Fields<'_>, report: &mut FaultCollector<'_>) -> Vec<IssuerHub> {
    let Some(entry) = root.entry("hubs") else {
        root.missing("hubs", report);
        return Vec::new();
    };
    let mut known: Vec<ReadHub> = Vec::new();
    let mut hubs = Vec::new();
    for entry in names(&entry.node, "hubs", report) {
        let (read, backend) = read_hub(entry, report);
        let Some(read) = read else { continue };
        let same = known
            .iter()
            .find(|known| known.address.overlaps(&read.address));
        if let Some(other) = same {
            report.add(
                read.url,
                format!(
                    "the hubs `{}` and `{}` have the same host and port, and no paths that keep them apart",
                    other.hub.name, read.hub.name
                ),
                "keep one of them and give its grants the repositories of both",
            );
        }
        hubs.extend(backend.map(|backend| issuer_hub(&read, backend)));
        known.push(read);
    }
    hubs
}

fn issuer_hub(read: &ReadHub, backend: Backend) -> IssuerHub {
    let hub = read.hub.clone();
    IssuerHub {
        name: hub.name,
        url: hub.url,
        kind: hub.kind,
        scheme: hub.scheme,
        username: hub.username,
        variables: hub.variables,
        backend,
    }
}

fn read_hub(
    entry: &KeyEntry,
    report: &mut FaultCollector<'_>,
) -> (Option<ReadHub>, Option<Backend>) {
    let path = format!("hubs.{}", entry.key);
    let name = entry.key.parse::<HubName>();
    if let Err(fault) = &name {
        report.add(entry.place, fault.to_string(), "choose another name");
    }
    let mut known = KEYS.to_vec();
    known.push("backend");
    let table = Fields::open(&entry.node, entry.place, &path, &known, report);
    let hub = read_opened(&table, name.ok(), report);
    let backend = backend(&table, report);
    if let (Some(read), Some(Backend::Jwt { .. })) = (&hub, &backend) {
        check_foreign(read, report);
    }
    (hub, backend)
}

/// Hosts that take their own tokens only: one that the issuer signs would be refused by each request, and the fault
/// be found by people who push.
fn check_foreign(read: &ReadHub, report: &mut FaultCollector<'_>) {
    const HOSTS: [&str; 9] = [
        "github.com",
        "api.github.com",
        "gitlab.com",
        "huggingface.co",
        "hf.co",
        "bitbucket.org",
        "codeberg.org",
        "dev.azure.com",
        "ghcr.io",
    ];
    let (host, _) = &read.address.host_and_port;
    let name = host.strip_prefix("www.").unwrap_or(host);
    if !HOSTS.contains(&name) {
        return;
    }
    let next = if name.starts_with('h') {
        "write kind = \"huggingface-trusted-publisher\" or \"huggingface-org\""
    } else {
        "name a server that is configured to trust this issuer; this version makes no tokens of that host"
    };
    report.add(
        read.url,
        format!("{host} takes no tokens that this issuer signs, so backend = \"jwt\" would be refused there"),
        next,
    );
}

fn backend(hub: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<Backend> {
    let Some(entry) = hub.entry("backend") else {
        hub.missing("backend", report);
        return None;
    };
    let path = hub.path_of("backend");
    let known = ["kind", "audience", "client_id"];
    let table = Fields::open(&entry.node, entry.place, &path, &known, report);
    let kind = table.required("kind", report)?;
    let way = choose(kind, &table.path_of("kind"), &WAYS, report)?;
    let audience = table.text("audience", report);
    let client_id = table.text("client_id", report);
    if let Some(text) = audience.filter(|_| !matches!(way, Way::Jwt)) {
        unused(&table, "audience", text, "jwt", report);
    }
    if let Some(text) = client_id.filter(|_| !matches!(way, Way::Org)) {
        unused(&table, "client_id", text, "huggingface-org", report);
    }
    match way {
        Way::Jwt => Some(Backend::Jwt {
            audience: audience.map(|text| text.value.to_owned()),
        }),
        Way::Publisher => Some(Backend::HuggingFaceTrustedPublisher),
        Way::Org => Some(Backend::HuggingFaceOrg {
            client_id: table.required("client_id", report)?.value.to_owned(),
        }),
    }
}

fn unused(
    table: &Fields<'_>,
    key: &str,
    text: Placed<&str>,
    kind: &str,
    report: &mut FaultCollector<'_>,
) {
    report.add(
        text.place,
        format!(
            "`{}` is only for kind = \"{kind}\"",
            shown(&table.path_of(key))
        ),
        "remove it, or choose the other kind",
    );
}
