//! Hugging Face trusted publishers: the issuer signs an ID token with the role as a claim, and the hub
//! exchanges it. The hub makes one flavour for repositories: write, for one of them.

use super::answer;
use super::{Mint, MintFault, MintRequest, MintedToken, claims, fault};
use crate::keys::TokenKind;
use crate::outbound::Auth;
use oam_model::answer::EndpointFault;
use oam_model::name::Repository;
use oam_model::refusal::Refusal;
use oam_model::role::Action;
use oam_model::secret::{Secret, wire};
use serde::Serialize;

/// Kinds of repositories that stand before `namespace/name`; models have none.
const KINDS: [&str; 4] = ["datasets", "spaces", "kernels", "buckets"];

/// What a token to write to one repository may name, when it names scopes at all.
const SCOPES: [&str; 4] = [
    "read-repos",
    "gated-repos",
    "contribute-repos",
    "write-repos",
];

#[derive(Serialize)]
struct Exchange<'a> {
    grant_type: &'static str,
    subject_token_type: &'static str,
    #[serde(with = "wire")]
    subject_token: Secret,
    resource: &'a str,
}

impl Mint {
    pub(super) async fn trusted_publisher(
        &self,
        order: &MintRequest<'_>,
    ) -> Result<MintedToken, MintFault> {
        let repository = fitting(order)?;
        let claims = claims::publisher(order, &self.parts.url, repository.as_str())?;
        let body = Exchange {
            grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
            subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
            subject_token: self
                .parts
                .keys
                .sign(&claims, TokenKind::IdToken, order.now_ms)?,
            resource: repository.as_str(),
        };
        let url = format!("{}/oauth/token", order.hub.url);
        let answer = self.parts.outside.post_json(&url, &body, Auth::None).await;
        let made = match answer
            .map_err(Into::into)
            .and_then(|a| answer::read(a, &SCOPES))
        {
            Ok(made) => made,
            Err(unfit) => {
                self.discard_unfit(order, unfit.token).await;
                let own = refused(order, repository, &self.parts.url, &unfit.fault);
                return Err(fault::told(order.hub, unfit.fault, own));
            }
        };
        let wider = order.decision.action < Action::Write;
        self.handed_out(order, made, wider).await
    }
}

/// The repository, when such a token can serve the ask.
fn fitting<'a>(order: &MintRequest<'a>) -> Result<&'a Repository, Refusal> {
    let hub = &order.hub.name;
    let Some(repository) = order.repository else {
        return Err(Refusal::denied(
            format!("hub {hub} makes tokens for one repository each, and none was named"),
            "name the repository: `--repo NAMESPACE/NAME`, or run `oam setup git` for git",
        ));
    };
    if !is_resource(repository.as_str()) {
        return Err(Refusal::denied(
            format!("`{repository}` is no repository of hub {hub}"),
            "write NAMESPACE/NAME, or with datasets/, spaces/, kernels/ or buckets/ before it",
        ));
    }
    match order.decision.action {
        Action::Manage => Err(Refusal::denied(
            format!("hub {hub} makes no token that manages {repository}, only one that writes"),
            "ask for write; create, rename and settings are done at the hub by its administrators",
        )),
        Action::Read if !order.may_write => Err(Refusal::denied(
            format!(
                "hub {hub} makes only tokens that write, and nothing grants write on {repository}"
            ),
            "ask for a role that writes there, or have the hub use another kind of tokens for reading",
        )),
        _ => Ok(repository),
    }
}

/// `namespace/name` with or without its kind. A name alone would be a person: another flavour.
fn is_resource(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        [namespace, _] => !KINDS.contains(&namespace) && namespace != "models",
        [kind, _, _] => KINDS.contains(&kind),
        _ => false,
    }
}

/// The words that only this backend can say.
fn refused(
    order: &MintRequest<'_>,
    repository: &Repository,
    issuer: &str,
    fault: &EndpointFault,
) -> Option<Refusal> {
    let (hub, role) = (order.hub, &order.decision.role);
    match fault::code(fault)? {
        "invalid_grant" => Some(Refusal::denied(
            format!(
                "hub {} trusts no publisher with role {role} for {repository}",
                hub.name
            ),
            format!(
                "somebody with write on it adds a trusted publisher at {}/{repository}/settings: issuer \
                 {issuer}, claim sub = role:{role}; the hub must be able to read {issuer}/jwks.json",
                hub.url
            ),
        )),
        "invalid_request" => Some(Refusal::unavailable(
            format!(
                "hub {} did not take the exchange for {repository} (invalid_request)",
                hub.name
            ),
            "check the repository's path; if it is right, the hub is not one with trusted publishers",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_resource;

    #[test]
    fn only_the_path_of_a_repository_is_a_resource() {
        for good in [
            "acme/model",
            "datasets/acme/corpus",
            "spaces/a/b",
            "kernels/a/b",
            "buckets/a/b",
        ] {
            assert!(is_resource(good), "{good}");
        }
        for bad in [
            "ada",
            "datasets/corpus",
            "models/acme/m",
            "models/m",
            "acme/a/b",
            "datasets/a/b/c",
        ] {
            assert!(!is_resource(bad), "{bad}");
        }
    }
}
