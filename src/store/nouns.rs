//! What the issuer keeps, by noun: a small trait each, so that who needs one is given no more. Both stores are held to
//! them by the same tests.

use super::{
    AgentLogRow, AuditFilter, AuditLine, BoxFuture, Cursor, DirectoryFilter, DirectoryGroup,
    DirectoryPage, DirectoryState, DirectoryUser, FeedOfAll, FeedPage, KeyRow, PersonRow,
    PersonSeen, PollState, Pruned, SecretOwner, SecretRow, TeamsState, TokenRow,
};
use oam_audit::history::History;
use oam_model::name::SourceName;
use oam_model::principal::PrincipalKey;
use oam_model::signal::SignalSubject;
use oam_policy::teams::Team;
use std::collections::BTreeSet;

/// Who was seen, and what the provider said of whom.
pub trait People: Send + Sync {
    /// The time of the first evidence of a session (`sid`) of a person, Unix seconds, in whatever order evidence
    /// arrived; 0: from before it was kept.
    fn session_since(&self, key: PrincipalKey, session: String) -> BoxFuture<'_, Option<u64>>;
    /// The time of the newest exchange of a code, Unix seconds, where these name the sign-ins of a person.
    fn code_exchanged(&self, key: PrincipalKey) -> BoxFuture<'_, Option<u64>>;
    fn person(&self, key: PrincipalKey) -> BoxFuture<'_, Option<PersonRow>>;
    /// People of a source whom a signal names: every member given must match.
    fn people(&self, source: SourceName, subject: SignalSubject) -> BoxFuture<'_, Vec<PersonRow>>;
    /// Whether [`super::StoreChange::Unmatched`] kept something under a name of somebody who comes for the first time.
    fn is_spoken_of(&self, seen: PersonSeen) -> BoxFuture<'_, bool>;
    /// People by stable key, subject, user name or e-mail, for commands.
    fn find_people(&self, text: String) -> BoxFuture<'_, Vec<PersonRow>>;
    /// People with live tokens or seen after this moment, for a changed policy; ordered by key, after
    /// `after`, at most `limit`.
    fn recent_people(
        &self,
        since_ms: u64,
        after: Option<PrincipalKey>,
        limit: usize,
    ) -> BoxFuture<'_, Vec<PersonRow>>;
}

/// Tokens that were issued, and where they still count.
pub trait IssuedTokens: Send + Sync {
    /// A token by its SHA-256.
    fn token(&self, sha256: String) -> BoxFuture<'_, Option<TokenRow>>;
    /// Tokens of a person that live at `now_s`, Unix seconds.
    fn live_tokens(&self, key: PrincipalKey, now_s: u64) -> BoxFuture<'_, Vec<TokenRow>>;
    /// Tokens of a person that are kept sealed and are over here at `now_s`, Unix seconds: revoked or expired,
    /// while their hubs may still honour them.
    fn outstanding_tokens(&self, key: PrincipalKey, now_s: u64) -> BoxFuture<'_, Vec<TokenRow>>;
    /// Tokens that are kept sealed and are over here: their hubs may still honour them. By expiry at
    /// `now_s` (Unix seconds), or revoked at `revoked_until_ms` (Unix milliseconds) or earlier; of each hub
    /// at most `limit`, the revoked first, longest over first.
    fn due_at_hubs(
        &self,
        now_s: u64,
        revoked_until_ms: u64,
        limit: usize,
    ) -> BoxFuture<'_, Vec<TokenRow>>;
}

/// What agents are told by the feed, and when a provider's stream was heard last.
pub trait Revocations: Send + Sync {
    /// Events of one subject after a cursor; none: only where the end is.
    fn feed(&self, key: PrincipalKey, after: Option<Cursor>) -> BoxFuture<'_, FeedPage>;
    /// Events of all subjects after a number, for one task that wakes the streams.
    fn feed_of_all(&self, after: u64, limit: usize) -> BoxFuture<'_, FeedOfAll>;
    /// Whether [`super::StoreChange::Once`] took this id of this transmitter, and it is not forgotten.
    fn is_taken(&self, transmitter: String, id: String) -> BoxFuture<'_, bool>;
    /// The last verification of a transmitter's stream, Unix milliseconds.
    fn stream_verified(&self, transmitter: String) -> BoxFuture<'_, Option<u64>>;
}

