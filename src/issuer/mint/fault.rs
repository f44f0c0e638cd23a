//! From a hub's fault to the words for whoever asked. Nothing of the hub's prose is in them.

use super::MintFault;
use oam_model::answer::EndpointFault;
use oam_model::issuer::IssuerHub;
use oam_model::refusal::{Refusal, RefusalCode};

/// The OAuth error code of a fault; a bare 401 means the client too (RFC 6749 §5.2).
pub(super) fn code(fault: &EndpointFault) -> Option<&str> {
    match fault {
        EndpointFault::Status {
            error: Some(error), ..
        } => Some(error),
        EndpointFault::Status { status: 401, .. } => Some("invalid_client"),
        _ => None,
    }
}

/// The fault with the words that hold for every hub; those that only one backend can say are given.
pub(super) fn told(hub: &IssuerHub, fault: EndpointFault, own: Option<Refusal>) -> MintFault {
    MintFault {
        refusal: own.unwrap_or_else(|| general(hub, &fault)),
        at_hub: Some(fault),
    }
}

fn general(hub: &IssuerHub, fault: &EndpointFault) -> Refusal {
    let name = &hub.name;
    match fault {
        EndpointFault::NotSent { why } => Refusal::unavailable(
            format!("hub {name} can't be reached: {why}"),
            "try again; if it stays so, the issuer's administrators look at its way to the hub",
        ),
        EndpointFault::Lost { why } => Refusal::unavailable(
            format!("hub {name} gave no answer: {why}"),
            "try again in a moment",
        ),
        EndpointFault::Status { status: 429, .. } | EndpointFault::Denied { status: 429, .. } => {
            Refusal::new(
                RefusalCode::Busy,
                format!("hub {name} takes no more requests for now"),
                "try again in a minute",
            )
        }
        EndpointFault::Status { status, error, .. }
        | EndpointFault::Denied { status, error, .. } => {
            let error = error
                .as_ref()
                .map(|e| format!(" ({e})"))
                .unwrap_or_default();
            Refusal::unavailable(
                format!("hub {name} answered with status {status}{error} instead of a token"),
                "try again; if it stays so, the issuer's administrators look at the hub's set-up",
            )
        }
        EndpointFault::Unfit { why } => Refusal::bad_request(
            format!("hub {name} can't be asked for this: {why}"),
            "ask for something else",
        ),
        EndpointFault::Unreadable { why } => Refusal::unavailable(
            format!("hub {name} gave no token: {why}"),
            "the issuer's administrators check that the hub's address is that of a Hugging Face Hub",
        ),
        EndpointFault::Check { name: check, why } => Refusal::unavailable(
            format!("hub {name} made another token than was asked ({check}): {why}"),
            "the issuer's administrators look at the hub's set-up; the token was not handed out",
        ),
    }
}
