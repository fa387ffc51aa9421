//! Private keys: made, read from the files of other signers, written to a file of ours, used.

use std::fmt;

use super::short_rsa::ShortRsaKey;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use sender_auth::crypto::{KeyType, SigningFailed};

use super::PublicKey;

/// The longest modulus that is taken, in octets: 4096 bits, the most that verifiers must support
/// (RFC 8301 §3.2).
const LONGEST_MODULUS: usize = 512;

/// A private key. It signs, and it can be written to its file; nothing else can be got out of it.
pub struct SigningKey(Secret);

enum Secret {
    Rsa(rsa::KeyPair),
    ShortRsa(Box<ShortRsaKey>),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A new key: RSA with 2048 bits (RFC 8301 §3.2 asks for at least that, BSI TR-03182 for no
    /// more), or Ed25519. An RSA key takes 20 to 200 ms.
    ///
    /// # Errors
    /// [`SigningKeyError::Refused`] if the system has no random numbers.
    pub fn generate(key_type: KeyType) -> Result<Self, SigningKeyError> {
        let secret = match key_type {
            KeyType::Rsa => rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map(Secret::Rsa),
            KeyType::Ed25519 => Ed25519KeyPair::generate().map(Secret::Ed25519),
        };
        let refused = |_| SigningKeyError::Refused { detail: "the library made no key".into() };
        secret.map(Self).map_err(refused)
    }

    /// Reads a key file: PEM with one key in PKCS#8 (`BEGIN PRIVATE KEY`) or PKCS#1 (`BEGIN RSA
    /// PRIVATE KEY`, as `opendkim-genkey` writes); or one line of base64 with the 32 octets of an
    /// Ed25519 seed (as dkimpy writes), or 64 with the public key behind it (as rspamd does).
    ///
    /// # Errors
    /// [`SigningKeyError`] says what was expected. It shows nothing of the file.
    pub fn from_file_text(text: &[u8]) -> Result<Self, SigningKeyError> {
        if contains(text, b"BEGIN ENCRYPTED") || contains(text, b"4,ENCRYPTED") {
            return Err(SigningKeyError::Encrypted);
        }
        if !contains(text, b"-----BEGIN ") {
            return Self::from_bare_seed(text);
        }
        let mut keys = PrivateKeyDer::pem_slice_iter(text);
        let key = match keys.next() {
            Some(Ok(key)) => key,
            Some(Err(_)) => return Err(SigningKeyError::BrokenPem),
            None => return Err(SigningKeyError::NoKey),
        };
        if keys.next().is_some() {
            return Err(SigningKeyError::SeveralKeys);
        }
        match key {
            PrivateKeyDer::Pkcs1(der) => {
                Self::from_rsa(rsa::KeyPair::from_der(der.secret_pkcs1_der()), || {
                    ShortRsaKey::from_pkcs1(der.secret_pkcs1_der())
                })
            }
            PrivateKeyDer::Pkcs8(der) => Self::from_pkcs8(der.secret_pkcs8_der()),
            _ => Err(SigningKeyError::OtherAlgorithm),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, SigningKeyError> {
        // With or without the public key behind it: OpenSSL writes none.
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self(Secret::Ed25519(key)));
        }
        Self::from_rsa(rsa::KeyPair::from_pkcs8(der), || ShortRsaKey::from_pkcs8(der))
    }

    fn from_rsa(
        key: Result<rsa::KeyPair, KeyRejected>,
        short: impl FnOnce() -> Option<ShortRsaKey>,
    ) -> Result<Self, SigningKeyError> {
        if key.as_ref().is_err_and(|rejected| rejected.description_() == "TooSmall") {
            let short = short().ok_or(SigningKeyError::TooShort)?;
            return Ok(Self(Secret::ShortRsa(Box::new(short))));
        }
        let key = key.map_err(|rejected| match rejected.description_() {
            "TooLarge" => SigningKeyError::TooLong,
            "WrongAlgorithm" => SigningKeyError::OtherAlgorithm,
            detail => SigningKeyError::Refused { detail: detail.into() },
        })?;
        if key.public_modulus_len() > LONGEST_MODULUS {
            return Err(SigningKeyError::TooLong);
        }
        Ok(Self(Secret::Rsa(key)))
    }

    fn from_bare_seed(text: &[u8]) -> Result<Self, SigningKeyError> {
        let octets = STANDARD.decode(text.trim_ascii()).map_err(|_| SigningKeyError::NoKey)?;
        let key = match octets.split_at_checked(32) {
            Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
            Some((seed, public)) if public.len() == 32 => {
                Ed25519KeyPair::from_seed_and_public_key(seed, public)
            }
            _ => return Err(SigningKeyError::NoKey),
        };
        let refused =
            |rejected: KeyRejected| SigningKeyError::Refused { detail: rejected.to_string() };
        key.map(|key| Self(Secret::Ed25519(key))).map_err(refused)
    }

    /// The key as PEM, PKCS#8 (RFC 5958), as OpenSSL and other signers read it. For the key's own
    /// file, and for nobody's eyes.
    ///
    /// # Errors
    /// [`SigningKeyError::Refused`] if the library does not hand it out.
    pub fn to_pem(&self) -> Result<String, SigningKeyError> {
        let der: Result<Pkcs8V1Der<'_>, _> = match &self.0 {
            Secret::Rsa(key) => key.as_der(),
            Secret::ShortRsa(key) => return key.to_pem(),
            Secret::Ed25519(key) => key.as_der(),
        };
        let refused = |_| SigningKeyError::Refused { detail: "no PKCS#8".into() };
        let base64 = STANDARD.encode(der.map_err(refused)?.as_ref());
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        let mut rest = base64.as_str();
        while let Some((line, after)) = rest.split_at_checked(64) {
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        if !rest.is_empty() {
            pem.push_str(rest);
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(pem)
    }

    /// Its public half.
    ///
    /// # Errors
    /// [`SigningKeyError::Refused`] if the library does not hand it out.
    pub fn public_key(&self) -> Result<PublicKey, SigningKeyError> {
        match &self.0 {
            Secret::Rsa(key) => {
                let spki: Result<PublicKeyX509Der<'_>, _> = key.public_key().as_der();
                let refused = |_| SigningKeyError::Refused { detail: "no public key".into() };
                Ok(PublicKey::new(KeyType::Rsa, spki.map_err(refused)?.as_ref()))
            }
            Secret::ShortRsa(key) => Ok(PublicKey::new(KeyType::Rsa, &key.public_key()?)),
            Secret::Ed25519(key) => Ok(PublicKey::new(KeyType::Ed25519, key.public_key().as_ref())),
        }
    }

    /// The length of an RSA key's modulus in bits; 256 for Ed25519.
    #[must_use]
    pub fn bits(&self) -> usize {
        match &self.0 {
            Secret::Rsa(key) => key.public_modulus_len() * 8,
            Secret::ShortRsa(key) => key.bits(),
            Secret::Ed25519(_) => 256,
        }
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

impl sender_auth::crypto::SigningKey for SigningKey {
    fn key_type(&self) -> KeyType {
        match &self.0 {
            Secret::Rsa(_) | Secret::ShortRsa(_) => KeyType::Rsa,
            Secret::Ed25519(_) => KeyType::Ed25519,
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        match &self.0 {
            Secret::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| SigningFailed)?;
                Ok(signature)
            }
            Secret::ShortRsa(key) => key.sign(message),
            Secret::Ed25519(key) => {
                key.try_sign(message).map(|sig| sig.as_ref().to_vec()).map_err(|_| SigningFailed)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use sender_auth::crypto::SigningKey as _;
        write!(f, "SigningKey({})", self.key_type().as_str())
    }
}

/// Why there is no private key. Nothing of the key is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SigningKeyError {
    /// No key was found in the text.
    NoKey,
    /// A block of PEM begins and cannot be read to its end.
    BrokenPem,
    /// There are several keys: which is meant?
    SeveralKeys,
    /// The key is protected by a password.
    Encrypted,
    /// The key is for neither RSA nor Ed25519.
    OtherAlgorithm,
    /// RSA with less than 1024 bits (RFC 8301 §3.2).
    TooShort,
    /// RSA with more than 4096 bits.
    TooLong,
    /// The library refuses.
    Refused {
        /// What it says.
        detail: String,
    },
}

impl fmt::Display for SigningKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str(
                "expected a private key in PEM (BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY), \
                 found none",
            ),
            Self::BrokenPem => f.write_str("expected PEM, found a block that cannot be read"),
            Self::SeveralKeys => f.write_str("expected one private key, found several"),
            Self::Encrypted => f.write_str(
                "expected a key without a password, found an encrypted one (`openssl pkey -in \
                 FILE` takes the password off)",
            ),
            Self::OtherAlgorithm => {
                f.write_str("expected an RSA or Ed25519 key, found another algorithm")
            }
            Self::TooShort => {
                f.write_str("expected an RSA key of 1024 to 4096 bits, found a shorter one")
            }
            Self::TooLong => {
                f.write_str("expected an RSA key of 1024 to 4096 bits, found a longer one")
            }
            Self::Refused { detail } => write!(f, "expected a sound key, found: {detail}"),
        }
    }
}

impl std::error::Error for SigningKeyError {}

#[cfg(test)]
mod tests {
    use super::*;
    use sender_auth::crypto::SigningKey as _;

