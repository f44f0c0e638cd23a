//! What stands in the agent's memory after a sign-out: no token (R17, R20). Only root can look.

use crate::support::Company;
use crate::support::wait::until_true;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The memory that the process can write, as far as it can be read.
fn memory(pid: i64) -> Vec<Vec<u8>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut parts = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
        let mut part = vec![0; usize::try_from(to - from).unwrap()];
        if memory.read_exact_at(&mut part, from).is_ok() {
            parts.push(part);
        }
    }
    assert!(!parts.is_empty(), "nothing could be read");
    parts
}

/// Whether this begins a header, and not of the issuer's signed head: that is kept, and gives nothing.
fn is_token_header(text: &[u8]) -> bool {
    let header = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap_or_default();
    header["alg"].is_string() && header["typ"] != "oam-head+jwt"
}

/// The beginnings of signed tokens: a header, and after a dot a good piece of what is said in it.
fn tokens(parts: &[Vec<u8>]) -> Vec<String> {
    const BEGIN: &[u8] = b"eyJ";
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let mut found = Vec::new();
    for part in parts {
        let at = (0..part.len()).filter(|at| part[*at..].starts_with(BEGIN));
        for rest in at.map(|at| &part[at..]) {
            let head = rest.iter().take_while(|b| plain(b)).count();
            let body = rest.iter().skip(head + 1).take_while(|b| plain(b)).count();
            if rest.get(head) == Some(&b'.') && body >= 40 && is_token_header(&rest[..head]) {
                found.push(String::from_utf8_lossy(&rest[..head + 20]).into_owned());
            }
        }
    }
    found
}

#[test]
fn after_a_sign_out_no_token_stands_in_memory_as_root() {
    let company = Company::signed_in();
    let world = &company.world;
    let token = world.token().expect("a token");
    company.until_fed();
    let agent = world.agent_pid();
    let before = tokens(&memory(agent));
    let role = |list: &[String]| list.iter().any(|found| token.starts_with(found.as_str()));
    assert!(
        role(&before),
        "the look finds what is there: {}",
        before.len()
    );
    assert!(
        before
            .iter()
            .any(|found| !token.starts_with(found.as_str())),
        "an ID token, too"
    );

    world.oam(&["logout"]).expect(0);
    assert_eq!(world.agent_pid(), agent);
    // Connections are closed when the runtime comes to it.
    until_true("every token to go", || tokens(&memory(agent)).is_empty());

    // And what was in it would be good for nothing: the issuer was told.
    let told = company.audited("revocation");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0]["detail"].as_str().unwrap().contains("signed out"),
        "{told:?}"
    );
}
