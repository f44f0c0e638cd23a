//! Files of roots: read, and bound to what stood in them when the configuration was read (promise 9).

use aws_lc_rs::digest;
use oam_model::system_error::reason;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Largest `ca_file`, bytes.
const CA_CAP: u64 = 4 * 1024 * 1024;

/// What stands in a file of roots.
fn pem(path: &str) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let mut pem = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(CA_CAP).read_to_end(&mut pem))
        .map_err(|e| format!("the file of `ca_file` can't be read ({})", reason(e.kind())))?;
    Ok(pem)
}

/// SHA-256 of a file of roots, lower-case hex; of one that can't be read a word that no file has, so that a
/// session is never bound to what somebody puts there later.
pub fn ca_sha256(path: &str) -> String {
    pem(path).map_or_else(|_| "unreadable".to_owned(), |pem| sha256(&pem))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// The roots in a file, when it holds what it held when the configuration was read.
///
/// # Errors
/// Our own words.
pub fn roots(path: &str, bound: Option<&str>) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = pem(path)?;
    if bound.is_some_and(|bound| bound != sha256(&pem)) {
        return Err(
            "the file of `ca_file` holds something else than when the configuration was read; run `oam login`, which takes it over"
                .to_owned(),
        );
    }
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match list {
        Ok(list) if !list.is_empty() => Ok(list),
        _ => Err("the file of `ca_file` holds no PEM certificate".to_owned()),
    }
}
