//! A reply as a credential helper needs it.
//!
//! The helper is started for every git operation, and reading [`super::message::Reply`] with all its
//! reports makes up a third of its bytes. The frames are the same; a field that is not read here is
//! ignored.

use oam_model::granted::Scheme;
use oam_model::refusal::Refusal;
use oam_model::secret::{self, Secret};
use serde::{Deserialize, Deserializer};

/// What the agent said to a request for a token or to drop one.
pub enum Brief {
    /// A token.
    Token(BriefToken),
    /// A refusal.
    Refused(Refusal),
    /// No configured hub owns the host.
    NotOurs,
    /// Done.
    Done,
    /// The answer to another question.
    Other,
}

/// A token with what its hub wants to hear.
pub struct BriefToken {
    /// Basic or Bearer.
    pub scheme: Scheme,
    /// User name for Basic.
    pub username: String,
    /// The token.
    pub token: Secret,
    /// Unix seconds.
    pub expires_at: u64,
}

/// The fields of those replies, side by side.
#[derive(Deserialize)]
pub(super) struct Flat {
    pub(super) v: u32,
    #[serde(default)]
    version: String,
    #[serde(rename = "type")]
    kind: String,
    refusal: Option<Refusal>,
    #[serde(default)]
    scheme: Scheme,
    #[serde(default)]
    username: String,
    /// Read for a reply that is kept in a file only.
    #[serde(default)]
    pub(super) hub_url: String,
    #[serde(default, deserialize_with = "token")]
    pub(super) token: Option<Secret>,
    expires_at: Option<u64>,
}

fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    secret::wire::deserialize(deserializer).map(Some)
}

impl Flat {
    /// The reply and its sender's version; `None`: a field that belongs to it is missing.
    pub(super) fn understood(self) -> Option<(Brief, String)> {
        let brief = match self.kind.as_str() {
            "token" => Brief::Token(BriefToken {
                scheme: self.scheme,
                username: self.username,
                token: self.token?,
                expires_at: self.expires_at?,
            }),
            "refused" => Brief::Refused(self.refusal?),
            "not-ours" => Brief::NotOurs,
            "done" => Brief::Done,
            _ => Brief::Other,
        };
        Some((brief, self.version))
    }
}

#[cfg(test)]
mod tests {
    use super::Brief;
    use crate::frame::{FrameFault, brief};
    use oam_model::granted::Scheme;

    #[test]
    fn the_replies_that_a_helper_gets_are_read() {
        let token = br#"{"v":1,"version":"0.1.0","type":"token","org":"acme","expires_at":9,"scheme":"bearer","username":"oam","token":"t0ken","more":[]}"#;
        let Ok((Brief::Token(read), version)) = brief(token) else {
            panic!("no token");
        };
        assert_eq!((read.token.expose(), read.expires_at), ("t0ken", 9));
        assert_eq!(
            (read.scheme, read.username.as_str()),
            (Scheme::Bearer, "oam")
        );
        assert_eq!(version, "0.1.0");
        let refused = br#"{"v":1,"type":"refused","refusal":{"code":"denied","sentence":"a","next":"b"},"epoch":3}"#;
        assert!(matches!(brief(refused), Ok((Brief::Refused(_), _))));
        assert!(matches!(
            brief(br#"{"v":1,"type":"not-ours"}"#),
            Ok((Brief::NotOurs, _))
        ));
        assert!(matches!(
            brief(br#"{"v":1,"type":"done"}"#),
            Ok((Brief::Done, _))
        ));
        assert!(matches!(
            brief(br#"{"v":1,"type":"status","orgs":[]}"#),
            Ok((Brief::Other, _))
        ));
    }

    #[test]
    fn a_reply_without_what_belongs_to_it_is_garbage() {
        for bad in [
            r#"{"v":1,"type":"token","expires_at":9}"#,
            r#"{"v":1,"type":"token","token":"x"}"#,
            r#"{"v":1,"type":"refused"}"#,
            r#"{"v":1}"#,
        ] {
            assert_eq!(
                brief(bad.as_bytes()).err(),
                Some(FrameFault::Garbage),
                "{bad}"
            );
        }
        let newer = brief(br#"{"v":2,"version":"9","type":"done"}"#).err();
        assert!(matches!(
            newer,
            Some(FrameFault::Version { protocol: 2, .. })
        ));
    }
}
