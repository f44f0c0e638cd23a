//! Reading `[orgs.NAME.exchange]`: how a session becomes a role token.

use super::address;
use super::agent::{Body, Exchange, IssuerExchange, Rfc8693, SubjectToken};
use super::fields::{Fields, choose};
use super::pattern::check_template;
use super::provider::checked;
use super::tree::{FaultCollector, Node, Value, shown};

/// The kinds of exchange.
#[derive(Clone, Copy)]
enum Kind {
    Rfc8693,
    Issuer,
}

const KINDS: [(&str, Kind); 2] = [("rfc8693", Kind::Rfc8693), ("issuer", Kind::Issuer)];

const SUBJECTS: [(&str, SubjectToken); 2] = [
    ("id-token", SubjectToken::IdToken),
    ("access-token", SubjectToken::AccessToken),
];

const RFC8693_KEYS: [&str; 9] = [
    "kind",
    "token_endpoint",
    "body",
    "subject",
    "client_id",
    "audience",
    "resource",
    "scope",
    "revocation_endpoint",
];

const ISSUER_KEYS: [&str; 9] = [
    "kind",
    "url",
    "token_endpoint",
    "revocation_endpoint",
    "roles_endpoint",
    "why_endpoint",
    "feed_endpoint",
    "records_endpoint",
    "subject",
];

