//! Has an LDAP server read by another process, and takes from it a whole reading or none.

use super::super::{ReadFault, ReadOrder};
use super::sent::{LdapAnswer, LdapOrder};
use crate::place;
use oam_model::directory::LdapDirectory;
use oam_model::secret::Secret;
use oam_model::system_error::reason;
use oam_policy::directory::DirectoryReading;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;

/// The command of this program that reads.
const READER: &str = "read-ldap";
/// Where the system's roots lie, if not where they usually do.
const ROOTS: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

pub(in super::super) async fn read(
    order: &ReadOrder<'_>,
    settings: &LdapDirectory,
) -> Result<DirectoryReading, ReadFault> {
    let secret = place::secret(&settings.secret, "secret")?;
    let order = LdapOrder::new(order, settings, secret.expose().len());
    let reader = reader().map_err(|error| not_started(&error))?;
    answer(reader, &order, &secret).await
}

fn not_started(error: &io::Error) -> ReadFault {
    ReadFault::NoReader(reason(error.kind()))
}

/// This program once more, with nothing of the issuer's environment. On Linux it is the one that runs, also when an
/// upgrade has replaced its file: both ends are of one build.
fn reader() -> io::Result<Command> {
    let program = if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        std::env::current_exe()?
    };
    let mut command = Command::new(program);
    #[cfg(unix)]
    command.arg0("oam-issuer");
    command.arg(READER).env_clear();
    for name in ROOTS {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    Ok(command)
}

/// Whatever is no answer of a process that ended in order is none: nothing of the reading counts then.
pub(super) async fn answer(
    mut reader: Command,
    order: &LdapOrder,
    secret: &Secret,
) -> Result<DirectoryReading, ReadFault> {
    reader
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // What it would say there quotes a place of the library at most, again at every reading.
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut reader = reader.spawn().map_err(|error| not_started(&error))?;
    let (Some(mut input), Some(output)) = (reader.stdin.take(), reader.stdout.take()) else {
        return Err(ReadFault::ReaderEnded);
    };
    // One that is gone before it has all of it tells so by its end.
    let _ = told(&mut input, order, secret).await;
    let cap = order.answer_cap();
    let mut bytes = Vec::new();
    let read = output.take(cap + 1).read_to_end(&mut bytes).await;
    if read.is_err() || bytes.len() as u64 > cap {
        return Err(ReadFault::ReaderEnded);
    }
    let status = reader.wait().await;
    // Its sign that nobody waits for it any more.
    drop(input);
    if !status.is_ok_and(|status| status.success()) {
        tracing::debug!("the reader of LDAP did not end in order");
        return Err(ReadFault::ReaderEnded);
    }
    match serde_json::from_slice(&bytes) {
        Ok(LdapAnswer::Read(reading)) => reading.whole().ok_or(ReadFault::ReaderEnded),
        Ok(LdapAnswer::Fault(fault)) => Err(fault.into()),
        Err(_) => Err(ReadFault::ReaderEnded),
    }
}

/// The length of the order, the order, and the secret's bytes, of which no copy is made.
pub(super) async fn told(
    input: &mut (impl AsyncWrite + Unpin),
    order: &LdapOrder,
    secret: &Secret,
) -> io::Result<()> {
    let text = serde_json::to_vec(order)?;
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    input.write_all(&length.to_be_bytes()).await?;
    input.write_all(&text).await?;
    input.write_all(secret.expose().as_bytes()).await?;
    input.flush().await
}
