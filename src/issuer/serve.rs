//! `oam-issuer serve`: everything put together, until somebody wants it to end.

use super::anchors;
use super::directory;
use super::feed;
use super::files::IssuerFiles;
use super::github;
use super::history;
use super::http::{Gate, router, tls};
use super::keys::SigningKeys;
use super::one_server;
use super::process;
use super::record;
use super::reload;
use super::seal::MasterKey;
use super::secrets;
use super::state::{Deps, Issuer, LiveConfig};
use super::upkeep;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::issuer::{IssuerSettings, TlsFiles};
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use oam_store::sqlite::SqliteStore;
use oam_store::{Batch, Store};
use oam_system::clock;
use oam_system::process::{ProcessSignal, ProcessSignals};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Time for requests that are in progress when the server ends.
const DRAIN: Duration = Duration::from_secs(10);
/// Time for the headers of a request, and for a TLS handshake.
const HEADERS: Duration = Duration::from_secs(10);

/// What of a request's line and headers makes the connection stop reading, bytes; it can have read as much
/// again by then. What comes of a body lies there too on its way.
const BUFFER: usize = 24 * 1024;

/// Serves what these files say until somebody wants it to end; `config` is read again when it changes.
///
/// # Errors
/// What keeps it from serving at all: files, database, addresses.
pub async fn serve(config: PathBuf, files: IssuerFiles) -> Result<(), Refusal> {
    let mut signals = ProcessSignals::take().map_err(|error| {
        Refusal::unavailable(
            format!(
                "the issuer can't listen for signals: {}",
                reason(error.kind())
            ),
            "look at the limits of open files",
        )
    })?;
    let listeners = listen(&files.settings)?;
    let _one_server = one_server::take(Path::new(&files.settings.database))?;
    let issuer = Arc::new(open(files).await?);
    reload::found_at_start(&issuer).await?;
    let tls = match &issuer.live_config().settings.tls {
        Some(files) => Some((files.clone(), tls::read(files).await?)),
        None => None,
    };
    mark(&issuer, AuditEvent::Start, None).await?;
    let (hangup, asked) = mpsc::channel(1);
    let mut tasks = JoinSet::new();
    begin(&mut tasks, &issuer, config, asked, tls.clone());
    let served = Served::begin(&issuer, listeners, tls.as_ref().map(|(_, config)| config));
    for address in &served.addresses {
        tracing::info!(%address, url = issuer.live_config().settings.url, "listening");
    }
    process::notify("READY=1");
    while signals.next().await == ProcessSignal::Reload {
        // One that waits already reads what is there by then.
        let _ = hangup.try_send(());
    }
    process::notify("STOPPING=1");
    tracing::info!("ending: feeds end now, requests may finish");
    served.end(&issuer).await;
    record::settled(&issuer.settling, DRAIN).await;
    while tasks.join_next().await.is_some() {}
    record::sum(&issuer).await;
    mark(&issuer, AuditEvent::Stop, None).await
}

/// Store, keys and configuration. The database is there, or nothing is served: see `oam-issuer init`. Whatever is wrong is said before anything is served.
///
/// # Errors
/// What is wrong.
pub async fn open(files: IssuerFiles) -> Result<Issuer, Refusal> {
    let org = &files.policy.org.name;
    let settings = &files.settings;
    let store = SqliteStore::open_existing(settings, org)?;
    // An older copy that was put in the database's place has forgotten revocations: the operator's word first.
    if let Some(misfit) = store.misfit() {
        return Err(misfit.clone());
    }
    let store: Arc<dyn Store> = Arc::new(store);
    let master = Arc::new(MasterKey::read(&settings.master_key)?);
    secrets::check(&*store, &master).await?;
    let keys = SigningKeys::open(
        Arc::clone(&store),
        Arc::clone(&master),
        settings.signing,
        org.clone(),
        clock::now_ms(),
    );
    let deps = Deps {
        keys: Arc::new(keys.await?),
        store,
        master,
    };
    let live_config = LiveConfig::new(files.settings, files.policy, &files.policy_text, &deps)?;
    Ok(Issuer::new(deps, live_config))
}

