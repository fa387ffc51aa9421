//! The addresses of a stranger's host, as far as we go there.

use std::net::IpAddr;

use futures_util::future::join;
use smtp_types::{DnsFailure, DnsQuestion, DnsReply, DomainName, RecordType};

use super::address_filter::is_public;
use super::dns::Resolver;

/// Why there is no address to connect to.
pub(super) enum NoAddresses {
    /// The DNS failed.
    Dns(DnsFailure),
    /// The host has none.
    None,
    /// It has only such as no public server can have.
    Refused {
        /// The first of them.
        address: IpAddr,
    },
}

/// The addresses that may be connected to, IPv6 and IPv4 by turns; at least one. One family's
/// failure does not matter while the other one has addresses.
pub(super) async fn look_up(
    resolver: &Resolver,
    host: &DomainName,
    allow_private: bool,
) -> Result<Vec<IpAddr>, NoAddresses> {
    let ask = |record_type| {
        let question = DnsQuestion::new(host.clone(), record_type);
        async move { resolver.ask(&question).await }
    };
    let (v6, v4) = join(ask(RecordType::Aaaa), ask(RecordType::A)).await;
    let found = by_turns(&of(&v6), &of(&v4));
    let Some(first) = found.first().copied() else {
        return Err(no_address(v6, v4));
    };
    let allowed: Vec<IpAddr> =
        found.into_iter().filter(|address| allow_private || is_public(*address)).collect();
    if allowed.is_empty() {
        return Err(NoAddresses::Refused { address: first });
    }
    Ok(allowed)
}

fn of(reply: &DnsReply) -> Vec<IpAddr> {
    reply.iter().flat_map(|answer| answer.addresses()).collect()
}

fn by_turns(first: &[IpAddr], second: &[IpAddr]) -> Vec<IpAddr> {
    let turns = first.len().max(second.len());
    (0..turns).flat_map(|turn| [first.get(turn), second.get(turn)]).flatten().copied().collect()
}

/// Why there is none: bogus before any other failure, and a failure before absence, for the family
/// that failed might have had one.
fn no_address(v6: DnsReply, v4: DnsReply) -> NoAddresses {
    match (v6, v4) {
        (Err(bogus @ DnsFailure::Bogus { .. }), _) | (_, Err(bogus @ DnsFailure::Bogus { .. })) => {
            NoAddresses::Dns(bogus)
        }
        (Err(failure), _) | (_, Err(failure)) => NoAddresses::Dns(failure),
        (Ok(_), Ok(_)) => NoAddresses::None,
    }
}
