//! The master key, and what it seals: private keys, client secrets, hub tokens at rest.
//!
//! Sealed: version (1 byte) · nonce (12 bytes) · ciphertext · tag (16 bytes). Purpose and owner are
//! associated data, so that a sealed value moved to another row does not open there.
//! AES-256-GCM-SIV instead of plain GCM: a nonce that came twice (a restored virtual machine, or 2^32
//! hub tokens under one key) would tell only that two values are equal, not the key of the tags.

use super::place;
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use aws_lc_rs::rand;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use oam_model::issuer::SecretPlace;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use std::fmt;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const HEADER: usize = 1 + NONCE_LEN;
const TAG: usize = 16;
const KEY: usize = 32;

/// What a sealed value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A private signing key; its owner is the `kid`.
    SigningKey,
    /// A client secret of the issuer; its owner is the hub.
    ClientSecret,
    /// A token that a hub issued; its owner is the token's SHA-256.
    HubToken,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::SigningKey => "signing-key",
            Self::ClientSecret => "client-secret",
            Self::HubToken => "hub-token",
        }
    }
}

/// Why a value did not open. It tells nothing of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealFault {
    /// Another master key, another owner, or changed bytes.
    Locked,
    /// A later version wrote it, or it is no sealed value.
    Foreign,
    /// The system gave no randomness.
    Random,
}

impl fmt::Display for SealFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Locked => "the master key does not open it",
            Self::Foreign => "it was not sealed by this version",
            Self::Random => "the system gave no randomness",
        })
    }
}

/// The key that seals everything at rest. It has no `Debug`.
pub struct MasterKey {
    seals: LessSafeKey,
    heads: Ed25519KeyPair,
}

impl MasterKey {
    /// Reads the key from its place.
    ///
    /// # Errors
    /// It can't be read from there, or is not 32 bytes in base64 or hex.
    pub fn read(place: &SecretPlace) -> Result<Self, Refusal> {
        let text = place::secret(place, "master_key")?;
        Self::parse(&text).ok_or_else(|| {
            Refusal::unavailable(
                "`master_key` is not 32 bytes in base64 or hex",
                "make one with `oam-issuer keys master`; a database that exists needs the key it was made with",
            )
        })
    }

    /// The key from its text: 64 hex digits, or base64 with either alphabet.
    pub fn parse(text: &Secret) -> Option<Self> {
        let bytes = decoded(text.expose().trim())?;
        Some(Self {
            seals: LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, bytes.as_slice()).ok()?),
            heads: heads_key(&bytes)?,
        })
    }

    /// Signs a head of the audit log (Ed25519). The key follows from the master key, which lies outside of the
    /// database: with a key of the database's own, an older copy could not check what a later one signed.
    pub fn sign_head(&self, message: &[u8]) -> Vec<u8> {
        self.heads.sign(message).as_ref().to_vec()
    }

    /// Whether [`MasterKey::sign_head`] made this signature.
    pub fn is_own_head(&self, message: &[u8], signature: &[u8]) -> bool {
        let public = self.heads.public_key().as_ref();
        let key = UnparsedPublicKey::new(&ED25519, public);
        key.verify(message, signature).is_ok()
    }

    /// A fresh key as text, for `oam-issuer keys master`.
    ///
    /// # Errors
    /// [`SealFault::Random`].
    pub fn fresh() -> Result<Secret, SealFault> {
        let mut bytes = Zeroizing::new([0; KEY]);
        rand::fill(&mut *bytes).map_err(|_| SealFault::Random)?;
        let mut text = String::with_capacity(44);
        STANDARD.encode_string(*bytes, &mut text);
        Ok(Secret::new(text))
    }

    /// Seals `plain` for a purpose and an owner.
    ///
    /// # Errors
    /// [`SealFault::Random`].
    pub fn seal(&self, purpose: Purpose, owner: &str, plain: &[u8]) -> Result<Vec<u8>, SealFault> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| SealFault::Random)?;
        let mut sealed = Zeroizing::new(Vec::with_capacity(HEADER + plain.len() + TAG));
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        let tag = self
            .seals
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound(purpose, owner)),
                &mut sealed[HEADER..],
            )
            .map_err(|_| SealFault::Foreign)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(std::mem::take(&mut *sealed))
    }

    /// Opens what [`MasterKey::seal`] made for the same purpose and owner.
    ///
    /// # Errors
    /// Why it does not open.
    pub fn open(
        &self,
        purpose: Purpose,
        owner: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealFault> {
        if sealed.first() != Some(&VERSION) || sealed.len() < HEADER + TAG {
            return Err(SealFault::Foreign);
        }
        let nonce =
            Nonce::try_assume_unique_for_key(&sealed[1..HEADER]).map_err(|_| SealFault::Foreign)?;
        let mut plain = Zeroizing::new(sealed[HEADER..].to_vec());
        let length = self
            .seals
            .open_in_place(nonce, Aad::from(bound(purpose, owner)), &mut plain)
            .map_err(|_| SealFault::Locked)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }

    /// As [`MasterKey::open`], for a value that is text.
    ///
    /// # Errors
    /// As there; [`SealFault::Foreign`] when it is no text.
    pub fn open_text(
        &self,
        purpose: Purpose,
        owner: &str,
        sealed: &[u8],
    ) -> Result<Secret, SealFault> {
        let plain = self.open(purpose, owner, sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_| SealFault::Foreign)?;
        Ok(Secret::new(text.to_owned()))
    }
}

