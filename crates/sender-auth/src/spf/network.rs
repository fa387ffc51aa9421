//! Addresses and prefixes as records write them (RFC 7208 §5.6).

use alloc::boxed::Box;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::record::{RecordError, RecordFault, Span};

/// `ip4-network [ ip4-cidr-length ]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ip4Network {
    /// The address as written; bits behind the prefix may be set.
    pub address: Ipv4Addr,
    /// How many bits count, 0 to 32. The default is 32.
    pub prefix: u8,
}

/// `ip6-network [ ip6-cidr-length ]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ip6Network {
    /// The address as written; bits behind the prefix may be set.
    pub address: Ipv6Addr,
    /// How many bits count, 0 to 128. The default is 128.
    pub prefix: u8,
}

/// `dual-cidr-length`: how many bits count when addresses out of the DNS are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DualPrefix {
    /// For IPv4 addresses, 0 to 32. The default is 32.
    pub v4: u8,
    /// For IPv6 addresses, 0 to 128. The default is 128.
    pub v6: u8,
}

impl Ip4Network {
    /// §5.6: four decimal numbers without leading zeros, then perhaps a length of 0 to 32.
    pub(super) fn parse(span: Span<'_>) -> Result<Self, RecordError> {
        let (address, prefix) = split_prefix(span);
        let Ok(parsed) = address.text.parse() else {
            return Err(address.fault(RecordFault::Ip4Network { found: address.text.into() }));
        };
        Ok(Self { address: parsed, prefix: prefix.map_or(Ok(32), |it| parse_prefix(it, 32))? })
    }

    /// The first address of the network: no bit is set behind the prefix.
    #[must_use]
    pub fn first(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() & mask4(self.prefix))
    }

    /// Whether the address is in the network. §5: an IPv6 address never is.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip else {
            return false;
        };
        (self.address.to_bits() ^ ip.to_bits()) & mask4(self.prefix) == 0
    }
}

impl Ip6Network {
    /// §5.6: an address as in RFC 4291 §2.2, then perhaps a length of 0 to 128.
    pub(super) fn parse(span: Span<'_>) -> Result<Self, RecordError> {
        let (address, prefix) = split_prefix(span);
        let Ok(parsed) = address.text.parse() else {
            return Err(address.fault(RecordFault::Ip6Network { found: address.text.into() }));
        };
        Ok(Self { address: parsed, prefix: prefix.map_or(Ok(128), |it| parse_prefix(it, 128))? })
    }

    /// The first address of the network: no bit is set behind the prefix.
    #[must_use]
    pub fn first(&self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.address.to_bits() & mask6(self.prefix))
    }

    /// Whether the address is in the network. §5: an IPv4 address never is.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let IpAddr::V6(ip) = ip else {
            return false;
        };
        (self.address.to_bits() ^ ip.to_bits()) & mask6(self.prefix) == 0
    }
}

impl Default for DualPrefix {
    fn default() -> Self {
        Self { v4: 32, v6: 128 }
    }
}

impl DualPrefix {
    /// `dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ]`, both with a slash in
    /// front.
    pub(super) fn parse(span: Span<'_>) -> Result<Self, RecordError> {
        let mut dual = Self::default();
        let (v4, v6) = match span.text.find("//") {
            Some(index) => (span.to(index), Some(span.from(index + 2))),
            None => (span, None),
        };
        if !v4.text.is_empty() {
            dual.v4 = parse_prefix(v4.from(1), 32)?;
        }
        if let Some(v6) = v6 {
            dual.v6 = parse_prefix(v6, 128)?;
        }
        Ok(dual)
    }

    /// Whether both addresses are of one family and agree in the bits that count.
    #[must_use]
    pub fn joins(&self, one: IpAddr, other: IpAddr) -> bool {
        match one {
            IpAddr::V4(address) => Ip4Network { address, prefix: self.v4 }.contains(other),
            IpAddr::V6(address) => Ip6Network { address, prefix: self.v6 }.contains(other),
        }
    }
}

fn split_prefix(span: Span<'_>) -> (Span<'_>, Option<Span<'_>>) {
    match span.text.find('/') {
        Some(index) => (span.to(index), Some(span.from(index + 1))),
        None => (span, None),
    }
}

/// `ip4-cidr-length = "/" ("0" / %x31-39 0*1DIGIT)`, and up to three digits for IPv6.
fn parse_prefix(span: Span<'_>, limit: u8) -> Result<u8, RecordError> {
    let digits = span.text.bytes().all(|octet| octet.is_ascii_digit());
    let leading_zero = span.text.len() > 1 && span.text.starts_with('0');
    let prefix = span.text.parse().ok().filter(|prefix| *prefix <= limit);
    match prefix {
        Some(prefix) if digits && !leading_zero => Ok(prefix),
        _ => {
            let found: Box<str> = span.text.into();
            Err(span.fault(RecordFault::Prefix { limit, found }))
        }
    }
}

