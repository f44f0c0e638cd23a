//! The sealed file's format: a clear header, then the state as JSON under AES-256-GCM-SIV.
//!
//! `OAMSEAL` · version (1 byte) · store (1 byte) · nonce (12 bytes) · ciphertext · tag (16 bytes);
//! magic, version and store are associated data. The store stands in the clear so that the agent
//! knows which keyring to ask, and asks none when there is no file.
//! SIV instead of plain GCM: a nonce that came twice (a restored virtual machine) would tell only
//! that two states are equal.

use super::memory::SealingKey;
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use oam_agent::state::Sealed;
use oam_system::clock;
use oam_wire::message::StoreChoice;
use std::io;
use zeroize::Zeroizing;

const MAGIC: &[u8; 7] = b"OAMSEAL";
const VERSION: u8 = 1;
const HEADER: usize = MAGIC.len() + 2;
const TAG: usize = 16;

/// Why a sealed file is of no use now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// It is not a sealed file.
    Foreign,
    /// A later version wrote it.
    Newer,
    /// The key does not open it: another key, or changed bytes.
    Locked,
    /// It opens, but its content can't be read.
    Content,
}

/// The store that holds the key of this file.
pub(super) fn store(file: &[u8]) -> Result<StoreChoice, Broken> {
    let rest = file.strip_prefix(MAGIC).ok_or(Broken::Foreign)?;
    match rest {
        [VERSION, store, ..] if file.len() >= HEADER + NONCE_LEN + TAG => match *store {
            1 => Ok(StoreChoice::Keyring),
            2 => Ok(StoreChoice::Kernel),
            _ => Err(Broken::Foreign),
        },
        [version, ..] if *version > VERSION => Err(Broken::Newer),
        _ => Err(Broken::Foreign),
    }
}

/// Seals the state. `None` for a store that keeps nothing, or when the state can't be written.
pub(super) fn seal(state: &Sealed, store: StoreChoice, key: &SealingKey) -> Option<Vec<u8>> {
    let store = match store {
        StoreChoice::Keyring => 1,
        StoreChoice::Kernel => 2,
        StoreChoice::Memory => return None,
    };
    let mut nonce = [0; NONCE_LEN];
    clock::fill(&mut nonce);

    // Counted first and allocated once: a buffer that grows leaves copies of the tokens behind.
    let mut length = Count(HEADER + NONCE_LEN + TAG);
    serde_json::to_writer(&mut length, state).ok()?;
    let mut file = Zeroizing::new(Vec::with_capacity(length.0));
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&[VERSION, store]);
    file.extend_from_slice(&nonce);
    serde_json::to_writer(&mut *file, state).ok()?;

    let (header, body) = file.split_at_mut(HEADER + NONCE_LEN);
    let tag = cipher(key)?
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(&header[..HEADER]),
            body,
        )
        .ok()?;
    file.extend_from_slice(tag.as_ref());
    Some(std::mem::take(&mut *file))
}

/// Opens what [`seal`] made.
pub(super) fn open(file: &[u8], key: &SealingKey) -> Result<Sealed, Broken> {
    store(file)?;
    let (header, rest) = file.split_at(HEADER);
    let (nonce, body) = rest.split_at(NONCE_LEN);
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Broken::Foreign)?;
    let mut buffer = Zeroizing::new(body.to_vec());
    let plain = cipher(key)
        .ok_or(Broken::Locked)?
        .open_in_place(nonce, Aad::from(header), &mut buffer)
        .map_err(|_| Broken::Locked)?;
    serde_json::from_slice(plain).map_err(|_| Broken::Content)
}

fn cipher(key: &SealingKey) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM_SIV, key.bytes()).ok()?;
    Some(LessSafeKey::new(key))
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Broken, SealingKey, open, seal, store};
    use crate::vault::tests::state;
    use oam_agent::state::Sealed;
    use oam_wire::message::StoreChoice;

    fn broken(file: &[u8], key: &SealingKey) -> Option<Broken> {
        open(file, key).err()
    }

    #[test]
    fn what_was_sealed_comes_back_and_no_token_stands_in_the_file() {
        let key = SealingKey::random();
        let file = seal(&state("the-refresh-token"), StoreChoice::Kernel, &key).unwrap();
        assert_eq!(store(&file), Ok(StoreChoice::Kernel));
        for word in ["the-refresh-token", "acme", "sessions"] {
            let found = file.windows(word.len()).any(|part| part == word.as_bytes());
            assert!(!found, "{word}");
        }
        let opened = open(&file, &key).unwrap();
        let session = opened.sessions.values().next().unwrap();
        assert_eq!(session.tokens.refresh.expose(), "the-refresh-token");
        assert_eq!(file.capacity(), file.len(), "written in one allocation");
    }

    #[test]
    fn the_same_state_never_looks_the_same_twice() {
        let key = SealingKey::random();
        let one = seal(&Sealed::default(), StoreChoice::Keyring, &key).unwrap();
        let two = seal(&Sealed::default(), StoreChoice::Keyring, &key).unwrap();
        assert_ne!(one, two);
        assert!(seal(&Sealed::default(), StoreChoice::Memory, &key).is_none());
    }

    #[test]
    fn no_changed_byte_and_no_other_key_opens_it() {
        let key = SealingKey::random();
        let file = seal(&state("t"), StoreChoice::Keyring, &key).unwrap();
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 3;
            assert!(open(&changed, &key).is_err(), "byte {at}");
        }
        // The store byte alone, to another valid one.
        let mut moved = file.clone();
        moved[8] = 2;
        assert_eq!(broken(&moved, &key), Some(Broken::Locked));
        assert_eq!(broken(&file, &SealingKey::random()), Some(Broken::Locked));
        for length in 0..file.len() {
            assert!(open(&file[..length], &key).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_file_of_a_later_version_is_told_from_garbage() {
        assert_eq!(store(b"OAMSEAL\x02whatever"), Err(Broken::Newer));
        for garbage in [&b""[..], b"OAMSEAL", b"{\"sessions\":{}}", &[0; 64]] {
            assert_eq!(store(garbage), Err(Broken::Foreign));
        }
    }
}
