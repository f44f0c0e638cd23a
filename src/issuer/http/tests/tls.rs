//! TLS by file, and certificates that are renewed under a running server.

use super::world::{World, private, until};
use crate::issuer::http::tls;
use crate::issuer::serve::Served;
use crate::issuer::state::TLS;
use crate::issuer::upkeep;
use crate::model::issuer::TlsFiles;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

/// One element (X.690 §8.1), shorter than 64 KiB.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let inside = parts.concat();
    let length = u16::try_from(inside.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let mut whole = match length {
        0..=127 => vec![tag, low],
        128..=255 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    whole.extend(inside);
    whole
}

const SEQUENCE: u8 = 0x30;
const ECDSA_SHA256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const EC_KEY: &[u8] = &[0x06, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

/// Writes a self-signed certificate of 127.0.0.1 and its key (RFC 5280 §4.1); gives it as DER.
fn write_pair(files: &TlsFiles, serial: u8) -> Vec<u8> {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
    let algorithm = der(SEQUENCE, &[ECDSA_SHA256]);
    let common = der(SEQUENCE, &[&[0x06, 3, 0x55, 4, 3], &der(0x0c, &[b"test"])]);
    let name = der(SEQUENCE, &[&der(0x31, &[&common])]);
    let validity = der(
        SEQUENCE,
        &[
            &der(0x17, &[b"250101000000Z"]),
            &der(0x17, &[b"491231235959Z"]),
        ],
    );
    let key = der(
        SEQUENCE,
        &[
            &der(SEQUENCE, &[EC_KEY, P256]),
            &der(0x03, &[&[0], pair.public_key().as_ref()]),
        ],
    );
    let address = der(SEQUENCE, &[&der(0x87, &[&[127, 0, 0, 1]])]);
    let alternative = der(
        SEQUENCE,
        &[&[0x06, 3, 0x55, 0x1d, 17], &der(0x04, &[&address])],
    );
    let body = der(
        SEQUENCE,
        &[
            &der(0xa0, &[&[2, 1, 2]]),
            &[2, 1, serial],
            &algorithm,
            &name,
            &validity,
            &name,
            &key,
            &der(0xa3, &[&der(SEQUENCE, &[&alternative])]),
        ],
    );
    let signature = pair.sign(&random, &body).unwrap();
    let certificate = der(
        SEQUENCE,
        &[&body, &algorithm, &der(0x03, &[&[0], signature.as_ref()])],
    );
    std::fs::write(&files.certificate, pem("CERTIFICATE", &certificate)).unwrap();
    std::fs::write(&files.key, pem("PRIVATE KEY", pkcs8.as_ref())).unwrap();
    private(Path::new(&files.key));
    certificate
}

fn pem(what: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {what}-----\n{}\n-----END {what}-----\n",
        lines.join("\n")
    )
}

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

#[tokio::test]
async fn the_doctor_tells_until_when_a_certificate_is_good() {
    use crate::issuer::command::doctor::{State, certificate::look};
    const ENDS_S: u64 = 2_524_607_999;
    const DAY_S: u64 = 86_400;
    let world = World::start().await;
    let files = files(&world);
    write_pair(&files, 1);
    let at = |now_s: u64| {
        let found = look(&files, now_s);
        (found.state, found.sentence)
    };
    let (state, words) = at(ENDS_S - 365 * DAY_S);
    assert!(
        state == State::Ok && words.ends_with("good until 2049-12-31T23:59:59Z"),
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
