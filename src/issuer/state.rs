//! What the whole server shares: the store, the keys, and the configuration in force.

use super::feed::Feeds;
use super::github::{self, GitHubApp, TeamNews};
use super::history::Heads;
use super::http::address;
use super::http::body::ROOM_KIB;
use super::http::connections::{ConnectionLimiter, below_descriptors};
use super::http::limiter::{Limiter, Shares};
use super::identity::Identities;
use super::keys::{SigningKeys, sha256};
use super::metrics::Metrics;
use super::mint::{Mint, Parts};
use super::organization;
use super::outbound::OutboundClient;
use super::place;
use super::process;
use super::scim::DirectoryTraffic;
use super::seal::MasterKey;
use super::signals::SignalReceiver;
use super::unwritten::Unwritten;
use arc_swap::{ArcSwap, Guard};
use ipnet::IpNet;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::issuer::{IssuerHub, IssuerSettings, ServerLimits};
use oam_model::name::{HubName, OrgName, SourceName};
use oam_model::organization::Organization;
use oam_model::policy::{OrgRules, Policy};
use oam_model::principal::PrincipalKey;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_policy::policy::Index;
use oam_store::{Batch, Committed, Store, StoreFault};
use oam_system::clock;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, watch};

/// Identities whose pace is remembered.
const IDENTITIES: usize = 100_000;
/// Addresses whose failures are remembered.
const ADDRESSES: usize = 20_000;

/// The configuration in force and what is made from it. Replaced as a whole: a request sees one.
pub struct LiveConfig {
    /// `issuer.toml`.
    pub settings: IssuerSettings,
    /// `policy.toml`.
    pub policy: Index,
    /// SHA-256 of the policy file, lower-case hex.
    pub policy_digest: String,
    /// Who asks.
    pub identities: Arc<Identities>,
    /// Who signals.
    pub signals: SignalReceiver,
    /// Whose teams are read at GitHub, by source.
    pub github: BTreeMap<SourceName, GitHubApp>,
    /// Who makes tokens.
    pub mint: Mint,
    /// `/.well-known/oam`.
    pub organization: Organization,
    /// Its digest, by which agents see that it changed.
    pub setup: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpNet>,
    /// Bearer of `/metrics`.
    pub metrics_token: Option<Secret>,
}

/// What stays the same while the configuration changes.
pub struct Issuer {
    pub store: Arc<dyn Store>,
    /// Seals what is at rest.
    pub master: Arc<MasterKey>,
    pub keys: Arc<SigningKeys>,
    /// Open streams.
    pub feeds: Arc<Feeds>,
    pub metrics: Metrics,
    /// What is wrong.
    pub health: Health,
    /// The pace of each identity.
    pub exchange_limiter: Limiter<PrincipalKey>,
    /// The pace of each bearer at everything else.
    pub bearer_limiter: Limiter<PrincipalKey>,
    /// What directories send.
    pub directories: DirectoryTraffic,
    /// What GitHub's events named.
    pub team_news: TeamNews,
    /// The failures of each address.
    pub failure_limiter: Limiter<IpAddr>,
    pub connections: Arc<ConnectionLimiter>,
    /// What all large bodies share, KiB.
    pub room: Arc<Semaphore>,
    /// Uploads of records that are under way.
    pub uploads: Arc<Shares<PrincipalKey>>,
    /// The alarms that each identity caused.
    pub alarms: Limiter<PrincipalKey>,
    /// Whose day of records was told to be full.
    pub full_days: Limiter<PrincipalKey>,
    /// The refusals of each identity that are on record.
    pub denials: Limiter<PrincipalKey>,
    /// The same of all jobs of one source: there can be any number of them.
    pub job_denials: Limiter<SourceName>,
    /// The refusals of each address, and of all, that are on record one by one.
    pub recorded: Limiter<Option<IpAddr>>,
    /// Refusals that are on record as a sum.
    pub unwritten: Unwritten,
    /// What the log says now and then.
    pub said: Limiter<&'static str>,
    /// The head of the audit log as it is told, and what others remember of it.
    pub heads: Heads,
    /// True once the server ends.
    pub stopping: watch::Sender<bool>,
    /// How many changes are being carried to hubs.
    pub settling: watch::Sender<usize>,
    live_config: ArcSwap<LiveConfig>,
}

