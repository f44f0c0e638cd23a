//! The hub of the benchmark: it answers as many bytes as it is asked for, and what it does besides costs nothing. It can
//! be held to the rate of a network.

use super::MB;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// What is read and written at once where a rate is held, bytes.
const PIECE: usize = 64 * 1024;
/// So long a hub that was late may be ahead of its rate.
const BURST: Duration = Duration::from_millis(5);

/// A connection; by TLS its socket is read in large pieces, which the TLS layer alone does not.
pub struct Socket(BufReader<TcpStream>);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.get_mut().write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}

/// Holds what passes to so many bits a second.
struct Paced<S> {
    inner: S,
    rate: Option<u64>,
    due: Instant,
}

impl<S> Paced<S> {
    /// Waits until so many bytes more are due.
    fn passed(&mut self, bytes: usize) {
        let Some(rate) = self.rate else { return };
        let now = Instant::now();
        let span = Duration::from_nanos(bytes as u64 * 8_000_000_000 / rate);
        self.due = self.due.max(now.checked_sub(BURST).unwrap_or(now)) + span;
        thread::sleep(self.due.saturating_duration_since(now));
    }

    fn at_once(&self, length: usize) -> usize {
        self.rate.map_or(length, |_| length.min(PIECE))
    }
}

impl<S: Read> Read for Paced<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.at_once(buffer.len());
        let count = self.inner.read(&mut buffer[..most])?;
        self.passed(count);
        Ok(count)
    }
}

impl<S: Write> Write for Paced<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(&bytes[..self.at_once(bytes.len())])?;
        self.passed(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A hub on loopback, held to so many bits a second; its address. `open` makes of a connection what requests come through.
pub fn start<S: Read + Write>(
    rate: Option<u64>,
    open: impl Fn(Socket) -> io::Result<S> + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let open = Arc::new(open);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let open = Arc::clone(&open);
            thread::spawn(move || {
                stream.set_nodelay(true)?;
                let inner = open(Socket(BufReader::with_capacity(MB / 4, stream)))?;
                let due = Instant::now();
                answer(Paced { inner, rate, due })
            });
        }
    });
    Ok(address)
}

/// TLS with a certificate that is made here, for this run: `hub.pem` in `folder`.
pub fn tls(folder: &Path) -> Result<ServerConfig, Box<dyn Error>> {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
        ])
        .args([
            "-nodes", "-days", "2", "-subj", "/CN=hub", "-keyout", "hub.key", "-out", "hub.pem",
        ])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status()?;
    if !made.success() {
        return Err("openssl made no certificate".into());
    }
    let chain = CertificateDer::pem_file_iter(folder.join("hub.pem"))?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(folder.join("hub.key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?)
}

/// Answers requests: as many bytes as the path ends with; of a body nothing but its end.
fn answer(stream: impl Read + Write) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(MB, stream);
    let zeros = vec![0; MB];
    while let Some((first, length)) = head(&mut reader)? {
        io::copy(&mut (&mut reader).take(length), &mut io::sink())?;
        let path = first.split(' ').nth(1).unwrap_or_default();
        let size = path
            .rsplit('/')
            .next()
            .and_then(|size| size.parse().ok())
            .unwrap_or(0);
        let writer = reader.get_mut();
        writer
            .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").as_bytes())?;
        let mut left: usize = size;
        while left > 0 {
            let piece = left.min(MB);
            writer.write_all(&zeros[..piece])?;
            left -= piece;
        }
        writer.flush()?;
    }
    Ok(())
}

/// First line and length of the body; none: the connection is over.
pub fn head(reader: &mut impl BufRead) -> io::Result<Option<(String, u64)>> {
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            return Ok(Some((first, length)));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
}
