//! Puts the agent together: harden, take the place, read the settings, serve.

use super::audit_file::{DiskAuditFile, ROTATE_AT};
use super::clock::{SystemClock, SystemRng};
use super::exchange::TokenExchange;
use super::feed::OwnIssuer;
use super::files::TokenFiles;
use super::http::Http;
use super::listen::{ListenOutcome, Listening, passed, take};
use super::log_file::LogFile;
use super::notice::Desktop;
use super::oidc::Oidc;
use super::organization::Issuers;
use super::screen::DesktopScreen;
use super::settings::{SettingsFiles, StandardFiles};
use super::socket_watch::Keeping;
use super::state_lock::{self, StateLock};
use super::vault::FileVault;
use super::{process, socket};
use oam_agent::command::{AgentCommand, Mailbox};
use oam_agent::core::AgentCore;
use oam_agent::ports::{Clock, Ports};
use oam_model::refusal::Refusal;
use oam_system::process::{harden, lock_memory, quiet_panics};
use oam_wire::host;
use oam_wire::message::VERSION;
use oam_wire::socket_path::SocketPath;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Commands that may wait for the core; a full mailbox is a refusal (R27).
const MAILBOX: usize = 1024;

const HELP: &str = "\
oam-agent - holds the session of a person and serves short-lived role tokens

Usage: oam-agent [--foreground]

It is started by the service manager's socket, or by the first `oam` or git that needs it.
It logs to agent.log in its state folder, two files of 512 KiB at most; with --foreground it keeps the
terminal and logs to that. OAM_LOG=debug says more, OAM_LOG=off nothing.
  -h, --help     this text
  -V, --version  the version
";

/// Runs `oam-agent` with these arguments; answers the exit code.
pub fn run(args: &[String]) -> u8 {
    let foreground = match args {
        [] => false,
        [one] if one == "--foreground" => true,
        [one] if one == "-h" || one == "--help" => return process::say_text(HELP),
        [one] if one == "-V" || one == "--version" => {
            return process::say_text(&format!("oam-agent {VERSION}\n"));
        }
        _ => {
            process::say_text(HELP);
            return 2;
        }
    };
    match start(foreground) {
        Ok(()) => 0,
        Err(refusal) => {
            process::say_refusal(&refusal);
            refusal.code.exit_code()
        }
    }
}

fn start(foreground: bool) -> Result<(), Refusal> {
    harden("the agent")?;
    quiet_panics("oam-agent");
    if foreground {
        log_to_terminal();
    }
    if !lock_memory() {
        tracing::info!(
            "memory is not locked, its limit does not allow it (LimitMEMLOCK=infinity would): encrypt swap"
        );
    }
    let place = SocketPath::find()?;
    let handed = passed()?;
    let managed = handed.is_some();
    let path = handed.as_ref().and_then(path_of);
    // Before the socket's place and before anything is read: it decides which agent this one is.
    let lock = match state_lock::take(&state_base()?, path.as_deref())? {
        state_lock::LockOutcome::Theirs(there) => {
            process::say_ready_at(&there.socket);
            return Ok(());
        }
        state_lock::LockOutcome::Ours(lock) => Rc::new(lock),
    };
    lock.record(path.as_deref().unwrap_or(&place.socket));
    let listening = match take(&place, handed)? {
        ListenOutcome::Theirs => {
            process::say_ready();
            return Ok(());
        }
        ListenOutcome::Ours(listening) => listening,
    };
    if !foreground && !managed {
        process::detach();
    }
    if !foreground {
        // Without it everything else works.
        let log = LogFile::open(lock.folder());
        log.into_iter().for_each(log_to_file);
    }
    // A runtime that can be of this thread alone: the other scheduler, and the mathematics library that it asks for,
    // are not linked.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default());
    let runtime = runtime.map_err(|error| {
        Refusal::unavailable(
            format!("the agent can't start its event loop: {}", error.kind()),
            "look at the limits of open files and processes",
        )
    })?;
    let served = runtime.block_on(serve(listening, &place, &lock, foreground || managed));
    // A look at a folder whose server does not answer must not keep us here.
    runtime.shutdown_background();
    served
}

fn log_to_terminal() {
    use std::io::IsTerminal as _;
    log_to(std::io::stderr, std::io::stderr().is_terminal());
}

fn log_to_file(log: LogFile) {
    log_to(std::sync::Mutex::new(log), false);
    tracing::info!("the agent {VERSION} starts");
}