    /// RFC 8463 appendix A.2, in the forms in which programs write it.
    const SEED: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    const PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    #[test]
    fn a_key_comes_back_from_its_file() {
        for (key_type, bits) in [(KeyType::Rsa, 2_048), (KeyType::Ed25519, 256)] {
            let key = SigningKey::generate(key_type).unwrap();
            let pem = key.to_pem().unwrap();
            assert!(pem.lines().all(|line| line.len() <= 64));
            let back = SigningKey::from_file_text(pem.as_bytes()).unwrap();
            assert_eq!((back.key_type(), back.bits()), (key_type, bits));
            assert_eq!(back.public_key().unwrap(), key.public_key().unwrap());
            assert_eq!(format!("{key:?}"), format!("SigningKey({})", key_type.as_str()));
        }
    }

    #[test]
    fn seeds_of_other_programs() {
        let octets = |text: &str| STANDARD.decode(text).unwrap();
        let both = STANDARD.encode([octets(SEED), octets(PUBLIC)].concat());
        let der =
            [&b"\x30\x2e\x02\x01\0\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..], &octets(SEED)];
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.concat())
        );
        for text in [SEED, &format!("{SEED}\n"), &both, &pem] {
            let key = SigningKey::from_file_text(text.as_bytes()).unwrap();
            assert_eq!(key.public_key().unwrap().base64(), PUBLIC, "{text}");
        }
    }

