//! The company's directory, read by the issuer: for providers that push nothing and keep answering for people who are
//! switched off. `ldap`, `keycloak`, `okta`, `entra` and `google` read, each in its dialect; `poll` judges what was read
//! and writes it as any other word of a directory; `schedule` does that now and then.

mod entra;
mod fault;
mod google;
mod keycloak;
pub mod ldap;
mod okta;
pub mod poll;
mod rest;
pub mod schedule;
mod written;

pub use fault::ReadFault;

use crate::files::IssuerFiles;
use crate::outbound::OutboundClient;
use oam_model::directory::{DirectoryAdapter, DirectoryPoll};
use oam_model::name::SourceName;
use oam_model::refusal::Refusal;
use oam_policy::directory::{DirectoryReading, Known};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Reads a directory once, for a command: beside a server that runs, on the same database.
///
/// # Errors
/// The database or a key can't be opened, or no directory is read for this source.
pub async fn once(
    files: IssuerFiles,
    source: SourceName,
    mode: poll::PollMode,
) -> Result<poll::PollOutcome, Refusal> {
    let issuer = crate::serve::open(files).await?;
    let live_config = issuer.live_config();
    let sources = &live_config.settings.sources;
    let found = sources.iter().find(|one| one.name == source);
    let settings = found
        .and_then(|one| one.directory.as_ref())
        .ok_or_else(|| {
            Refusal::bad_request(
                format!("no directory is read for the source {source}"),
                format!("add `[sources.{source}.directory]` to the configuration"),
            )
        })?;
    let outcome = poll::poll(&issuer, &source, settings, mode).await;
    outcome.map_err(|fault| fault.refusal())
}

/// What a reading needs to know.
pub(crate) struct ReadOrder<'a> {
    pub(crate) settings: &'a DirectoryPoll,
    pub(crate) outside: &'a OutboundClient,
    /// The names of groups that the policy has: no others are read.
    pub(crate) wanted: &'a BTreeSet<String>,
    /// What is known of before, for providers that tell what changed.
    pub(crate) known: &'a Known,
    /// Where the provider goes on with what changed; none: all is read.
    pub(crate) cursor: Option<&'a str>,
    /// When it has to be done.
    until: Instant,
}

impl<'a> ReadOrder<'a> {
    pub(crate) fn new(
        settings: &'a DirectoryPoll,
        outside: &'a OutboundClient,
        wanted: &'a BTreeSet<String>,
        known: &'a Known,
        cursor: Option<&'a str>,
    ) -> Self {
        Self {
            settings,
            outside,
            wanted,
            known,
            cursor,
            until: Instant::now() + Duration::from_millis(settings.within_ms),
        }
    }

    /// More people than are read are a wrong filter, and too much to hold.
    fn within(&self, count: usize) -> Result<(), ReadFault> {
        if count as u64 > self.settings.most_users {
            return Err(ReadFault::TooMany(self.settings.most_users));
        }
        Ok(())
    }
}

/// All that was read, and where the provider goes on.
pub(crate) struct WholeReading {
    pub(crate) reading: DirectoryReading,
    pub(crate) cursor: Option<String>,
}

impl From<DirectoryReading> for WholeReading {
    fn from(reading: DirectoryReading) -> Self {
        Self {
            reading,
            cursor: None,
        }
    }
}

/// Reads a directory to its end.
///
/// # Errors
/// Anything that leaves it unfinished: nothing of it counts then.
pub(crate) async fn read(order: &ReadOrder<'_>) -> Result<WholeReading, ReadFault> {
    let within = Duration::from_millis(order.settings.within_ms);
    let read = async {
        match &order.settings.adapter {
            DirectoryAdapter::Ldap(ldap) => ldap::read(order, ldap).await.map(Into::into),
            DirectoryAdapter::Keycloak { .. } => keycloak::read(order).await.map(Into::into),
            DirectoryAdapter::Okta { .. } => okta::read(order).await.map(Into::into),
            DirectoryAdapter::Entra { .. } => entra::read(order).await,
            DirectoryAdapter::Google { .. } => google::read(order).await.map(Into::into),
        }
    };
    timeout(within, read).await.unwrap_or(Err(ReadFault::Late))
}
