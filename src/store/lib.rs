//! Storage behind one trait: what the issuer keeps, and the one way to change it.
//!
//! A [`Batch`] is one durable transaction: its changes and its audit entries are written together or
//! not at all, so there is no token without a record. What a change comes to is decided by pure functions
//! (`step`, `person`, `compared`, `directory`, `ends`, `agent_log`, and the crates `policy` and `audit`), which every store applies to the rows that it
//! reads in its transaction; `tests` beside this file run unchanged on each of them.

mod agent_log;
mod compared;
mod directory;
mod ends;
mod fault;
mod filter;
#[cfg(any(test, feature = "fixture"))]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "samples for tests"
)]
pub mod memory;
mod nouns;
mod person;
mod question;
mod secret;
pub mod sqlite;
mod step;
mod teams;
#[cfg(test)]
mod tests;

pub use agent_log::{AgentLogRow, RecordQuota};
pub use compared::Compared;
pub use directory::{
    DirectoryFilter, DirectoryGroup, DirectoryPage, DirectoryState, DirectoryUser, HeldFall,
    PollState,
};
pub use ends::{EndKind, Ended};
pub use fault::StoreFault;
pub use nouns::{
    AgentRecords, AuditTrail, Directories, IssuedTokens, People, Policies, Revocations, Secrets,
    Teams,
};
pub use person::{KeptGroups, PersonRow, PersonSeen};
pub use question::{AuditFilter, AuditLine, Cursor, FeedOfAll, FeedPage, Pruned};
pub use secret::{KeyRow, SecretOwner, SecretRow};
pub use teams::TeamsState;

use oam_model::audit::AuditRecord;
use oam_model::feed::FeedEvent;
use oam_model::name::{HubName, Repository, RoleName, SourceName};
use oam_model::principal::PrincipalKey;
use oam_model::role::Action;
use oam_model::signal::SignalSubject;
use oam_policy::account::{AccountEvent, Author, Reinstated};
use oam_policy::teams::Team;
use std::future::Future;
use std::pin::Pin;

/// A future of the store.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreFault>> + Send + 'a>>;

/// One transaction.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Changes, in order. A change that has a condition is judged by what is there before the batch; one that is
    /// refused refuses the batch.
    pub changes: Vec<StoreChange>,
    /// Entries of the audit log, in order; chained by the store.
    pub entries: Vec<AuditRecord>,
}

/// What a committed batch came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Committed {
    /// Number of the last audit entry written; 0: the batch had none.
    pub audit_seq: u64,
    /// Tokens that changes of this batch made inactive and that a hub might still honour.
    pub revoked: Vec<TokenRow>,
}

