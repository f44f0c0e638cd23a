//! Samples for the tests of this crate and of its program.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oam_model::issuer::TlsFiles;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn private(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

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
pub fn write_pair(files: &TlsFiles, serial: u8) -> Vec<u8> {
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
