//! TLS by file.

use axum_server::tls_rustls::RustlsConfig;
use oam_model::issuer::TlsFiles;
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use std::sync::Arc;

/// Reads chain and key.
///
/// # Errors
/// They can't be read, or do not belong together.
pub async fn read(files: &TlsFiles) -> Result<RustlsConfig, Refusal> {
    let read = RustlsConfig::from_pem_file(&files.certificate, &files.key).await;
    let config = read.map_err(|error| {
        Refusal::unavailable(
            format!(
                "the certificate {} and its key can't be used: {}",
                files.certificate,
                reason(error.kind())
            ),
            "write the chain and its private key as PEM, readable by the issuer's user",
        )
    })?;
    only_http1(&config);
    Ok(config)
}

/// Reads them again, for connections that come.
///
/// # Errors
/// As [`read`], in words; those of before stay in use.
pub async fn read_again(config: &RustlsConfig, files: &TlsFiles) -> Result<(), String> {
    let fresh = read(files).await.map_err(|refusal| refusal.sentence)?;
    config.reload_from_config(fresh.get_inner());
    Ok(())
}

/// The server speaks HTTP/1.1: to offer more would promise what it does not keep.
fn only_http1(config: &RustlsConfig) {
    let mut server = (*config.get_inner()).clone();
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.reload_from_config(Arc::new(server));
}
