//! The issuer's numbers, printed as a table: `bash packaging/bench/issuer/run`.
//!
//! Load and server share the machine, so what counts is work per second of the server's own CPU, and the
//! ratio to a peer in the same run: `oidc-provider` answering introspection, which signs and stores nothing.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark stops at what does not work, and prints"
)]

mod directory;
mod feed;
mod hostile;
mod leaver;
mod load;
mod policy;
mod server;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use table::Table;

/// A program of the same build: it lies beside this one.
fn program(name: &str) -> PathBuf {
    let path = std::env::current_exe().unwrap().with_file_name(name);
    assert!(
        path.exists(),
        "{name} is not built: `cargo build --release`"
    );
    path
}

fn main() -> ExitCode {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let wanted =
        |part: &str| only.is_empty() || only.iter().any(|word| part.contains(word.as_str()));
    let mut table = Table::default();
    if wanted("policy") {
        policy::measure(&mut table);
    }
    if wanted("exchange") {
        load::measure(&mut table);
    }
    if wanted("feed") {
        feed::measure(&mut table);
    }
    if wanted("hostile") {
        hostile::measure(&mut table);
    }
    if wanted("directory") {
        directory::measure(&mut table);
    }
    if wanted("leaver") {
        leaver::measure(&mut table);
    }
    table.print()
}
