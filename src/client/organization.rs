//! What an organization publishes about itself, asked at its issuer.

use super::http::{Http, TOTAL, Via, way_of};
use super::words;
use oam_agent::ports::{LocalBoxFuture, Published};
use oam_config::agent::Org;
use oam_config::organization::{document, issuer_url, understood};
use oam_http::CA_REMEDY;
use oam_model::answer::EndpointFault;
use oam_model::organization::{Organization, Route};
use oam_model::refusal::Refusal;
use std::rc::Rc;

/// Issuers by their addresses. Nothing is kept: a set-up is asked for when somebody signs in.
pub struct Issuers(Rc<Http>);

impl Issuers {
    /// Over this HTTP.
    pub const fn new(http: Rc<Http>) -> Self {
        Self(http)
    }
}

impl Published for Issuers {
    fn organization(
        &self,
        url: &str,
        known: Option<&Org>,
        route: Option<Route>,
    ) -> LocalBoxFuture<Result<Organization, Refusal>> {
        let via = known.map_or_else(Via::default, |org| way_of(&org.provider));
        let via = route.map_or(via.clone(), |route| via.with(route));
        let (http, url) = (Rc::clone(&self.0), url.to_owned());
        let first = known.is_none();
        Box::pin(async move { asked(&http, &via, &url, first).await })
    }
}

/// The checked document of the issuer at `url`, for a job: its way there is told by its options.
pub(super) async fn published(http: &Http, via: &Via, url: &str) -> Result<Organization, Refusal> {
    asked(http, via, url, false).await
}

/// `first`: nothing is configured yet that could be put right.
async fn asked(http: &Http, via: &Via, url: &str, first: bool) -> Result<Organization, Refusal> {
    // Whoever asks may have checked it, or not: this is where the request leaves.
    if issuer_url(url)? != url {
        return Err(Refusal::unavailable(
            "the issuer's address is not written as it is compared",
            "write scheme and host in small letters, and no slash at the end",
        ));
    }
    let answer = http.get(via, &document(url), TOTAL).await;
    let answer = answer
        .and_then(super::http::Answer::ok)
        .map_err(|fault| unreached(url, &fault, first))?;
    understood(&answer.body, url).map_err(|why| {
        Refusal::unavailable(
            format!("what the issuer {url} publishes can't be used: {why}"),
            "tell the administrators of the organization, and check the address",
        )
    })
}

fn unreached(url: &str, fault: &EndpointFault, first: bool) -> Refusal {
    if let EndpointFault::Status { status: 404, .. } = fault {
        return Refusal::unavailable(
            format!("{url} is not the address of an OAM issuer"),
            "ask the administrators of your organization for the issuer's address",
        );
    }
    let why = words::of(fault);
    if let Some((cause, _)) = why.split_once(CA_REMEDY).filter(|_| first) {
        return Refusal::unavailable(
            format!("the issuer {url} could not be asked: {cause}sign in with its certificate"),
            format!("run `oam login {url} --ca FILE` with that certificate (PEM)"),
        );
    }
    Refusal::unavailable(
        format!("the issuer {url} could not be asked: {why}"),
        "check the address, the network and the proxy where there is one (`oam help remote`), then try again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use oam_standin::clock::Still;
    use oam_standin::server::{Canned, StandIn};
    use serde_json::{Value, json};

    #[test]
    fn an_authority_that_is_not_known_is_given_with_the_first_sign_in() {
        let why =
            format!("its certificate is not trusted; if it is your company's own, {CA_REMEDY}");
        let fault = EndpointFault::NotSent { why };
        let first = unreached("https://issuer.acme.example", &fault, true);
        assert!(!first.sentence.contains("ca_file"), "{}", first.sentence);
        assert_eq!(
            first.next,
            "run `oam login https://issuer.acme.example --ca FILE` with that certificate (PEM)"
        );
        let later = unreached("https://issuer.acme.example", &fault, false);
        assert!(later.sentence.contains("ca_file"), "{}", later.sentence);
    }

    fn acme(base: &str) -> Value {
        json!({
            "v": 1, "org": "acme", "issuer": base,
            "sign_in": {
                "issuer": "https://login.acme.example", "client_id": "oam", "scopes": ["openid"],
                "redirect_path": "/callback", "groups_claim": "groups", "subject": "id-token",
                "fresh_s": 60, "lease_s": 600, "session_age_s": 604_800, "device_login": false
            },
            "token_endpoint": format!("{base}/oauth/token"),
            "revocation_endpoint": format!("{base}/oauth/revoke"),
            "roles_endpoint": format!("{base}/v1/roles"),
            "why_endpoint": format!("{base}/v1/why"),
            "feed_endpoint": format!("{base}/v1/feed"),
            "records_endpoint": format!("{base}/v1/records"),
            "job_audience": base, "hubs": []
        })
    }

    async fn asked(
        script: impl Fn(&str) -> Canned + Send + Sync + 'static,
    ) -> (Result<Organization, Refusal>, StandIn) {
        let issuer = StandIn::start(move |base, _| script(base)).await;
        let http = Rc::new(Http::new(Still::at(1_800_000_000)));
        let answer = Issuers::new(http)
            .organization(&issuer.base, None, None)
            .await;
        (answer, issuer)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_set_up_lies_at_its_well_known_place() {
        let (answer, issuer) = asked(|base| Canned::json(&acme(base))).await;
        let organization = answer.unwrap();
        assert_eq!(organization.org.as_str(), "acme");
        assert_eq!(organization.issuer, issuer.base);
        assert_eq!(issuer.count("/.well-known/oam"), 1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_issuer_that_calls_itself_otherwise_is_refused() {
        let (answer, _issuer) = asked(|_| Canned::json(&acme("https://issuer.acme.example"))).await;
        let refusal = answer.unwrap_err();
        let said = "another issuer than the one that was asked, `https://issuer.acme.example`";
        assert!(refusal.sentence.contains(said), "{refusal:?}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn every_kind_of_no_has_its_words() {
        for (canned, said) in [
            (
                Canned::Say(404, "text/html", "<h1>no</h1>".into()),
                "not the address of an OAM issuer",
            ),
            (
                Canned::Say(200, "text/html", "<h1>hi</h1>".into()),
                "not an organization's set-up",
            ),
            (
                Canned::Say(503, "text/plain", "secret words".into()),
                "could not be asked",
            ),
            (Canned::Reset, "could not be asked"),
            (
                Canned::Say(200, "application/json", " ".repeat(40_000)),
                "longer than 32 KiB",
            ),
        ] {
            let (answer, _issuer) = asked(move |_| canned.clone()).await;
            let refusal = answer.unwrap_err();
            assert!(refusal.sentence.contains(said), "{said}: {refusal:?}");
            assert!(!refusal.sentence.contains("secret words"));
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn only_https_and_loopback_are_asked() {
        let http = Rc::new(Http::new(Still::at(1_800_000_000)));
        for bad in [
            "http://issuer.acme.example",
            "https://issuer.acme.example/",
            "file:///etc",
        ] {
            let answer = Issuers::new(Rc::clone(&http))
                .organization(bad, None, None)
                .await;
            assert!(answer.is_err(), "{bad}");
        }
    }
}
