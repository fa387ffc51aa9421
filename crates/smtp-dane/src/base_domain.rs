//! Where the TLSA records of a server stand (RFC 6698 §3, RFC 7672 §2.2.3).
//!
//! The *TLSA base domain* is the host name below which they stand. For a host that is an alias
//! there are two candidates, the name at the end of the aliases and the name at their beginning
//! (RFC 7671 §7); `host` tries them in that order.

use alloc::format;

use smtp_types::{DnsQuestion, DomainName, DomainNameError, RecordType};

/// The question for the TLSA records of the server at `port` of `base_domain`, for example
/// `TLSA _25._tcp.mx.example.com`.
///
/// RFC 6698 §3: the port in decimal with an underscore, then the transport, then the host name.
///
/// # Errors
/// If the host name is so long that the name has more than 253 octets.
pub fn tlsa_question(port: u16, base_domain: &DomainName) -> Result<DnsQuestion, DomainNameError> {
    let name = base_domain.below(&format!("_{port}._tcp"))?;
    Ok(DnsQuestion::new(name, RecordType::Tlsa))
}
