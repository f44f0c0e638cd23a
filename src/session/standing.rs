//! What an endpoint's answer says about the session (promise 3, facts of real providers).

use oam_model::answer::EndpointFault;
use oam_model::refusal::RefusalCode;

/// The meaning of an answer that did not bring a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The provider no longer honours the session: final.
    Ended,
    /// A bare 400 or 401: ended if one more ask gets it again.
    EndedIfRepeated,
    /// Says nothing about the session: a proxy, a firewall or a captive portal may have answered.
    /// The refresh token may have been used up.
    Ambiguous,
    /// The request did not leave; the refresh token is untouched.
    Untouched,
    /// Client id, scope or grant type is not what the provider expects.
    OurMistake,
}

/// Errors that speak of our own set-up, not of the session (RFC 6749 §5.2).
const OUR_MISTAKES: [&str; 4] = [
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "unsupported_grant_type",
];

/// OAuth-shaped answers that only mean "later".
const LATER: [&str; 4] = [
    "temporarily_unavailable",
    "server_error",
    "slow_down",
    "authorization_pending",
];

/// Codes that speak of the grant or the person, certain enough to be believed with a status that says otherwise.
const OVER: [&str; 4] = [
    "invalid_grant",
    "invalid_token",
    "access_denied",
    "login_required",
];

/// Classifies the answer to a refresh.
pub fn of_refresh(fault: &EndpointFault) -> Meaning {
    match fault {
        EndpointFault::NotSent { .. } => Meaning::Untouched,
        // A good status with an OAuth error in the body: some gateways answer everything so.
        EndpointFault::Status {
            status: 200,
            error: Some(code),
            ..
        } if OVER.contains(&code.as_str()) => Meaning::Ended,
        EndpointFault::Status {
            status: 200 | 400 | 401,
            error: Some(code),
            ..
        } => {
            if OUR_MISTAKES.contains(&code.as_str()) {
                Meaning::OurMistake
            } else if LATER.contains(&code.as_str())
                || matches!(fault, EndpointFault::Status { status: 200, .. })
            {
                Meaning::Ambiguous
            } else {
                Meaning::Ended
            }
        }
        EndpointFault::Status {
            status: 400 | 401,
            error: None,
            bare: true,
        } => Meaning::EndedIfRepeated,
        EndpointFault::Check { name, .. } if name == "sub" || name == "iss" => Meaning::Ended,
        // `Denied` is our issuer's, which is never asked for a renewal.
        EndpointFault::Lost { .. }
        | EndpointFault::Status { .. }
        | EndpointFault::Denied { .. }
        | EndpointFault::Unfit { .. }
        | EndpointFault::Unreadable { .. }
        | EndpointFault::Check { .. } => Meaning::Ambiguous,
    }
}

/// What a refused exchange means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MintMeaning {
    /// The subject token is not honoured: the session itself may be over; prove it.
    SubjectRefused,
    /// The issuer says that the identity is revoked: final.
    Revoked,
    /// The issuer says that the session is over as far as it knows; the provider decides.
    Ended,
    /// Policy at the token endpoint.
    Denied,
    /// Try again later.
    Unavailable,
    /// Client id or request shape is not what the endpoint expects.
    OurMistake,
    /// What is asked for can't be said to this endpoint.
    Unfit,
    /// It answered what is no answer to the question: the next one will not be better.
    Misanswered,
}

/// Classifies the answer to an exchange (RFC 8693 §2.2.2).
pub fn of_exchange(fault: &EndpointFault) -> MintMeaning {
    match fault {
        EndpointFault::Denied { denial, error, .. } => {
            of_denial(denial.code, error.as_deref().unwrap_or_default())
        }
        EndpointFault::Status {
            error: Some(code), ..
        } => match code.as_str() {
            "invalid_grant" | "invalid_token" => MintMeaning::SubjectRefused,
            "invalid_target" | "invalid_scope" | "access_denied" | "insufficient_scope" => {
                MintMeaning::Denied
            }
            "temporarily_unavailable" | "server_error" | "slow_down" => MintMeaning::Unavailable,
            _ => MintMeaning::OurMistake,
        },
        EndpointFault::Status { status: 401, .. } => MintMeaning::SubjectRefused,
        EndpointFault::Status { status: 403, .. } => MintMeaning::Denied,
        EndpointFault::Unfit { .. } => MintMeaning::Unfit,
        EndpointFault::Unreadable { .. } | EndpointFault::Check { .. } => MintMeaning::Misanswered,
        _ => MintMeaning::Unavailable,
    }
}

