//! Which hub owns a host: exact host and port, never a suffix or a pattern (R5, R6).

use crate::model::ask::HubRef;
use crate::model::refusal::Refusal;
use crate::model::settings::{Hub, Org, Settings};

/// What was found.
#[derive(Debug)]
pub enum Owner<'a> {
    /// This hub of this organization.
    Hub(&'a Org, &'a Hub),
    /// Nobody's: a git helper stays silent.
    Nobody,
    /// Ours by host and port, but not by protocol, or named and not there.
    Refused(Refusal),
}

/// Finds the hub.
pub fn owner<'a>(settings: &'a Settings, wanted: &HubRef) -> Owner<'a> {
    match wanted {
        HubRef::Url { protocol, host } => by_url(settings, protocol, host),
        HubRef::Name(name) => {
            let mut found = hubs(settings).filter(|(_, hub)| hub.name == *name);
            match (found.next(), found.next()) {
                (Some((org, hub)), None) => Owner::Hub(org, hub),
                (None, _) => Owner::Refused(Refusal::bad_request(
                    format!("no configured hub is named {name}"),
                    format!("use one of: {}", names(settings)),
                )),
                (Some((one, _)), Some((two, _))) => Owner::Refused(Refusal::bad_request(
                    format!("both {} and {} have a hub named {name}", one.name, two.name),
                    "name the hub by its URL",
                )),
            }
        }
        HubRef::Only => only(settings),
    }
}

fn only(settings: &Settings) -> Owner<'_> {
    let of_default = |org: &Org| {
        settings
            .default_org
            .as_ref()
            .is_none_or(|name| *name == org.name)
    };
    let mut found = hubs(settings).filter(|(org, _)| of_default(org));
    match (found.next(), found.next()) {
        (Some((org, hub)), None) => Owner::Hub(org, hub),
        (None, _) => Owner::Refused(Refusal::bad_request(
            "no hub is configured",
            "add one to config.toml; `oam config path` names the file",
        )),
        _ => Owner::Refused(Refusal::bad_request(
            "more than one hub is configured",
            format!("name one with --hub: {}", names(settings)),
        )),
    }
}

fn hubs(settings: &Settings) -> impl Iterator<Item = (&Org, &Hub)> {
    settings
        .orgs
        .iter()
        .flat_map(|org| org.hubs.iter().map(move |hub| (org, hub)))
}

fn names(settings: &Settings) -> String {
    let list: Vec<&str> = hubs(settings).map(|(_, hub)| hub.name.as_str()).collect();
    if list.is_empty() {
        "(none is configured)".into()
    } else {
        list.join(", ")
    }
}

fn by_url<'a>(settings: &'a Settings, protocol: &str, host: &str) -> Owner<'a> {
    let Some(asked) = Authority::parse(host, protocol) else {
        return Owner::Nobody;
    };
    for (org, hub) in hubs(settings) {
        let Some((scheme, authority)) = hub.url.split_once("://") else {
            continue;
        };
        if Authority::parse(authority, scheme).as_ref() != Some(&asked) {
            continue;
        }
        if scheme == protocol {
            return Owner::Hub(org, hub);
        }
        return Owner::Refused(Refusal::denied(
            format!(
                "the hub {} is configured with {scheme}, and {protocol} was asked for",
                hub.name
            ),
            format!("use {} in the remote's URL", hub.url),
        ));
    }
    Owner::Nobody
}

/// Host and port, compared as bytes with ASCII case folded; nothing is decoded or resolved.
#[derive(Debug, PartialEq, Eq)]
struct Authority {
    host: String,
    port: u16,
}

impl Authority {
    /// `None` for anything but a plain host with an optional plain port.
    fn parse(text: &str, protocol: &str) -> Option<Self> {
        let default = match protocol {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (inside, after) = rest.split_once(']')?;
            let port = if after.is_empty() {
                None
            } else {
                Some(after.strip_prefix(':')?)
            };
            (format!("[{inside}]"), port)
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host.to_owned(), Some(port)),
                None => (text.to_owned(), None),
            }
        };
        let plain =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '[' | ']' | ':');
        if host.is_empty() || host.ends_with('.') || !host.chars().all(plain) {
            return None;
        }
        let port = port.map_or(Some(default), port_number)?;
        Some(Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }
}

fn port_number(text: &str) -> Option<u16> {
    let plain =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Owner, owner};
    use crate::model::ask::HubRef;
    use crate::rules::desk::fixture::settings;

    fn verdict(protocol: &str, host: &str) -> &'static str {
        let settings = settings();
        let wanted = HubRef::Url {
            protocol: protocol.into(),
            host: host.into(),
        };
        match owner(&settings, &wanted) {
            Owner::Hub(..) => "ours",
            Owner::Nobody => "nobody",
            Owner::Refused(_) => "refused",
        }
    }

    #[test]
    fn only_the_exact_host_and_port_are_ours() {
        assert_eq!(verdict("https", "hub.acme.example"), "ours");
        assert_eq!(verdict("https", "HUB.acme.example"), "ours");
        assert_eq!(verdict("https", "hub.acme.example:443"), "ours");
        for look_alike in [
            "hub.acme.example.",
            "xhub.acme.example",
            "hub.acme.example.evil.test",
            "ada@hub.acme.example",
            "hub.acme.example:8443",
            "hub.acme.example:0443",
            "hub.acme.example:65979",
            "hub.acme.example:",
            "hub%2eacme.example",
            "hub.acme.example:+443",
            "hüb.acme.example",
            "*.acme.example",
            "",
            "hub.acme.example\u{2028}",
            "hub.acme.example:443:443",
        ] {
            assert_eq!(verdict("https", look_alike), "nobody", "{look_alike:?}");
        }
    }

    #[test]
    fn http_for_an_https_hub_is_never_answered() {
        assert_eq!(verdict("http", "hub.acme.example"), "nobody");
        assert_eq!(verdict("http", "hub.acme.example:443"), "refused");
        assert_eq!(verdict("ssh", "hub.acme.example"), "nobody");
    }
}