/// The tasks beside the requests.
fn begin(
    tasks: &mut JoinSet<()>,
    issuer: &Arc<Issuer>,
    config: PathBuf,
    asked: mpsc::Receiver<()>,
    tls: Option<(TlsFiles, RustlsConfig)>,
) {
    tasks.spawn(feed::wake_all(Arc::clone(issuer)));
    tasks.spawn(github::keep(Arc::clone(issuer)));
    tasks.spawn(upkeep::keys(Arc::clone(issuer)));
    tasks.spawn(upkeep::sweep(Arc::clone(issuer)));
    tasks.spawn(directory::schedule::run(Arc::clone(issuer)));
    tasks.spawn(upkeep::refusals(Arc::clone(issuer)));
    tasks.spawn(history::follow(Arc::clone(issuer)));
    tasks.spawn(anchors::write_all(Arc::clone(issuer)));
    tasks.spawn(reload::watch(Arc::clone(issuer), config, asked));
    if let Some((files, config)) = tls {
        tasks.spawn(upkeep::certificates(Arc::clone(issuer), files, config));
    }
}

/// An entry for the start or the end of the server.
async fn mark(issuer: &Issuer, event: AuditEvent, detail: Option<String>) -> Result<(), Refusal> {
    let entry = AuditRecord {
        detail: detail.or_else(|| Some(format!("version {}", env!("CARGO_PKG_VERSION")))),
        ..issuer.entry(event)
    };
    let batch = Batch {
        changes: Vec::new(),
        entries: vec![entry],
    };
    let written = issuer.commit(batch).await;
    written.map(drop).map_err(|fault| fault.refusal())
}

/// Opens every address before anything else: one that is taken ends the start.
fn listen(settings: &IssuerSettings) -> Result<Vec<TcpListener>, Refusal> {
    let mut open = Vec::new();
    for text in &settings.listen {
        let address: SocketAddr = text.parse().map_err(|_| {
            Refusal::bad_request(
                format!("`{}` is not an address to listen on", text.escape_debug()),
                "write it like 127.0.0.1:8443",
            )
        })?;
        let private = settings.tls.is_some() || !settings.trusted_proxies.is_empty();
        if !private && !address.ip().is_loopback() {
            return Err(Refusal::bad_request(
                format!("{address} is open to others without TLS"),
                "add [tls], or listen on 127.0.0.1, or name the proxy that ends TLS in `trusted_proxies`",
            ));
        }
        let listener = TcpListener::bind(address).map_err(|error| {
            Refusal::unavailable(
                format!("{address} can't be listened on: {}", reason(error.kind())),
                "look whether another process has it, or whether this user may",
            )
        })?;
        open.push(listener);
    }
    Ok(open)
}

/// The listeners with what serves them.
pub struct Served {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    handle: Handle<SocketAddr>,
    tasks: JoinSet<io::Result<()>>,
}

impl Served {
    /// Serves on these listeners, by TLS when there are certificates.
    pub fn begin(
        issuer: &Arc<Issuer>,
        listeners: Vec<TcpListener>,
        tls: Option<&RustlsConfig>,
    ) -> Self {
        let mut served = Self {
            addresses: Vec::new(),
            handle: Handle::new(),
            tasks: JoinSet::new(),
        };
        for listener in listeners {
            served.addresses.extend(listener.local_addr());
            let handle = served.handle.clone();
            let task = one(issuer, listener, tls.cloned(), handle);
            served.tasks.spawn(task);
        }
        served
    }

    /// Feeds end at once, requests in progress may finish for a while.
    pub async fn end(mut self, issuer: &Issuer) {
        issuer.stopping.send_replace(true);
        self.handle.graceful_shutdown(Some(DRAIN));
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok(Err(error)) = ended {
                tracing::error!(kind = reason(error.kind()), "a listener ended");
            }
        }
    }
}

fn one(
    issuer: &Arc<Issuer>,
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    handle: Handle<SocketAddr>,
) -> impl Future<Output = io::Result<()>> + use<> {
    let service = router(issuer).into_make_service_with_connect_info::<SocketAddr>();
    let gate = Gate::new(Arc::clone(issuer));
    async move {
        let server = axum_server::from_tcp(listener)?.handle(handle);
        if let Some(config) = tls {
            let acceptor = RustlsAcceptor::new(config).acceptor(gate);
            let server = bounded(server.acceptor(acceptor));
            server.serve(service).await
        } else {
            bounded(server.acceptor(gate)).serve(service).await
        }
    }
}

/// With bounds of time and size for what comes before a request's body.
fn bounded<A>(server: Server<SocketAddr, A>) -> Server<SocketAddr, A> {
    let mut server = server.http1_only();
    server
        .http_builder()
        .http1()
        .header_read_timeout(HEADERS)
        .max_buf_size(BUFFER);
    server.first_request_timeout(HEADERS)
}
