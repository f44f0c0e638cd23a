//! What the core needs from outside: small traits, implemented in the crate `host` and by tests.
//!
//! Everything runs on one thread; a slow call returns a future that runs aside and comes back as
//! an event. Calls that must be ordered with the answer (journal, vault, files) are synchronous.

mod set;

pub use set::Ports;

use super::notice_memory::NoticeMemory;
use super::state::{Sealed, SessionTokens, Tombstone};
use oam_config::agent::{Org, Settings};
use oam_model::answer::EndpointFault;
use oam_model::feed::{FeedItem, Poll, Upload, UploadAnswer};
use oam_model::identity::Identity;
use oam_model::name::{HubName, OrgName, Repository, RoleName};
use oam_model::organization::{EffectiveRoles, Granting, Organization, Route, WhyAnswer};
use oam_model::refusal::Refusal;
use oam_model::report::ProviderFault;
use oam_model::role::Action;
use oam_model::secret::Secret;
use oam_model::sign_in::{DevicePrompt, SignInBy};
use oam_model::time::Moment;
pub use oam_model::token_key::TokenKey;
use oam_session::screen::ScreenState;
use oam_wire::message::StoreChoice;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A future that runs aside on the agent's thread.
pub type LocalBoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// Reads both clocks.
pub trait Clock {
    fn now(&self) -> Moment;
}

/// Randomness for names and jitter.
pub trait Rng {
    /// 128 random bits.
    fn random(&self) -> u128;
}

/// What a sign-in or refresh brought.
pub struct Arrived {
    /// The tokens. At a refresh without a new refresh token the old one stands in it.
    pub tokens: SessionTokens,
    /// The claims, checked (R30).
    pub identity: Identity,
    /// At a refresh: the check that the new ID token failed. Then the answer proves nothing; of it
    /// stands the new refresh token in `tokens`, and everything else is as it was.
    pub flaw: Option<EndpointFault>,
    /// At a refresh: the answer had no ID token (OIDC Core §12.2 lets it). Two ID tokens of one second can be the
    /// same text, so this can't be told from the tokens.
    pub without_id: bool,
}

/// What userinfo said of the groups. Its `sub` was the session's, else it is unread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum UserInfo {
    /// Not asked, or nothing that can be used.
    #[default]
    Unread,
    /// Nothing of groups.
    Silent,
    /// These.
    Groups(Vec<String>),
}

/// A sign-in that waits for its person. Dropping it closes the listener.
pub struct PendingLogin {
    /// The authorization URL, or the page for the device code.
    pub url: String,
    /// What is typed there; none: the browser comes back by itself.
    pub device: Option<DevicePrompt>,
    /// Resolves when the browser came back and the code was exchanged and checked. The browser was told
    /// when it is a refusal.
    pub arrival: LocalBoxFuture<Result<Returned, Refusal>>,
}

/// A sign-in that the provider granted, and a browser that waits for its page.
pub struct Returned {
    /// Tokens and identity.
    pub arrived: Arrived,
    /// Shows the person how it went in the end: a refusal, or that they are signed in.
    pub tell: Tell,
}

/// Shows a browser how its sign-in went.
pub type Tell = Box<dyn FnOnce(Option<Refusal>) -> LocalBoxFuture<()>>;

/// What a sign-in asks of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// The session in the person's browser will do, if the organization does not call it too old.
    AsItStands,
    /// The person is to authenticate anew: what came before was ended or refused.
    Anew,
}

pub trait IdentityProvider {
    /// Discovers, and listens on loopback for an authorization URL or asks for a device code.
    fn begin(
        &self,
        org: &Org,
        authentication: Authentication,
        by: SignInBy,
    ) -> LocalBoxFuture<Result<PendingLogin, Refusal>>;
    /// One refresh; checks the ID token against `known` (same `iss` and `sub`, R30).
    fn refresh(
        &self,
        org: &Org,
        tokens: SessionTokens,
        known: Identity,
    ) -> LocalBoxFuture<Result<Arrived, EndpointFault>>;
    /// Asks userinfo for the groups of `known`, with an access token of theirs. It is for where a renewal brings no
    /// ID token; the renewal is kept before, for this can take its time.
    fn userinfo(&self, org: &Org, access: Arc<Secret>, known: Identity)
    -> LocalBoxFuture<UserInfo>;
    /// Asks for nothing, and tells what would stop a sign-in or a renewal.
    fn look(&self, org: &Org) -> LocalBoxFuture<Vec<ProviderFault>>;
    /// RFC 7009 at the provider. The error says in our words why it failed.
    fn revoke(&self, org: &Org, refresh: Arc<Secret>) -> LocalBoxFuture<Result<(), String>>;
}

