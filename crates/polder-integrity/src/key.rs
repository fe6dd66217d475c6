//! The key that signs baselines (Ed25519, RFC 8032), sealed by a passphrase.
//!
//! The passphrase becomes a key by PBKDF2-HMAC-SHA256 with as many rounds as OWASP asks for
//! (Password Storage Cheat Sheet, 2023); what it opens is sealed with ChaCha20-Poly1305 (RFC 8439).

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// First word of the file of a sealed key.
const FORMAT: &str = "polder-key 1";

/// Rounds of PBKDF2 for new keys.
const ROUNDS: u32 = 600_000;

/// Most rounds taken from a file, which anybody may have written.
const ROUNDS_MAX: u32 = 10_000_000;

/// What is signed besides the digest, so that a signature holds for nothing else.
const CONTEXT: &[u8] = b"polder-baseline 1\n";

/// Shortest passphrase taken, in characters (NIST SP 800-63B-4, for one that stands alone).
pub const PASSPHRASE_MIN: usize = 15;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is no sealed key.
    #[error("this is no key of Polder, or of a version that is not known here")]
    Format,
    /// The passphrase does not open it.
    #[error("the passphrase does not open the key")]
    Passphrase,
    /// It is too short to protect anything.
    #[error("a passphrase needs at least {PASSPHRASE_MIN} characters")]
    Short,
    /// The kernel gave no random numbers.
    #[error("the system has no random numbers")]
    Random,
}

/// A key that can sign.
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// Makes a new key, and the text in which it is kept.
    ///
    /// # Errors
    /// When the passphrase is too short, or there are no random numbers.
    pub fn make(passphrase: &str) -> Result<(Self, String), KeyError> {
        if passphrase.chars().count() < PASSPHRASE_MIN {
            return Err(KeyError::Short);
        }
        let random = SystemRandom::new();
        let mut seed = Zeroizing::new([0; 32]);
        let (mut salt, mut nonce) = ([0; 16], [0; NONCE_LEN]);
        for bytes in [&mut seed[..], &mut salt[..], &mut nonce[..]] {
            random.fill(bytes).map_err(|_| KeyError::Random)?;
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| KeyError::Random)?;
        let mut sealed = seed.to_vec();
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        opener(passphrase, &salt, ROUNDS)?
            .seal_in_place_append_tag(nonce_used, Aad::from(FORMAT), &mut sealed)
            .map_err(|_| KeyError::Random)?;
        let text = format!(
            "{FORMAT}\nrounds {ROUNDS}\nsalt {}\nnonce {}\nsealed {}\npublic {}\n",
            hexadecimal(&salt),
            hexadecimal(&nonce),
            hexadecimal(&sealed),
            hexadecimal(pair.public_key().as_ref()),
        );
        Ok((Self(pair), text))
    }

    /// Opens a key that is kept as text.
    ///
    /// # Errors
    /// When the text is no key, or the passphrase is not the one it was sealed with.
    pub fn open(text: &str, passphrase: &str) -> Result<Self, KeyError> {
        let value = |wanted: &str| {
            let mut pairs = text.lines().skip(1).filter_map(|line| line.split_once(' '));
            pairs
                .find_map(|(name, value)| (name == wanted).then_some(value))
                .ok_or(KeyError::Format)
        };
        let bytes = |name: &str| value(name).and_then(|it| parse(it).ok_or(KeyError::Format));
        if text.lines().next() != Some(FORMAT) {
            return Err(KeyError::Format);
        }
        let rounds = value("rounds")?.parse::<u32>().map_err(|_| KeyError::Format)?;
        if !(1..=ROUNDS_MAX).contains(&rounds) {
            return Err(KeyError::Format);
        }
        let nonce: [u8; NONCE_LEN] = bytes("nonce")?.try_into().map_err(|_| KeyError::Format)?;
        let mut sealed = Zeroizing::new(bytes("sealed")?);
        let seed = opener(passphrase, &bytes("salt")?, rounds)?
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(FORMAT), &mut sealed)
            .map_err(|_| KeyError::Passphrase)?;
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|_| KeyError::Format)
    }

    /// The half of the key that everybody may know.
    pub fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap_or_default()
    }

    /// Signs the root of a baseline.
    pub fn sign(&self, root: &[u8; 32]) -> [u8; 64] {
        let signature = self.0.sign(&[CONTEXT, root].concat());
        signature.as_ref().try_into().unwrap_or([0; 64])
    }
}

fn opener(passphrase: &str, salt: &[u8], rounds: u32) -> Result<LessSafeKey, KeyError> {
    let rounds = NonZeroU32::new(rounds).ok_or(KeyError::Format)?;
    let mut key = Zeroizing::new([0; 32]);
    ring::pbkdf2::derive(
        ring::pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        salt,
        passphrase.as_bytes(),
        &mut *key,
    );
    let key = UnboundKey::new(&CHACHA20_POLY1305, &*key).map_err(|_| KeyError::Format)?;
    Ok(LessSafeKey::new(key))
}

/// Whether a key signed the root of a baseline.
pub(crate) fn is_signed(key: &[u8; 32], root: &[u8; 32], signature: &[u8; 64]) -> bool {
    let key = UnparsedPublicKey::new(&ED25519, key);
    key.verify(&[CONTEXT, root].concat(), signature).is_ok()
}

/// Bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from hexadecimal digits.
pub fn parse(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_with_its_passphrase_only() {
        let (signer, text) = Signer::make("correct horse battery").unwrap();
        let again = Signer::open(&text, "correct horse battery").unwrap();
        let root = [7; 32];
        assert!(is_signed(&signer.public(), &root, &again.sign(&root)));
        assert!(!is_signed(&signer.public(), &[8; 32], &again.sign(&root)));
        assert!(matches!(Signer::open(&text, "wrong horse battery"), Err(KeyError::Passphrase)));
        assert!(matches!(Signer::make(""), Err(KeyError::Short)));
        let huge = text.replace("rounds 600000", "rounds 4000000000");
        assert!(matches!(Signer::open(&huge, "correct horse battery"), Err(KeyError::Format)));
        for name in ["rounds", "salt", "nonce", "sealed"] {
            let without: String = text
                .lines()
                .filter(|line| !line.starts_with(name))
                .flat_map(|line| [line, "\n"])
                .collect();
            assert!(matches!(
                Signer::open(&without, "correct horse battery"),
                Err(KeyError::Format)
            ));
        }
    }
}