/// What an [`Issuer`] is made from.
pub struct Deps {
    pub store: Arc<dyn Store>,
    /// Seals what is at rest.
    pub master: Arc<MasterKey>,
    pub keys: Arc<SigningKeys>,
}

impl LiveConfig {
    /// Makes everything that depends on the configuration. `text` is the policy file's.
    ///
    /// # Errors
    /// A secret is not where the settings say, or a setting can't be used.
    pub fn new(
        settings: IssuerSettings,
        policy: Policy,
        text: &str,
        deps: &Deps,
    ) -> Result<Self, Refusal> {
        let outside = Arc::new(OutboundClient::new(&settings)?);
        let identities = Arc::new(Identities::new(&settings, &outside)?);
        let signals = SignalReceiver::new(&settings, &outside, Arc::clone(&identities))?;
        let github = github::apps(&settings, &outside)?;
        let mint = Mint::new(Parts {
            url: settings.url.clone(),
            org: policy.org.name.clone(),
            hubs: settings.hubs.clone(),
            keys: Arc::clone(&deps.keys),
            outside,
            store: Arc::clone(&deps.store),
            master: Arc::clone(&deps.master),
        });
        let proxies = settings
            .trusted_proxies
            .iter()
            .map(|text| address::network(text))
            .collect::<Result<_, _>>()
            .map_err(|fault| {
                Refusal::bad_request(fault, "correct `trusted_proxies` in the configuration")
            })?;
        let published = organization::document(&settings, &policy.org)?;
        let metrics_token = settings
            .metrics_token
            .as_ref()
            .map(|place| place::secret(place, "metrics_token"))
            .transpose()?;
        Ok(Self {
            setup: organization::digest(&published),
            organization: published,
            policy_digest: sha256(text.as_bytes()),
            policy: Index::new(policy),
            settings,
            identities,
            signals,
            github,
            mint,
            proxies,
            metrics_token,
        })
    }

    /// What holds for the whole organization.
    pub const fn org(&self) -> &OrgRules {
        &self.policy.policy().org
    }

    /// A hub by its name.
    pub fn hub(&self, name: &HubName) -> Option<&IssuerHub> {
        self.settings.hubs.iter().find(|hub| hub.name == *name)
    }

    /// The transmitter's streams that speak of a source: issuer, and for how long a verification counts.
    pub fn streams_of<'a>(
        &'a self,
        key: &'a PrincipalKey,
    ) -> impl Iterator<Item = (&'a str, u64)> + 'a {
        self.settings
            .transmitters
            .iter()
            .filter(|one| one.source == key.source && one.live_for_ms > 0)
            .map(|one| (one.issuer.as_str(), one.live_for_ms))
    }
}

impl Issuer {
    /// The shared state with a first configuration.
    pub fn new(deps: Deps, live_config: LiveConfig) -> Self {
        let limits = live_config.settings.limits;
        let feeds = Feeds::new(limits.feeds);
        let connections = ConnectionLimiter::new(
            below_descriptors(limits.connections, process::open_files()),
            limits.connections_per_address,
        );
        Self {
            store: deps.store,
            master: deps.master,
            keys: deps.keys,
            feeds: Arc::new(feeds),
            metrics: Metrics::default(),
            health: Health::default(),
            exchange_limiter: Limiter::new(IDENTITIES),
            bearer_limiter: Limiter::new(IDENTITIES),
            directories: DirectoryTraffic::default(),
            team_news: TeamNews::default(),
            failure_limiter: Limiter::new(ADDRESSES),
            connections: Arc::new(connections),
            room: Arc::new(Semaphore::new(ROOM_KIB)),
            uploads: Arc::default(),
            alarms: Limiter::new(IDENTITIES),
            full_days: Limiter::new(IDENTITIES),
            denials: Limiter::new(IDENTITIES),
            job_denials: Limiter::new(1_000),
            recorded: Limiter::new(ADDRESSES),
            unwritten: Unwritten::default(),
            said: Limiter::new(16),
            heads: Heads::default(),
            stopping: watch::Sender::new(false),
            settling: watch::Sender::new(0),
            live_config: ArcSwap::from_pointee(live_config),
        }
    }

    /// The configuration in force, for a moment: it must not be held over an await.
    pub fn peek_live_config(&self) -> Guard<Arc<LiveConfig>> {
        self.live_config.load()
    }