/// A minted token.
pub struct Minted {
    pub token: Arc<Secret>,
    /// SHA-256 of it, lower-case hex.
    pub sha256: String,
    /// Seconds it lives, from the answer, never more than the order's `lifetime_s`.
    pub expires_in_s: u64,
    /// The endpoint said nothing that ties the token to the repository asked for.
    pub wider_than_asked: bool,
    /// What the organization's own issuer says about it.
    pub granting: Option<Granting>,
}

pub trait TokenEndpoint {
    /// One exchange (RFC 8693), its answer checked (R33). The organization's own issuer puts
    /// `request_id` on its record.
    fn mint(
        &self,
        org: &Org,
        subject: Arc<Secret>,
        order: TokenKey,
        request_id: String,
    ) -> LocalBoxFuture<Result<Minted, EndpointFault>>;
    /// RFC 7009 for a role token. `Ok(false)`: the endpoint has no revocation.
    fn revoke(&self, org: &Org, token: Arc<Secret>) -> LocalBoxFuture<Result<bool, String>>;
}

/// What is asked of `why`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub hub: HubName,
    /// The repository; none: the whole hub.
    pub repository: Option<Repository>,
    pub action: Action,
    /// A role that the person named.
    pub role: Option<RoleName>,
}

/// The organization's own issuer, beside the exchange. `bearer` is the token that is exchanged.
pub trait IssuerApi {
    /// What the bearer may do.
    fn roles(
        &self,
        org: &Org,
        bearer: Arc<Secret>,
    ) -> LocalBoxFuture<Result<EffectiveRoles, EndpointFault>>;
    /// Why, or why not.
    fn why(
        &self,
        org: &Org,
        bearer: Arc<Secret>,
        question: Question,
    ) -> LocalBoxFuture<Result<WhyAnswer, EndpointFault>>;
    /// Sends records.
    fn upload(
        &self,
        org: &Org,
        bearer: Arc<Secret>,
        upload: Upload,
    ) -> LocalBoxFuture<Result<UploadAnswer, EndpointFault>>;
    /// Asks once for what has come after a cursor.
    fn poll(
        &self,
        org: &Org,
        bearer: Arc<Secret>,
        since: Since,
    ) -> LocalBoxFuture<Result<Poll, EndpointFault>>;
    /// Gives the bearer up: what stands for the person up to now counts no longer there.
    fn signed_out(
        &self,
        org: &Org,
        bearer: Arc<Secret>,
    ) -> LocalBoxFuture<Result<(), EndpointFault>>;
    /// Opens the feed after a cursor and hands each message to `hear`, until it ends; then what ended
    /// it, or nothing when it ended in order.
    fn feed(
        &self,
        org: &Org,
        bearer: Arc<Secret>,
        since: Since,
        hear: Box<dyn Fn(FeedItem)>,
    ) -> LocalBoxFuture<Result<(), EndpointFault>>;
}

/// What of the issuer's is known already.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Since {
    /// Cursor of the feed.
    pub after: Option<String>,
    /// The last head of its audit log that it told.
    pub head: Option<String>,
}

/// Where a sign-in wants its session kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreWish {
    /// There.
    pub store: StoreChoice,
    /// The next best store will do where there is no such one.
    pub or_next_best: bool,
}

impl StoreWish {
    /// The same where there is no such store, if that will do.
    pub const fn next_best(self) -> Option<Self> {
        let store = match (self.or_next_best, self.store) {
            (true, StoreChoice::Keyring) => StoreChoice::Kernel,
            (true, StoreChoice::Kernel) => StoreChoice::Memory,
            (true, StoreChoice::Memory) | (false, _) => return None,
        };
        Some(Self { store, ..self })
    }
}

impl From<StoreChoice> for StoreWish {
    /// There and nowhere else.
    fn from(store: StoreChoice) -> Self {
        Self {
            store,
            or_next_best: false,
        }
    }
}

/// What another program did to the state since this agent last read or wrote it.
pub enum Meanwhile {
    Nothing,
    /// It wrote tombstones: these lie there now.
    Buried(BTreeMap<OrgName, Tombstone>),
    /// It wrote tombstones that can't be read; why.
    Unreadable(String),
    /// The state is no longer this agent's to read or write; why.
    Lost(String),
}

