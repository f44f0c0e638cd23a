//! Why a request is refused: our refusal, and the error that the protocol has for it.

use oam_model::organization::Denial;
use oam_model::refusal::{Refusal, RefusalCode};

/// Errors as RFC 6749 §5.2, RFC 8693 §2.2.2, RFC 8707 §2, RFC 8628 §3.5 and RFC 6750 §3.1 spell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OAuthError {
    /// The request is malformed, or its subject token is not good.
    InvalidRequest,
    /// The client that introspects is not registered.
    InvalidClient,
    /// The identity ended.
    InvalidGrant,
    /// No grant covers the hub or repository.
    InvalidTarget,
    /// The role is not held, or does not allow it.
    InvalidScope,
    /// Another grant type than token exchange.
    UnsupportedGrantType,
    /// Another token type to revoke than ours.
    UnsupportedTokenType,
    /// The bearer is not good.
    InvalidToken,
    /// The bearer's identity ended.
    AccessDenied,
    /// Too many requests.
    SlowDown,
    /// Store, hub or identity provider is down.
    TemporarilyUnavailable,
    /// A fault of our own.
    ServerError,
}

impl OAuthError {
    /// The word of the protocol.
    pub const fn word(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidScope => "invalid_scope",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::InvalidToken => "invalid_token",
            Self::AccessDenied => "access_denied",
            Self::SlowDown => "slow_down",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    /// The HTTP status that goes with it.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::InvalidTarget
            | Self::InvalidScope
            | Self::UnsupportedGrantType
            | Self::UnsupportedTokenType => 400,
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::AccessDenied => 403,
            Self::SlowDown => 429,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
        }
    }
}

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The protocol's error.
    pub error: OAuthError,
    /// Ours.
    pub refusal: Refusal,
    /// Seconds after which another try makes sense.
    pub retry_after_s: Option<u64>,
    /// Another HTTP status than the error's own: 408, 413, 415.
    pub status: Option<u16>,
}

impl Refused {
    /// A refusal with the protocol's error for it.
    pub const fn new(error: OAuthError, refusal: Refusal) -> Self {
        Self {
            error,
            refusal,
            retry_after_s: None,
            status: None,
        }
    }

    /// The request itself is wrong.
    pub fn bad_request(sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(
            OAuthError::InvalidRequest,
            Refusal::bad_request(sentence, next),
        )
    }

    /// Something that is needed is not there. `next` says what to do.
    pub fn unavailable(sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            error: OAuthError::TemporarilyUnavailable,
            refusal: Refusal::unavailable(sentence, next),
            retry_after_s: Some(5),
            status: None,
        }
    }

    /// Too much at once.
    pub fn too_many(what: &str, wait_s: u64) -> Self {
        Self {
            error: OAuthError::SlowDown,
            refusal: Refusal::new(
                RefusalCode::Busy,
                format!("{what} asked too often"),
                format!("try again in {wait_s} s"),
            ),
            retry_after_s: Some(wait_s),
            status: None,
        }
    }

    /// The refusal of an exchange, from its code. `role_at_fault`: the role that the request names is not
    /// held or does not allow the action, whatever the repository.
    pub fn of_exchange(refusal: Refusal, role_at_fault: bool) -> Self {
        let error = match refusal.code {
            RefusalCode::Revoked
            | RefusalCode::Ended
            | RefusalCode::SignedOut
            | RefusalCode::Unproven => OAuthError::InvalidGrant,
            RefusalCode::Denied if role_at_fault => OAuthError::InvalidScope,
            RefusalCode::Denied => OAuthError::InvalidTarget,
            RefusalCode::BadRequest | RefusalCode::Rejected => OAuthError::InvalidRequest,
            RefusalCode::Busy => OAuthError::SlowDown,
            RefusalCode::Unavailable | RefusalCode::Unreachable => {
                OAuthError::TemporarilyUnavailable
            }
        };
        let retry_after_s = matches!(
            error,
            OAuthError::SlowDown | OAuthError::TemporarilyUnavailable
        )
        .then_some(5);
        Self {
            error,
            refusal,
            retry_after_s,
            status: None,
        }
    }

    /// The refusal of a bearer, from its code: an identity that ended is not a wrong token.
    pub fn of_bearer(refusal: Refusal) -> Self {
        let error = match refusal.code {
            RefusalCode::Revoked | RefusalCode::Ended | RefusalCode::Denied => {
                OAuthError::AccessDenied
            }
            RefusalCode::Unavailable | RefusalCode::Unreachable => {
                OAuthError::TemporarilyUnavailable
            }
            RefusalCode::Busy => OAuthError::SlowDown,
            RefusalCode::SignedOut
            | RefusalCode::Unproven
            | RefusalCode::Rejected
            | RefusalCode::BadRequest => OAuthError::InvalidToken,
        };
        let retry_after_s = (error.status() == 503 || error.status() == 429).then_some(5);
        Self {
            error,
            refusal,
            retry_after_s,
            status: None,
        }
    }

    /// As member `oam` of the answer.
    pub fn denial(&self, request_id: &str) -> Denial {
        Denial {
            code: self.refusal.code,
            sentence: self.refusal.sentence.clone(),
            next: self.refusal.next.clone(),
            reason: self.refusal.reason.clone(),
            request_id: request_id.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{OAuthError, Refused};
    use oam_model::refusal::{Refusal, RefusalCode};

    #[test]
    fn each_refusal_of_an_exchange_has_the_protocols_error() {
        let of = |code, named| Refused::of_exchange(Refusal::new(code, "s", "n"), named).error;
        assert_eq!(of(RefusalCode::Revoked, false), OAuthError::InvalidGrant);
        assert_eq!(of(RefusalCode::Ended, true), OAuthError::InvalidGrant);
        assert_eq!(of(RefusalCode::Denied, false), OAuthError::InvalidTarget);
        assert_eq!(of(RefusalCode::Denied, true), OAuthError::InvalidScope);
        assert_eq!(
            of(RefusalCode::BadRequest, false),
            OAuthError::InvalidRequest
        );
        assert_eq!(of(RefusalCode::Unavailable, false).status(), 503);
        assert_eq!(of(RefusalCode::Busy, false).status(), 429);
    }

    #[test]
    fn an_identity_that_ended_is_not_called_a_wrong_token() {
        let of = |code| {
            Refused::of_bearer(Refusal::new(code, "s", "n"))
                .error
                .status()
        };
        assert_eq!(of(RefusalCode::Revoked), 403);
        assert_eq!(of(RefusalCode::Ended), 403);
        assert_eq!(of(RefusalCode::BadRequest), 401);
        assert_eq!(of(RefusalCode::Unavailable), 503);
    }
}