/// Agents' logs, and up to where each is held.
pub trait AgentRecords: Send + Sync {
    /// Up to where an agent's log is held.
    fn agent_log(&self, key: PrincipalKey, log: String) -> BoxFuture<'_, Option<AgentLogRow>>;
    /// How many logs somebody has begun.
    fn agent_logs_of(&self, key: PrincipalKey) -> BoxFuture<'_, u64>;
    /// Who sent the log of this name first.
    fn agent_log_owner(&self, log: String) -> BoxFuture<'_, Option<PrincipalKey>>;
    /// An agent's record by its number, for the comparison of a batch that overlaps.
    fn agent_record(
        &self,
        key: PrincipalKey,
        log: String,
        seq: u64,
    ) -> BoxFuture<'_, Option<String>>;
    /// Records of agents in order of arrival after `after`, at most `limit`: `(arrival, person, log, line)`. The
    /// number of an arrival is never given a second time.
    fn agent_records(
        &self,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Vec<(u64, PrincipalKey, String, String)>>;
    /// The agents' logs after the number `after`, at most `limit`, each with its number.
    fn agent_logs(&self, after: u64, limit: usize) -> BoxFuture<'_, Vec<(u64, AgentLogRow)>>;
}

/// Signing keys, and secrets of hubs and clients.
pub trait Secrets: Send + Sync {
    /// All signing keys.
    fn keys(&self) -> BoxFuture<'_, Vec<KeyRow>>;
    /// Secrets of an owner, newest first.
    fn secrets(&self, owner: SecretOwner) -> BoxFuture<'_, Vec<SecretRow>>;
    /// All owners of secrets.
    fn secret_owners(&self) -> BoxFuture<'_, Vec<SecretOwner>>;
}

/// What the directories say of people and groups.
pub trait Directories: Send + Sync {
    /// Somebody by the issuer's id of the record.
    fn directory_user(
        &self,
        source: SourceName,
        id: String,
    ) -> BoxFuture<'_, Option<DirectoryUser>>;
    /// Users of a source after the first `skip`, at most `limit`.
    fn directory_users(
        &self,
        source: SourceName,
        filter: DirectoryFilter,
        skip: u64,
        limit: usize,
    ) -> BoxFuture<'_, DirectoryPage<DirectoryUser>>;
    /// Whether another record than `id` has this key or this user name.
    fn directory_twin(&self, user: DirectoryUser) -> BoxFuture<'_, Option<DirectoryUser>>;
    fn directory_group(
        &self,
        source: SourceName,
        id: String,
    ) -> BoxFuture<'_, Option<DirectoryGroup>>;
    /// The group that the policy knows by this name.
    fn directory_group_named(
        &self,
        source: SourceName,
        name: String,
    ) -> BoxFuture<'_, Option<DirectoryGroup>>;
    /// Groups of a source after the first `skip`, at most `limit`.
    fn directory_groups(
        &self,
        source: SourceName,
        filter: DirectoryFilter,
        skip: u64,
        limit: usize,
    ) -> BoxFuture<'_, DirectoryPage<DirectoryGroup>>;
    /// Ids of the users in a group, in order.
    fn directory_members(&self, source: SourceName, group: String) -> BoxFuture<'_, Vec<String>>;
    /// Which of these ids are users of the source, in order.
    fn directory_known(&self, source: SourceName, ids: Vec<String>) -> BoxFuture<'_, Vec<String>>;
    /// Of these users those who came here already.
    fn directory_seen(&self, source: SourceName, ids: Vec<String>)
    -> BoxFuture<'_, Vec<PersonRow>>;
    fn directory_state(&self, source: SourceName) -> BoxFuture<'_, DirectoryState>;
    /// What the readings of a directory came to.
    fn directory_poll(&self, source: SourceName) -> BoxFuture<'_, PollState>;
}

/// What GitHub says of teams.
pub trait Teams: Send + Sync {
    /// The teams of a source's organization, by number.
    fn teams(&self, source: SourceName) -> BoxFuture<'_, Vec<Team>>;
    /// Accounts in a team.
    fn team_members(&self, source: SourceName, team: u64) -> BoxFuture<'_, BTreeSet<u64>>;
    /// Whose these accounts are, of those who came here already.
    fn team_people(&self, source: SourceName, accounts: Vec<u64>) -> BoxFuture<'_, Vec<PersonRow>>;
    /// Stable keys with their accounts.
    fn accounts(&self, source: SourceName) -> BoxFuture<'_, Vec<(String, u64)>>;
    /// The stable key of whom an account is.
    fn account_owner(&self, source: SourceName, account: u64) -> BoxFuture<'_, Option<String>>;
    /// The groups of the teams that an account is in, in order.
    fn account_teams(&self, source: SourceName, account: u64) -> BoxFuture<'_, Vec<String>>;
    fn teams_state(&self, source: SourceName) -> BoxFuture<'_, TeamsState>;
}

/// What is remembered of the policy.
pub trait Policies: Send + Sync {
    /// The digest of the policy that was last in force.
    fn policy_digest(&self) -> BoxFuture<'_, Option<String>>;
}

/// The issuer's own audit log.
pub trait AuditTrail: Send + Sync {
    /// Lines of the audit log after `after`, at most `limit`, that match.
    fn audit(&self, filter: AuditFilter, after: u64, limit: usize)
    -> BoxFuture<'_, Vec<AuditLine>>;
    /// How often the database was restored, and where its audit log ends.
    fn history(&self) -> BoxFuture<'_, History>;
    /// The hash of an audit entry by its number; none where there is no such entry.
    fn audit_hash(&self, seq: u64) -> BoxFuture<'_, Option<String>>;
    /// Drops audit entries from before this moment and agents' records that arrived before it, and leaves
    /// entries that say so and from which hashes the chains go on.
    fn prune(&self, before_ms: u64, at_ms: u64) -> BoxFuture<'_, Pruned>;
}
