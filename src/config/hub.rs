//! Reading the hubs of an organization.

use super::address::{self, HubAddress};
use super::agent::{Hub, HubKind};
use super::fields::{Fields, Placed, names};
use super::tree::{FaultCollector, KeyEntry, Span, shown};
use oam_model::granted::Scheme;
use oam_model::name::HubName;

/// A hub with what is needed to compare it to others.
pub(super) struct ReadHub {
    pub(super) hub: Hub,
    /// Where it is named.
    pub(super) named: Span,
    /// Where its URL stands.
    pub(super) url: Span,
    pub(super) address: HubAddress,
}

const KINDS: [(&str, HubKind); 4] = [
    ("git", HubKind::Git),
    ("huggingface", HubKind::HuggingFace),
    ("github", HubKind::GitHub),
    ("gitlab", HubKind::GitLab),
];

/// Keys of a hub.
pub(super) const KEYS: [&str; 5] = ["url", "kind", "auth", "username", "variables"];

/// Reads `[orgs.NAME.hubs]`.
pub(super) fn read_hubs(org: &Fields<'_>, report: &mut FaultCollector<'_>) -> Vec<ReadHub> {
    let Some(entry) = org.entry("hubs") else {
        return Vec::new();
    };
    let path = org.path_of("hubs");
    names(&entry.node, &path, report)
        .iter()
        .filter_map(|entry| read_hub(entry, &path, report))
        .collect()
}

fn read_hub(entry: &KeyEntry, path: &str, report: &mut FaultCollector<'_>) -> Option<ReadHub> {
    let path = format!("{path}.{}", entry.key);
    let name = entry.key.parse::<HubName>();
    if let Err(fault) = &name {
        report.add(entry.place, fault.to_string(), "choose another name");
    }
    let table = Fields::open(&entry.node, entry.place, &path, &KEYS, report);
    read_opened(&table, name.ok(), report)
}

/// Reads the [`KEYS`] of a hub's table; none when it has no address or no name to go on with.
pub(super) fn read_opened(
    table: &Fields<'_>,
    name: Option<HubName>,
    report: &mut FaultCollector<'_>,
) -> Option<ReadHub> {
    let kind = table.choice("kind", &KINDS, HubKind::Git, report);
    let schemes = [("basic", Scheme::Basic), ("bearer", Scheme::Bearer)];
    let scheme = table.choice("auth", &schemes, Scheme::Basic, report);
    let username = username(table, kind, report);
    let variables = variables(table, kind, report);
    let url = table.required("url", report)?;
    // Git hosts have whole hosts; a registry serves a model hub below a path of its own.
    let checked = match kind {
        HubKind::HuggingFace => address::hub(url.value),
        HubKind::Git | HubKind::GitHub | HubKind::GitLab => address::origin(url.value),
    };
    let address = match checked {
        Ok(address) => address,
        Err(fault) => {
            let key = shown(&table.path_of("url"));
            report.add(url.place, format!("`{key}` {}", fault.what), fault.next);
            return None;
        }
    };
    Some(ReadHub {
        hub: Hub {
            name: name?,
            url: address.url.clone(),
            kind,
            scheme,
            username,
            variables,
        },
        named: table.place,
        url: url.place,
        address,
    })
}

fn username(table: &Fields<'_>, kind: HubKind, report: &mut FaultCollector<'_>) -> String {
    let usual = match kind {
        HubKind::Git => "oam",
        HubKind::HuggingFace => "hf_user",
        HubKind::GitHub => "x-access-token",
        HubKind::GitLab => "oauth2",
    };
    let Some(text) = table.text("username", report) else {
        return usual.to_owned();
    };
    // RFC 7617 §2: the first colon ends the user name.
    if text.value.contains(':') {
        report.add(
            text.place,
            format!("`{}` has a colon", shown(&table.path_of("username"))),
            format!("write a user name such as `{usual}`"),
        );
    }
    text.value.to_owned()
}

fn variables(table: &Fields<'_>, kind: HubKind, report: &mut FaultCollector<'_>) -> Vec<String> {
    let Some(Placed { value, .. }) = table.texts("variables", report) else {
        // Hugging Face tools get a file (HF_TOKEN_PATH) that follows renewals, which is better
        // than any variable.
        let usual: &[&str] = match kind {
            HubKind::GitHub => &["GH_TOKEN", "GITHUB_TOKEN"],
            HubKind::GitLab => &["GITLAB_TOKEN"],
            HubKind::Git | HubKind::HuggingFace => &[],
        };
        return usual.iter().map(|name| (*name).to_owned()).collect();
    };
    for variable in &value {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !variable.value.chars().all(plain)
            || variable.value.starts_with(|c: char| c.is_ascii_digit())
        {
            report.add(
                variable.place,
                format!("`{}` is not the name of a variable", shown(variable.value)),
                "use letters, digits and `_`, and no digit in front",
            );
        }
    }
    value.iter().map(|v| v.value.to_owned()).collect()
}
