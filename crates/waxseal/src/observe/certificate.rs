//! Who a policy host is: its certificate, judged by WebPKI (RFC 8461 §3.3, RFC 5280, RFC 9525).
//! Mail hosts are judged by the same rules and words (RFC 8461 §4.2), in `starttls`.
//!
//! The chain and the name are judged by webpki: DNS names in the extension `subjectAltName` only,
//! never the common name. On top of that stand the refusal of wildcards, and one better word for a
//! certificate that has issued itself. Revocation is not looked up (RFC 8461 §3.3: MAY).

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature,
    verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use smtp_types::CertificateFault;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::https::{Authorities, FetchSettings};
use super::printable::printable;

/// TLS 1.2 or 1.3 to policy hosts. Sessions are never resumed: each shows its certificate.
pub(super) fn client_config(settings: &FetchSettings) -> Result<ClientConfig, FetchSettingsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let webpki = web_verifier(&settings.authorities, &provider)?;
    let verifier = PolicyHostVerifier { webpki, refuse_wildcard: settings.refuse_wildcard };
    let time: Arc<dyn TimeProvider> = match settings.at {
        Some(at) => Arc::new(FixedTime(at)),
        None => Arc::new(DefaultTimeProvider),
    };
    let mut config = ClientConfig::builder_with_details(provider, time)
        .with_safe_default_protocol_versions()
        .map_err(FetchSettingsError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The same without a look at the certificate, for what may be told to anyone. The server must hold
/// the key of the certificate that it shows, whatever that says.
pub(super) fn config_for_anyone() -> Result<ClientConfig, FetchSettingsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Anyone(provider.signature_verification_algorithms);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(FetchSettingsError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Believes every certificate.
#[derive(Debug)]
struct Anyone(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// webpki's judgment, with the certificates of these authorities.
pub(super) fn web_verifier(
    authorities: &Authorities,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, FetchSettingsError> {
    let roots = Arc::new(roots(authorities)?);
    WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
        .build()
        .map_err(FetchSettingsError::Verifier)
}

fn roots(authorities: &Authorities) -> Result<RootCertStore, FetchSettingsError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Authorities::System => {
            let found = rustls_native_certs::load_native_certs();
            // Some of a system's many may be too old to be parsed. They are left out.
            let (_, _) = roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let errors = found.errors.iter().map(ToString::to_string).collect();
                return Err(FetchSettingsError::NoSystemAuthorities { errors });
            }
        }
        Authorities::File(path) => {
            let error = |detail: String| FetchSettingsError::File { path: path.clone(), detail };
            let pem = std::fs::read(path)
                .map_err(|source| FetchSettingsError::Read { path: path.clone(), source })?;
            for (index, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
                let number = index + 1;
                let certificate =
                    certificate.map_err(|found| error(format!("certificate {number}: {found}")))?;
                roots
                    .add(certificate)
                    .map_err(|found| error(format!("certificate {number}: {found}")))?;
            }
            if roots.is_empty() {
                return Err(error("expected PEM certificates, found none".into()));
            }
        }
    }
    Ok(roots)
}

/// The time of [`FetchSettings::at`].
#[derive(Debug)]
struct FixedTime(smtp_types::UnixTime);

impl TimeProvider for FixedTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.0)))
    }
}

/// webpki's judgment, and ours on top of it.
#[derive(Debug)]
struct PolicyHostVerifier {
    webpki: Arc<WebPkiServerVerifier>,
    refuse_wildcard: bool,
}

impl ServerCertVerifier for PolicyHostVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.webpki
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| self_issued(error, end_entity))?;
        if self.refuse_wildcard && !has_exact_name(end_entity, &server_name.to_str()) {
            let refused = CertificateError::Other(OtherError(Arc::new(WildcardOnly)));
            return Err(refused.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// A certificate that matches by a wildcard and by nothing else.
#[derive(Debug)]
struct WildcardOnly;

impl fmt::Display for WildcardOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "matches by a wildcard only")
    }
}

