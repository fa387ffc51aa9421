//! Takes any certificate, and notes whether the server has the key to it.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Possession;
use crate::observe::printable::printable;

/// The verifier of one handshake.
#[derive(Debug)]
pub(super) struct Recorder {
    algorithms: WebPkiSupportedAlgorithms,
    /// What is wrong with the signature, if anything.
    fault: Mutex<Option<String>>,
}

impl Recorder {
    pub(super) fn new(provider: &CryptoProvider) -> Arc<Self> {
        let algorithms = provider.signature_verification_algorithms;
        Arc::new(Self { algorithms, fault: Mutex::default() })
    }

    /// Settings for one handshake. No session is resumed: each shows its certificate.
    pub(super) fn config(
        self: &Arc<Self>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<ClientConfig, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Self>::clone(self))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// What the handshake has shown.
    pub(super) fn possession(&self) -> Possession {
        match self.fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            None => Possession::Proved,
            Some(detail) => Possession::Unproved { detail },
        }
    }

    /// A signature that does not fit is noted, and the handshake goes on: what else there is to
    /// see is worth seeing, and no letter follows.
    fn note(
        &self,
        result: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if let Err(error) = result {
            let detail = printable(error.to_string().as_bytes(), 200);
            *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(detail);
        }
        Ok(HandshakeSignatureValid::assertion())
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.note(verify_tls12_signature(message, certificate, signature, &self.algorithms))
    }

    /// Certificates that webpki does not read, such as those of X.509 version 1, have a key all the
    /// same, and with DANE-EE(3) the key is all that counts (RFC 7672 §3.1.1).
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let whole = verify_tls13_signature(message, certificate, signature, &self.algorithms);
        self.note(whole.or_else(|error| {
            let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Err(error) };
            let key = SubjectPublicKeyInfoDer::from(parsed.public_key().raw);
            verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
        }))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
