//! The demo: an identity provider, a hub and a CI host on loopback, seeded; it drives the shipped
//! binaries as separate processes, the issuer among them, and no code outside this crate knows that it
//! is a demo.
//!
//! `idp`, `hub` and `ci` decide, `world` and `hub_server` serve them, `company` runs the issuer between them;
//! `home`, `programs` and `browser` are the person's side; `scenario` is the order of the steps, `alive`,
//! `forged`, `job`, `teams`, `ended` and `audits` the steps themselves.

pub mod alive;
pub mod audits;
pub mod browser;
pub mod cgi;
pub mod child;
pub mod ci;
pub mod company;
pub mod ended;
pub mod forged;
pub mod home;
pub mod hub;
pub mod hub_server;
pub mod idp;
pub mod job;
pub mod keep;
pub mod key;
pub mod oauth;
pub mod pace;
pub mod programs;
pub mod reporter;
pub mod scenario;
pub mod seed;
pub mod signal;
pub mod teams;
pub mod upload;
pub mod world;

use home::Home;
use programs::Programs;
use reporter::{Failure, Reporter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often it is looked whether somebody wants the demo to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Says how the program is called, and answers the exit code for a line that can't be read.
pub fn usage() -> std::process::ExitCode {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "usage: oam-demo [--keep]");
    std::process::ExitCode::from(2)
}

/// Runs the demo and answers its exit code: 0 only if all of it happened, 1 if not, 130 when it was
/// interrupted. With `keep` it stays up after the sign-in until it is interrupted, which is 0 then.
/// Agent, children and the private home are gone when it returns.
pub fn run(keep: bool) -> u8 {
    let mut reporter = Reporter::on_stdout();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match (runtime, watch()) {
        (Ok(runtime), Ok(stop)) => runtime.block_on(show(&mut reporter, keep, &stop)),
        (Err(error), _) | (_, Err(error)) => {
            Err(Failure::new(format!("the demo can't start: {error}")))
        }
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            reporter.failed(&failure);
            1
        }
    }
}

/// A flag that Ctrl-C and a polite kill set. A flag and not a future of the runtime, because that
/// one knows only Ctrl-C on all systems.
fn watch() -> std::io::Result<Arc<AtomicBool>> {
    use signal_hook::consts;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [consts::SIGINT, consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone())?;
    }
    // The terminal was closed: not every system knows that signal.
    #[cfg(unix)]
    signal_hook::flag::register(consts::SIGHUP, stop.clone())?;
    Ok(stop)
}

async fn stopped(stop: &AtomicBool) {
    let mut look = tokio::time::interval(LOOK);
    while !stop.load(Ordering::Relaxed) {
        look.tick().await;
    }
}

async fn show(reporter: &mut Reporter, keep: bool, stop: &AtomicBool) -> Result<u8, Failure> {
    let home = Home::make().await?;
    let programs = Programs::beside_us(home.environment())?;
    // Dropping the scenario half-way kills its children: both are the same to what follows.
    let outcome = tokio::select! {
        biased;
        () = stopped(stop) => None,
        outcome = scenario::run(reporter, &home, &programs, keep) => Some(outcome),
    };
    scenario::clean_up(&home, &programs).await;
    // Ctrl-C reaches git too, and its failure may be seen first.
    if stop.load(Ordering::Relaxed) {
        reporter.line("stopped; agent and private home are gone");
        return Ok(if keep { 0 } else { 130 });
    }
    outcome.unwrap_or(Ok(())).map(|()| 0)
}