fn mask4(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0)
}

fn mask6(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0)
}

impl fmt::Display for Ip4Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            32 => write!(f, "{}", self.address),
            prefix => write!(f, "{}/{prefix}", self.address),
        }
    }
}

impl fmt::Display for Ip6Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            128 => write!(f, "{}", self.address),
            prefix => write!(f, "{}/{prefix}", self.address),
        }
    }
}

impl fmt::Display for DualPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.v4 != 32 {
            write!(f, "/{}", self.v4)?;
        }
        if self.v6 != 128 {
            write!(f, "//{}", self.v6)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn span(text: &str) -> Span<'_> {
        Span { text, offset: 0 }
    }

    fn good4(text: &str, printed: &str) {
        assert_eq!(Ip4Network::parse(span(text)).unwrap().to_string(), printed);
    }

    fn good6(text: &str, printed: &str) {
        assert_eq!(Ip6Network::parse(span(text)).unwrap().to_string(), printed);
    }

    fn good_dual(text: &str, v4: u8, v6: u8) {
        let dual = DualPrefix::parse(span(text)).unwrap();
        assert_eq!(dual, DualPrefix { v4, v6 }, "{text}");
        let printed = dual.to_string();
        assert_eq!(DualPrefix::parse(span(&printed)), Ok(dual), "{text}");
    }

    #[test]
    fn networks() {
        good4("192.0.2.1", "192.0.2.1");
        good4("192.0.2.1/32", "192.0.2.1");
        good4("192.0.2.1/0", "192.0.2.1/0");
        good6("2001:DB8::CD30", "2001:db8::cd30");
        good6("2001:db8::cd30/128", "2001:db8::cd30");
        good6("::192.0.2.1/96", "::c000:201/96");
        for text in [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1.2.3.256",
            "1.2.3.4:25",
            "::1",
            "a.b.c.d",
            "1.2.3.4 ",
            "1.2.3.4/",
            "1.2.3.4/33",
            "1.2.3.4/08",
            "1.2.3.4/+8",
            "1.2.3.4//24",
            "1.2.3.4/24/",
            "1.2.3.4/999999999999",
        ] {
            assert!(Ip4Network::parse(span(text)).is_err(), "{text}");
        }
        for text in [
            "",
            "1.2.3.4",
            ":",
            ":::",
            "1::2::3",
            "12345::",
            "::1/129",
            "::1/064",
            "::1//64",
            "fe80::1%eth0",
            "[::1]",
            "::1/",
            "1:2:3:4:5:6:7:8:9",
        ] {
            assert!(Ip6Network::parse(span(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn dual_prefixes() {
        good_dual("", 32, 128);
        good_dual("/24", 24, 128);
        good_dual("//64", 32, 64);
        good_dual("/0//0", 0, 0);
        good_dual("/32//128", 32, 128);
        for text in ["/", "//", "/24/", "/24/64", "/33", "//129", "///64", "/24//", "/ 24"] {
            assert!(DualPrefix::parse(span(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn containment() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let net4 = Ip4Network::parse(span("192.0.2.77/26")).unwrap();
        assert!(net4.contains(ip("192.0.2.64")) && net4.contains(ip("192.0.2.127")));
        assert!(!net4.contains(ip("192.0.2.63")) && !net4.contains(ip("192.0.2.128")));
        let all4 = Ip4Network::parse(span("1.1.1.1/0")).unwrap();
        assert!(all4.contains(ip("255.0.0.1")) && !all4.contains(ip("::ffff:1.1.1.1")));
        let net6 = Ip6Network::parse(span("2001:db8:8000::/33")).unwrap();
        assert!(net6.contains(ip("2001:db8:ffff::1")) && !net6.contains(ip("2001:db8:7fff::1")));
        let all6 = Ip6Network::parse(span("::/0")).unwrap();
        assert!(all6.contains(ip("ff02::1")) && !all6.contains(ip("1.2.3.4")));
        let dual = DualPrefix { v4: 24, v6: 64 };
        assert!(dual.joins(ip("192.0.2.1"), ip("192.0.2.200")));
        assert!(dual.joins(ip("2001:db8::1"), ip("2001:db8::2")));
        assert!(!dual.joins(ip("192.0.2.1"), ip("2001:db8::2")));
    }
}
