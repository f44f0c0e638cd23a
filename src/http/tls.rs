//! Certificates of servers: judged by the system's roots and those of `ca_file`. One that is refused is named, because
//! whose it is tells what to do: a company's proxy that opens TLS signs with an authority of the company's.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// Longest name of a certificate that is shown, in characters.
const LONGEST_NAME: usize = 100;

/// TLS with the system's roots and these.
///
/// # Errors
/// The system's roots can't be read, or one of these is none.
pub(crate) fn config(roots: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = if roots.is_empty() {
        Verifier::new(Arc::clone(&provider))
    } else {
        Verifier::new_with_extra_roots(roots, Arc::clone(&provider))
    };
    let mut config = judged_by(provider, verifier?)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// TLS for a protocol that is not HTTP, with these roots and no others; none: the system's.
///
/// # Errors
/// As for the roots of a client.
pub fn tls_for_roots(only: Option<Vec<CertificateDer<'static>>>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let Some(only) = only else {
        return judged_by(Arc::clone(&provider), Verifier::new(provider)?);
    };
    let mut roots = RootCertStore::empty();
    for root in only {
        roots.add(root)?;
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let unfit = |why: &dyn fmt::Display| Error::General(why.to_string());
    let verifier = Arc::into_inner(verifier.map_err(|why| unfit(&why))?);
    judged_by(
        provider,
        verifier.ok_or_else(|| unfit(&"a verifier in use"))?,
    )
}

fn judged_by(
    provider: Arc<CryptoProvider>,
    verifier: impl ServerCertVerifier + 'static,
) -> Result<ClientConfig, Error> {
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Naming(verifier)))
        .with_no_client_auth())
}

/// Whose certificate was refused and what to do, where that is what an error comes from.
pub fn refused_certificate(error: &(dyn StdError + 'static)) -> Option<String> {
    untrusted(error).map(RefusedCertificate::words)
}

/// Judges as the verifier in it does, and names what that refuses.
#[derive(Debug)]
struct Naming<V>(V);

impl<V: ServerCertVerifier> ServerCertVerifier for Naming<V> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict =
            self.0
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verdict.map_err(|error| match error {
            Error::InvalidCertificate(why) => {
                let untrusted = RefusedCertificate::of(&why, end_entity, intermediates);
                Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(untrusted))))
            }
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Why a certificate is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nobody here vouches for whoever signed it.
    UnknownSigner,
    /// An authority of that name is known here, and another key signed: the authority was made anew, or is not it.
    OtherKey,
    /// It is another server's.
    OtherName,
    /// Its time is over, or this machine's clock is ahead.
    Expired,
    /// Its time has not come, or this machine's clock is behind.
    Early,
    /// It is broken, revoked, or for another purpose.
    Unfit,
}

/// What is done about an authority that is not known; where nothing is configured yet, others words take its place.
pub const CA_REMEDY: &str = "put its certificate (PEM) into `ca_file`";

/// A certificate that was refused, with names as it gives them: they are the server's words.
#[derive(Debug)]
pub(crate) struct RefusedCertificate {
    fault: Fault,
    subject: String,
    /// Whoever signed the last certificate that the server sent: the authority that would have to be known here.
    signer: String,
}

impl RefusedCertificate {
    fn of(
        why: &CertificateError,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Self {
        let fault = match why {
            CertificateError::UnknownIssuer => Fault::UnknownSigner,
            CertificateError::BadSignature => Fault::OtherKey,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Fault::OtherName
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Fault::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Fault::Early
            }
            _ => Fault::Unfit,
        };
        let read = |der: &CertificateDer<'_>| Certificate::from_der(der.as_ref()).ok();
        let subject = read(end_entity).map(|c| c.tbs_certificate().subject().to_string());
        let last = read(intermediates.last().unwrap_or(end_entity));
        let signer = last.map(|c| c.tbs_certificate().issuer().to_string());
        Self {
            fault,
            subject: shown(subject),
            signer: shown(signer),
        }
    }

