//! Where the tokens come from.

use oam_model::granted::Scheme;
use oam_model::name::Repository;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A future that may run on any thread.
pub type TokenFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a request does at the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HubOperation {
    /// Fetch, download.
    Read,
    /// Push, upload.
    Write,
}

/// What a token is needed for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// None: the request names no repository.
    pub repository: Option<Repository>,
    /// Read or write.
    pub operation: HubOperation,
}

impl Target {
    /// Whether a request for `other` stays within what this names. What names no repository changes none.
    pub fn covers(&self, other: &Self) -> bool {
        let named = |target: &Self| target.repository.clone();
        let elsewhere = named(other).is_some_and(|one| named(self).is_some_and(|own| own != one));
        !elsewhere && other.operation <= self.operation
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.operation {
            HubOperation::Read => "read",
            HubOperation::Write => "write to",
        })?;
        match &self.repository {
            Some(repository) => write!(f, " {repository}"),
            None => f.write_str(" the hub"),
        }
    }
}

/// A token of the hub and how it is shown there, for one request.
pub struct HubCredential {
    /// The token.
    pub token: Arc<Secret>,
    /// How the hub takes it.
    pub scheme: Scheme,
    /// The user name for Basic.
    pub username: String,
    /// How long it is good, from when it came.
    pub life: Duration,
}

impl HubCredential {
    /// The same token for another request.
    #[must_use]
    pub fn shared(&self) -> Self {
        Self {
            token: Arc::clone(&self.token),
            scheme: self.scheme,
            username: self.username.clone(),
            life: self.life,
        }
    }
}

/// Gives short-lived tokens. It is asked for each request, so that a renewal or a changed role needs nothing here.
pub trait TokenSource: Send + Sync + 'static {
    /// A token that is good now.
    fn token(self: Arc<Self>, target: Target) -> TokenFuture<Result<HubCredential, Refusal>>;
    /// The hub did not take this one: the next is to be another.
    fn rejected(self: Arc<Self>, target: Target, token: Arc<Secret>) -> TokenFuture<()>;
}
