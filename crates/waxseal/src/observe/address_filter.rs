//! Which addresses a policy host may have.
//!
//! Whoever owns a domain decides where its policy host's name leads, and we connect to it from
//! inside the operator's network. Without this filter anyone could make the mail server knock at
//! its neighbors (server-side request forgery). It is a pure function of the address; the caller
//! must connect to the very address that was checked, and not resolve the name a second time.
//!
//! The lists follow the IANA registries of special-purpose addresses (RFC 6890) as of 2026-11.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` is one that a server on the public Internet can have.
///
/// False for loopback, private, link-local, shared, documentation, benchmarking, multicast and
/// reserved addresses of both families. An IPv6 address that stands for an IPv4 address (mapped,
/// NAT64, 6to4, Teredo) is judged by that.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Special-purpose IPv4 networks: address, length of the prefix.
const SPECIAL_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network, RFC 791
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private, RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // carriers' NAT, RFC 6598
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback, RFC 1122
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local (and clouds' metadata), RFC 3927
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private, RFC 1918
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments, RFC 6890
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation, RFC 5737
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays, RFC 7526
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private, RFC 1918
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking, RFC 2544
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation, RFC 5737
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast, RFC 5771
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved and broadcast, RFC 1112
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4
        .iter()
        .any(|(network, length)| (address.to_bits() ^ network.to_bits()) >> (32 - length) == 0)
}

/// Special-purpose networks inside of 2000::/3: address, length of the prefix.
const SPECIAL_V6: [(Ipv6Addr, u32); 3] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // assignments, ORCHID, benchmarking, RFC 2928
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation, RFC 3849
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation, RFC 9637
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let last = embedded_v4(segments[6], segments[7]);
    match segments {
        // IPv4-mapped, RFC 4291 §2.5.5.2.
        [0, 0, 0, 0, 0, 0xffff, ..] => is_public_v4(last),
        // NAT64, RFC 6052 §2.1. The local-use prefix 64:ff9b:1::/48 (RFC 8215) is refused below:
        // where in it the IPv4 address stands is known only to the network that uses it.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => is_public_v4(last),
        // Teredo, RFC 4380 §4: the server in clear, the client's address with its bits turned.
        [0x2001, 0, server_high, server_low, ..] => {
            is_public_v4(embedded_v4(server_high, server_low))
                && is_public_v4(Ipv4Addr::from_bits(!last.to_bits()))
        }
        // 6to4, RFC 3056 §2.
        [0x2002, high, low, ..] => is_public_v4(embedded_v4(high, low)),
        // Only 2000::/3 is given out as global unicast (RFC 4291 §2.4). Outside of it lie
        // unspecified, loopback, IPv4-compatible, discard-only, SRv6, unique local (fc00::/7),
        // link-local (fe80::/10), site-local (fec0::/10) and multicast (ff00::/8).
        [first, ..] if first >> 13 != 0b001 => false,
        _ => !SPECIAL_V6.iter().any(|(network, length)| {
            (address.to_bits() ^ network.to_bits()) >> (128 - length) == 0
        }),
    }
}

fn embedded_v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_pass() {
        let table = [
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "2400::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:0:808:808::f7f7:f7f7", // Teredo: server and client are 8.8.8.8
        ];
        for text in table {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn special_addresses_are_refused() {
        let table = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::8.8.8.8",                   // IPv4-compatible, deprecated
            "::127.0.0.1",                 // the same, as an attack
            "::ffff:127.0.0.1",            // mapped
            "::ffff:10.0.0.1",             // mapped
            "::ffff:0:8.8.8.8",            // translated, RFC 2765
            "64:ff9b::10.0.0.1",           // NAT64
            "64:ff9b::127.0.0.1",          // NAT64
            "64:ff9b:1::8.8.8.8",          // local-use NAT64
            "64:ff9b:1::10.0.0.1",         // local-use NAT64
            "64:ff9b:1:a00:0:100:808:808", // 10.0.0.1 by RFC 6052 with /48, 8.8.8.8 with /96
            "100::1",                      // discard-only
            "2001:0:a00:1::f7f7:f7f7",     // Teredo by way of 10.0.0.1
            "2001:0:808:808::80ff:fffe",   // Teredo client 127.0.0.1
            "2001:2::1",                   // benchmarking
            "2001:10::1",                  // ORCHID
            "2001:20::1",                  // ORCHIDv2
            "2001:db8::1",
            "2002:7f00:1::1", // 6to4 of 127.0.0.1
            "2002:a00:1::1",  // 6to4 of 10.0.0.1
            "2002:c0a8:1::1", // 6to4 of 192.168.0.1
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456:789a::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in table {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }
}
