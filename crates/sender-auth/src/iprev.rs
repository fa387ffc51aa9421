//! Whether an address has a name that leads back to it (RFC 8601 §3, "iprev").
//!
//! It says little about who sends: it only shows that whoever runs the address has told the DNS of
//! it in both directions. Large receivers want at least that, so it is shown, and never decides.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use smtp_types::{
    DnsFailure, DnsName, DnsQuestion, DomainName, DomainNameError, Known, Need, RecordType, all,
};

/// How many names of an address are tried; an address with more has them for other reasons.
const MAX_NAMES: usize = 10;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Iprev {
    /// The name leads back to the address.
    Pass {
        /// The first that does.
        name: DomainName,
    },
    /// The address has names, or the word that it has none, and nothing leads back.
    Fail,
    /// The DNS failed for now.
    Temperror,
    /// The DNS failed for good.
    Permerror,
}

impl Iprev {
    /// The word of RFC 8601 §2.7.3.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "pass",
            Self::Fail => "fail",
            Self::Temperror => "temperror",
            Self::Permerror => "permerror",
        }
    }
}

impl fmt::Display for Iprev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass { name } => write!(f, "pass: {name} leads back to the address"),
            Self::Fail => write!(f, "fail: no name of the address leads back to it"),
            Self::Temperror => write!(f, "temperror: the DNS did not answer"),
            Self::Permerror => write!(f, "permerror: the DNS refused"),
        }
    }
}

/// Looks for a name that leads back to `address`.
///
/// # Errors
/// What must be looked up first.
pub fn iprev(known: &Known, address: IpAddr) -> Result<Iprev, Need> {
    let address = address.to_canonical();
    let Ok(reverse_name) = reverse_name(address) else { return Ok(Iprev::Permerror) };
    let names = match known.dns(&DnsQuestion::new(reverse_name, RecordType::Ptr))? {
        Ok(answer) => answer.ptr().take(MAX_NAMES).collect::<Vec<_>>(),
        Err(failure) => return Ok(failed(failure)),
    };
    let record_type = match address {
        IpAddr::V4(_) => RecordType::A,
        IpAddr::V6(_) => RecordType::Aaaa,
    };
    let replies =
        all(names.iter().map(|name| known.dns(&DnsQuestion::new((*name).clone(), record_type))))?;
    let mut worst = Iprev::Fail;
    for (name, reply) in names.into_iter().zip(replies) {
        match reply {
            Ok(answer) if answer.addresses().any(|found| found == address) => {
                return Ok(Iprev::Pass { name: name.clone() });
            }
            Ok(_) => {}
            Err(failure) => worst = failed(failure),
        }
    }
    Ok(worst)
}

fn failed(failure: &DnsFailure) -> Iprev {
    match failure {
        DnsFailure::Permanent { .. } => Iprev::Permerror,
        DnsFailure::Bogus { .. } | DnsFailure::Temporary { .. } => Iprev::Temperror,
    }
}

/// Where the names of an address stand: `in-addr.arpa` (RFC 1035 §3.5) or `ip6.arpa`
/// (RFC 3596 §2.5).
///
/// # Errors
/// None in truth: the labels are one to three digits, and at most 34.
pub fn reverse_name(address: IpAddr) -> Result<DnsName, DomainNameError> {
    let text = match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            alloc::format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let mut text = alloc::string::String::with_capacity(72);
            for octet in address.octets().iter().rev() {
                text.push_str(&alloc::format!("{:x}.{:x}.", octet & 15, octet >> 4));
            }
            text + "ip6.arpa"
        }
    };
    DnsName::parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use alloc::vec;
    use smtp_types::{DnsAnswer, Dnssec, RecordData};

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn with(known: &mut Known, question: DnsQuestion, records: Vec<RecordData>) {
        let canonical_name = question.name.clone();
        let dnssec = Dnssec::Insecure;
        let answer = DnsAnswer { dnssec, canonical_name, name_exists: true, records, ttl: 60 };
        known.add_dns(question, Ok(answer));
    }

    /// What comes of 192.0.2.1 with these names, each with its addresses.
    fn judged(names: &[(&str, Option<&[&str]>)]) -> Iprev {
        let mut known = Known::default();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let reverse = DnsQuestion::new(reverse_name(address).unwrap(), RecordType::Ptr);
        with(&mut known, reverse, names.iter().map(|(n, _)| RecordData::Ptr(name(n))).collect());
        for (host, addresses) in names {
            let question = DnsQuestion::new(name(host), RecordType::A);
            match addresses {
                Some(addresses) => {
                    let data = addresses.iter().map(|a| RecordData::Address(a.parse().unwrap()));
                    with(&mut known, question, data.collect());
                }
                None => {
                    let failure = DnsFailure::Temporary { detail: String::new() };
                    known.add_dns(question, Err(failure));
                }
            }
        }
        iprev(&known, address).unwrap()
    }

    #[test]
    fn s3_a_name_must_lead_back() {
        let pass = Iprev::Pass { name: name("b.test") };
        assert_eq!(
            judged(&[("a.test", Some(&["192.0.2.9"])), ("b.test", Some(&["192.0.2.1"]))]),
            pass
        );
        assert_eq!(judged(&[("a.test", None), ("b.test", Some(&["192.0.2.1"]))]), pass);
        assert_eq!(judged(&[("a.test", Some(&["192.0.2.9"]))]), Iprev::Fail);
        assert_eq!(judged(&[]), Iprev::Fail);
        assert_eq!(judged(&[("a.test", Some(&[])), ("b.test", None)]), Iprev::Temperror);
    }

    #[test]
    fn names_beyond_the_bound_are_not_asked() {
        let many = vec![("a.test", Some(&["192.0.2.9"][..])); MAX_NAMES];
        let last = [("b.test", Some(&["192.0.2.1"][..]))];
        assert_eq!(judged(&[&many[..], &last].concat()), Iprev::Fail);
    }

    #[test]
    fn reverse_names() {
        let of = |text: &str| reverse_name(text.parse().unwrap()).unwrap().to_string();
        assert_eq!(of("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        assert_eq!(
            of("2001:db8::567:89ab"),
            "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }
}
