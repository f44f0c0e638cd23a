//! Which hub owns a host: exact host and port, never a suffix or a pattern (R5, R6).

use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::settings::{Hub, HubKind, Org, Settings};
use oam_model::token_request::{HubRef, TokenRequest};

/// What was found.
#[derive(Debug)]
pub enum Owner<'a> {
    /// This hub of this organization.
    Hub(&'a Org, &'a Hub),
    /// None was named, and these come into question: the roles decide, see [`among`].
    Several(Vec<(&'a Org, &'a Hub)>),
    /// Nobody's: a git helper stays silent.
    Nobody,
    /// Ours by host and port, but not by protocol, or named and not there.
    Refused(Refusal),
}

/// Finds the hub.
pub fn owner<'a>(settings: &'a Settings, ask: &TokenRequest) -> Owner<'a> {
    match &ask.hub {
        HubRef::Url { protocol, host } => by_url(settings, protocol, host, ask),
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
        HubRef::Only => unnamed(settings, None),
        HubRef::Kind(kind) => unnamed(settings, Some(*kind)),
    }
}

fn unnamed(settings: &Settings, kind: Option<HubKind>) -> Owner<'_> {
    let of_default = |org: &Org| {
        settings
            .default_org
            .as_ref()
            .is_none_or(|name| *name == org.name)
    };
    let found: Vec<(&Org, &Hub)> = hubs(settings)
        .filter(|(org, hub)| of_default(org) && kind.is_none_or(|kind| kind == hub.kind))
        .collect();
    match (found.as_slice(), kind) {
        ([(org, hub)], _) => Owner::Hub(org, hub),
        ([], None) => Owner::Refused(Refusal::bad_request(
            "no hub is configured",
            "add one to config.toml; `oam config path` names the file",
        )),
        ([], Some(kind)) => Owner::Refused(Refusal::bad_request(
            format!("no hub of the kind {} is configured", kind.word()),
            format!("name another with --hub: {}", names(settings)),
        )),
        _ => Owner::Several(found),
    }
}

