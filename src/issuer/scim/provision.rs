//! What a directory changes: one durable batch of the record and of what follows for the people that it is about.
//! An account that it deactivates or deletes ends with all its tokens, as by a provider's signal, and is lifted only
//! from the directory's own end; roles that a group gave are lost with it at once.

mod draft;
mod groups;
mod users;

use super::ScimError;
use crate::grant::RequestOrigin;
use crate::overtaken::{self, CanBeOvertaken};
use crate::state::{Issuer, LiveConfig};
pub(crate) use draft::DirectoryDraft;
use oam_model::issuer::DirectorySettings;
use oam_model::name::SourceName;
use oam_store::{StoreChange, StoreFault};
use oam_system::clock;
use std::sync::Arc;
use tokio::sync::MutexGuard;

/// How often a change is decided anew that others overtake.
const ATTEMPTS: usize = 4;

/// A directory that showed its token.
pub struct Directory<'a> {
    /// The server.
    pub issuer: &'a Issuer,
    /// Where it came from.
    pub origin: &'a RequestOrigin,
    /// Whose people it speaks of.
    pub source: SourceName,
    /// How its words are read.
    pub settings: DirectorySettings,
}

/// Which version a request is about (`If-Match`, RFC 9110 §13.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IfMatch(Option<Vec<String>>);

impl IfMatch {
    /// Of a header's value.
    pub fn read(value: Option<&str>) -> Self {
        let tags = |value: &str| value.split(',').map(|tag| tag.trim().to_owned()).collect();
        Self(value.map(tags))
    }

    /// Whether this version is meant.
    pub fn fits(&self, version: u64) -> bool {
        let plain = |tag: &str| tag.trim_start_matches("W/").to_owned();
        let own = plain(&super::etag(version));
        let tags = self.0.as_ref();
        tags.is_none_or(|tags| tags.iter().any(|tag| tag == "*" || plain(tag) == own))
    }

    /// Whether any version is named.
    pub const fn is_given(&self) -> bool {
        self.0.is_some()
    }

    fn check(&self, version: u64) -> Result<(), ScimError> {
        if self.fits(version) {
            return Ok(());
        }
        Err(ScimError::other_version())
    }
}

/// Why a change was not made.
enum ProvisionError {
    /// Others changed what it was decided from.
    Overtaken,
    Refused(ScimError),
}

impl From<ScimError> for ProvisionError {
    fn from(error: ScimError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreFault> for ProvisionError {
    fn from(fault: StoreFault) -> Self {
        match fault {
            StoreFault::Overtaken => Self::Overtaken,
            other => Self::Refused(ScimError::of(&other)),
        }
    }
}

impl CanBeOvertaken for ProvisionError {
    fn is_overtaken(&self) -> bool {
        matches!(self, Self::Overtaken)
    }
}

impl ProvisionError {
    fn told(self) -> ScimError {
        match self {
            Self::Overtaken => ScimError::of(&StoreFault::Overtaken),
            Self::Refused(error) => error,
        }
    }
}

/// Does it until nobody overtakes it.
async fn until_kept<T, F>(attempt: impl FnMut() -> F) -> Result<T, ScimError>
where
    F: Future<Output = Result<T, ProvisionError>>,
{
    let kept = overtaken::until_kept(ATTEMPTS, attempt).await;
    kept.map_err(ProvisionError::told)
}

/// The time in which nobody else's word is decided, and the policy of it.
struct Turn<'a> {
    live_config: Arc<LiveConfig>,
    _alone: MutexGuard<'a, ()>,
}

impl Directory<'_> {
    async fn turn(&self) -> Turn<'_> {
        let alone = self.issuer.directories.turn().await;
        Turn {
            live_config: self.issuer.live_config(),
            _alone: alone,
        }
    }

    fn draft<'a>(&'a self, turn: &'a Turn<'_>) -> DirectoryDraft<'a> {
        DirectoryDraft::new(
            self.issuer,
            Some(self.origin),
            &self.source,
            &turn.live_config,
        )
    }

    /// A fresh id of a record.
    pub(crate) fn fresh_id() -> String {
        let mut bytes = [0; 16];
        clock::fill(&mut bytes);
        hex::encode(bytes)
    }

    /// Notes that it was heard.
    pub async fn heard(&self) {
        let batch = oam_store::Batch {
            changes: vec![StoreChange::DirectoryHeard {
                source: self.source.clone(),
                at_ms: clock::now_ms(),
            }],
            entries: Vec::new(),
        };
        if self.issuer.commit(batch).await.is_err() {
            tracing::warn!(source = %self.source, "that a directory was heard could not be noted");
        }
    }
}
