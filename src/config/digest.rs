//! A digest of what a session is bound to (promise 9).

use super::agent::{Body, Exchange, Org, SubjectToken};
use aws_lc_rs::digest::{Context, SHA256};

/// Grows when what is digested changes: a new version asks for a new login once.
const FORM: &str = "oam binding 1";

/// SHA-256, lower-case hex, over the identity provider, client, exchange, hub URLs, and whom TLS trusts and
/// through whom it goes.
///
/// Roles, groups, durations and scopes are not in it: they may change without a login, because they
/// do not say who gets a session or a token. A hub's name is, because grants use it: two hubs whose
/// URLs change places would send each other's tokens.
pub fn binding(org: &Org) -> String {
    let mut form = Canonical(Context::new(&SHA256));
    form.text(FORM);
    form.text(&org.provider.issuer);
    form.text(&org.provider.client_id);
    form.option(org.provider.ca_file.as_deref());
    match &org.exchange {
        Exchange::Rfc8693(exchange) => {
            form.text("rfc8693");
            form.text(&exchange.token_endpoint);
            form.text(match exchange.body {
                Body::Form => "form",
                Body::Json => "json",
            });
            form.text(subject_word(exchange.subject));
            form.option(exchange.client_id.as_deref());
            form.option(exchange.audience.as_deref());
            form.option(exchange.resource.as_deref());
            form.option(exchange.scope.as_deref());
            form.option(exchange.revocation_endpoint.as_deref());
        }
        Exchange::Issuer(issuer) => {
            form.text("issuer");
            for text in [
                &issuer.url,
                &issuer.token_endpoint,
                &issuer.revocation_endpoint,
                &issuer.roles_endpoint,
                &issuer.why_endpoint,
                &issuer.feed_endpoint,
                &issuer.records_endpoint,
            ] {
                form.text(text);
            }
            form.text(subject_word(issuer.subject));
        }
    }
    // By name: the order in the file says nothing.
    let mut hubs: Vec<_> = org.hubs.iter().collect();
    hubs.sort_by(|a, b| a.name.cmp(&b.name));
    form.length(hubs.len());
    for hub in hubs {
        form.text(hub.name.as_str());
        form.text(&hub.url);
        form.text(hub.kind.word());
    }
    // Only where they are there: a session that knows nothing of them is bound as it was before they counted.
    let provider = &org.provider;
    for (name, value) in [
        ("ca", &provider.ca_sha256),
        ("proxy", &provider.proxy),
        ("environment", &provider.environment),
    ] {
        if let Some(value) = value {
            form.text(name);
            form.text(value);
        }
    }
    form.hex()
}

const fn subject_word(subject: SubjectToken) -> &'static str {
    match subject {
        SubjectToken::IdToken => "id-token",
        SubjectToken::AccessToken => "access-token",
    }
}

/// Every text with its length in front, so that no two settings give the same bytes.
struct Canonical(Context);

impl Canonical {
    fn length(&mut self, length: usize) {
        self.0.update(&(length as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text.as_bytes());
    }

    fn option(&mut self, text: Option<&str>) {
        self.0.update(&[u8::from(text.is_some())]);
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn hex(self) -> String {
        hex::encode(self.0.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::binding;
    use crate::agent::{Org, SourceText, read};

    const FILE: &str = include_str!("../../packaging/config.example.toml");

    fn org(text: &str) -> Org {
        read(None, Some(SourceText { name: "f", text }))
            .map_err(|faults| format!("{faults:?}"))
            .unwrap()
            .orgs
            .remove(0)
    }

    #[test]
    fn what_could_redirect_a_session_changes_the_digest() {
        let before = org(FILE);
        let changes: [fn(&mut Org); 16] = [
            |o| o.provider.ca_sha256 = Some("another".into()),
            |o| o.provider.proxy = Some("http://evil.example:8080".into()),
            |o| o.provider.environment = Some("another".into()),
            |o| o.provider.issuer.push('/'),
            |o| o.provider.client_id.push('x'),
            |o| o.provider.ca_file = Some("/tmp/evil.pem".into()),
            |o| exchange(o).token_endpoint.push('x'),
            |o| exchange(o).body = crate::agent::Body::Json,
            |o| exchange(o).subject = crate::agent::SubjectToken::AccessToken,
            |o| exchange(o).client_id = Some("x".into()),
            |o| exchange(o).audience = None,
            |o| exchange(o).resource = Some("x".into()),
            |o| exchange(o).revocation_endpoint = None,
            |o| o.hubs[0].url.push('x'),
            |o| o.hubs[0].kind = crate::agent::HubKind::GitLab,
            |o| {
                let url = o.hubs[0].url.clone();
                o.hubs[0].url = std::mem::replace(&mut o.hubs[1].url, url);
            },
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut after = before.clone();
            change(&mut after);
            assert_ne!(binding(&before), binding(&after), "change {index}");
        }
    }

    fn exchange(org: &mut Org) -> &mut crate::agent::Rfc8693 {
        match &mut org.exchange {
            crate::agent::Exchange::Rfc8693(exchange) => exchange,
            crate::agent::Exchange::Issuer(_) => panic!("the example has no issuer"),
        }
    }

    #[test]
    fn whatever_could_redirect_a_session_to_another_issuer_changes_the_digest() {
        use crate::agent::{Exchange, IssuerExchange, SubjectToken};
        let mut before = org(FILE);
        let rfc8693 = binding(&before);
        before.exchange = Exchange::Issuer(IssuerExchange::at("https://issuer.example"));
        assert_ne!(rfc8693, binding(&before));
        let changes: [fn(&mut IssuerExchange); 8] = [
            |i| i.url.push('x'),
            |i| i.token_endpoint.push('x'),
            |i| i.revocation_endpoint.push('x'),
            |i| i.roles_endpoint.push('x'),
            |i| i.why_endpoint.push('x'),
            |i| i.feed_endpoint.push('x'),
            |i| i.records_endpoint.push('x'),
            |i| i.subject = SubjectToken::AccessToken,
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut after = before.clone();
            if let Exchange::Issuer(issuer) = &mut after.exchange {
                change(issuer);
            }
            assert_ne!(binding(&before), binding(&after), "change {index}");
        }
    }

    #[test]
    fn what_may_change_without_a_login_does_not() {
        let before = org(FILE);
        let mut after = before.clone();
        after.roles.clear();
        after.fresh_ms += 1;
        after.lease_ms += 1;
        after.session_age_ms += 1;
        after.hubs.reverse();
        after.provider.scopes.push("groups".into());
        assert_eq!(binding(&before), binding(&after));
        assert_eq!(binding(&before).len(), 64);
    }

    #[test]
    fn text_that_moves_from_one_setting_to_the_next_changes_the_digest() {
        let mut a = org(FILE);
        let mut b = a.clone();
        exchange(&mut a).audience = Some("xy".into());
        exchange(&mut a).resource = Some("z".into());
        exchange(&mut b).audience = Some("x".into());
        exchange(&mut b).resource = Some("yz".into());
        assert_ne!(binding(&a), binding(&b));
    }
}
