//! Names of domains, next hops and mailboxes.

use smtp_types::{DomainName, EmailAddress, NextHop};

use crate::text;

/// A domain name: within its bounds, and read again it is the same.
pub fn domain_name(data: &[u8]) {
    let Some(name) = text(data).and_then(|text| DomainName::parse(text).ok()) else {
        return;
    };
    assert_eq!(DomainName::parse(name.as_str()).as_ref(), Ok(&name));
    assert_eq!(DomainName::parse(&format!("{name}.")).as_ref(), Ok(&name));
    assert!((1..=253).contains(&name.as_str().len()));
    assert!(name.labels().all(|label| (1..=63).contains(&label.len())));
    let plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit();
    assert!(name.as_str().bytes().all(|octet| plain(octet) || b"-_.".contains(&octet)));
    if let Some(parent) = name.parent() {
        // The parent of a name may be a number, which is no name by itself.
        assert!(name.as_str().ends_with(parent.as_str()));
    }
}

/// A key of a table: printed and read it is the same, and has a port.
pub fn next_hop(data: &[u8]) {
    let Some(next_hop) = text(data).and_then(|text| NextHop::parse(text).ok()) else {
        return;
    };
    assert_eq!(NextHop::parse(&next_hop.to_string()).as_ref(), Ok(&next_hop));
    assert_ne!(next_hop.port(), 0);
    assert!(next_hop.to_string().contains(next_hop.policy_domain().as_str()));
}

/// A mailbox: printed and read it is the same.
pub fn email_address(data: &[u8]) {
    let Some(address) = text(data).and_then(|text| EmailAddress::parse(text).ok()) else {
        return;
    };
    let printed = address.to_string();
    assert_eq!(EmailAddress::parse(&printed), Ok(address));
    assert!(!printed.contains(char::is_control) && !printed.contains(' '));
}
