//! Faults of an endpoint in our own words.

use oam_model::answer::EndpointFault;

/// What happened, without a full stop, nothing of the endpoint's own prose in it.
pub fn of(fault: &EndpointFault) -> String {
    match fault {
        EndpointFault::NotSent { why }
        | EndpointFault::Lost { why }
        | EndpointFault::Unfit { why }
        | EndpointFault::Unreadable { why } => why.clone(),
        EndpointFault::Status {
            status,
            error: Some(code),
            ..
        } => format!("it answered {status}, `{code}`"),
        EndpointFault::Status { status, .. } => format!("it answered {status}"),
        EndpointFault::Denied { denial, .. } => denial.sentence.clone(),
        EndpointFault::Check { name, why } => format!("the check of `{name}` failed: {why}"),
    }
}