/// Reads the exchange of an organization. With an issuer the organization has no roles of its own:
/// two lists of who may do what would contradict each other one day.
pub(super) fn read_exchange(org: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<Exchange> {
    let Some(entry) = org.entry("exchange") else {
        org.missing("exchange", report);
        return None;
    };
    let path = org.path_of("exchange");
    // The kind says which keys there are; a file without one is read as the older kind.
    let keys = if is_issuer(&entry.node) {
        &ISSUER_KEYS
    } else {
        &RFC8693_KEYS
    };
    let table = Fields::open(&entry.node, entry.place, &path, keys, report);
    // Asked for, not assumed: a default would turn one file's meaning.
    let kind = table.required("kind", report);
    let kind = kind.and_then(|kind| choose(kind, &table.path_of("kind"), &KINDS, report));
    match kind {
        Some(Kind::Issuer) => {
            if let Some(roles) = org.entry("roles") {
                report.add(
                    roles.place,
                    format!(
                        "`{}` has roles of its own, and its issuer says the roles",
                        shown(&org.path)
                    ),
                    "remove them here; the issuer's policy names roles, members and grants",
                );
            }
            read_issuer(&table, report).map(Exchange::Issuer)
        }
        Some(Kind::Rfc8693) | None => read_rfc8693(&table, report).map(Exchange::Rfc8693),
    }
}

fn is_issuer(node: &Node) -> bool {
    let Value::Table(entries) = &node.value else {
        return false;
    };
    entries.iter().any(|entry| {
        entry.key == "kind" && matches!(&entry.node.value, Value::Text(text) if text == "issuer")
    })
}

fn read_issuer(table: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<IssuerExchange> {
    let url = checked(table, "url", true, address::issuer, report);
    let usual = IssuerExchange::at(url.as_deref().unwrap_or_default());
    let mut endpoint = |key: &str, usual: String| {
        checked(table, key, false, address::endpoint, report).unwrap_or(usual)
    };
    let issuer = IssuerExchange {
        url: usual.url,
        token_endpoint: endpoint("token_endpoint", usual.token_endpoint),
        revocation_endpoint: endpoint("revocation_endpoint", usual.revocation_endpoint),
        roles_endpoint: endpoint("roles_endpoint", usual.roles_endpoint),
        why_endpoint: endpoint("why_endpoint", usual.why_endpoint),
        feed_endpoint: endpoint("feed_endpoint", usual.feed_endpoint),
        records_endpoint: endpoint("records_endpoint", usual.records_endpoint),
        subject: table.choice("subject", &SUBJECTS, SubjectToken::IdToken, report),
    };
    url.map(|_| issuer)
}

fn read_rfc8693(table: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<Rfc8693> {
    let token_endpoint = checked(table, "token_endpoint", true, address::endpoint, report);
    let bodies = [("form", Body::Form), ("json", Body::Json)];
    let body = table.choice("body", &bodies, Body::Form, report);
    let subject = table.choice("subject", &SUBJECTS, SubjectToken::IdToken, report);
    let client_id = table.text("client_id", report);
    let audience = template(table, "audience", report);
    let resource = template(table, "resource", report);
    let scope = template(table, "scope", report);
    let revocation = checked(
        table,
        "revocation_endpoint",
        false,
        address::endpoint,
        report,
    );
    Some(Rfc8693 {
        token_endpoint: token_endpoint?,
        body,
        subject,
        client_id: client_id.map(|t| t.value.to_owned()),
        audience,
        resource,
        scope,
        revocation_endpoint: revocation,
    })
}

fn template(table: &Fields<'_>, key: &str, report: &mut FaultCollector<'_>) -> Option<String> {
    let text = table.text(key, report)?;
    if let Err((what, next)) = check_template(text.value) {
        let path = table.path_of(key);
        report.add(text.place, format!("`{}` {what}", shown(&path)), next);
    }
    Some(text.value.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::agent::{Exchange, IssuerExchange, Org, SourceText, SubjectToken, read};

    const EXAMPLE: &str = include_str!("../../packaging/config.issuer.example.toml");

    fn org(text: &str) -> Result<Org, String> {
        let read = read(None, Some(SourceText { name: "f", text }));
        let words = |faults: Vec<_>| {
            faults
                .iter()
                .fold(String::new(), |all, f| format!("{all}{f}\n"))
        };
        read.map(|mut settings| settings.orgs.remove(0))
            .map_err(words)
    }

    fn with(line: &str) -> Result<Org, String> {
        org(&EXAMPLE.replace("subject = \"id-token\"", line))
    }

    #[test]
    fn two_lines_are_enough_and_the_endpoints_follow_from_the_url() {
        let org = with("").unwrap();
        let usual = IssuerExchange::at("https://issuer.acme.example");
        assert_eq!(org.exchange, Exchange::Issuer(usual));
        assert_eq!(
            org.exchange.token_endpoint(),
            "https://issuer.acme.example/oauth/token"
        );
        assert!(org.roles.is_empty());
        assert_eq!(
            IssuerExchange::at("https://i.example/t/").feed_endpoint,
            "https://i.example/t/v1/feed"
        );
    }

    #[test]
    fn the_commented_lines_say_the_defaults() {
        let text = EXAMPLE.lines().fold(String::new(), |all, line| {
            let bare = line.strip_prefix("# ").unwrap_or(line);
            let keep = bare
                .split_once(" = ")
                .is_some_and(|(key, _)| key.ends_with("_endpoint"));
            format!("{all}{}\n", if keep { bare } else { line })
        });
        assert_ne!(text, EXAMPLE);
        assert_eq!(org(&text).unwrap(), org(EXAMPLE).unwrap());
    }

    #[test]
    fn an_endpoint_elsewhere_and_the_access_token_are_taken() {
        let org =
            with("subject = \"access-token\"\nfeed_endpoint = \"https://feed.acme.example/\"")
                .unwrap();
        let issuer = org.exchange.issuer().unwrap();
        assert_eq!(issuer.subject, SubjectToken::AccessToken);
        assert_eq!(issuer.feed_endpoint, "https://feed.acme.example/");
    }

    #[test]
    fn what_does_not_belong_to_an_issuer_is_a_fault_with_its_place() {
        for (line, said) in [
            ("audience = \"{hub}\"", "has no key `audience`"),
            ("feed_endpoint = \"http://feed.example/\"", "is http"),
            ("subject = \"refresh-token\"", "can't be"),
        ] {
            let told = with(line).unwrap_err();
            assert!(told.contains(said) && told.starts_with("f:"), "{told}");
        }
        let told = org(&EXAMPLE.replace("url = \"https://issuer.acme.example\"", "")).unwrap_err();
        assert!(told.contains("has no `url`"), "{told}");
        let role = "[orgs.acme.roles.r]\ngrants = [{ hub = \"models\", repositories = [\"**\"], action = \"read\" }]";
        let told = org(&format!("{EXAMPLE}\n{role}")).unwrap_err();
        assert!(told.contains("its issuer says the roles"), "{told}");
    }
}