#[derive(Debug, Clone)]
pub enum StoreChange {
    /// A person was seen with a verified token. Somebody who comes for the first time and of whom the provider
    /// said something before fails the batch as overtaken: [`StoreChange::TakeOver`] comes first.
    Seen(PersonSeen),
    /// Somebody was seen for the first time: what [`StoreChange::Unmatched`] kept under their names is theirs now.
    TakeOver(PersonSeen),
    /// The provider said this of somebody whom none of its names finds: kept under each of them. Overtaken
    /// when one finds somebody after all.
    Unmatched {
        /// Of which source.
        source: SourceName,
        /// The names.
        subjects: Vec<SignalSubject>,
        /// What was said.
        event: AccountEvent,
    },
    /// A token was issued. With `epoch`: only if the person's epoch still is this one.
    Issue {
        token: TokenRow,
        /// [`PersonRow::epoch`] at admission; none for a token that is not handed out.
        epoch: Option<u64>,
    },
    /// One token is inactive from now on.
    RevokeToken {
        /// SHA-256, lower-case hex.
        sha256: String,
        /// Unix milliseconds.
        at_ms: u64,
    },
    /// The sealed token of this row (its SHA-256) goes: nothing is left to be told to its hub.
    Unseal(String),
    /// An identity or session ended: epoch + 1, all its live tokens inactive, `feed` appended.
    End {
        /// Whom.
        key: PrincipalKey,
        /// By whose word. An administrator's end of an account that an administrator ended already fails the
        /// batch: [`StoreFault::Unchanged`].
        author: Author,
        /// How.
        ended: Ended,
        /// What the feed says.
        feed: FeedEvent,
    },
    /// An end of the account is lifted; the sessions and tokens that it ended stay ended. One by an
    /// administrator that lifts nothing fails the batch: [`StoreFault::Unchanged`]. A provider's counts for
    /// somebody who was never seen too: an older end may still arrive.
    Restore {
        /// Whom.
        key: PrincipalKey,
        /// Whose end.
        restored: Reinstated,
    },
    /// Nothing but a condition: the batch is refused as overtaken when the principal's epoch is another.
    AtEpoch {
        /// Whose.
        key: PrincipalKey,
        /// The epoch that the batch was decided at.
        epoch: u64,
    },
    /// The person's groups are others: these are kept until the next [`StoreChange::Seen`], live tokens of
    /// roles that are not held are inactive, `feed` appended when there is one, epoch + 1. Nothing, when a
    /// later change of the groups is known. Overtaken when it was decided from something else than what is kept.
    RolesChanged {
        /// Whom.
        key: PrincipalKey,
        /// What it was decided from.
        from: Compared,
        /// The groups, when known.
        groups: Option<Vec<String>>,
        /// Roles held now, kept for the next comparison.
        held: Vec<RoleName>,
        /// Unix milliseconds.
        at_ms: u64,
        /// What the feed says; none when nothing changed for the agent.
        feed: Option<FeedEvent>,
    },
    /// The person holds other roles than when last compared, with the groups as they are: by another
    /// policy, or by a newer token. Live tokens of roles that are not held are inactive, `feed` appended when
    /// there is one; epoch + 1 when a role is lost. Unlike [`StoreChange::RolesChanged`] it says nothing about groups.
    /// Overtaken likewise, unless these roles are kept already and nobody is told.
    Held {
        /// Whom.
        key: PrincipalKey,
        /// What it was decided from.
        from: Compared,
        /// Roles held now, kept for the next comparison.
        held: Vec<RoleName>,
        /// Roles lost.
        lost: Vec<RoleName>,
        /// Unix milliseconds.
        at_ms: u64,
        /// What the feed says; none when nothing changed for the agent.
        feed: Option<FeedEvent>,
    },
    /// Takes a signal once: a second one with this transmitter and id fails the batch.
    Once {
        /// Issuer of the signal.
        transmitter: String,
        /// Its `jti`.
        id: String,
        /// Unix milliseconds after which it may be forgotten.
        until_ms: u64,
    },
    /// A transmitter's stream was verified; at 0: it was stopped, and what was verified before is no
    /// evidence any more.
    StreamVerified {
        /// Issuer of the signal.
        transmitter: String,
        /// Unix milliseconds.
        at_ms: u64,
    },
    /// Counts records of a person's agents; the batch is refused as exhausted when the day's share of the
    /// person does not hold them.
    RecordQuota(RecordQuota),
    /// Up to where an agent's log is held, with the lines of the batch: each after the one before it. Overtaken
    /// when the log is held that far already.
    AgentLog(AgentLogRow, Vec<String>),
    /// Makes or replaces a signing key.
    PutKey(KeyRow),
    /// Drops a signing key.
    DropKey(String),
    /// Makes a secret the newest of its hub or client.
    PutSecret(SecretRow),
    DropSecret {
        /// Of what.
        owner: SecretOwner,
        /// [`SecretRow::number`].
        number: u64,
    },
    /// A directory made or changed somebody. Overtaken when the record has another version than `from` (none: it is
    /// new); refused as taken where another record of the source has the key or the user name.
    PutDirectoryUser {
        user: DirectoryUser,
        from: Option<u64>,
    },
    /// A directory deleted somebody; they are in no group any more.
    DropDirectoryUser {
        source: SourceName,
        id: String,
        from: u64,
        /// Unix milliseconds.
        at_ms: u64,
    },
    /// A directory made or changed a group. Overtaken likewise, and when somebody who is to be added is not there;
    /// refused as taken where another group of the source has the name.
    PutDirectoryGroup {
        group: DirectoryGroup,
        from: Option<u64>,
        /// Ids of users.
        added: Vec<String>,
        /// Ids of users.
        removed: Vec<String>,
        /// Whether the policy names it otherwise than before: that is told of every member.
        renamed: bool,
    },
    /// A directory deleted a group.
    DropDirectoryGroup {
        source: SourceName,
        id: String,
        from: u64,
        /// Unix milliseconds.
        at_ms: u64,
    },
    /// Everything that a directory said of users and groups goes; the accounts that it ended stay ended.
    ForgetDirectory(SourceName),
    /// GitHub made or changed a team.
    PutTeam {
        source: SourceName,
        team: Team,
        /// Accounts.
        added: Vec<u64>,
        /// Accounts.
        removed: Vec<u64>,
    },
    /// A team is no more.
    DropTeam { source: SourceName, id: u64 },
    /// Whose account one is; none: it is not known any more. Refused as taken where it is somebody else's.
    Account {
        key: PrincipalKey,
        account: Option<u64>,
    },
    /// All teams were read to their end, or could not be: why.
    TeamsRead {
        source: SourceName,
        fault: Option<String>,
        /// Unix milliseconds.
        at_ms: u64,
    },
    /// GitHub sent an event.
    TeamsHeard {
        source: SourceName,
        /// Unix milliseconds.
        at_ms: u64,
    },
    /// Everything that GitHub said of teams goes, and whose account each is.
    ForgetTeams(SourceName),
    /// A directory was heard.
    DirectoryHeard {
        source: SourceName,
        /// Unix milliseconds.
        at_ms: u64,
    },
    /// A reading of a directory began at this moment, and all that it says is written: it is as old as that. With
    /// `groups`, who is in none of its groups is in none; without, it says nothing of groups.
    PollTaken {
        source: SourceName,
        /// Unix milliseconds.
        as_of_ms: u64,
        groups: bool,
    },
    /// What the last reading of a directory came to, or that somebody confirmed it; `as_of_ms` in it is passed over.
    /// Overtaken when it was decided from something else than what is kept.
    PollNoted {
        source: SourceName,
        state: PollState,
        /// What it was decided from; none: from a whole reading, whatever was noted before.
        from: Option<Box<PollState>>,
    },
    /// Remembers the digest of the policy that everybody's roles were compared with, so that a change while
    /// stopped, or one whose comparison failed, is made up for.
    PolicyDigest(String),
}

