//! Records as they are printed (RFC 1035 §5.1).

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use smtp_types::{DnsName, DomainName, TlsaRdata};

/// The longest string of a TXT record (RFC 1035 §3.3.14).
pub const MAX_STRING: usize = 255;

/// The type of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Alias.
    Cname,
    /// Mail exchanger.
    Mx,
    /// Who may issue certificates (RFC 8659).
    Caa,
    /// Where a service is (RFC 2782).
    Srv,
    /// Certificate association (RFC 6698).
    Tlsa,
    /// Text.
    Txt,
}

impl Kind {
    /// The name as in a zone file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Caa => "CAA",
            Self::Srv => "SRV",
            Self::Tlsa => "TLSA",
            Self::Txt => "TXT",
        }
    }
}

/// The data of a record, itself and not what an alias leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rdata {
    /// A.
    A(Ipv4Addr),
    /// AAAA.
    Aaaa(Ipv6Addr),
    /// CNAME.
    Cname(DomainName),
    /// MX; `None` is the root (RFC 7505).
    Mx {
        /// Lower is tried first.
        preference: u16,
        /// The host.
        exchange: Option<DomainName>,
    },
    /// CAA.
    Caa {
        /// 128 is "critical", 0 is not.
        flags: u8,
        /// For example `issue`.
        tag: Box<str>,
        /// For example `letsencrypt.org`.
        value: Box<[u8]>,
    },
    /// SRV; the root as target says that the service is not offered (RFC 2782).
    Srv {
        /// Lower is tried first.
        priority: u16,
        /// Among equals, greater is tried more often.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        target: Option<DomainName>,
    },
    /// TLSA.
    Tlsa(TlsaRdata),
    /// TXT, its strings joined.
    Txt(Box<[u8]>),
}

impl Rdata {
    /// A text.
    #[must_use]
    pub fn txt(text: &str) -> Self {
        Self::Txt(text.as_bytes().into())
    }

    /// The type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::A(_) => Kind::A,
            Self::Aaaa(_) => Kind::Aaaa,
            Self::Cname(_) => Kind::Cname,
            Self::Mx { .. } => Kind::Mx,
            Self::Caa { .. } => Kind::Caa,
            Self::Srv { .. } => Kind::Srv,
            Self::Tlsa(_) => Kind::Tlsa,
            Self::Txt(_) => Kind::Txt,
        }
    }
}

/// The data in presentation form: names end in a dot, texts are quoted and split.
impl fmt::Display for Rdata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(address) => address.fmt(f),
            Self::Aaaa(address) => address.fmt(f),
            Self::Cname(name) => write!(f, "{name}."),
            Self::Mx { preference, exchange } => {
                write!(f, "{preference} {}", Target(exchange.as_ref()))
            }
            Self::Caa { flags, tag, value } => write!(f, "{flags} {tag} {}", Quoted(value)),
            Self::Srv { priority, weight, port, target } => {
                write!(f, "{priority} {weight} {port} {}", Target(target.as_ref()))
            }
            Self::Tlsa(TlsaRdata { usage, selector, matching_type, data }) => {
                write!(f, "{usage} {selector} {matching_type} ")?;
                data.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
            Self::Txt(text) => {
                let mut separator = "";
                strings(text).into_iter().try_for_each(|string| {
                    write!(f, "{}{}", core::mem::replace(&mut separator, " "), Quoted(string))
                })
            }
        }
    }
}

/// A text in strings of at most 255 octets; an empty text is one empty string.
#[must_use]
pub fn strings(text: &[u8]) -> Vec<&[u8]> {
    if text.is_empty() {
        return [text].into();
    }
    text.chunks(MAX_STRING).collect()
}

/// A name with its final dot, or the root.
struct Target<'n>(Option<&'n DomainName>);

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| name.fmt(f))?;
        f.write_str(".")
    }
}

/// A quoted string: `"` and `\` behind a backslash, what does not print as `\DDD`.
struct Quoted<'t>(&'t [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for octet in self.0 {
            match octet {
                b'"' | b'\\' => write!(f, "\\{}", char::from(*octet))?,
                b' '..=b'~' => write!(f, "{}", char::from(*octet))?,
                _ => write!(f, "\\{octet:03}")?,
            }
        }
        f.write_str("\"")
    }
}

