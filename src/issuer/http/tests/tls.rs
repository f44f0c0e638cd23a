//! TLS by file, and certificates that are renewed under a running server.

use super::world::{World, until};
use crate::fixture::write_pair;
use crate::http::tls;
use crate::serve::Served;
use crate::state::TLS;
use crate::upkeep;
use oam_model::issuer::TlsFiles;
use std::net::TcpListener;
use std::sync::Arc;

fn files(world: &World) -> TlsFiles {
    let at = |name: &str| world.folder.path().join(name).display().to_string();
    TlsFiles {
        certificate: at("chain.pem"),
        key: at("key.pem"),
    }
}

/// Whether the server shows this certificate. A client that trusts no other one asks, on a new connection.
async fn shows(certificate: &[u8], url: &str) -> bool {
    let root = reqwest::Certificate::from_der(certificate).unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([root])
        .build()
        .unwrap();
    let answer = client.get(format!("{url}/healthz")).send().await;
    answer.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_by_a_running_server_and_a_broken_one_is_not() {
    let world = World::start().await;
    let files = files(&world);
    let first = write_pair(&files, 1);
    let config = tls::read(&files).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let served = Served::begin(&world.issuer, vec![listener], Some(&config));
    let url = format!("https://{}", served.addresses[0]);
    let issuer = Arc::clone(&world.issuer);
    tokio::spawn(upkeep::certificates(issuer, files.clone(), config));
    assert!(shows(&first, &url).await);
    std::fs::write(&files.certificate, "nothing").unwrap();
    let broken = async || world.issuer.health.is_wrong(TLS);
    until("the broken certificate", broken).await;
    assert!(shows(&first, &url).await);
    let second = write_pair(&files, 2);
    until("the second certificate", async || {
        shows(&second, &url).await
    })
    .await;
    assert!(!shows(&first, &url).await);
    assert!(!world.issuer.health.is_wrong(TLS));
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_at_start() {
    let world = World::start().await;
    let files = files(&world);
    write_pair(&files, 1);
    assert!(tls::read(&files).await.is_ok());
    let chain = std::fs::read(&files.certificate).unwrap();
    write_pair(&files, 2);
    std::fs::write(&files.certificate, chain).unwrap();
    let refusal = tls::read(&files).await.err().unwrap();
    assert!(
        refusal.sentence.contains("can't be used"),
        "{}",
        refusal.sentence
    );
}
