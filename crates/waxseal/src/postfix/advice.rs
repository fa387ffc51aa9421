//! Which lines `main.cf` needs, from the version and the settings that are there.

use std::collections::BTreeMap;

use crate::listen::ListenAddress;

/// A release of Postfix: major, minor, patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Reads `3.10.5`, `3.11-20251027` or `3.7`. `None` if it is not a version.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = |part: Option<&str>| -> Option<u32> {
            let digits = part?.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        };
        let mut parts = text.split('.');
        let (major, minor) = (number(parts.next())?, number(parts.next())?);
        Some(Self(major, minor, number(parts.next()).unwrap_or(0)))
    }
}

/// The Postfix that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its release.
    pub version: Version,
    parameters: BTreeMap<String, String>,
}

impl Found {
    /// What `postconf` printed, name by name. `None` without a `mail_version`.
    #[must_use]
    pub fn new(parameters: BTreeMap<String, String>) -> Option<Self> {
        let version = Version::parse(parameters.get("mail_version")?)?;
        Some(Self { version, parameters })
    }

    /// Whether it asks at this address already.
    #[must_use]
    pub fn asks_at(&self, listen: &ListenAddress) -> bool {
        let maps = self.value("smtp_tls_policy_maps");
        match listen {
            ListenAddress::Tcp(address) => maps.contains(&format!("inet:{address}:")),
            ListenAddress::Unix(path) => {
                let inside = path.strip_prefix(self.value("queue_directory")).unwrap_or(path);
                [path.as_path(), inside]
                    .iter()
                    .any(|path| maps.contains(&format!("unix:{}:", path.display())))
            }
        }
    }

