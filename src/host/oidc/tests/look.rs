//! What is told of a provider that nobody has signed in to.

use super::Idp;
use oam_agent::ports::IdentityProvider as _;
use oam_config::agent::{Exchange, IssuerExchange, Org};
use oam_model::report::ProviderFault;
use oam_standin::server::Canned;
use serde_json::json;

fn at_issuer(idp: &Idp) -> Org {
    Org {
        exchange: Exchange::Issuer(IssuerExchange::at("https://issuer.example")),
        ..idp.org()
    }
}

#[tokio::test]
async fn a_provider_that_can_not_be_signed_in_to_is_told_by_what_does_not_fit() {
    let idp = Idp::start().await;
    let org = at_issuer(&idp);
    idp.set(|script| script.token = Canned::error(400, "invalid_request"));
    assert_eq!(idp.oidc.look(&org).await, []);
    let mixed = ["HS256", "Ed25519", "none"];
    idp.set(|script| script.metadata["id_token_signing_alg_values_supported"] = json!(mixed));
    assert_eq!(idp.oidc.look(&org).await, [], "one of them is taken");
    let named = vec!["HS256".to_owned(), "none".to_owned()];
    idp.set(|script| script.metadata["id_token_signing_alg_values_supported"] = json!(named));
    assert_eq!(
        idp.oidc.look(&org).await,
        [ProviderFault::Algorithms { named }]
    );
    idp.set(|script| script.metadata["id_token_signing_alg_values_supported"] = json!(null));
    let url = format!("{}/elsewhere", idp.server.base);
    let elsewhere = url.clone();
    idp.set(|script| script.metadata["token_endpoint"] = json!(elsewhere));
    assert_eq!(
        idp.oidc.look(&org).await,
        [ProviderFault::Missing { url, status: 404 }]
    );
    idp.set(|script| script.metadata["issuer"] = json!("https://portal.example"));
    let told = idp.oidc.look(&org).await;
    assert!(
        matches!(told.as_slice(), [ProviderFault::Discovery { why }] if why.contains("another issuer")),
        "{told:?}"
    );
}

#[tokio::test]
async fn an_exchange_of_its_own_is_asked_too() {
    let idp = Idp::start().await;
    idp.set(|script| script.token = Canned::error(401, "invalid_client"));
    let mut org = idp.org();
    let Exchange::Rfc8693(exchange) = &mut org.exchange else {
        panic!("another exchange");
    };
    let url = format!("{}/exchange", idp.server.base);
    exchange.token_endpoint.clone_from(&url);
    assert_eq!(
        idp.oidc.look(&org).await,
        [ProviderFault::Missing { url, status: 404 }]
    );
}
