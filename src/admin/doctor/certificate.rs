//! Until when the server's own certificate is good.

use super::{Finding, State};
use oam_model::issuer::TlsFiles;
use oam_terminal::moment::local;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, Error, RootCertStore};
use std::sync::Arc;
use std::time::Duration;

const DAY_S: u64 = 86_400;
/// A certificate that ends within this is to be renewed.
const SOON_S: u64 = 14 * DAY_S;
const PART: &str = "certificate";

/// Judges the certificate of these files at a time, in seconds since the Unix epoch.
pub fn look(files: &TlsFiles, now_s: u64) -> Finding {
    let read = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let Some(leaf) = read.ok().and_then(|chain| chain.into_iter().next()) else {
        return Finding::bad(
            PART,
            State::Fault,
            format!("{} can't be read as PEM certificates", files.certificate),
            "write the chain as PEM, the server's certificate first, readable by the issuer's user",
        );
    };
    if PrivateKeyDer::from_pem_file(&files.key).is_err() {
        return Finding::bad(
            PART,
            State::Fault,
            format!("{} can't be read as a private key", files.key),
            "write the key as PEM, readable by the issuer's user",
        );
    }
    judge(&files.certificate, &leaf, now_s)
}

fn judge(file: &str, leaf: &CertificateDer<'_>, now_s: u64) -> Finding {
    // A hundred years on, every certificate has ended, and the library says when.
    let ends = match at(leaf, now_s + 100 * 365 * DAY_S) {
        Some(CertificateError::ExpiredContext { not_after, .. }) => not_after.as_secs(),
        _ => {
            return Finding::ok(
                PART,
                format!("{file} can be read; its dates can not be told"),
            );
        }
    };
    if matches!(
        at(leaf, now_s),
        Some(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. })
    ) {
        return Finding::bad(
            PART,
            State::Fault,
            format!("{file} is not valid yet"),
            "look at the clock of this machine, or at the certificate's dates",
        );
    }
    let until = local(ends);
    let renew = "renew it; the server takes another one from the same files by itself";
    if ends <= now_s {
        return Finding::bad(
            PART,
            State::Fault,
            format!("{file} ended at {until}"),
            renew,
        );
    }
    if ends - now_s < SOON_S {
        return Finding::bad(
            PART,
            State::Warning,
            format!("{file} ends at {until}"),
            renew,
        );
    }
    Finding::ok(PART, format!("{file} is good until {until}"))
}

/// What the library says of the certificate's dates at a time. The chain is no question here.
fn at(leaf: &CertificateDer<'_>, now_s: u64) -> Option<CertificateError> {
    let mut roots = RootCertStore::empty();
    roots.add(leaf.clone().into_owned()).ok()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = verifier.build().ok()?;
    let name = ServerName::try_from("localhost").ok()?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(now_s));
    match verifier.verify_server_cert(leaf, &[], &name, &[], time) {
        Err(Error::InvalidCertificate(fault)) => Some(fault),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{State, local, look};
    use oam_issuer::fixture::write_pair;
    use oam_model::issuer::TlsFiles;

    #[test]
    fn the_doctor_tells_until_when_a_certificate_is_good() {
        const ENDS_S: u64 = 2_524_607_999;
        const DAY_S: u64 = 86_400;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let files = TlsFiles {
            certificate: at("chain.pem"),
            key: at("key.pem"),
        };
        write_pair(&files, 1);
        let at = |now_s: u64| {
            let found = look(&files, now_s);
            (found.state, found.sentence)
        };
        let (state, words) = at(ENDS_S - 365 * DAY_S);
        assert!(
            state == State::Ok && words.ends_with(&format!("good until {}", local(ENDS_S))),
            "{words}"
        );
        let (state, words) = at(ENDS_S - 3 * DAY_S);
        assert!(
            state == State::Warning && words.contains("ends at 2049-12-31"),
            "{words}"
        );
        let (state, words) = at(ENDS_S + 1);
        assert!(
            state == State::Fault && words.contains("ended at 2049-12-31"),
            "{words}"
        );
        let (state, words) = at(1_700_000_000);
        assert!(
            state == State::Fault && words.contains("not valid yet"),
            "{words}"
        );
    }
}
