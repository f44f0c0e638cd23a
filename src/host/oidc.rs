//! The identity provider: sign-in by authorization code with PKCE, refresh, revocation.
//!
//! From the `oauth2` crate come PKCE, `state`, `nonce` and the authorization URL. The token endpoint
//! is asked by our own typed POST instead of the crate's: bodies must be wiped (R17), a lost answer must
//! be told from one that was never sent, and the raw status decides what a refusal means (promise 3).

mod claims;
mod device;
mod discovery;
mod id_token;
mod keys;
mod login;
mod look;
mod request;
#[cfg(test)]
mod tests;
mod userinfo;
pub(crate) mod words;

use super::http::{Http, Payload, TOTAL, Tokens, way_of};
use claims::{ClaimError, Expect, Phase};
use discovery::{Discovery, ProviderEndpoints};
use id_token::IdTokenCheck;
use keys::Keys;
use oam_agent::ports::{
    Arrived, Authentication, IdentityProvider, LocalBoxFuture, PendingLogin, UserInfo,
};
use oam_agent::state::SessionTokens;
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::identity::Identity;
use oam_model::refusal::Refusal;
use oam_model::report::ProviderFault;
use oam_model::secret::Secret;
use oam_model::sign_in::SignInBy;
use std::rc::Rc;
use std::sync::Arc;

/// OIDC over HTTP.
#[derive(Clone)]
pub struct Oidc(Rc<Inner>);

struct Inner {
    http: Rc<Http>,
    discovery: Discovery,
    keys: Keys,
}

impl Oidc {
    /// A client that knows no provider yet. The clock is the one of `http`.
    pub fn new(http: Rc<Http>) -> Self {
        Self(Rc::new(Inner {
            discovery: Discovery::new(Rc::clone(&http)),
            keys: Keys::new(Rc::clone(&http)),
            http,
        }))
    }
}

impl IdentityProvider for Oidc {
    fn begin(
        &self,
        org: &Org,
        authentication: Authentication,
        by: SignInBy,
    ) -> LocalBoxFuture<Result<PendingLogin, Refusal>> {
        let (inner, org) = (Rc::clone(&self.0), org.clone());
        Box::pin(login::begin(inner, org, authentication, by))
    }

    fn refresh(
        &self,
        org: &Org,
        tokens: SessionTokens,
        known: Identity,
    ) -> LocalBoxFuture<Result<Arrived, EndpointFault>> {
        let (inner, org) = (Rc::clone(&self.0), org.clone());
        Box::pin(async move { inner.refresh(&org, tokens, known).await })
    }

    fn userinfo(
        &self,
        org: &Org,
        access: Arc<Secret>,
        known: Identity,
    ) -> LocalBoxFuture<UserInfo> {
        let (inner, org) = (Rc::clone(&self.0), org.clone());
        Box::pin(async move { userinfo::ask(&inner, &org, &access, &known).await })
    }

    fn look(&self, org: &Org) -> LocalBoxFuture<Vec<ProviderFault>> {
        let (inner, org) = (Rc::clone(&self.0), org.clone());
        Box::pin(async move { look::look(&inner, &org).await })
    }

    fn revoke(&self, org: &Org, refresh: Arc<Secret>) -> LocalBoxFuture<Result<(), String>> {
        let (inner, org) = (Rc::clone(&self.0), org.clone());
        Box::pin(async move { inner.revoke(&org, &refresh).await })
    }
}

impl Inner {
    /// One POST to the token endpoint.
    async fn ask(
        &self,
        org: &Org,
        metadata: &ProviderEndpoints,
        form: &[(&str, &str)],
    ) -> Result<Tokens, EndpointFault> {
        let via = way_of(&org.provider);
        let url = &metadata.token_endpoint;
        let answer = self
            .http
            .post(&via, url, Payload::form(form), TOTAL)
            .await?;
        Tokens::kept(answer)
    }

    /// The answer to the refresh token, and the metadata that it was sent by.
    async fn renewed(
        &self,
        org: &Org,
        refresh: &Secret,
    ) -> Result<(Arc<ProviderEndpoints>, Tokens), EndpointFault> {
        // Whatever goes wrong before the refresh token is sent is `NotSent`: a 400 of the discovery
        // endpoint must never be read as the end of the session.
        let unsent = |fault| EndpointFault::NotSent {
            why: format!("discovery: {}", words::of(&fault)),
        };
        let place = self.discovery.known(&org.provider).await;
        let metadata = place.map_err(unsent)?;
        let fresh = self
            .ask(
                org,
                &metadata,
                &[
                    ("grant_type", "refresh_token"),
                    ("refresh_token", refresh.expose()),
                    ("client_id", &org.provider.client_id),
                ],
            )
            .await?;
        Ok((metadata, fresh))
    }