    #[test]
    fn files_that_hold_no_key() {
        let key = SigningKey::generate(KeyType::Ed25519).unwrap().to_pem().unwrap();
        let twice = key.repeat(2);
        let cut = &key[..60];
        let certificate = key.replace("PRIVATE KEY", "CERTIFICATE");
        let encrypted = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
        let mismatched = STANDARD.encode([7; 64]);
        let table = [
            ("", SigningKeyError::NoKey),
            ("key", SigningKeyError::NoKey),
            ("AAAA", SigningKeyError::NoKey),
            (PUBLIC.trim_end_matches('='), SigningKeyError::NoKey),
            (&certificate, SigningKeyError::NoKey),
            (&twice, SigningKeyError::SeveralKeys),
            (cut, SigningKeyError::BrokenPem),
            (&encrypted, SigningKeyError::Encrypted),
            (&mismatched, SigningKeyError::Refused { detail: "InconsistentComponents".into() }),
            (EC, SigningKeyError::OtherAlgorithm),
        ];
        for (text, error) in table {
            let found = SigningKey::from_file_text(text.as_bytes());
            assert_eq!(found.map(|key| key.bits()), Err(error), "{text}");
        }
        // Short, and good enough to sign (RFC 8301 §3.2).
        assert_eq!(SigningKey::from_file_text(RSA_1024.as_bytes()).unwrap().bits(), 1024);
    }

    const EC: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwWQLCQHax6R5gK8r
PdcxFnzmHvXdjNvUhOQowWRiZZihRANCAARmtKDezfnGs8fXg3/sjr+fuhJR4u5/
KMo5ftFLDS0gNOAtcINR/GaQuM5tZrKMpMGYgTQkRoGmbC9qf6sNV0i/
-----END PRIVATE KEY-----
";

    const RSA_1024: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQDvfKJJhFtahJLd+w7uc/MfY1QDMf0k06QYmYj82s8naYsjMC+E
3C2tOIKfR7BJCN9qA6U7ZXQ4390Vx4nZT7LDm/yumeoHuy8DZr51JkuAxG2zQrYJ
A2BzfVPmMr8AGsaFYtCkDWjvHXNm1w3dnFyv+eZdsswy2OPvlcQt3DwEhwIDAQAB
AoGBANwChNjDJmW263HQxfvcO5s3ViQFVYjygYsz6bxZi/uqI2+1QcJtv+ylwKJx
aor+ArlTFgXGA4qIZoQupv4kEJWKkLYxa5DTabDnLtk0S+M1I6ejHd5Sa66RQb0e
qOwBb0G4lRcwV6ciHX1o/PgVAFJ4C2tSXEZGgKOxmkBhYnzZAkEA+Uuy6UENFVK5
wk7D3TJPlTauVzAgstM6wHvEtkzGnml6yI3P8m4LN9pdyC6SEVyqsgS+0s8sHk1z
ZDpmOFtu+wJBAPXtZ7Lhcc9pvvshnrU8HJRCjTS8buf5SC1Lp+2mtEGml4Bvanvj
Utl21ZcC1lUhOyF6TurF7jIezr2iHB7Q2uUCQBg6HBQBB2V4GadhgjVf604D92Nv
wO3AC2ijXpWc1nyUoaMV7QyRVzPBW/XVWMqpJ8mPHoBcM9xqCHnIFyEI+bsCQQCo
28yTF5b0qpAWkRwPJuocpqGcLzIbl5+Gcmcol4k3drKZ3maIECtH4/9+Q9V0+G9I
almbfDI0OdEMhi22vwM9AkBzpGCKtAzWeBygBtKv+S5G/IvmXEWmZIaipLT+NvTQ
rh+daX6+EInfGEmVJy07YoWJsCSCxRkKNShXDbFQL6Rv
-----END RSA PRIVATE KEY-----
";
}
