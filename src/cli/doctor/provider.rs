//! The identity provider of each organization, asked now.

use super::Check;
use crate::agent_client::{ANSWER, settled};
use oam_config::agent::Settings;
use oam_model::name::OrgName;
use oam_model::refusal::RefusalCode;
use oam_model::report::{ProviderFault, ProviderReport};
use oam_wire::client::Client;
use oam_wire::message::{Reply, Request};
use oam_wire::socket_path::SocketPath;

/// Asks by the agent: its way out is the one that counts.
pub(super) fn checks(settings: Option<&Settings>) -> Vec<Check> {
    let orgs = settings.iter().flat_map(|settings| &settings.orgs);
    orgs.flat_map(|org| one(&org.name)).collect()
}

fn one(org: &OrgName) -> Vec<Check> {
    let request = Request::Provider { org: org.clone() };
    let asked = SocketPath::find()
        .and_then(|place| Client::connect_or_start(&place))
        .and_then(|mut client| client.ask(request, ANSWER))
        .and_then(settled);
    match asked {
        Ok(Reply::Provider(report)) => told(&report),
        // It does not know the question: another version, which its own check tells.
        Ok(_) => Vec::new(),
        Err(refusal) if refusal.code == RefusalCode::BadRequest => Vec::new(),
        Err(refusal) => vec![Check::bad("provider", refusal.sentence, refusal.next)],
    }
}

fn told(report: &ProviderReport) -> Vec<Check> {
    let (org, issuer) = (&report.org, &report.issuer);
    if report.faults.is_empty() {
        let sentence = format!("the identity provider of {org} answers, {issuer}");
        return vec![Check::good("provider", sentence)];
    }
    let check = |fault: &ProviderFault| {
        let (what, next) = match fault {
            ProviderFault::Discovery { why } => (
                format!("can't be used, {issuer}: {why}"),
                "check the network, `proxy` and `ca_file`, and `issuer` in the configuration",
            ),
            ProviderFault::Algorithms { named } => (
                format!(
                    "signs ID tokens with {}, which is not taken",
                    named.join(", ")
                ),
                "let its administrators choose RS256 or ES256 for this client",
            ),
            ProviderFault::Unreachable { url, why } => (
                format!("is asked for tokens at {url}, which gave no answer: {why}"),
                "check the network, `proxy` and `ca_file`",
            ),
            ProviderFault::Missing { url, status } => (
                format!("is asked for tokens at {url}, which answers {status}: nothing is there"),
                "correct `token_endpoint` where the configuration names it, or let the provider's administrators look at its metadata",
            ),
        };
        Check::bad(
            "provider",
            format!("the identity provider of {org} {what}"),
            next,
        )
    };
    report.faults.iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::told;
    use oam_model::report::{ProviderFault, ProviderReport};

    #[test]
    fn each_fault_of_a_provider_is_told_with_what_helps() {
        let mut report = ProviderReport {
            org: "acme".parse().unwrap(),
            issuer: "https://idp.acme.example".into(),
            faults: Vec::new(),
        };
        assert_eq!(told(&report)[0].verdict, Verdict::Good);
        let url = || "https://idp.acme.example/token".to_owned();
        let why = || "no route".to_owned();
        for (fault, sentence, next) in [
            (
                ProviderFault::Discovery { why: why() },
                "no route",
                "`issuer`",
            ),
            (
                ProviderFault::Algorithms {
                    named: vec!["HS256".into()],
                },
                "HS256",
                "RS256",
            ),
            (
                ProviderFault::Unreachable {
                    url: url(),
                    why: why(),
                },
                "no answer: no route",
                "`proxy`",
            ),
            (
                ProviderFault::Missing {
                    url: url(),
                    status: 404,
                },
                "/token, which answers 404",
                "`token_endpoint`",
            ),
        ] {
            report.faults = vec![fault];
            let check = &told(&report)[0];
            assert_eq!(check.verdict, Verdict::Bad);
            assert!(check.sentence.contains(sentence), "{}", check.sentence);
            assert!(check.next.as_ref().unwrap().contains(next));
        }
    }
}
