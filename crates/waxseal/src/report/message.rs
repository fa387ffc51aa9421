//! What all letters have in common: they are compressed, and signed. No IO, but some work.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use sender_auth::dkim::{SignOptions, SignWith, Signer};
use sender_auth::{HeaderLimits, MessageReader, Part};

use crate::crypto::AwsLc;
use crate::keys::DomainSigner;

/// gzip, with nothing in its header that is not the same for the same octets.
pub(super) fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(octets);
    encoder.finish().unwrap_or_default()
}

/// The message with a signature of each key in front of it; without keys, as it is.
///
/// # Errors
/// Why it cannot be signed.
pub(super) fn sign(
    message: Vec<u8>,
    signer: Option<&DomainSigner>,
    crypto: &AwsLc,
    options: SignOptions,
) -> Result<Vec<u8>, String> {
    let Some(DomainSigner { domain, keys }) = signer else { return Ok(message) };
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(&message).map_err(|error| error.to_string())?;
    parts.extend(reader.finish().map_err(|error| error.to_string())?);
    let mut parts = parts.into_iter();
    let Some(Part::Header(header)) = parts.next() else { return Ok(message) };
    let with = keys.iter().map(|one| {
        let selector = one.selector.clone();
        SignWith { domain: domain.clone(), selector, key: &one.key }
    });
    let with = with.collect();
    let mut signer =
        Signer::new(&header, crypto, with, options).map_err(|error| error.to_string())?;
    for part in parts {
        if let Part::Body(octets) = part {
            signer.push(&octets);
        }
    }
    let mut signed = Vec::with_capacity(message.len() + 2048);
    for field in signer.finish().map_err(|error| error.to_string())? {
        signed.extend_from_slice(field.octets());
        signed.extend_from_slice(b"\r\n");
    }
    signed.extend_from_slice(&message);
    Ok(signed)
}
