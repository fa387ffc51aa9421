//! What a socketmap request asks: `name key`, one space between them. Pure.

use smtp_types::NextHop;

use super::MapName;

/// The most octets of a request. Postfix sends up to 10,000 (`socketmap_max_query_size`).
pub(super) const MAX_REQUEST_OCTETS: usize = 10_000;

/// The most octets of a key that can be a next hop: a name of 253 octets in A-labels has at most
/// four times as many in U-labels, and there may be brackets and a port.
const MAX_KEY_OCTETS: usize = 1_024;

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request<'r> {
    /// A question about a key that may be a next hop.
    Question {
        /// The map.
        map: MapName,
        /// The key as it was sent.
        key: &'r str,
    },
    /// A question about a key that has no policy, whatever the world says.
    NoPolicy,
    /// No space, hence no key.
    NoKey,
}

impl<'r> Request<'r> {
    /// Splits a request, and sets aside what needs no look-up.
    ///
    /// Postfix asks for `.example.com` and `.com` after every domain without a policy, so those
    /// must cost nothing; policies are not inherited anyway (RFC 8461 §3.4).
    #[inline]
    pub(super) fn parse(payload: &'r [u8]) -> Self {
        let Some(space) = payload.iter().position(|&octet| octet == b' ') else {
            return Self::NoKey;
        };
        let (name, key) = payload.split_at(space);
        let key = key.get(1..).unwrap_or_default();
        if matches!(key.first(), None | Some(b'.')) || key.len() > MAX_KEY_OCTETS {
            return Self::NoPolicy;
        }
        match std::str::from_utf8(key) {
            Ok(key) => Self::Question { map: map_name(name), key },
            Err(_) => Self::NoPolicy,
        }
    }
}

fn map_name(name: &[u8]) -> MapName {
    match name {
        // As the manual tells users to write it; the general rule says the same.
        b"QUERY" => MapName::Query,
        _ => std::str::from_utf8(name).map_or(MapName::Query, MapName::parse),
    }
}

/// The next hop of a key, and its canonical form if the key was not in it.
///
/// `None` for what has no policy: address literals, and what no mail server could connect to. To
/// Postfix that is `NOTFOUND ` and not an error: an error would hold up mail that it knows how
/// to deliver.
pub(super) fn next_hop(key: &str) -> Option<(NextHop, Option<String>)> {
    let next_hop = NextHop::parse(key).ok()?;
    let canonical = next_hop.to_string();
    let changed = (canonical != key).then_some(canonical);
    Some((next_hop, changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let question = |map, key| Request::Question { map, key };
        for (payload, request) in [
            ("QUERY example.com", question(MapName::Query, "example.com")),
            ("query example.com", question(MapName::Query, "example.com")),
            ("postfix example.com", question(MapName::Query, "example.com")),
            ("QUERYwithTLSRPT a.test", question(MapName::QueryWithTlsrpt, "a.test")),
            ("queryWITHtlsrpt a.test", question(MapName::QueryWithTlsrpt, "a.test")),
            ("STS a.test", question(MapName::Sts, "a.test")),
            (" a.test", question(MapName::Query, "a.test")),
            ("QUERY a b", question(MapName::Query, "a b")),
            ("QUERY  a", question(MapName::Query, " a")),
            ("QUERY ", Request::NoPolicy),
            ("QUERY .example.com", Request::NoPolicy),
            ("QUERY .", Request::NoPolicy),
            ("", Request::NoKey),
            ("QUERY", Request::NoKey),
            ("PURGE", Request::NoKey),
        ] {
            assert_eq!(Request::parse(payload.as_bytes()), request, "{payload}");
        }
        assert_eq!(Request::parse(b"QUERY \xff.test"), Request::NoPolicy);
        let long = format!("QUERY {}", "a".repeat(1_025));
        assert_eq!(Request::parse(long.as_bytes()), Request::NoPolicy);
    }

    #[test]
    fn next_hops() {
        let canonical =
            |key| next_hop(key).map(|(next_hop, changed)| changed.unwrap_or(next_hop.to_string()));
        for (key, expected) in [
            ("example.com", Some("example.com")),
            ("DANE.Test.", Some("dane.test")),
            ("[example.com]:587", Some("[example.com]:587")),
            ("example.com:25", Some("example.com")),
            ("dané.test", Some("xn--dan-dma.test")),
            ("[192.0.2.1]", None),
            ("192.0.2.1", None),
            ("[IPv6:2001:db8::1]", None),
            ("a b.test", None),
            ("a\0.test", None),
        ] {
            assert_eq!(canonical(key).as_deref(), expected, "{key}");
        }
        assert_eq!(next_hop("example.com").unwrap().1, None);
    }
}
