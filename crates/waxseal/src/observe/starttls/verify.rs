//! Whether what was seen of a mail host is what a policy asks for. Pure: no network, and the time
//! is an argument.

use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use smtp_dane::{Match, PathOptions, ReferenceIdentifiers, Tlsa, VerifyError};
use smtp_types::{CertificateFault, UnixTime};

use super::{MxObservation, MxProber, NoTls, Possession, TlsObservation};
use crate::observe::certificate::{fault, self_issued};
use transport_policy::SessionFailure;

impl MxProber {
    /// Judges as MTA-STS in mode enforce: TLS with a chain to a trusted authority, valid now, and
    /// the host's name among its DNS names, of which wildcards are allowed (RFC 8461 §4.2).
    /// Whether the policy names the host is another question, of `mta_sts::Policy::allows`.
    ///
    /// # Errors
    /// [`SessionFailure`]: such a session would carry no mail.
    pub fn verify_webpki(&self, seen: &MxObservation, now: UnixTime) -> Result<(), SessionFailure> {
        let tls = tls(seen)?;
        let other = |detail: &str| CertificateFault::Other { detail: detail.to_owned() };
        let (leaf, others) = tls
            .chain
            .split_first()
            .ok_or_else(|| SessionFailure::Certificate(other("the server shows none")))?;
        let name = ServerName::try_from(seen.host.as_str())
            .map_err(|_| SessionFailure::Certificate(other("the host is no name to look for")))?;
        let now = rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(now.0));
        let judged = self.webpki.verify_server_cert(leaf, others, &name, &[], now);
        match judged.map_err(|error| self_issued(error, leaf)) {
            Ok(_) => possession(tls),
            Err(rustls::Error::InvalidCertificate(error)) => {
                Err(SessionFailure::Certificate(fault(&error)))
            }
            Err(error) => Err(SessionFailure::Certificate(other(&error.to_string()))),
        }
    }

    /// Judges by usable TLSA records (RFC 7672 §3.1): what the host's records say, and nothing else.
    ///
    /// # Errors
    /// [`SessionFailure`]: such a session would carry no mail.
    pub fn verify_dane(
        &self,
        seen: &MxObservation,
        records: &[Tlsa],
        names: &ReferenceIdentifiers,
        now: UnixTime,
    ) -> Result<Match, SessionFailure> {
        let tls = tls(seen)?;
        if tls.chain.is_empty() {
            return Err(SessionFailure::Dane(VerifyError::NoCertificate));
        }
        let algorithms = self.provider.signature_verification_algorithms.all;
        let options = PathOptions { additional: &[], algorithms, now };
        let found = smtp_dane::verify(&tls.chain, records, names, &options);
        let found = found.map_err(SessionFailure::Dane)?;
        possession(tls)?;
        Ok(found)
    }
}

/// The session within TLS, if there was one.
fn tls(seen: &MxObservation) -> Result<&TlsObservation, SessionFailure> {
    seen.outcome.as_ref().map_err(|no_tls| match no_tls {
        NoTls::Dialogue(failure) => SessionFailure::Dialogue(failure.clone()),
        NoTls::Handshake { detail } => SessionFailure::Handshake { detail: detail.clone() },
    })
}

/// A certificate is worth something in the hands of whoever has its key.
fn possession(tls: &TlsObservation) -> Result<(), SessionFailure> {
    match &tls.possession {
        Possession::Proved => Ok(()),
        Possession::Unproved { detail } => {
            let detail = format!("signature: {detail}");
            Err(SessionFailure::Handshake { detail })
        }
    }
}