/// An issued token. The token itself only where a hub could be told to revoke it, and sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// SHA-256 of the token, lower-case hex.
    pub sha256: String,
    /// On whose behalf, for people and jobs.
    pub key: PrincipalKey,
    /// Name for people.
    pub name: Option<String>,
    pub role: RoleName,
    pub hub: HubName,
    /// The repository; none: the whole hub.
    pub repository: Option<Repository>,
    pub action: Action,
    /// Unix seconds.
    pub issued_at: u64,
    /// Unix seconds.
    pub expires_at: u64,
    /// Shared with the audit entry.
    pub request_id: String,
    /// Unix milliseconds.
    pub revoked_at_ms: Option<u64>,
    /// The token, sealed with the master key, where its hub has a way to revoke it.
    pub sealed: Option<Vec<u8>>,
}

/// What the issuer keeps, and no other state: the nouns, and what changes them together.
pub trait Store:
    People
    + IssuedTokens
    + Revocations
    + AgentRecords
    + Secrets
    + Policies
    + AuditTrail
    + Directories
    + Teams
{
    /// Writes a batch durably; answers when it is on disk.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Committed>;
    /// Grows whenever something was committed, also by another process on the same database.
    fn changes(&self) -> tokio::sync::watch::Receiver<u64>;
}
