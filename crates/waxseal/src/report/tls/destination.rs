//! Where a report goes: the record of the domain, and those of its places that can be reached.
//!
//! A record may name several places. RFC 8460 §3 lets a sender try each, and calls the report
//! delivered when one has taken it. All of them get it here, each by a letter of its own, at most one
//! for a host: whoever names his own mailbox and that of a company that evaluates reports wants it in
//! both, and one that is broken does not keep it from the other. The bound on hosts keeps a record
//! from making one letter into many for the same victim.

use hyper::Uri;
use smtp_types::{DomainName, EmailAddress, Known, Need};
use tlsrpt::{Record, ReportUri, record_question, select};

use super::TlsHttps;

/// How many places of a record are looked at.
const MAX_PLACES: usize = 5;

/// What the DNS says of the wish for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// There is a record.
    Reports(Record),
    /// There is none, several, or one that cannot be read: all the same (RFC 8460 §3).
    Nothing,
    /// The DNS did not say.
    Unknown,
}

/// Asks for the record of a domain.
///
/// # Errors
/// The question to the DNS.
pub(super) fn wish(known: &Known, domain: &DomainName) -> Result<Wish, Need> {
    let Ok(question) = record_question(domain) else { return Ok(Wish::Nothing) };
    Ok(match known.dns(&question)? {
        Ok(answer) => select(answer.txt()).map_or(Wish::Nothing, Wish::Reports),
        Err(_) => Wish::Unknown,
    })
}

/// One place that gets a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// By mail.
    Mail(EmailAddress),
    /// By POST to this URI at this host.
    Https { uri: String, host: DomainName },
}

impl Place {
    /// As the outbox knows it.
    pub(super) fn recipient(&self) -> String {
        match self {
            Self::Mail(address) => address.to_string(),
            Self::Https { uri, .. } => uri.clone(),
        }
    }

    /// Who must cope with it.
    pub(super) fn host(&self) -> &DomainName {
        match self {
            Self::Mail(address) => address.domain(),
            Self::Https { host, .. } => host,
        }
    }
}

/// The places of a record, in its order, each once.
pub(super) fn places(record: &Record, https: TlsHttps) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for uri in record.rua().iter().take(MAX_PLACES) {
        let place = match uri {
            ReportUri::Mailto(mailto) => Some(Place::Mail(mailto.address().clone())),
            ReportUri::Https(_) if https == TlsHttps::Off => None,
            ReportUri::Https(https) => host_of(https.as_str())
                .map(|host| Place::Https { uri: https.as_str().to_owned(), host }),
        };
        places.extend(place.filter(|place| !places.contains(place)));
    }
    places
}

/// The host of an https URI. One that is an address has no name that a certificate could be for,
/// so nothing goes there.
fn host_of(uri: &str) -> Option<DomainName> {
    let uri: Uri = uri.parse().ok()?;
    let host = uri.host()?;
    let is_address = host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok();
    if is_address { None } else { DomainName::parse(host).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_record() {
        let found = |rua: &str, https| {
            let record = Record::parse(format!("v=TLSRPTv1; rua={rua}").as_bytes()).unwrap();
            let places = places(&record, https);
            places
                .iter()
                .map(|one| format!("{} at {}", one.recipient(), one.host()))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let table = [
            ("mailto:r@a.test", "r@a.test at a.test"),
            ("mailto:r@a.test,mailto:r@A.test", "r@a.test at a.test"),
            ("https://A.test:8443/x?y=1", "https://A.test:8443/x?y=1 at a.test"),
            ("https://192.0.2.1/,https://[2001:db8::1]/,mailto:r@a.test", "r@a.test at a.test"),
            (
                "mailto:1@a.test,mailto:2@a.test,mailto:3@a.test,mailto:4@a.test,mailto:5@a.test,\
                 mailto:6@a.test",
                "1@a.test at a.test, 2@a.test at a.test, 3@a.test at a.test, 4@a.test at a.test, \
                 5@a.test at a.test",
            ),
        ];
        for (rua, expected) in table {
            assert_eq!(found(rua, TlsHttps::Verified), expected);
        }
        assert_eq!(found("https://a.test/,mailto:r@b.test", TlsHttps::Off), "r@b.test at b.test");
    }
}
