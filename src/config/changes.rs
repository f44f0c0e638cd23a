//! What a new set-up changes, in words for the person who decides about it.

use crate::agent::{Exchange, Hub, Org, Provider};
use crate::duration::words;
use oam_model::count::counted;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    /// One line.
    pub text: String,
    /// Something that was there says another thing afterwards: not only more.
    pub replaces: bool,
}

/// The changes from `now` to `then`.
pub fn between(now: &Org, then: &Org) -> Vec<ConfigChange> {
    let mut list = Vec::new();
    let mut line = |what: &str, old: &str, new: &str| {
        if old != new {
            list.push(ConfigChange {
                text: format!("{what}: {old} -> {new}"),
                replaces: true,
            });
        }
    };
    let (a, b) = (&now.provider, &then.provider);
    line("identity provider", &a.issuer, &b.issuer);
    line("client", &a.client_id, &b.client_id);
    line("scopes", &a.scopes.join(" "), &b.scopes.join(" "));
    line("issuer", place(&now.exchange), place(&then.exchange));
    let redirect = |org: &Org| {
        let provider = &org.provider;
        format!("{} {}", provider.redirect_port, provider.redirect_path)
    };
    line("redirect", &redirect(now), &redirect(then));
    line("groups claim", &a.groups_claim, &b.groups_claim);
    line("new authentication", a.reauth.word(), b.reauth.word());
    let allowed = |provider: &Provider| if provider.device { "yes" } else { "no" };
    line("sign-in by device code", allowed(a), allowed(b));
    for (what, old, new) in [
        ("fresh", now.fresh_ms, then.fresh_ms),
        ("lease", now.lease_ms, then.lease_ms),
        ("session age", now.session_age_ms, then.session_age_ms),
    ] {
        line(what, &words(old), &words(new));
    }
    if a.extra != b.extra {
        list.push(ConfigChange {
            text: "other parameters of the sign-in".to_owned(),
            replaces: true,
        });
    }
    if now.exchange != then.exchange && place(&now.exchange) == place(&then.exchange) {
        list.push(ConfigChange {
            text: "other endpoints or another subject token at the issuer".to_owned(),
            replaces: true,
        });
    }
    if !now.roles.is_empty() && then.roles.is_empty() {
        list.push(ConfigChange {
            text: format!(
                "what is written here goes, {}: the issuer says the roles",
                counted(now.roles.len(), "role", "roles")
            ),
            replaces: true,
        });
    }
    list.extend(trust(a, b));
    list.extend(hubs(&now.hubs, &then.hubs));
    list
}

fn hubs(now: &[Hub], then: &[Hub]) -> Vec<ConfigChange> {
    let find = |hubs: &'_ [Hub], wanted: &Hub| hubs.iter().find(|h| h.name == wanted.name).cloned();
    let gone = now
        .iter()
        .filter(|hub| find(then, hub).is_none())
        .map(|hub| ConfigChange {
            text: format!("hub {} goes: {}", hub.name, hub.url),
            replaces: true,
        });
    let new = then.iter().filter_map(|hub| match find(now, hub) {
        None => Some(ConfigChange {
            text: format!("hub {} is new: {}", hub.name, hub.url),
            replaces: false,
        }),
        Some(old) if old == *hub => None,
        Some(old) if old.url != hub.url => Some(ConfigChange {
            text: format!("hub {}: {} -> {}", hub.name, old.url, hub.url),
            replaces: true,
        }),
        Some(_) => Some(ConfigChange {
            text: format!("hub {}: how its tools take the token", hub.name),
            replaces: true,
        }),
    });
    gone.chain(new).collect()
}

/// Whom TLS trusts, and through whom requests go.
fn trust(now: &Provider, then: &Provider) -> Vec<ConfigChange> {
    let both = [
        ("CA file", &now.ca_file, &then.ca_file),
        ("proxy", &now.proxy, &then.proxy),
    ];
    let changed = both.into_iter().filter(|(_, old, new)| old != new);
    changed
        .map(|(what, old, new)| ConfigChange {
            text: format!(
                "{what}: {} -> {}",
                told(old.as_deref()),
                told(new.as_deref())
            ),
            replaces: old.is_some(),
        })
        .collect()
}

fn told(text: Option<&str>) -> &str {
    text.unwrap_or("none")
}

fn place(exchange: &Exchange) -> &str {
    match exchange {
        Exchange::Rfc8693(exchange) => &exchange.token_endpoint,
        Exchange::Issuer(issuer) => &issuer.url,
    }
}

#[cfg(test)]
mod tests {
    use super::between;
    use crate::agent::Org;
    use crate::organization::fixture::acme;
    use crate::organization::settings;

    type Edit = fn(&mut Org);

    fn org() -> Org {
        settings(&acme()).unwrap()
    }

    #[test]
    fn the_same_set_up_changes_nothing_and_roots_are_told() {
        let (now, mut then) = (org(), org());
        assert_eq!(between(&now, &then), []);
        then.provider.ca_file = Some("/etc/ssl/acme.pem".into());
        let added = between(&now, &then);
        assert_eq!(added.len(), 1);
        assert_eq!(added[0].text, "CA file: none -> /etc/ssl/acme.pem");
        assert!(!added[0].replaces && between(&then, &now)[0].replaces);
    }

    #[test]
    fn a_new_hub_adds_and_everything_else_replaces() {
        let (now, mut then) = (org(), org());
        let mut hub = then.hubs[0].clone();
        hub.name = "more".parse().unwrap();
        then.hubs.push(hub);
        let added = between(&now, &then);
        assert_eq!(added.len(), 1);
        assert!(!added[0].replaces && added[0].text.contains("hub more is new"));
        assert!(between(&then, &now)[0].replaces);
        let changes: [(Edit, &str); 6] = [
            (|o| o.provider.issuer.push('x'), "identity provider"),
            (|o| o.provider.client_id.push('x'), "client"),
            (|o| o.hubs[0].url.push('x'), "hub models"),
            (|o| o.hubs[0].username.push('x'), "takes the token"),
            (|o| o.lease_ms += 60_000, "lease: 10 minutes -> 11 minutes"),
            (
                |o| o.provider.extra.extend([("a".into(), "b".into())]),
                "other parameters",
            ),
        ];
        for (change, said) in changes {
            let mut then = org();
            change(&mut then);
            let found = between(&now, &then);
            assert_eq!(found.len(), 1, "{found:?}");
            let text = found[0].text.replace("take the token", "takes the token");
            assert!(
                found[0].replaces && text.contains(said),
                "{said}: {found:?}"
            );
        }
    }
}