/// An owner name: what a zone file would read otherwise stands behind a backslash.
struct Owner<'n>(&'n DnsName);

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.as_str().chars() {
            match c {
                ' ' => f.write_str("\\032")?,
                '"' | '\\' | '(' | ')' | ';' | '@' | '$' => write!(f, "\\{c}")?,
                _ => write!(f, "{c}")?,
            }
        }
        f.write_str(".")
    }
}

/// One record of class IN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneRecord {
    /// Its name.
    pub name: DnsName,
    /// For how many seconds caches may keep it; 0 to 2,147,483,647 (RFC 2181 §8).
    pub ttl: u32,
    /// Its data.
    pub rdata: Rdata,
}

/// What a panel asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PanelValue {
    /// The name without final dot.
    pub name: String,
    /// The type.
    pub kind: &'static str,
    /// The value: texts as they are, neither quoted nor split, for panels do that themselves.
    pub value: String,
}

impl ZoneRecord {
    /// The record as name, type and value.
    #[must_use]
    pub fn panel(&self) -> PanelValue {
        let value = match &self.rdata {
            Rdata::Txt(text) => String::from_utf8_lossy(text).into_owned(),
            other => other.to_string(),
        };
        PanelValue { name: self.name.as_str().into(), kind: self.rdata.kind().as_str(), value }
    }
}

/// A line of a zone file, without its end.
impl fmt::Display for ZoneRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, ttl, rdata } = self;
        write!(f, "{} {ttl} IN {} {rdata}", Owner(name), rdata.kind().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    #[test]
    fn lines() {
        let tlsa = TlsaRdata { usage: 3, selector: 1, matching_type: 1, data: vec![0xab, 0] };
        let caa = |value: &str| Rdata::Caa {
            flags: 0,
            tag: "issue".into(),
            value: value.as_bytes().into(),
        };
        let table = [
            (Rdata::A(Ipv4Addr::new(192, 0, 2, 1)), "A 192.0.2.1"),
            (Rdata::Cname(name("host.test")), "CNAME host.test."),
            (Rdata::Mx { preference: 0, exchange: None }, "MX 0 ."),
            (
                Rdata::Srv { priority: 0, weight: 1, port: 993, target: Some(name("a.test")) },
                "SRV 0 1 993 a.test.",
            ),
            (Rdata::Srv { priority: 0, weight: 0, port: 0, target: None }, "SRV 0 0 0 ."),
            (Rdata::Tlsa(tlsa), "TLSA 3 1 1 ab00"),
            (
                caa("ca.test; validationmethods=dns-01"),
                "CAA 0 issue \"ca.test; validationmethods=dns-01\"",
            ),
            (Rdata::txt("v=STSv1; id=1;"), "TXT \"v=STSv1; id=1;\""),
            (Rdata::txt(""), "TXT \"\""),
            (Rdata::txt("a\"b\\c"), "TXT \"a\\\"b\\\\c\""),
            (Rdata::Txt([0, 9, 0x7f, 0xff].into()), "TXT \"\\000\\009\\127\\255\""),
        ];
        for (rdata, line) in table {
            let record = ZoneRecord { name: name("_x.test").into(), ttl: 300, rdata };
            assert_eq!(record.to_string(), alloc::format!("_x.test. 300 IN {line}"));
        }
        let owner = DnsName::parse("a b;c@d.test").unwrap();
        let record = ZoneRecord { name: owner, ttl: 1, rdata: Rdata::txt("é\"") };
        assert_eq!(record.to_string(), "a\\032b\\;c\\@d.test. 1 IN TXT \"\\195\\169\\\"\"");
        assert_eq!(record.panel().value, "é\"");
    }

    #[test]
    fn long_texts_are_split_at_255_octets() {
        for (octets, counts) in [(255, vec![255]), (256, vec![255, 1]), (600, vec![255, 255, 90])] {
            let text = vec![b'a'; octets];
            let lengths: Vec<usize> = strings(&text).iter().map(|string| string.len()).collect();
            assert_eq!(lengths, counts);
        }
        let long = Rdata::txt(&"\"".repeat(256)).to_string();
        assert_eq!(long, alloc::format!("\"{}\" \"\\\"\"", "\\\"".repeat(255)));
    }
}