    /// The configuration in force, for a whole request.
    pub fn live_config(&self) -> Arc<LiveConfig> {
        self.live_config.load_full()
    }

    /// Puts another configuration in force.
    pub fn replace_live_config(&self, other: LiveConfig) {
        self.live_config.store(Arc::new(other));
    }

    /// What a changed configuration is made from.
    pub fn deps(&self) -> Deps {
        Deps {
            store: Arc::clone(&self.store),
            master: Arc::clone(&self.master),
            keys: Arc::clone(&self.keys),
        }
    }

    /// Other limits of connections, for those that come.
    pub fn limit_connections(&self, limits: &ServerLimits) {
        let most = below_descriptors(limits.connections, process::open_files());
        self.connections.limit(most, limits.connections_per_address);
    }

    /// An entry of now.
    pub fn entry(&self, event: AuditEvent) -> AuditRecord {
        AuditRecord::new(event, self.org_name(), clock::now_ms())
    }

    /// The organization.
    pub fn org_name(&self) -> OrgName {
        self.peek_live_config().org().name.clone()
    }

    /// Commits, counts how long it took, and remembers whether the database is there.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub async fn commit(&self, batch: Batch) -> Result<Committed, StoreFault> {
        let began = clock::steady();
        let outcome = self.store.commit(batch).await;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a latency, not a count: microseconds of a commit fit"
        )]
        let seconds = clock::steady().since_us(began) as f64 / 1_000_000.0;
        self.metrics.commit_seconds.observe(seconds);
        match &outcome {
            Err(StoreFault::Unavailable(why)) => {
                self.health.wrong(DATABASE, format!("the database: {why}"));
            }
            // What was asked for was refused, by a database that is there.
            Ok(_)
            | Err(
                StoreFault::Overtaken
                | StoreFault::Replayed
                | StoreFault::Unchanged
                | StoreFault::Taken
                | StoreFault::Exhausted
                | StoreFault::Invalid(_),
            ) => self.health.right(DATABASE),
        }
        outcome
    }
}

/// Part of [`Health`]: nothing can be granted without it.
pub const DATABASE: &str = "database";
/// Part of [`Health`]: a broken file; the old one is in force.
pub const CONFIGURATION: &str = "configuration";
/// Part of [`Health`]: signing keys that could not be read again.
pub const KEYS: &str = "keys";
/// Part of [`Health`]: certificates that could not be read again.
pub const TLS: &str = "tls";

/// Part of [`Health`]: somebody knows of audit entries that the database does not have.
pub const HISTORY: &str = "history";
/// Part of [`Health`]: anchors could not be written where the operator wants them.
pub const ANCHORS: &str = "anchors";

pub const PARTS: [&str; 6] = [DATABASE, CONFIGURATION, KEYS, TLS, HISTORY, ANCHORS];

/// What is wrong with the server, by part; for `/readyz` and the log.
#[derive(Default)]
pub struct Health {
    parts: Mutex<BTreeMap<&'static str, String>>,
    looked_ms: AtomicU64,
}

/// Shortest time between two looks whether something can be written, ms.
const LOOK_MS: u64 = 1_000;

impl Health {
    /// This part is wrong, in our own words. Logged when it is new.
    pub fn wrong(&self, part: &'static str, why: String) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.get(part) != Some(&why) {
            tracing::error!(part, why, "something is wrong");
            parts.insert(part, why);
        }
    }

    /// This part is right.
    pub fn right(&self, part: &'static str) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.remove(part).is_some() {
            tracing::info!(part, "it is right again");
        }
    }

    /// Whether it is time for another look; says so once.
    pub fn is_due(&self, now_ms: u64) -> bool {
        let last = self.looked_ms.load(Ordering::Relaxed);
        now_ms.abs_diff(last) >= LOOK_MS
            && self
                .looked_ms
                .compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Whether this part is wrong.
    pub fn is_wrong(&self, part: &'static str) -> bool {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.contains_key(part)
    }

    /// All that is wrong.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts
            .iter()
            .map(|(part, why)| (*part, why.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{DATABASE, Health};

    #[test]
    fn what_is_right_again_is_no_problem() {
        let health = Health::default();
        health.wrong(DATABASE, "the disk is full".into());
        assert_eq!(health.problems(), [(DATABASE, "the disk is full".into())]);
        health.right(DATABASE);
        assert_eq!(health.problems(), []);
    }
}