    fn value(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// What to write, and what to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// Lines for `main.cf` that are not there yet.
    pub lines: Vec<String>,
    /// What this Postfix cannot do, or what stands in the way.
    pub warnings: Vec<String>,
}

/// The lines for a Postfix that was found (or for an up-to-date one, if none was), to ask at
/// `listen`.
#[must_use]
pub fn advise(found: Option<&Found>, listen: &ListenAddress) -> Advice {
    let version = found.map_or(Version(3, 10, 5), |found| found.version);
    let value = |name| found.map_or("", |found| found.value(name));
    let mut advice = Advice::default();

    let map = if version >= Version(3, 10, 0) { "QUERYwithTLSRPT" } else { "QUERY" };
    let address = match listen {
        ListenAddress::Tcp(address) => format!("socketmap:inet:{address}:{map}"),
        ListenAddress::Unix(path) => {
            // smtp(8) runs in a chroot under the queue directory, where it knows only relative
            // paths.
            let queue = value("queue_directory");
            let inside =
                path.strip_prefix(if queue.is_empty() { "/var/spool/postfix" } else { queue });
            match inside {
                Ok(inside) => format!("socketmap:unix:{}:{map}", inside.display()),
                Err(_) => format!("proxy:socketmap:unix:{}:{map}", path.display()),
            }
        }
    };
    let maps = value("smtp_tls_policy_maps");
    if let Some(wanted) = with_map(maps, &address) {
        advice.lines.push(format!("smtp_tls_policy_maps = {wanted}"));
    }
    if value("smtp_dns_support_level") != "dnssec" {
        advice.lines.push("smtp_dns_support_level = dnssec".to_owned());
    }
    if matches!(value("smtp_tls_security_level"), "" | "none") {
        advice.lines.push("smtp_tls_security_level = may".to_owned());
    }
    if value("smtp_tls_CAfile").is_empty() && value("smtp_tls_CApath").is_empty() {
        advice.lines.push("smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt".to_owned());
    }
    // The default was wrong in these releases (Postfix's HISTORY, 2023).
    let fixed = [Version(3, 6, 17), Version(3, 7, 13), Version(3, 8, 8), Version(3, 9, 2)];
    let wrong_default = version < Version(3, 10, 0)
        && !fixed.iter().any(|fix| (fix.0, fix.1) == (version.0, version.1) && version >= *fix);
    if wrong_default && value("smtp_tls_dane_insecure_mx_policy") != "dane" {
        advice.lines.push("smtp_tls_dane_insecure_mx_policy = dane".to_owned());
    }
    warn(&mut advice, version, maps);
    advice
}

/// The maps with ours among them; `None` if it is. Ours under another name is renamed in its
/// place: behind it, it would be asked in vain.
fn with_map(maps: &str, address: &str) -> Option<String> {
    if maps.is_empty() {
        return Some(address.to_owned());
    }
    let place = address.trim_end_matches(|c| c != ':');
    let mut found = false;
    let renamed: Vec<&str> = maps
        .split_inclusive([' ', ','])
        .flat_map(|word| {
            let map = word.trim_end_matches([' ', ',']);
            let ours = map.starts_with(place);
            found |= ours;
            let (map, rest) = word.split_at(map.len());
            [if ours { address } else { map }, rest]
        })
        .collect();
    let renamed = if found { renamed.concat() } else { format!("{maps}, {address}") };
    (renamed != maps).then_some(renamed)
}

fn warn(advice: &mut Advice, version: Version, maps: &str) {
    if version < Version(2, 11, 0) {
        advice.warnings.push("this Postfix has no DANE (2.11 and later do)".to_owned());
    }
    if version < Version(3, 4, 0) {
        advice.warnings.push(
            "this Postfix does not know \"servername\" and would defer mail to every domain with \
             MTA-STS (3.4 and later know it)"
                .to_owned(),
        );
    } else if version < Version(3, 10, 5) {
        advice.warnings.push(
            "this Postfix cannot hold MX hosts to the patterns of an MTA-STS policy; it accepts a \
             certificate for any name of the policy (3.10.5 and later are exact)"
                .to_owned(),
        );
    }
    if version < Version(3, 10, 0) && maps.contains("QUERYwithTLSRPT") {
        advice.warnings.push(
            "smtp_tls_policy_maps asks for QUERYwithTLSRPT, whose answers this Postfix refuses \
             (3.10 and later take them): use QUERY"
                .to_owned(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(parameters: &[(&str, &str)]) -> Found {
        let owned = parameters.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Found::new(owned.collect()).unwrap()
    }

    fn tcp() -> ListenAddress {
        ListenAddress::Tcp("127.0.0.1:8642".parse().unwrap())
    }

    #[test]
    fn versions() {
        assert_eq!(Version::parse("3.10.13"), Some(Version(3, 10, 13)));
        assert_eq!(Version::parse("3.11-20251027"), Some(Version(3, 11, 0)));
        assert_eq!(Version::parse("x"), None);
        assert!(Version(3, 10, 0) > Version(3, 9, 9));
    }

    #[test]
    fn an_untouched_debian_12() {
        let postfix = found(&[
            ("mail_version", "3.7.11"),
            ("smtp_tls_security_level", "may"),
            ("smtp_tls_CApath", "/etc/ssl/certs"),
        ]);
        let advice = advise(Some(&postfix), &tcp());
        assert_eq!(
            advice.lines,
            [
                "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8642:QUERY",
                "smtp_dns_support_level = dnssec",
                "smtp_tls_dane_insecure_mx_policy = dane",
            ]
        );
        assert_eq!(advice.warnings.len(), 1);
    }

    #[test]
    fn one_that_is_set_up_needs_nothing() {
        let postfix = found(&[
            ("mail_version", "3.10.6"),
            ("smtp_tls_security_level", "dane"),
            ("smtp_dns_support_level", "dnssec"),
            ("smtp_tls_CAfile", "/etc/ssl/certs/ca-certificates.crt"),
            (
                "smtp_tls_policy_maps",
                "hash:/etc/postfix/tls, socketmap:inet:127.0.0.1:8642:QUERYwithTLSRPT",
            ),
        ]);
        assert_eq!(advise(Some(&postfix), &tcp()), Advice::default());
    }

    #[test]
    fn a_socket_in_the_chroot_is_named_relative_to_it() {
        let inside = ListenAddress::Unix("/var/spool/postfix/waxseal/socketmap".into());
        let outside = ListenAddress::Unix("/var/lib/waxseal/socketmap".into());
        assert!(
            advise(None, &inside).lines[0]
                .ends_with("= socketmap:unix:waxseal/socketmap:QUERYwithTLSRPT")
        );
        assert!(
            advise(None, &outside).lines[0]
                .contains("= proxy:socketmap:unix:/var/lib/waxseal/socketmap:")
        );
    }

    #[test]
    fn an_address_that_is_asked_already_is_known() {
        let maps = "proxy:socketmap:unix:/var/lib/waxseal/socketmap:QUERY, socketmap:unix:waxseal/sts:QUERY";
        let postfix = found(&[
            ("mail_version", "3.10.6"),
            ("queue_directory", "/var/spool/postfix"),
            ("smtp_tls_policy_maps", maps),
        ]);
        assert!(postfix.asks_at(&ListenAddress::Unix("/var/lib/waxseal/socketmap".into())));
        assert!(postfix.asks_at(&ListenAddress::Unix("/var/spool/postfix/waxseal/sts".into())));
        assert!(!postfix.asks_at(&ListenAddress::Unix("/run/waxseal/socketmap".into())));
        assert!(!postfix.asks_at(&tcp()));
    }

    #[test]
    fn maps_that_are_there_stay_in_front() {
        let postfix =
            found(&[("mail_version", "3.10.6"), ("smtp_tls_policy_maps", "hash:/etc/postfix/tls")]);
        let line = &advise(Some(&postfix), &tcp()).lines[0];
        assert_eq!(
            line,
            "smtp_tls_policy_maps = hash:/etc/postfix/tls, socketmap:inet:127.0.0.1:8642:QUERYwithTLSRPT"
        );
    }

    #[test]
    fn our_map_under_another_name_is_renamed_in_its_place() {
        let table = [
            ("3.10.6", "a:b, socketmap:inet:127.0.0.1:8642:QUERY", Some("QUERYwithTLSRPT")),
            ("3.7.11", "a:b, socketmap:inet:127.0.0.1:8642:QUERYwithTLSRPT", Some("QUERY")),
            ("3.7.11", "a:b, socketmap:inet:127.0.0.1:8642:QUERY", None),
        ];
        for (version, maps, name) in table {
            let postfix = found(&[("mail_version", version), ("smtp_tls_policy_maps", maps)]);
            let lines = advise(Some(&postfix), &tcp()).lines;
            let line = lines.into_iter().find(|line| line.starts_with("smtp_tls_policy_maps"));
            let wanted = name.map(|name| {
                format!("smtp_tls_policy_maps = a:b, socketmap:inet:127.0.0.1:8642:{name}")
            });
            assert_eq!(line, wanted, "{version} {maps}");
        }
    }
}
