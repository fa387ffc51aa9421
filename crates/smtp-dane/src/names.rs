//! Which names a certificate may bear, where names count (RFC 7672 §3.2).

use alloc::vec::Vec;

use smtp_types::DomainName;

/// The reference identifiers of a connection: one of them must be in the server's certificate if
/// a DANE-TA(2) record authenticates it (RFC 7672 §3.2.2). With DANE-EE(3) names do not count
/// (§3.2.1).
///
/// The first is the TLSA base domain, which is also what to send as SNI (RFC 7672 §8.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceIdentifiers(Vec<DomainName>);

impl ReferenceIdentifiers {
    /// RFC 7672 §3.2.2: "the TLSA base domain as the primary reference identifier".
    #[must_use]
    pub fn new(base_domain: DomainName) -> Self {
        Self(alloc::vec![base_domain])
    }

    /// Adds a further name; a name that is there already is not added again.
    #[must_use]
    pub fn and(mut self, name: DomainName) -> Self {
        if !self.0.contains(&name) {
            self.0.push(name);
        }
        self
    }

    /// The TLSA base domain.
    #[must_use]
    pub fn base_domain(&self) -> Option<&DomainName> {
        self.0.first()
    }

    /// All names, the TLSA base domain first.
    pub fn iter(&self) -> impl Iterator<Item = &DomainName> {
        self.0.iter()
    }

    /// Whether a name that a certificate presents is one of these (RFC 7672 §3.2.3).
    ///
    /// Compared without case. A `*` counts only as the whole first label, and stands for exactly
    /// one label: `*.example.com` matches `mx1.example.com`; `smtp*.example.com` matches nothing.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        self.0.iter().any(|reference| {
            let reference = reference.as_str();
            match presented.strip_prefix("*.") {
                Some(parent) => reference
                    .split_once('.')
                    .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
                None => reference.eq_ignore_ascii_case(presented),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presented_names() {
        let name = |text| DomainName::parse(text).unwrap();
        let names = ReferenceIdentifiers::new(name("mx.example.com"))
            .and(name("example.net"))
            .and(name("mx.example.com"));
        assert_eq!(names.iter().count(), 2);
        for good in ["mx.example.com", "MX.EXAMPLE.COM", "*.example.com", "example.net", "*.net"] {
            assert!(names.matches(good), "{good}");
        }
        for bad in [
            "",
            "*",
            "*.",
            "example.com",
            "*.com",
            "*.mx.example.com",
            "m*.example.com",
            "*x.example.com",
            "mx.*.com",
            "*.*.com",
            "mx.example.com.",
            "mx.example.com\0.attacker.example",
        ] {
            assert!(!names.matches(bad), "{bad}");
        }
    }
}
