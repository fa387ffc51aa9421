//! Rows that say less, so that a day of one domain stays bounded.
//!
//! Whoever sends mail decides how many rows it makes: a new address, return path or signature with
//! each message makes a new row. Throwing rows away would make the sums wrong, and keeping them all
//! would make the report as large as the attack. So rows give up detail in steps, and rows that
//! have become equal are added up. Each step contains the one before it: coarsening twice is
//! coarsening to the coarser of both. Therefore it does not matter in which order rows are counted
//! and coarsened, and no message is ever lost.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smtp_types::DomainName;

use super::aggregate::{EnvelopeTo, Reason, Reasons, Row, Signatures};
use super::{Coarseness, Remark};

impl Row {
    /// The same row with less in it; never finer than it is already.
    ///
    /// | step | what is given up |
    /// |---|---|
    /// | `Exact` | nothing |
    /// | `Short` | remarks, the recipient, all signatures but the best |
    /// | `Network` | the host: IPv4 addresses become /24, IPv6 /48; return path, signatures, SPF |
    /// | `Total` | the address (`0.0.0.0`, `::`), the From domain (`policy_domain` instead), all reasons but the first |
    #[must_use]
    pub fn coarsened(self, to: Coarseness, policy_domain: &DomainName) -> Self {
        let mut row = self;
        row.coarseness = row.coarseness.max(to);
        if row.coarseness >= Coarseness::Short {
            shorten(&mut row);
        }
        if row.coarseness >= Coarseness::Network {
            row.source_ip = network(row.source_ip);
            row.identifiers.envelope_from = None;
            row.auth_results.dkim = Signatures::default();
            row.auth_results.spf = None;
        }
        if row.coarseness >= Coarseness::Total {
            row.source_ip = match row.source_ip {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            row.identifiers.header_from = policy_domain.clone();
            row.evaluated.reasons = Reasons::new(row.evaluated.reasons.iter().take(1).cloned());
        }
        row
    }
}

fn shorten(row: &mut Row) {
    let kinds = row.evaluated.reasons.iter().map(|reason| reason.kind);
    row.evaluated.reasons =
        Reasons::new(kinds.map(|kind| Reason { kind, comment: None }).collect::<Vec<_>>());
    row.identifiers.envelope_to = EnvelopeTo::Withheld;
    let Signatures(signatures) = &mut row.auth_results.dkim;
    signatures.truncate(1);
    signatures.iter_mut().for_each(|auth| auth.human_result = None);
    if let Some(auth) = &mut row.auth_results.spf {
        auth.human_result = None;
    }
}

/// The network that is taken for one sender: /24 or /48.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Ipv4Addr::new(a, b, c, 0).into()
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()
        }
    }
}

/// Octets that a row needs in memory, roughly: what whoever sends can make long.
pub(super) fn weight(row: &Row) -> usize {
    /// A row with short names.
    const ROW: usize = 512;
    /// A signature with short names.
    const SIGNATURE: usize = 96;
    let remark = |remark: &Option<Remark>| remark.as_ref().map_or(0, |text| text.as_str().len());
    let auth = &row.auth_results;
    let signatures = auth.dkim.as_slice().iter().map(|auth| {
        let names = auth.domain.as_str().len() + auth.selector.as_str().len();
        SIGNATURE + names + remark(&auth.human_result)
    });
    let spf = auth.spf.as_ref();
    let spf = spf.map_or(0, |auth| auth.domain.as_str().len() + remark(&auth.human_result));
    let reasons = row.evaluated.reasons.iter().map(|reason| remark(&reason.comment));
    ROW + spf + signatures.sum::<usize>() + reasons.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn steps(line: &str, expected: [&str; 3]) {
        let policy_domain = DomainName::parse("example.com").unwrap();
        let row = Row::from_line(line).unwrap();
        assert_eq!(row.clone().coarsened(Coarseness::Exact, &policy_domain), row);
        for (step, expected) in Coarseness::ALL[1..].iter().zip(expected) {
            let coarse = row.clone().coarsened(*step, &policy_domain);
            assert_eq!(coarse.to_line(), expected);
            assert_eq!(coarse.clone().coarsened(Coarseness::Exact, &policy_domain), coarse);
            assert!(weight(&coarse) <= weight(&row));
        }
    }

    #[test]
    fn each_step_gives_up_more() {
        steps(
            "r1 exact 192.0.2.77 a.example.com b.test c.test reject fail fail \
             local_policy/x,other b.test/s/pass/y,c.test/s/fail b.test/pass/z",
            [
                "r1 short 192.0.2.77 a.example.com b.test - reject fail fail \
                 local_policy,other b.test/s/pass b.test/pass",
                "r1 network 192.0.2.0 a.example.com - - reject fail fail local_policy,other - -",
                "r1 total 0.0.0.0 example.com - - reject fail fail local_policy - -",
            ],
        );
        steps(
            "r1 exact 2001:db8:1:2::3 example.com - - pass pass fail - - -",
            [
                "r1 short 2001:db8:1:2::3 example.com - - pass pass fail - - -",
                "r1 network 2001:db8:1:: example.com - - pass pass fail - - -",
                "r1 total :: example.com - - pass pass fail - - -",
            ],
        );
    }

    #[test]
    fn networks() {
        for (address, expected) in [("192.0.2.255", "192.0.2.0"), ("2001:db8::1", "2001:db8::")] {
            assert_eq!(network(address.parse().unwrap()).to_string(), expected);
        }
    }
}
