//! The lab's own certificate authority, and the certificates that it gives to the honest and, by
//! mistake, to the attacker.

use crate::error::LabError;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A certificate authority that the sender trusts.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// All the time that the lab will live.
    Always,
    /// It ended years ago.
    Ended,
}

/// A certificate, its chain and its key.
#[derive(Debug)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    chain_pem: String,
    key: KeyPair,
}

impl Authority {
    /// Makes a new one, with a new key.
    pub fn create() -> Result<Self, LabError> {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "Authority of the lab");
        let key = KeyPair::generate().map_err(refused)?;
        let issuer = CertifiedIssuer::self_signed(parameters, key).map_err(refused)?;
        Ok(Self { issuer })
    }

    /// Its certificate, for those who shall trust it.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Issues a certificate for `names`, with a new key.
    pub fn issue(&self, names: &[String], validity: Validity) -> Result<Identity, LabError> {
        let key = KeyPair::generate().map_err(refused)?;
        let signed = parameters(names, validity)?.signed_by(&key, &self.issuer);
        let signed = signed.map_err(refused)?;
        Ok(Identity {
            chain: vec![signed.der().clone(), self.issuer.der().clone()],
            chain_pem: signed.pem() + &self.issuer.pem(),
            key,
        })
    }
}

/// Whether a TLS client shows who it is.
#[derive(Debug, Clone, Copy)]
pub enum Shows<'i> {
    /// It does not.
    Nothing,
    /// It shows this certificate.
    Certificate(&'i Identity),
}

impl Authority {
    /// The configuration of a TLS client that trusts this authority.
    pub fn client_config(&self, shows: Shows<'_>) -> Result<Arc<ClientConfig>, LabError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).map_err(LabError::Tls)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(LabError::Tls)?
            .with_root_certificates(roots);
        let config = match shows {
            Shows::Nothing => builder.with_no_client_auth(),
            Shows::Certificate(identity) => builder
                .with_client_auth_cert(identity.chain.clone(), identity.private_key())
                .map_err(LabError::Tls)?,
        };
        Ok(Arc::new(config))
    }
}

impl Identity {
    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }

    /// A certificate for `names` that no authority has seen.
    pub fn self_signed(names: &[String]) -> Result<Self, LabError> {
        let key = KeyPair::generate().map_err(refused)?;
        let signed = parameters(names, Validity::Always)?.self_signed(&key).map_err(refused)?;
        Ok(Self { chain: vec![signed.der().clone()], chain_pem: signed.pem(), key })
    }

    /// Key and chain in one text, as Postfix's `smtpd_tls_chain_files` wants them.
    pub fn key_and_chain_pem(&self) -> String {
        self.key.serialize_pem() + &self.chain_pem
    }

    /// What a TLSA record "3 1 1" holds: the SHA-256 digest of the public key, in hex.
    pub fn key_digest(&self) -> String {
        let digest = Sha256::digest(self.key.subject_public_key_info());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The configuration of a TLS server that shows this certificate.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, LabError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = versions
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(self.chain.clone(), self.private_key())
            })
            .map_err(LabError::Tls)?;
        Ok(Arc::new(config))
    }
}

fn parameters(names: &[String], validity: Validity) -> Result<CertificateParams, LabError> {
    let mut parameters = CertificateParams::new(names).map_err(refused)?;
    match validity {
        Validity::Always => {}
        Validity::Ended => {
            parameters.not_before = date_time_ymd(2015, 1, 1);
            parameters.not_after = date_time_ymd(2020, 1, 1);
        }
    }
    Ok(parameters)
}

fn refused(error: rcgen::Error) -> LabError {
    LabError::Certificate(error)
}