    /// Whose it is, who signed it, and what to do.
    pub(crate) fn words(&self) -> String {
        let Self {
            subject, signer, ..
        } = self;
        let (what, then) = match self.fault {
            Fault::UnknownSigner => (
                "is not trusted",
                "; if that is your company's own authority, ",
            ),
            Fault::OtherKey => (
                "is not trusted: the authority of that name that is known here has another key",
                "; if your company has a new authority, ",
            ),
            Fault::OtherName => ("is for another name", ""),
            Fault::Expired => ("has expired, or this machine's clock is ahead", ""),
            Fault::Early => ("is not valid yet, or this machine's clock is behind", ""),
            Fault::Unfit => ("can't be accepted", ""),
        };
        let remedy = if then.is_empty() { "" } else { CA_REMEDY };
        format!("its TLS certificate {what}: it is of {subject}, signed by {signer}{then}{remedy}")
    }
}

impl fmt::Display for RefusedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())
    }
}

impl StdError for RefusedCertificate {}

/// A name of somebody else as it may be shown and logged.
fn shown(name: Option<String>) -> String {
    let name = name.filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "a name that can't be read".to_owned());
    let visible = name.chars().filter(|c| !c.is_control());
    format!("\"{}\"", visible.take(LONGEST_NAME).collect::<String>())
}

/// The certificate that was refused, where that is what an error comes from.
pub(crate) fn untrusted<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a RefusedCertificate> {
    if let Some(Error::InvalidCertificate(CertificateError::Other(OtherError(inner)))) =
        error.downcast_ref::<Error>()
    {
        return inner.downcast_ref::<RefusedCertificate>();
    }
    // What an I/O error wraps is not among its sources.
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    let found = wrapped.and_then(|inner| untrusted(inner));
    found.or_else(|| error.source().and_then(untrusted))
}

#[cfg(test)]
mod tests {
    use super::{Naming, untrusted};
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{Error, RootCertStore};
    use std::io;
    use std::sync::Arc;
    use std::time::Duration;

    /// Of `issuer.acme.example`, signed by "Acme TLS Inspection", good from 2026 to 2126.
    const LEAF: &[u8] = include_bytes!("testdata/leaf.pem");
    const AUTHORITY: &[u8] = include_bytes!("testdata/authority.pem");
    const OTHER_AUTHORITY: &[u8] = include_bytes!("testdata/other.pem");
    /// 2027.
    const THEN: u64 = 1_800_000_000;

    fn refused(root: &[u8], name: &'static str, at: u64) -> Option<String> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(root).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap();
        let naming = Naming(Arc::into_inner(verifier).unwrap());
        let leaf = CertificateDer::from_pem_slice(LEAF).unwrap();
        let name = ServerName::try_from(name).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(at));
        let error = naming
            .verify_server_cert(&leaf, &[], &name, &[], now)
            .err()?;
        // As it comes out of the HTTP client: within I/O errors.
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
        Some(untrusted(&error).unwrap().words())
    }

    #[test]
    fn a_certificate_that_is_refused_is_named_with_its_signer_and_what_to_do() {
        assert_eq!(refused(AUTHORITY, "issuer.acme.example", THEN), None);
        let unknown = refused(OTHER_AUTHORITY, "issuer.acme.example", THEN).unwrap();
        for said in [
            "is not trusted",
            "CN=issuer.acme.example",
            "CN=Acme TLS Inspection",
            "`ca_file`",
        ] {
            assert!(unknown.contains(said), "{said}: {unknown}");
        }
        for (name, at, said) in [
            ("other.example", THEN, "is for another name"),
            ("issuer.acme.example", 9_999_999_999, "has expired"),
            ("issuer.acme.example", 1_000_000_000, "is not valid yet"),
        ] {
            let words = refused(AUTHORITY, name, at).unwrap();
            assert!(words.contains(said), "{words}");
            assert!(!words.contains("ca_file"), "{words}");
        }
    }

    #[test]
    fn a_certificate_that_is_none_is_refused_without_a_name() {
        let garbage = super::RefusedCertificate::of(
            &rustls::CertificateError::BadEncoding,
            &CertificateDer::from(vec![0x30]),
            &[],
        );
        assert!(garbage.words().contains("can't be read"));
        assert!(untrusted(&Error::DecryptError).is_none());
    }

    #[test]
    fn a_name_of_the_servers_neither_moves_the_cursor_nor_fills_the_screen() {
        let long = format!("CN=\u{1b}[2J{}", "x".repeat(500));
        let shown = super::shown(Some(long));
        assert!(
            !shown.chars().any(char::is_control) && shown.len() < 110,
            "{shown}"
        );
    }
}