impl std::error::Error for WildcardOnly {}

/// A self-signed certificate as OpenSSL makes it is an authority by its own word. webpki complains
/// of that before it looks for an issuer; people want to hear that nobody trusted has issued it.
pub(super) fn self_issued(error: rustls::Error, end_entity: &CertificateDer<'_>) -> rustls::Error {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(_))
            if X509Certificate::from_der(end_entity)
                .is_ok_and(|(_, parsed)| parsed.subject() == parsed.issuer()) =>
        {
            CertificateError::UnknownIssuer.into()
        }
        error => error,
    }
}

/// Whether the host's own name is among the DNS names of the certificate.
fn has_exact_name(certificate: &CertificateDer<'_>, host: &str) -> bool {
    webpki::EndEntityCert::try_from(certificate).is_ok_and(|certificate| {
        certificate.valid_dns_names().any(|name| name.eq_ignore_ascii_case(host))
    })
}

/// The organization that issued the server's certificate, else the issuer's common name.
pub(super) fn issuer(chain: Option<&[CertificateDer<'_>]>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(chain?.first()?).ok()?;
    let issuer = certificate.issuer();
    let name = issuer
        .iter_organization()
        .chain(issuer.iter_common_name())
        .find_map(|attribute| attribute.as_str().ok())?;
    Some(printable(name.as_bytes(), MAX_TEXT))
}

/// How many characters of a name in a certificate are kept.
const MAX_TEXT: usize = 200;

/// How many names of a certificate are shown.
const MAX_NAMES: usize = 5;

/// What is wrong with a certificate, in the project's words.
pub(super) fn fault(error: &CertificateError) -> CertificateFault {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateFault::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateFault::NotYetValid
        }
        CertificateError::NotValidForName => CertificateFault::WrongName { presented: Vec::new() },
        CertificateError::NotValidForNameContext { presented, .. } => CertificateFault::WrongName {
            presented: presented.iter().take(MAX_NAMES).map(|name| plain(name)).collect(),
        },
        CertificateError::UnknownIssuer => CertificateFault::UnknownIssuer,
        CertificateError::Other(OtherError(error)) if error.is::<WildcardOnly>() => {
            CertificateFault::Wildcard
        }
        CertificateError::BadSignature => CertificateFault::Other {
            detail: "a signature does not fit the key of its alleged issuer".into(),
        },
        error => {
            CertificateFault::Other { detail: printable(error.to_string().as_bytes(), MAX_TEXT) }
        }
    }
}

/// rustls writes names as `DnsName("example.com")`; other kinds of names stay as they are.
fn plain(name: &str) -> String {
    let name =
        name.strip_prefix("DnsName(\"").and_then(|name| name.strip_suffix("\")")).unwrap_or(name);
    printable(name.as_bytes(), MAX_TEXT)
}

/// Why policy hosts cannot be verified at all.
#[derive(Debug)]
pub enum FetchSettingsError {
    /// The system trusts no authority.
    NoSystemAuthorities {
        /// What went wrong while they were read.
        errors: Vec<String>,
    },
    /// The file of authorities cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of authorities cannot be understood.
    File {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected.
        detail: String,
    },
    /// webpki takes none of the authorities.
    Verifier(VerifierBuilderError),
    /// The cryptography at hand has no version of TLS.
    Tls(rustls::Error),
}

impl fmt::Display for FetchSettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSystemAuthorities { errors } => {
                write!(
                    f,
                    "expected certificate authorities on this system, found none; install the \
                     package ca-certificates or name a file of authorities"
                )?;
                errors.iter().try_for_each(|error| write!(f, "; {error}"))
            }
            Self::Read { path, source } => write!(f, "{}: {source}", path.display()),
            Self::File { path, detail } => write!(f, "{}: {detail}", path.display()),
            Self::Verifier(error) => write!(f, "certificate authorities: {error}"),
            Self::Tls(error) => write!(f, "TLS: {error}"),
        }
    }
}

impl std::error::Error for FetchSettingsError {}
