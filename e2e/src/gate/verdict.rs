//! Reads what Waxseal says of a letter in its own header field, with the eyes of another filter:
//! written from the description in `docs/filters.md`, with nothing of Waxseal in it.

use super::mailbox::Letter;
use super::{GateLab, read};
use crate::error::LabError;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The name of the field.
pub const FIELD: &str = "Waxseal-Verdict";

/// How long the API may take; it answers from memory.
const PATIENCE: Duration = Duration::from_secs(10);

/// The octets of the key that seals verdicts.
pub fn key(lab: &GateLab) -> Result<Vec<u8>, LabError> {
    let text = read(&lab.state().join("verdict.key"))?;
    let octets = BASE64_STANDARD.decode(text.trim_ascii());
    octets.map_err(|error| LabError::Unsupported(format!("reading verdict.key: {error}")))
}

/// Whether the field says the truth about where it comes from.
pub fn is_sealed(key: &[u8], value: &str, letter: &Letter) -> bool {
    let Some((tags, seal)) = value.rsplit_once("; seal=") else { return false };
    let Ok(seal) = BASE64_STANDARD.decode(seal) else { return false };
    let message_id = letter.values("Message-ID").into_iter().next().unwrap_or_default();
    let sealed = format!("{tags}\n{message_id}");
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), sealed.as_bytes(), &seal).is_ok()
}

/// Asks the API, as a filter beside the mail server does: the status line and the body.
pub fn ask(lab: &GateLab, path: &str) -> Result<(String, String), LabError> {
    let socket = lab.folder.join("api");
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(&socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: waxseal\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(LabError::io(format!("asking {}", socket.display())))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    Ok((status.to_owned(), body.to_owned()))
}
