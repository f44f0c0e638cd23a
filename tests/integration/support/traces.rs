//! What a session leaves behind: every file of the person, and every item of the keyring.

use super::World;
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Length of the sealed file's clear header: magic, version, store.
const HEADER: usize = 9;
const NONCE: usize = 12;

/// SHA-256, lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// All that is stored now: a name for display, and the bytes. The sealed state comes opened, too.
pub fn stored(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for root in [
        world.home.join(".local/state"),
        world.home.join(".config"),
        world.home.join(".cache"),
        world.runtime.join("oam"),
    ] {
        for path in files_below(&root) {
            if let Ok(bytes) = std::fs::read(&path) {
                all.insert(path.display().to_string(), bytes);
            }
        }
    }
    if let Some(keyring) = keyring(world) {
        if let Some(opened) = opened(&all, &keyring) {
            all.insert("the sealed state, opened".into(), opened);
        }
        all.insert("the keyring".into(), keyring.into_bytes());
    }
    all
}

fn files_below(root: &Path) -> Vec<PathBuf> {
    let Ok(list) = std::fs::read_dir(root) else {
        return Vec::new();
    };
    list.flatten()
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_below(&entry.path()),
            Ok(kind) if kind.is_file() => vec![entry.path()],
            _ => Vec::new(),
        })
        .collect()
}

/// All items of the keyring with their secrets: there are none but ours.
fn keyring(world: &World) -> Option<String> {
    let items = world.desktop.as_ref()?.items();
    let run = world.run(
        "secret-tool",
        &["search", "--all", "--unlock", "application", "oam"],
    );
    assert_eq!(
        run.stdout.matches("secret = ").count(),
        items,
        "{}",
        run.stdout
    );
    Some(run.stdout)
}

/// The sealed state in the clear.
fn opened(all: &BTreeMap<String, Vec<u8>>, keyring: &str) -> Option<Vec<u8>> {
    let file = all.values().find(|bytes| bytes.starts_with(b"OAMSEAL"))?;
    let secret = keyring
        .lines()
        .find_map(|line| line.strip_prefix("secret = "))?;
    let key: Vec<u8> = (0..secret.len() / 2)
        .map(|i| u8::from_str_radix(&secret[2 * i..2 * i + 2], 16).expect("a key in hex"))
        .collect();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, &key).expect("a key"));
    let (header, rest) = file.split_at(HEADER);
    let (nonce, body) = rest.split_at(NONCE);
    let mut body = body.to_vec();
    let plain = key
        .open_in_place(
            Nonce::try_assume_unique_for_key(nonce).unwrap(),
            Aad::from(header),
            &mut body,
        )
        .expect("the keyring's key opens the sealed state");
    Some(plain.to_vec())
}

/// SHA-256 of every token that the provider ever gave out.
fn given_out(world: &World) -> BTreeSet<String> {
    let entries = world.idp.log("");
    entries
        .iter()
        .flat_map(|entry| ["got", "access", "sent"].map(|name| &entry[name]))
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// The tokens in all that is stored: those that the provider gave out, and whatever looks like a
/// signed one. Given with the place where each was found.
pub fn tokens(world: &World) -> Vec<String> {
    let known = given_out(world);
    assert!(!known.is_empty(), "the provider gave out something");
    let mut found = Vec::new();
    for (place, bytes) in stored(world) {
        let words = bytes.split(|b| !(b.is_ascii_alphanumeric() || b"-_.~+/=".contains(b)));
        for word in words.filter(|word| word.len() >= 16) {
            let signed =
                word.starts_with(b"eyJ") && word.iter().filter(|b| **b == b'.').count() == 2;
            if signed || known.contains(&sha256(word)) {
                found.push(format!("{} in {place}", String::from_utf8_lossy(word)));
            }
        }
    }
    found
}

/// No role token, refresh token, access token or ID token is stored anywhere.
#[track_caller]
pub fn none_is_left(world: &World) {
    let found = tokens(world);
    assert!(found.is_empty(), "{found:#?}");
    assert!(world.token_files().is_empty(), "{:?}", world.token_files());
}
