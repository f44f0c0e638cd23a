//! Signals as they arrive: security event tokens (RFC 8417, RFC 8935) and logout tokens, verified. What
//! they say is read by [`oam_policy::signal`], what follows is done by `standing`.

use super::identity::{
    Dialect, Identities, JwksCache, MetadataCache, Token, Trusted, Unsigned, asymmetric, words,
};
use super::outbound::OutboundClient;
use super::place;
use oam_model::issuer::{IdentitySource, IssuerSettings, Transmitter};
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_model::signal::Signal;
use oam_model::time::Moment;
use oam_policy::signal::{self, Channel, Rejected, SetError};
use std::sync::Arc;

/// Longest security event or logout token, bytes.
const LONGEST: usize = 64 * 1024;

/// Why a signal was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignalError {
    /// It is wrong: 400 with these words.
    Rejected(Rejected),
    /// The keys can't be had: 503, so that it is sent again.
    Unavailable(Refusal),
}

impl From<Rejected> for SignalError {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

struct Heard {
    transmitter: Transmitter,
    source: IdentitySource,
    directory: Arc<MetadataCache>,
    keys: JwksCache,
    authorization: Option<Secret>,
}

/// The transmitters, and the sources whose logout tokens are taken.
pub struct SignalReceiver {
    identities: Arc<Identities>,
    heard: Vec<Heard>,
}

impl SignalReceiver {
    /// Reads the secrets of the transmitters; nothing is fetched yet.
    ///
    /// # Errors
    /// A secret is not where the settings say, or a transmitter names a source that is not there.
    pub fn new(
        settings: &IssuerSettings,
        outside: &Arc<OutboundClient>,
        identities: Arc<Identities>,
    ) -> Result<Self, Refusal> {
        let heard = |transmitter: &Transmitter| -> Result<Heard, Refusal> {
            let source = identities.source(&transmitter.source).ok_or_else(|| {
                Refusal::bad_request(
                    format!(
                        "a transmitter speaks of the source {}, which is not configured",
                        transmitter.source
                    ),
                    "name one of the sources in `source` of the transmitter",
                )
            })?;
            let directory = Arc::new(MetadataCache::new(
                Arc::clone(outside),
                transmitter.issuer.clone(),
                Dialect::SharedSignals,
            ));
            let authorization = transmitter
                .authorization
                .as_ref()
                .map(|place| place::secret(place, "authorization"))
                .transpose()?;
            Ok(Heard {
                transmitter: transmitter.clone(),
                source: source.clone(),
                keys: JwksCache::new(
                    transmitter.keys.clone(),
                    Arc::clone(outside),
                    Arc::clone(&directory),
                ),
                directory,
                authorization,
            })
        };
        let heard = settings
            .transmitters
            .iter()
            .map(heard)
            .collect::<Result<_, _>>()?;
        Ok(Self { identities, heard })
    }

