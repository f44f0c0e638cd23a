//! All that the process does that reads an LDAP server: an order comes in, one answer goes out, and it ends. It opens
//! neither the database nor the configuration, and has nothing of the issuer's but what it is told.

use super::reader;
use super::sent::{LdapAnswer, LdapFault, LdapOrder};
use oam_model::secret::Secret;
use std::io::{self, BufWriter, Read, Write};
use std::time::Duration;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Longest order, bytes: the names of all groups of a policy.
const ORDER_CAP: u32 = 64 * 1024 * 1024;
/// Longest secret, bytes.
const SECRET_CAP: usize = 64 * 1024;

/// What it was told to read.
pub struct LdapTask {
    order: LdapOrder,
    secret: Secret,
}

impl LdapTask {
    /// Takes it from whoever started this process.
    ///
    /// # Errors
    /// It is cut, or is none.
    pub fn from(input: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; 4];
        input.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        let mut text = Vec::new();
        input
            .take(length.min(ORDER_CAP).into())
            .read_to_end(&mut text)?;
        let order: LdapOrder = serde_json::from_slice(&text)?;
        let mut secret = Zeroizing::new(vec![0; order.secret_bytes.min(SECRET_CAP)]);
        input.read_exact(&mut secret)?;
        let secret = str::from_utf8(&secret).map_err(io::Error::other)?;
        let secret = Secret::new(secret.to_owned());
        Ok(Self { order, secret })
    }

    /// Most memory that the task may take, bytes: a server that sends more ends this process, and not the machine.
    pub const fn memory_cap(&self) -> u64 {
        self.order.memory_cap()
    }

    /// Reads the server to its end, and tells what came of it.
    ///
    /// # Errors
    /// The answer can't be written.
    pub async fn run(&self, output: impl Write) -> io::Result<()> {
        let within = Duration::from_millis(self.order.within_ms);
        let read = timeout(within, reader::read(&self.order, &self.secret)).await;
        let answer = match read.unwrap_or(Err(LdapFault::Late)) {
            Ok(reading) => LdapAnswer::Read(reading),
            Err(fault) => LdapAnswer::Fault(fault),
        };
        let mut output = BufWriter::new(output);
        serde_json::to_writer(&mut output, &answer)?;
        output.flush()
    }
}
