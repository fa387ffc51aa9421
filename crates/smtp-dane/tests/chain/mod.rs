//! Certificates for the tests: authorities, servers, and the records that speak of them.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha512};
use smtp_dane::{
    Match, PathOptions, ReferenceIdentifiers, Tlsa, VerifyError, verify as verify_with,
};
use smtp_types::{DomainName, TlsaRdata, UnixTime};

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

/// 2026-11-21
pub(crate) const NOW: UnixTime = UnixTime(1_795_219_200);
pub(crate) const HOST: &str = "mx.example.com";

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

/// The names of a host behind a secure MX record of `example.com`.
pub(crate) fn names() -> ReferenceIdentifiers {
    ReferenceIdentifiers::new(name(HOST)).and(name("example.com"))
}

pub(crate) fn params(subject: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

pub(crate) fn authority_params(subject: &str) -> CertificateParams {
    let mut params = params(subject, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

pub(crate) fn root(subject: &str) -> Authority {
    CertifiedIssuer::self_signed(authority_params(subject), KeyPair::generate().unwrap()).unwrap()
}

pub(crate) fn issue(params: &CertificateParams, issuer: &Authority) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, issuer).unwrap().der().clone()
}

pub(crate) fn server(names: &[&str], issuer: &Authority) -> CertificateDer<'static> {
    issue(&params("a server", names), issuer)
}

/// A record that speaks of a certificate; its public key is found by webpki.
pub(crate) fn rdata(numbers: [u8; 3], certificate: &CertificateDer<'_>) -> TlsaRdata {
    let [usage, selector, matching_type] = numbers;
    let parsed = webpki::EndEntityCert::try_from(certificate);
    let selected = match selector {
        0 => certificate.to_vec(),
        _ => parsed.unwrap().subject_public_key_info().to_vec(),
    };
    let data = match matching_type {
        0 => selected,
        1 => Sha256::digest(selected).to_vec(),
        _ => Sha512::digest(selected).to_vec(),
    };
    TlsaRdata { usage, selector, matching_type, data }
}

pub(crate) fn record(numbers: [u8; 3], certificate: &CertificateDer<'_>) -> Tlsa {
    Tlsa::parse(&rdata(numbers, certificate)).unwrap()
}

pub(crate) fn options() -> PathOptions<'static> {
    PathOptions { additional: &[], algorithms: webpki::ALL_VERIFICATION_ALGS, now: NOW }
}

/// Verifies for [`HOST`]; a match is the index of the record and the depth.
pub(crate) fn verify(
    chain: &[&CertificateDer<'static>],
    records: &[Tlsa],
) -> Result<(usize, usize), VerifyError> {
    let chain: Vec<_> = chain.iter().map(|&certificate| certificate.clone()).collect();
    verify_with(&chain, records, &names(), &options())
        .map(|Match { record, depth }| (record, depth))
}