/// Classifies our issuer's own refusal.
fn of_denial(code: RefusalCode, error: &str) -> MintMeaning {
    match code {
        RefusalCode::Revoked => MintMeaning::Revoked,
        RefusalCode::Ended => MintMeaning::Ended,
        RefusalCode::SignedOut | RefusalCode::Unproven => MintMeaning::SubjectRefused,
        // RFC 8693 §2.2.2: so it spells also a subject token that is not good, an expired one among them.
        RefusalCode::BadRequest if error == "invalid_request" => MintMeaning::SubjectRefused,
        RefusalCode::Denied | RefusalCode::Rejected => MintMeaning::Denied,
        RefusalCode::BadRequest => MintMeaning::OurMistake,
        RefusalCode::Unavailable | RefusalCode::Busy | RefusalCode::Unreachable => {
            MintMeaning::Unavailable
        }
    }
}

/// What the endpoint is called in a sentence that has named it before.
pub const IT: &str = "it";
/// What the provider's endpoints are called.
pub const PROVIDER: &str = "the identity provider";
/// What the issuer is called.
pub const ISSUER: &str = "the issuer";

/// Our own words for a fault, fit for a sentence after a colon. `who` answered or did not: a reader can't know it from
/// a sentence about the identity or about roles.
pub fn words(who: &str, fault: &EndpointFault) -> String {
    let answer = || {
        if who == IT {
            "its answer".to_owned()
        } else {
            format!("the answer of {who}")
        }
    };
    match fault {
        EndpointFault::NotSent { why } => format!("{who} could not be reached ({why})"),
        EndpointFault::Lost { why } => format!("{} was lost ({why})", answer()),
        EndpointFault::Status {
            status,
            error: Some(code),
            ..
        } => format!("{who} answered {status} {code}"),
        EndpointFault::Status {
            status,
            error: None,
            ..
        } => format!("{who} answered {status}"),
        EndpointFault::Denied { denial, .. } => denial.sentence.clone(),
        EndpointFault::Unfit { why } => why.clone(),
        EndpointFault::Unreadable { why } => format!("{} can't be read ({why})", answer()),
        EndpointFault::Check { name, why } => {
            format!("{} fails the check of `{name}` ({why})", answer())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, error: Option<&str>, bare: bool) -> EndpointFault {
        EndpointFault::Status {
            status,
            error: error.map(Into::into),
            bare,
        }
    }

    #[test]
    fn an_answer_to_another_question_will_not_be_better_in_a_moment() {
        let why = || "odd".to_owned();
        let check = EndpointFault::Check {
            name: "scope".to_owned(),
            why: why(),
        };
        assert_eq!(of_exchange(&check), MintMeaning::Misanswered);
        let unreadable = EndpointFault::Unreadable { why: why() };
        assert_eq!(of_exchange(&unreadable), MintMeaning::Misanswered);
        let unfit = EndpointFault::Unfit { why: why() };
        assert_eq!(of_exchange(&unfit), MintMeaning::Unfit);
        assert_eq!(words(IT, &unfit), "odd");
        let lost = EndpointFault::Lost { why: why() };
        assert_eq!(of_exchange(&lost), MintMeaning::Unavailable);
    }

    #[test]
    fn a_fault_says_who_could_not_be_reached() {
        let why = || "the connection was refused".to_owned();
        let unsent = EndpointFault::NotSent { why: why() };
        let lost = EndpointFault::Lost { why: why() };
        for (who, reached, answer) in [
            (
                PROVIDER,
                "the identity provider could not be reached",
                "the answer of the identity provider was lost",
            ),
            (
                ISSUER,
                "the issuer could not be reached",
                "the answer of the issuer was lost",
            ),
            (IT, "it could not be reached", "its answer was lost"),
        ] {
            assert!(words(who, &unsent).starts_with(reached));
            assert!(words(who, &lost).starts_with(answer));
        }
    }

    #[test]
    fn an_oauth_shaped_refusal_is_final() {
        assert_eq!(
            of_refresh(&status(400, Some("invalid_grant"), false)),
            Meaning::Ended
        );
        assert_eq!(
            of_refresh(&status(400, Some("invalid_request"), false)),
            Meaning::Ended
        );
        assert_eq!(
            of_refresh(&status(401, Some("invalid_token"), false)),
            Meaning::Ended
        );
    }

    #[test]
    fn a_bare_refusal_needs_a_second_one() {
        assert_eq!(
            of_refresh(&status(400, None, true)),
            Meaning::EndedIfRepeated
        );
        assert_eq!(
            of_refresh(&status(401, None, true)),
            Meaning::EndedIfRepeated
        );
    }

    #[test]
    fn an_ambiguous_answer_never_ends_a_session() {
        for code in [403, 404, 407, 408, 425, 429, 451, 500, 502, 503, 504, 302] {
            assert_eq!(
                of_refresh(&status(code, None, true)),
                Meaning::Ambiguous,
                "{code}"
            );
            assert_eq!(
                of_refresh(&status(code, Some("invalid_grant"), false)),
                Meaning::Ambiguous,
                "{code}"
            );
        }
        // A captive portal's page with status 400 is no answer of the provider.
        assert_eq!(of_refresh(&status(400, None, false)), Meaning::Ambiguous);
        assert_eq!(
            of_refresh(&EndpointFault::Unreadable { why: "html".into() }),
            Meaning::Ambiguous
        );
        assert_eq!(
            of_refresh(&EndpointFault::Lost {
                why: "reset".into()
            }),
            Meaning::Ambiguous
        );
    }

    #[test]
    fn an_error_with_a_good_status_means_what_it_says() {
        for (code, meaning) in [
            ("invalid_grant", Meaning::Ended),
            ("invalid_client", Meaning::OurMistake),
            ("temporarily_unavailable", Meaning::Ambiguous),
            ("unnamed", Meaning::Ambiguous),
        ] {
            assert_eq!(
                of_refresh(&status(200, Some(code), false)),
                meaning,
                "{code}"
            );
        }
    }

    #[test]
    fn our_own_mistake_keeps_the_session() {
        for code in OUR_MISTAKES {
            assert_eq!(
                of_refresh(&status(400, Some(code), false)),
                Meaning::OurMistake
            );
        }
    }
    #[test]
    fn the_issuers_own_refusal_says_by_its_code_what_follows() {
        use oam_model::organization::Denial;
        let of = |code, error: &str| {
            of_exchange(&EndpointFault::Denied {
                status: 400,
                error: Some(error.into()),
                denial: Box::new(Denial {
                    code,
                    sentence: "s".into(),
                    next: "n".into(),
                    reason: None,
                    request_id: "r".into(),
                }),
                retry_after_s: None,
            })
        };
        for (code, error, meaning) in [
            (RefusalCode::Revoked, "invalid_grant", MintMeaning::Revoked),
            (RefusalCode::Ended, "invalid_grant", MintMeaning::Ended),
            (
                RefusalCode::Unproven,
                "invalid_grant",
                MintMeaning::SubjectRefused,
            ),
            (
                RefusalCode::BadRequest,
                "invalid_request",
                MintMeaning::SubjectRefused,
            ),
            (
                RefusalCode::BadRequest,
                "unsupported_grant_type",
                MintMeaning::OurMistake,
            ),
            (RefusalCode::Denied, "invalid_target", MintMeaning::Denied),
            (RefusalCode::Busy, "slow_down", MintMeaning::Unavailable),
            (
                RefusalCode::Unavailable,
                "temporarily_unavailable",
                MintMeaning::Unavailable,
            ),
        ] {
            assert_eq!(of(code, error), meaning, "{code:?} {error}");
        }
    }
}