/// The sealed state and the tombstones.
pub trait Vault {
    /// What another program did meanwhile. Asked before anything is decided, so before every save and
    /// every answer: it costs two looks at the disk.
    fn meanwhile(&self) -> Meanwhile;
    /// Where a session can be kept now: in the store of `wish`, or in the next best one where there is none
    /// and that will do. Creates the key if there is none, unlocks nothing. Called before a browser opens.
    fn prepare(&self, wish: StoreWish) -> LocalBoxFuture<Result<StoreChoice, Refusal>>;
    /// The sign-in arrived: what [`Vault::prepare`] made ready takes over at the next save.
    fn adopt(&self);
    /// The sign-in came to nothing: what was in use stays in use.
    fn abandon(&self);
    /// Whether a key is in use; before the first sign-in there is none, and nothing to seal.
    fn has_key(&self) -> bool;
    /// Opens what an earlier agent sealed. `None`: nothing there. A refusal says that the keyring
    /// is missing or locked, or that the file can't be read; nothing is lost then.
    fn open(&self) -> LocalBoxFuture<Result<Option<Sealed>, Refusal>>;
    /// Writes the sealed state durably with the key in memory; with [`StoreChoice::Memory`] does nothing.
    fn save(&self, sealed: &Sealed) -> Result<(), String>;
    /// Deletes the sealed file: the way out when an end can't be written.
    fn discard(&self) -> Result<(), String>;
    /// Deletes sealed files that were moved aside: what nobody can open must not outlive an end.
    fn discard_aside(&self) -> Result<(), String>;
    /// The sealed state could not be opened because its key is gone as it always goes: with a boot.
    fn key_went_with_the_boot(&self) -> bool {
        false
    }
    /// The store in use.
    fn store(&self) -> StoreChoice;
    /// Reads the tombstones.
    fn tombstones(&self) -> Result<BTreeMap<OrgName, Tombstone>, String>;
    /// Writes the tombstones durably.
    fn persist_tombstone(&self, tombstones: &BTreeMap<OrgName, Tombstone>) -> Result<(), String>;
    /// What agents told on the desktop; nothing where it can't be read: then something is told twice.
    fn notices(&self) -> NoticeMemory;
    /// Writes it. Nothing hangs on it but that a notice comes twice, or not.
    fn persist_notices(&self, memory: &NoticeMemory);
}

/// The audit log's file.
pub trait AuditFile {
    /// Appends one line (no line feed in it) and rotates by size. Not yet durable.
    fn append(&self, line: &str) -> Result<(), String>;
    /// Makes all lines durable.
    fn sync(&self) -> Result<(), String>;
    /// The last complete line, to go on from; cuts nothing. `None`: empty.
    fn last_line(&self) -> Result<Option<String>, String>;
    /// The line with this number, when a file still holds it.
    fn line(&self, seq: u64) -> Result<Option<String>, String>;
    /// The folder, for display.
    fn folder(&self) -> String;
    /// The lines from number `from` on, without line feeds: `most` at most, and no more than `bytes`
    /// bytes, but one if there is one.
    fn lines(&self, from: u64, most: usize, bytes: usize) -> Result<Vec<String>, String>;
    /// Gives every complete line of all files, oldest first.
    fn each(&self, take: &mut dyn FnMut(&str)) -> Result<(), String>;
    /// What was found amiss and put right when the log was opened: a last line that a crash cut off.
    /// Told once.
    fn repaired(&self) -> Option<String> {
        None
    }
}

/// A desktop notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// One line.
    pub title: String,
    /// What to do.
    pub body: String,
    /// Stays until dismissed.
    pub urgent: bool,
}

/// The desktop.
pub trait Notices {
    /// Shows it, aside, under a deadline; no notification service is no fault.
    fn show(&self, notice: Notice);
}

/// Who is at the screen. It is asked only where the answer decides something, and costs nothing in between.
pub trait Screen {
    /// How the screen of the login session of process `caller` is now; without one, of the user's own desktop.
    fn state(&self, caller: Option<u32>) -> LocalBoxFuture<ScreenState>;
    /// Resolves when somebody is at the user's desktop, with what is known then.
    fn person(&self) -> LocalBoxFuture<ScreenState>;
}

/// Private token files for children of `oam exec`.
pub trait ChildTokenFiles {
    /// Writes the token to the file of `name` by temp + rename; answers its path.
    fn put(&self, name: &str, token: &Secret) -> Result<String, String>;
    /// Deletes file and folder of `name`; a missing one is no fault.
    fn withdraw(&self, name: &str) -> Result<(), String>;
    /// Deletes all that an earlier agent left.
    fn sweep(&self) -> Result<(), String>;
    /// Whether the folder lies in memory.
    fn in_memory(&self) -> bool;
}

/// What organizations publish about themselves.
pub trait Published {
    /// The set-up published by the issuer at `url`, checked. `known` is the organization that is
    /// set up with this issuer: its way out (roots, proxy) is taken, unless `route` says another.
    fn organization(
        &self,
        url: &str,
        known: Option<&Org>,
        route: Option<Route>,
    ) -> LocalBoxFuture<Result<Organization, Refusal>>;
}

/// The configuration's files.
pub trait Configuration {
    /// Reads, merges and checks them.
    ///
    /// # Errors
    /// All faults, one a line; or why a file can't be read or trusted.
    fn load(&self) -> Result<Settings, String>;

    /// The organization as it would be configured if what its issuer publishes were taken over: the company's
    /// own file decides what it enforces.
    ///
    /// # Errors
    /// Why it could not be configured so.
    fn effective(&self, published: &Organization) -> Result<Org, String>;
}
