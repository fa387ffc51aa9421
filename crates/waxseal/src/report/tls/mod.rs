//! TLS reports: what became of our TLS sessions with the mail servers of others (RFC 8460).
//!
//! Whoever publishes a TLSRPT record wants to know whether others can reach it with the protection
//! that it asks for. [`collect`](crate::collect) counts; here is the rest of the way:
//!
//! 1. When the day is over, `daily` takes it up, domain by domain. `tlsrpt::decide` says whether
//!    there is anything to tell, given what `ledger` knows of our own letters.
//! 2. The record is asked for again, and `destination` says which of its places get the report.
//! 3. `letter` makes the report once, and its octets for mail and for https. Letters and the end of
//!    the day are one transaction.
//!
//! What keeps it from being a nuisance:
//!
//! - **Loops.** A report is a mail, its session is counted, and would be reported. The mail server
//!   should send reports by a transport that does not count (`docs/tls-reports.md`); as a second
//!   line, a domain with no more sessions than mails with reports from us gets none.
//! - **Floods.** A record may name anybody. A host gets one letter about a domain and a day, and
//!   [`TlsReporting::per_host`] letters about a day; who refuses one gets none for a month.
//! - **Spam.** A domain that sends spam, and has sent nothing good for 90 days, gets none.
//!
//! A report that receivers must ignore is not mailed: without a DKIM key there is none.

mod daily;
mod destination;
mod ledger;
mod letter;

pub use letter::tls_report;

use crate::config::{self, Config};

/// How TLS reports are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsReporting {
    /// What is done with https URIs.
    pub https: TlsHttps,
    /// How many letters a host gets about one day; 0 is none.
    pub per_host: u32,
}

/// What is done with the https URIs of a TLSRPT record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsHttps {
    /// They are passed over.
    Off,
    /// The report goes there if the server has a valid certificate.
    Verified,
    /// It goes there anyway: RFC 8460 §3 allows that, because a report about broken certificates
    /// should not be lost by one. Whoever can redirect our packets can read it then, or take it
    /// away.
    AnyCertificate,
}

impl TlsReporting {
    /// What the configuration says; `None` if it wants none.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        let reports = &config.reports;
        let https = match (reports.tls_https, config.profile) {
            // TR-03108 09-M: TLS as TR-03116-4 wants it, so with a certificate that was checked.
            (TlsHttps::AnyCertificate, config::Profile::Bsi) => TlsHttps::Verified,
            (https, _) => https,
        };
        let per_host = u32::try_from(reports.tls_per_host).unwrap_or(u32::MAX);
        reports.tls.then_some(Self { https, per_host })
    }
}