/// HKDF (RFC 5869), so that nothing signed tells anything of the key that seals.
fn heads_key(master: &[u8; KEY]) -> Option<Ed25519KeyPair> {
    let mut seed = Zeroizing::new([0; KEY]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"oam-issuer")
        .extract(master)
        .expand(&[b"audit heads, version 1"], hkdf::HKDF_SHA256)
        .and_then(|key| key.fill(&mut *seed))
        .ok()?;
    Ed25519KeyPair::from_seed_unchecked(&*seed).ok()
}

/// The refusal for sealed values of a database that the master key does not open.
pub fn locked(what: &str, fault: SealFault) -> Refusal {
    Refusal::unavailable(
        format!("{what} of this database can't be used: {fault}"),
        "give the `master_key` that the database was made with",
    )
}

/// Purposes are a fixed set without the separator, so no two pairs give the same bytes.
fn bound(purpose: Purpose, owner: &str) -> Vec<u8> {
    [b"oam-issuer", purpose.word().as_bytes(), owner.as_bytes()].join(&0x1f)
}

fn decoded(text: &str) -> Option<Zeroizing<[u8; KEY]>> {
    let mut key = Zeroizing::new([0; KEY]);
    if text.len() == 2 * KEY && text.is_ascii() {
        for (place, pair) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).ok()?;
            let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
            *place = u8::from_str_radix(digits, 16).ok().filter(|_| hex)?;
        }
        return Some(key);
    }
    let bare = text.trim_end_matches('=');
    let bytes = STANDARD_NO_PAD
        .decode(bare)
        .or_else(|_| URL_SAFE_NO_PAD.decode(bare));
    let bytes = Zeroizing::new(bytes.ok()?);
    key.copy_from_slice(bytes.get(..KEY).filter(|_| bytes.len() == KEY)?);
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::{MasterKey, Purpose, SealFault};
    use oam_model::secret::Secret;
    use std::collections::BTreeSet;

    fn key(byte: u8) -> MasterKey {
        MasterKey::parse(&Secret::new(format!("{byte:02x}").repeat(32))).unwrap()
    }

    #[test]
    fn a_key_is_hex_or_base64_of_32_bytes_and_nothing_else() {
        let zeros_base64 = "A".repeat(43);
        for good in [
            "00".repeat(32),
            zeros_base64.clone(),
            format!("{zeros_base64}=\n"),
        ] {
            let parsed = MasterKey::parse(&Secret::new(good.clone())).unwrap();
            let sealed = key(0).seal(Purpose::SigningKey, "k", b"x").unwrap();
            assert!(
                parsed.open(Purpose::SigningKey, "k", &sealed).is_ok(),
                "{good}"
            );
        }
        let signed = format!("+1{}", "00".repeat(31));
        for bad in [
            "",
            "00",
            "short",
            &"A".repeat(42),
            &"A".repeat(44),
            &"zz".repeat(32),
            &signed,
        ] {
            assert!(
                MasterKey::parse(&Secret::new(bad.to_owned())).is_none(),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_fresh_key_can_be_read_and_is_never_the_same() {
        let texts: BTreeSet<String> = (0..8)
            .map(|_| MasterKey::fresh().ok().unwrap().expose().to_owned())
            .collect();
        assert_eq!(texts.len(), 8);
        assert!(
            texts
                .into_iter()
                .all(|text| MasterKey::parse(&Secret::new(text)).is_some())
        );
    }

    #[test]
    fn what_was_sealed_comes_back_and_does_not_show_in_between() {
        let master = key(7);
        let sealed = master
            .seal(Purpose::ClientSecret, "hub", b"the-secret")
            .unwrap();
        assert!(!sealed.windows(10).any(|w| w == b"the-secret"));
        assert_ne!(
            sealed,
            master
                .seal(Purpose::ClientSecret, "hub", b"the-secret")
                .unwrap()
        );
        let text = master
            .open_text(Purpose::ClientSecret, "hub", &sealed)
            .ok()
            .unwrap();
        assert_eq!(text.expose(), "the-secret");
        let empty = master.seal(Purpose::HubToken, "", b"").unwrap();
        assert!(
            master
                .open(Purpose::HubToken, "", &empty)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn no_other_key_purpose_or_owner_and_no_changed_byte_opens_it() {
        let master = key(7);
        let sealed = master.seal(Purpose::ClientSecret, "hub", b"s").unwrap();
        let fault = |m: &MasterKey, p, owner, bytes: &[u8]| m.open(p, owner, bytes).err();
        let locked = Some(SealFault::Locked);
        assert_eq!(
            fault(&key(8), Purpose::ClientSecret, "hub", &sealed),
            locked
        );
        assert_eq!(fault(&master, Purpose::HubToken, "hub", &sealed), locked);
        assert_eq!(
            fault(&master, Purpose::ClientSecret, "hub2", &sealed),
            locked
        );
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(
                fault(&master, Purpose::ClientSecret, "hub", &changed).is_some(),
                "{at}"
            );
            assert!(
                fault(&master, Purpose::ClientSecret, "hub", &sealed[..at]).is_some(),
                "{at}"
            );
        }
    }
}
