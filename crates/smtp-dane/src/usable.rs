//! Which records SMTP can use (RFC 7672 §3.1).

use alloc::vec::Vec;
use core::fmt;

use smtp_types::TlsaRdata;

use crate::{CertUsage, Tlsa, TlsaFault};

/// The records of one host, sorted out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsableSet {
    /// Those that can authenticate the host, in the order of the answer.
    pub records: Vec<Tlsa>,
    /// Those that cannot, in the order of the answer.
    pub rejected: Vec<Rejected>,
}

/// A record that cannot authenticate the host, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The record as it stands in the DNS.
    pub record: TlsaRdata,
    /// Why not.
    pub reason: Unusable,
}

/// Why a record is unusable. If all records of a host are, TLS is mandatory but cannot be
/// authenticated (RFC 7672 §2.2); if one is not, the others do not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// PKIX-TA(0) or PKIX-EE(1): there is no set of web authorities that all mail servers share,
    /// and "SMTP clients MAY treat such records as "unusable"" (RFC 7672 §3.1.3).
    PkixUsage {
        /// The usage.
        usage: CertUsage,
    },
    /// Numbers that nobody has defined, or data that are not what the numbers say.
    Malformed(TlsaFault),
}

impl Unusable {
    /// A stable name for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::PkixUsage { .. } => "tlsa-pkix-usage",
            Self::Malformed(fault) => fault.code(),
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PkixUsage { usage } => {
                write!(
                    f,
                    "certificate usage: expected 2 or 3 for SMTP, found {} (RFC 7672 §3.1.3)",
                    usage.number()
                )
            }
            Self::Malformed(fault) => write!(f, "{fault} ({})", fault.clause()),
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TlsaRdata { usage, selector, matching_type, .. } = self.record;
        write!(f, "{usage} {selector} {matching_type} …: {}", self.reason)
    }
}

/// Sorts out the records of one host.
#[must_use]
pub fn usable<'r>(records: impl IntoIterator<Item = &'r TlsaRdata>) -> UsableSet {
    let mut set = UsableSet::default();
    for record in records {
        match judge(record) {
            Ok(tlsa) => set.records.push(tlsa),
            Err(reason) => set.rejected.push(Rejected { record: record.clone(), reason }),
        }
    }
    set
}

fn judge(record: &TlsaRdata) -> Result<Tlsa, Unusable> {
    let tlsa = Tlsa::parse(record).map_err(Unusable::Malformed)?;
    match tlsa.usage() {
        CertUsage::DaneTa | CertUsage::DaneEe => Ok(tlsa),
        usage @ (CertUsage::PkixTa | CertUsage::PkixEe) => Err(Unusable::PkixUsage { usage }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use alloc::vec;

    #[test]
    fn reasons() {
        let record = |usage, matching_type, octets| TlsaRdata {
            usage,
            selector: 1,
            matching_type,
            data: vec![0; octets],
        };
        let all = [
            record(3, 1, 32),
            record(1, 1, 32),
            record(3, 1, 31),
            record(2, 2, 64),
            record(9, 1, 32),
        ];
        let set = usable(&all);
        assert_eq!(set.records, [Tlsa::parse(&all[0]).unwrap(), Tlsa::parse(&all[3]).unwrap()]);
        let reasons: Vec<String> = set.rejected.iter().map(ToString::to_string).collect();
        assert_eq!(
            reasons,
            [
                "1 1 1 …: certificate usage: expected 2 or 3 for SMTP, found 1 (RFC 7672 §3.1.3)",
                "3 1 1 …: data: expected 32 octets for SHA2-256, found 31 (RFC 6698 §2.1.3)",
                "9 1 1 …: certificate usage: expected 0 to 3, found 9 (RFC 6698 §2.1.1)",
            ]
        );
        assert_eq!(set.rejected[0].reason.code(), "tlsa-pkix-usage");
        assert_eq!(usable(&[]), UsableSet::default());
    }
}