/// Readable by people who look for a fault: never a token, never a body (R24).
fn log_to(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static, colours: bool) {
    // Levels by target alone: what else a filter can name would bring a regex engine into a program that sits idle.
    let wanted = std::env::var("OAM_LOG").ok();
    let wanted = wanted.and_then(|wanted| wanted.parse::<Targets>().ok());
    let wanted = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = fmt::layer().with_ansi(colours).with_writer(writer);
    // Fails only when somebody logs already.
    let _ = tracing_subscriber::registry()
        .with(wanted)
        .with(lines)
        .try_init();
}

fn path_of(listener: &UnixListener) -> Option<PathBuf> {
    let address = listener.local_addr().ok()?;
    address.as_pathname().map(PathBuf::from)
}

/// `$XDG_STATE_HOME/oam`, or what the platform has for it; without HOME as the user database says.
fn state_base() -> Result<PathBuf, Refusal> {
    if let Some(base) = host::base(&|name| std::env::var_os(name)) {
        return Ok(base);
    }
    let dirs = directories::BaseDirs::new().ok_or_else(|| {
        Refusal::unavailable("the user's home directory is not known", "set HOME")
    })?;
    let state = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir());
    Ok(state.join("oam"))
}

async fn serve(
    listening: Listening,
    place: &SocketPath,
    lock: &Rc<StateLock>,
    keeps_streams: bool,
) -> Result<(), Refusal> {
    let ending = process::ending().map_err(|error| {
        Refusal::unavailable(
            format!("the agent can't listen for signals: {}", error.kind()),
            "look at the limits of open files",
        )
    })?;
    let (mailbox, commands) = mpsc::channel(MAILBOX);
    let core = core(place, lock, &mailbox);
    process::say_ready();
    if !keeps_streams {
        let _ = process::leave_streams();
    }
    // Two ends: the core retires, or the system wants us gone. Either way the server drains.
    let stop = Rc::new(Notify::new());
    let retired = Rc::clone(&stop);
    let keeping = tokio::task::spawn_local(async move {
        core.run(commands, ending).await;
        retired.notify_one();
    });
    // No second handle of the socket: who connects once we stop must be refused, and start the next.
    let Listening { listener, hold } = listening;
    let listener = tokio::net::UnixListener::from_std(listener).map_err(|error| {
        Refusal::unavailable(
            format!("the agent can't wait on its socket: {}", error.kind()),
            "look at the limits of open files",
        )
    })?;
    let (anew, others) = mpsc::channel(1);
    let found = Keeping::new(place.clone(), hold, Rc::clone(lock), anew, mailbox.clone());
    let found = Rc::new(found);
    let watched = Rc::clone(&found);
    tokio::task::spawn_local(async move { watched.run().await });
    socket::serve(
        listener,
        others,
        mailbox,
        socket::ConnectionLimits::default(),
        stop.notified(),
    )
    .await;
    let _ = keeping.await;
    found.release();
    Ok(())
}

fn core(place: &SocketPath, lock: &Rc<StateLock>, mailbox: &Mailbox) -> AgentCore {
    let mut files = SettingsFiles::standard();
    let settings = files.load();
    let clock: Rc<dyn Clock> = Rc::new(SystemClock);
    let http = Rc::new(Http::new(Rc::clone(&clock)));
    let ports = Ports {
        clock,
        rng: Rc::new(SystemRng),
        idp: Rc::new(Oidc::new(Rc::clone(&http))),
        exchange: Rc::new(TokenExchange::new(Rc::clone(&http))),
        issuer: Rc::new(OwnIssuer::new(Rc::clone(&http))),
        vault: Rc::new(FileVault::new(Rc::clone(lock))),
        journal: Rc::new(DiskAuditFile::new(lock.folder(), ROTATE_AT)),
        notices: Rc::new(Desktop),
        screen: Rc::new(DesktopScreen),
        files: Rc::new(TokenFiles::new(&place.folder)),
        published: Rc::new(Issuers::new(http)),
        configuration: Rc::new(StandardFiles),
    };
    let taken = settings.as_ref().map(|settings| Arc::new(settings.clone()));
    let mut core = AgentCore::new(ports, taken.unwrap_or_default(), VERSION);
    if let Err(why) = settings {
        core.settings_not_taken(why);
    }
    tokio::task::spawn_local(watch(files, mailbox.clone()));
    core
}

/// Hands every edit of the configuration to the core; ends with it.
async fn watch(mut files: SettingsFiles, mailbox: Mailbox) {
    loop {
        tokio::select! {
            () = mailbox.closed() => return,
            () = files.next_change() => {}
        }
        let settings = files.load().map(Arc::new);
        if mailbox
            .send(AgentCommand::Configured(settings))
            .await
            .is_err()
        {
            return;
        }
    }
}