    async fn refresh(
        &self,
        org: &Org,
        old: SessionTokens,
        known: Identity,
    ) -> Result<Arrived, EndpointFault> {
        let (metadata, fresh) = self.renewed(org, &old.refresh).await?;
        if let Some(fault) = fresh.fault() {
            return if fresh.refresh_token.is_some() {
                Ok(flawed(fresh, old, known, fault))
            } else {
                Err(fault)
            };
        }
        let expect = Expect::of(org, self.http.now().unix(), Phase::Refresh(&known));
        // No ID token in the answer: the old one and what it said stay (OIDC Core §12.2).
        let without_id = fresh.id_token.is_none();
        let checked = match &fresh.id_token {
            Some(token) => Some(self.check(org, &metadata, token, &fresh, &expect).await),
            None => None,
        };
        let (id, identity) = match checked {
            None => (old.id, known),
            Some(IdTokenCheck::Right(identity)) => {
                let auth_time = known.auth_time.or(identity.auth_time);
                let id = fresh.id_token.map_or(old.id, Arc::new);
                (
                    id,
                    Identity {
                        auth_time,
                        ..identity
                    },
                )
            }
            // The old refresh token may be used up: to give the new one away because a key server
            // is down would lose a session that the provider honours (promise 3). The ID token
            // that nobody could check is not used for anything.
            Some(IdTokenCheck::NoKeys(fault)) => {
                tracing::warn!(org = %org.name, cause = %words::of(&fault),
                    "a refreshed ID token was set aside: the provider's keys can't be had");
                (old.id, known)
            }
            // The provider has rotated the refresh token whatever is wrong with the ID token, often
            // enough our own clock: the old one would be taken for a stolen one (promise 3).
            Some(IdTokenCheck::Wrong(fault)) => return Ok(flawed(fresh, old, known, fault)),
        };
        let (access, access_expires) = match fresh.access_token {
            Some(token) => (Arc::new(token), self.until(fresh.expires_in.seconds())),
            None => (old.access, old.access_expires),
        };
        Ok(Arrived {
            tokens: SessionTokens {
                refresh: fresh.refresh_token.map_or(old.refresh, Arc::new),
                id,
                access,
                access_expires,
            },
            identity,
            flaw: None,
            without_id,
        })
    }

    /// Unix seconds, when the answer tells how long.
    fn until(&self, seconds: Option<u64>) -> Option<u64> {
        seconds.map(|s| self.http.now().unix().saturating_add(s))
    }

    /// Checks an ID token: header, key, signature, claims (R30).
    async fn check(
        &self,
        org: &Org,
        metadata: &ProviderEndpoints,
        token: &Secret,
        tokens: &Tokens,
        expect: &Expect<'_>,
    ) -> IdTokenCheck {
        let header = match id_token::header(token, expect.longest_token) {
            Ok(header) => header,
            Err(wrong) => return IdTokenCheck::Wrong(wrong.into()),
        };
        let via = way_of(&org.provider);
        let kid = header.kid.as_deref();
        let (keys, uri, alg) = (&self.keys, &metadata.jwks_uri, header.alg);
        let key = match keys.find(&via, uri, kid, alg, None).await {
            Ok(key) => key,
            Err(keys::NoKey::Unknown(wrong)) => return IdTokenCheck::Wrong(wrong.into()),
            Err(keys::NoKey::Unreachable(fault)) => return IdTokenCheck::NoKeys(fault),
        };
        let mut verified = id_token::verified(token, &header, &key);
        // A provider may have another key under the same name now.
        if verified.as_ref().is_err_and(ClaimError::is_signature)
            && let Ok(other) = keys.find(&via, uri, kid, alg, Some(&key)).await
        {
            verified = id_token::verified(token, &header, &other);
        }
        let access = tokens.access_token.as_ref();
        match verified.and_then(|claims| claims.identity(expect, header.alg, access)) {
            Ok(identity) => IdTokenCheck::Right(identity),
            Err(wrong) => IdTokenCheck::Wrong(wrong.into()),
        }
    }

    async fn revoke(&self, org: &Org, refresh: &Secret) -> Result<(), String> {
        let metadata = self
            .discovery
            .known(&org.provider)
            .await
            .map_err(|fault| words::of(&fault))?;
        let Some(url) = &metadata.revocation_endpoint else {
            return Err("it has no revocation endpoint".to_owned());
        };
        let form = Payload::form(&[
            ("token", refresh.expose()),
            ("token_type_hint", "refresh_token"),
            ("client_id", &org.provider.client_id),
        ]);
        let via = way_of(&org.provider);
        let answer = self.http.post(&via, url, form, TOTAL).await;
        match answer.and_then(super::http::Answer::ok) {
            Ok(_) => Ok(()),
            Err(fault) => Err(words::of(&fault)),
        }
    }
}

/// What stands of an answer whose ID token fails a check: the new refresh token.
fn flawed(fresh: Tokens, old: SessionTokens, known: Identity, fault: EndpointFault) -> Arrived {
    Arrived {
        tokens: SessionTokens {
            refresh: fresh.refresh_token.map_or(old.refresh, Arc::new),
            ..old
        },
        identity: known,
        flaw: Some(fault),
        without_id: false,
    }
}