/// The place in `asked` of the hub that answers, from what each of them says of the ask: the only one whose
/// roles cover it, else the default one.
///
/// # Errors
/// Several would grant it and none is the default one; or none would.
pub fn among(
    settings: &Settings,
    asked: &[(&Hub, Option<&Refusal>)],
    what: &str,
) -> Result<usize, Refusal> {
    let default = |(_, (hub, _)): &(usize, &(&Hub, Option<&Refusal>))| {
        settings.default_hub.as_ref() == Some(&hub.name)
    };
    let grants: Vec<(usize, &(&Hub, Option<&Refusal>))> = asked
        .iter()
        .enumerate()
        .filter(|(_, (_, refused))| refused.is_none())
        .collect();
    match grants.as_slice() {
        [(at, _)] => return Ok(*at),
        [] => {}
        several => {
            if let Some((at, _)) = several.iter().find(|one| default(one)) {
                return Ok(*at);
            }
            let list: Vec<&str> = several
                .iter()
                .map(|(_, (hub, _))| hub.name.as_str())
                .collect();
            return Err(Refusal::bad_request(
                format!(
                    "your roles cover {what} on more than one hub: {}",
                    list.join(", ")
                ),
                "name one with --hub, or set `default_hub` in config.toml",
            ));
        }
    }
    // Nobody grants it. What is not the policy's word (nobody is signed in, the roles are not known) is the
    // answer; and where one hub is the default, so is its answer.
    let other = |(_, refused): &&(&Hub, Option<&Refusal>)| {
        refused.is_some_and(|refusal| refusal.code != RefusalCode::Denied)
    };
    if let Some(at) = asked.iter().position(|one| other(&one)) {
        return Ok(at);
    }
    if let Some((at, _)) = asked.iter().enumerate().find(default) {
        return Ok(at);
    }
    let list: Vec<&str> = asked.iter().map(|(hub, _)| hub.name.as_str()).collect();
    Err(Refusal::denied(
        format!(
            "no role of yours covers {what} on any hub: {}",
            list.join(", ")
        ),
        "see `oam roles`; name the hub with --hub to hear what is missing there",
    ))
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

fn by_url<'a>(settings: &'a Settings, protocol: &str, host: &str, ask: &TokenRequest) -> Owner<'a> {
    let Some(asked) = Authority::parse(host, protocol) else {
        return Owner::Nobody;
    };
    for (org, hub) in hubs(settings) {
        let Some((scheme, rest)) = hub.url.split_once("://") else {
            continue;
        };
        let authority = rest.split('/').next().unwrap_or(rest);
        if Authority::parse(authority, scheme).as_ref() != Some(&asked) || !ask.is_below(&hub.url) {
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
    use super::{Owner, among, owner};
    use crate::machine::fixture::settings;
    use oam_model::refusal::{Refusal, RefusalCode};
    use oam_model::settings::{Hub, HubKind, Settings};
    use oam_model::token_request::{HubRef, Intent, TokenRequest};

    fn ask(hub: HubRef) -> TokenRequest {
        TokenRequest {
            hub,
            path: None,
            intent: Intent::Read,
            role: None,
        }
    }

    fn verdict(protocol: &str, host: &str) -> &'static str {
        let settings = settings();
        let wanted = HubRef::Url {
            protocol: protocol.into(),
            host: host.into(),
        };
        match owner(&settings, &ask(wanted)) {
            Owner::Hub(..) => "ours",
            Owner::Several(_) => "several",
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

    /// The fixture's hub with these names and kinds.
    fn with(named: &[(&str, HubKind)]) -> Settings {
        let mut settings = settings();
        let hub = settings.orgs[0].hubs[0].clone();
        settings.orgs[0].hubs = named
            .iter()
            .map(|(name, kind)| Hub {
                name: name.parse().unwrap(),
                url: format!("https://{name}.acme.example"),
                kind: *kind,
                ..hub.clone()
            })
            .collect();
        settings
    }

    fn answered(settings: &Settings, covered: &[bool]) -> Result<String, Refusal> {
        let Owner::Several(found) = owner(settings, &ask(HubRef::Only)) else {
            panic!("one hub");
        };
        let refusal = Refusal::denied("no role", "ask for one");
        let asked: Vec<(&Hub, Option<&Refusal>)> = found
            .iter()
            .zip(covered)
            .map(|((_, hub), covered)| (*hub, (!covered).then_some(&refusal)))
            .collect();
        among(settings, &asked, "acme/model").map(|at| asked[at].0.name.to_string())
    }

    #[test]
    fn of_several_hubs_the_one_that_the_roles_cover_answers() {
        let mut settings = with(&[("git", HubKind::Git), ("models", HubKind::HuggingFace)]);
        assert_eq!(answered(&settings, &[false, true]).unwrap(), "models");
        let tie = answered(&settings, &[true, true]).unwrap_err();
        assert!(tie.sentence.contains("git, models"), "{tie:?}");
        assert!(tie.next.contains("default_hub"), "{tie:?}");
        let none = answered(&settings, &[false, false]).unwrap_err();
        assert_eq!(none.code, RefusalCode::Denied);
        assert!(none.sentence.contains("acme/model"), "{none:?}");
        settings.default_hub = Some("git".parse().unwrap());
        assert_eq!(answered(&settings, &[true, true]).unwrap(), "git");
        assert_eq!(answered(&settings, &[false, true]).unwrap(), "models");
        assert_eq!(answered(&settings, &[false, false]).unwrap(), "git");
    }

    #[test]
    fn a_tool_of_one_kind_takes_the_only_hub_of_that_kind() {
        let settings = with(&[
            ("git", HubKind::Git),
            ("models", HubKind::HuggingFace),
            ("code", HubKind::GitHub),
        ]);
        let of = |kind| owner(&settings, &ask(HubRef::Kind(kind)));
        assert!(
            matches!(of(HubKind::HuggingFace), Owner::Hub(_, hub) if hub.name.as_str() == "models")
        );
        assert!(
            matches!(of(HubKind::GitLab), Owner::Refused(refusal) if refusal.next.contains("--hub"))
        );
    }

    #[test]
    fn http_for_an_https_hub_is_never_answered() {
        assert_eq!(verdict("http", "hub.acme.example"), "nobody");
        assert_eq!(verdict("http", "hub.acme.example:443"), "refused");
        assert_eq!(verdict("ssh", "hub.acme.example"), "nobody");
    }
}