    /// A security event token, pushed with this `Authorization` (RFC 8935 §2.1).
    ///
    /// # Errors
    /// What the transmitter is told.
    pub async fn security_event(
        &self,
        token: &Secret,
        authorization: Option<&Secret>,
        now: Moment,
    ) -> Result<Signal, SignalError> {
        let read = read(token)?;
        let of_issuer = || {
            self.heard
                .iter()
                .filter(|heard| read.issuer() == Some(heard.transmitter.issuer.as_str()))
        };
        if of_issuer().next().is_none() {
            return Err(rejected(
                SetError::InvalidIssuer,
                "no transmitter of this issuer is configured here",
            ));
        }
        // One provider may speak of several sources; the audience tells which.
        let mut meant = of_issuer().filter(|heard| read.has_audience(&heard.transmitter.audiences));
        let heard = match (meant.next(), meant.next()) {
            (Some(heard), None) => heard,
            (None, _) => {
                return Err(rejected(
                    SetError::InvalidAudience,
                    "`aud` is no audience of a transmitter of this issuer",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(rejected(
                    SetError::InvalidAudience,
                    "`aud` is of several transmitters here: each needs a token of its own",
                ));
            }
        };
        heard.authorized(authorization)?;
        let signed = heard.keys.verified(token, &read, &asymmetric(), now).await;
        let claims = signed.map_err(|fault| signal_error(&fault, &heard.transmitter.issuer))?;
        let critical = heard.critical(now).await;
        let channel = Channel {
            transmitter: &heard.transmitter,
            source: &heard.source,
            critical: &critical,
        };
        let typ = read.header.typ.as_deref();
        Ok(signal::event(&channel, typ, claims, now.wall_ms)?)
    }

    /// A logout token (OIDC Back-Channel Logout 1.0 §2.6), verified with the keys of each source that it is for: a
    /// provider may have several, also of one audience.
    pub async fn logout(&self, token: &Secret, now: Moment) -> LoggedOut {
        let read = match read(token) {
            Ok(read) => read,
            Err(error) => return LoggedOut::failed(error),
        };
        let of_issuer = || self.identities.of_issuer(&read);
        let mut verified = Vec::new();
        let mut error = if of_issuer().next().is_some() {
            rejected(
                SetError::InvalidAudience,
                "`aud` is no audience of an identity source of this issuer",
            )
        } else {
            rejected(
                SetError::InvalidIssuer,
                "no identity source of this issuer is configured here",
            )
        };
        let mut to_be_sent_again = false;
        // The fault of one that the token is not for is not its fault.
        for trusted in of_issuer().filter(|one| read.has_audience(&one.source.audiences)) {
            match of_source(trusted, token, &read, now).await {
                Ok(signal) => verified.push(signal),
                // Sent again, it does nothing anew where it was taken.
                Err(fault) if !to_be_sent_again => {
                    to_be_sent_again = matches!(fault, SignalError::Unavailable(_));
                    error = fault;
                }
                Err(_) => {}
            }
        }
        let all = !verified.is_empty() && !to_be_sent_again;
        LoggedOut {
            verified,
            error: (!all).then_some(error),
        }
    }

    /// Transmitters whose keys can't be had, in words, for `/readyz`.
    pub fn problems(&self) -> Vec<String> {
        self.heard
            .iter()
            .filter(|heard| heard.keys.is_failing())
            .map(|heard| {
                let issuer = &heard.transmitter.issuer;
                format!("the keys of the transmitter {issuer} can't be had")
            })
            .collect()
    }
}

impl Heard {
    /// Compared in constant time: the header is a password.
    fn authorized(&self, shown: Option<&Secret>) -> Result<(), SignalError> {
        let Some(expected) = &self.authorization else {
            return Ok(());
        };
        if shown.is_some_and(|shown| shown.matches(expected)) {
            return Ok(());
        }
        Err(rejected(
            SetError::AuthenticationFailed,
            "the Authorization header is not the one that was agreed",
        ))
    }

    /// Members that the transmitter calls critical. One whose metadata can't be read names none: to
    /// reject its signals for that would be worse.
    async fn critical(&self, now: Moment) -> Vec<String> {
        use oam_model::issuer::SourceKeys;
        if self.transmitter.keys != SourceKeys::Discovery {
            return Vec::new();
        }
        let document = self.directory.document(now).await;
        document.map_or_else(
            |_| Vec::new(),
            |document| document.critical_subject_members.clone(),
        )
    }
}

/// What a logout token comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedOut {
    /// A signal for each source that it could be verified for.
    pub verified: Vec<Signal>,
    /// What the provider is told, once these were carried out: it could be verified for none, or the keys of one
    /// can't be had.
    pub error: Option<SignalError>,
}

impl LoggedOut {
    const fn failed(error: SignalError) -> Self {
        Self {
            verified: Vec::new(),
            error: Some(error),
        }
    }
}

async fn of_source(
    trusted: &Trusted,
    token: &Secret,
    read: &Token,
    now: Moment,
) -> Result<Signal, SignalError> {
    let signed = trusted.claims(token, read, now).await;
    let claims = signed.map_err(|fault| signal_error(&fault, trusted.source.name.as_str()))?;
    let typ = read.header.typ.as_deref();
    Ok(signal::logout(&trusted.source, typ, claims, now.wall_ms)?)
}

fn read(token: &Secret) -> Result<Token, SignalError> {
    if token.expose().len() > LONGEST {
        return Err(rejected(
            SetError::InvalidRequest,
            "the token is longer than 64 KiB",
        ));
    }
    Token::read(token).map_err(|refusal| {
        SignalError::from(Rejected::new(SetError::InvalidRequest, refusal.sentence))
    })
}

fn signal_error(fault: &Unsigned, whose: &str) -> SignalError {
    match fault {
        Unsigned::Algorithm => rejected(
            SetError::InvalidRequest,
            "the token's algorithm is not taken",
        ),
        Unsigned::Key => rejected(SetError::InvalidKey, "the issuer publishes no such key"),
        Unsigned::Signature => rejected(
            SetError::InvalidKey,
            "the signature was not made with the issuer's key",
        ),
        Unsigned::NoKeys(fault) => SignalError::Unavailable(Refusal::unavailable(
            format!("the keys of {whose} can't be had: {}", words(fault)),
            "send it again in a few seconds",
        )),
    }
}

fn rejected(err: SetError, description: &str) -> SignalError {
    SignalError::Rejected(Rejected::new(err, description))
}

#[cfg(test)]
mod tests;
