//! From a case to the text of its zone, and from a signed zone to what a forger makes of it.
//!
//! Text only; files and signatures are made in [`crate::signer`]. A record that the case calls
//! `bogus` is first put into the zone as something else, signed, and then exchanged: so the
//! signature is there and does not fit, as after an attack on the path.

use crate::addresses::{CaseNumber, ROGUE_ZONE, ROOT, TOP_LEVEL};
use crate::case::{Answer, Case, DnsLine, Kind, Security};
use crate::error::LabError;
use crate::gate::zone::txt;
use std::fmt::Write;
use std::net::Ipv4Addr;

/// The attacker's own domain.
pub const ROGUE_DOMAIN: &str = "rogue.test";

/// Every domain wants reports, so that the sending Postfix tells of every session.
pub const TLSRPT_RECORD: &str = "v=TLSRPTv1; rua=mailto:reports@reports.lab.test";

/// A case with its number, and what its placeholders stand for.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// The case.
    pub case: Case,
    /// Its place in the order of all.
    pub number: CaseNumber,
    /// The domain's TLSRPT record: where it wants reports.
    pub tlsrpt: String,
}

impl Numbered {
    /// The name of the domain's real mail server.
    pub fn receiver_name(&self) -> String {
        format!("mx.{}", self.case.domain)
    }

    /// The name of the attacker's own host for this case.
    pub fn rogue_name(&self) -> String {
        format!("{}-{}.{ROGUE_DOMAIN}", self.case.protection, self.case.attack)
    }

    /// The name of the domain's policy host.
    pub fn policy_host_name(&self) -> String {
        format!("mta-sts.{}", self.case.domain)
    }

    /// What the resolver says in the healthy time.
    pub fn dns_before(&self) -> &[DnsLine] {
        self.case.earlier.as_ref().map_or(&self.case.dns, |earlier| &earlier.dns)
    }

    /// Whether the domain's zone has signatures.
    pub fn is_signed(&self) -> bool {
        let signed = |line: &DnsLine| matches!(line.security, Security::Secure | Security::Bogus);
        self.dns_before().iter().chain(&self.case.dns).any(signed)
    }

    fn in_zone(&self, name: &str) -> bool {
        name.strip_suffix(&self.case.domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    fn fill(&self, record: &str, receiver_key: &str) -> String {
        record
            .replace("@receiver-key", receiver_key)
            .replace("@receiver", &self.number.receiver().to_string())
            .replace("@rogue", &self.number.rogue().to_string())
            .replace("@policy-host", &self.number.policy_host().to_string())
    }

    /// The zone of the case's domain before it is signed.
    pub fn zone(&self, lines: &[DnsLine], receiver_key: &str) -> Result<String, LabError> {
        let domain = &self.case.domain;
        let mut zone = apex(domain, self.number.name_server());
        let _ = writeln!(zone, "{}", txt(&format!("_smtp._tls.{domain}"), &self.tlsrpt));
        let has_policy_host = self.case.https.is_some()
            || self.case.earlier.as_ref().is_some_and(|earlier| earlier.https.is_some());
        if has_policy_host {
            let name = self.policy_host_name();
            let _ = writeln!(zone, "{name}. 300 IN A {}", self.number.policy_host());
        }
        for line in lines {
            let (name, kind) = (&line.name, line.kind.word());
            if name.ends_with(ROGUE_DOMAIN) {
                continue; // It stands in the attacker's own zone.
            }
            if !self.in_zone(name) {
                let what = format!("{}: {name} lies outside {domain}", self.case.name());
                return Err(LabError::Unsupported(what));
            }
            match (&line.answer, line.security) {
                (_, Security::Temporary) => {
                    let what = format!("{}: a silent name server for {name}", self.case.name());
                    return Err(LabError::Unsupported(what));
                }
                (_, Security::Bogus) => {
                    let _ = writeln!(zone, "{name}. 300 IN {kind} {}", to_be_exchanged(line.kind));
                }
                (Answer::Record(record), Security::Secure | Security::Insecure) => {
                    let record = self.fill(record, receiver_key);
                    let _ = writeln!(zone, "{name}. 300 IN {kind} {record}");
                }
                (Answer::NoData, Security::Secure | Security::Insecure) => {
                    // Any other type keeps the name in existence.
                    let _ = writeln!(zone, "{name}. 300 IN HINFO \"no\" \"data\"");
                }
                (Answer::NxDomain | Answer::Withheld, Security::Secure | Security::Insecure) => {}
            }
        }
        Ok(zone)
    }

    /// What the forger on the path makes of the signed zone.
    pub fn forge(&self, signed: &str, lines: &[DnsLine], receiver_key: &str) -> String {
        let bogus: Vec<&DnsLine> =
            lines.iter().filter(|line| line.security == Security::Bogus).collect();
        let mut forged = String::new();
        for record in signed.lines() {
            let words: Vec<&str> = record.split_whitespace().collect();
            let (Some(owner), Some(kind)) = (words.first(), words.get(3)) else {
                continue;
            };
            let hit = |line: &&&DnsLine| owner.trim_end_matches('.') == line.name;
            let exchanged = bogus.iter().filter(hit).any(|line| *kind == line.kind.word());
            let unmatched = bogus.iter().filter(hit).any(|line| {
                line.answer == Answer::Withheld
                    && *kind == "RRSIG"
                    && words.get(4) == Some(&line.kind.word())
            });
            if !exchanged && !unmatched {
                let _ = writeln!(forged, "{record}");
            }
        }
        for line in bogus {
            if let Answer::Record(record) = &line.answer {
                let record = self.fill(record, receiver_key);
                let _ = writeln!(forged, "{}. 300 IN {} {record}", line.name, line.kind.word());
            }
        }
        forged
    }
}

/// What the owner signed in place of a record that the forger exchanges.
fn to_be_exchanged(kind: Kind) -> &'static str {
    match kind {
        Kind::Mx => "10 genuine.invalid.",
        Kind::A => "192.0.2.1",
        Kind::Aaaa => "2001:db8::1",
        Kind::Tlsa => "3 1 1 0000000000000000000000000000000000000000000000000000000000000000",
        Kind::Txt => "\"genuine\"",
        Kind::Cname => "genuine.invalid.",
    }
}

fn apex(domain: &str, name_server: Ipv4Addr) -> String {
    let dot = if domain.is_empty() { "" } else { "." };
    format!(
        "{domain}. 300 IN SOA ns{dot}{domain}. hostmaster{dot}{domain}. 1 3600 600 86400 300\n\
         {domain}. 300 IN NS ns{dot}{domain}.\n\
         ns{dot}{domain}. 300 IN A {name_server}\n"
    )
}

fn delegation(domain: &str, name_server: Ipv4Addr) -> String {
    format!("{domain}. 300 IN NS ns.{domain}.\nns.{domain}. 300 IN A {name_server}\n")
}

/// The root zone before it is signed; `ds` is the DS record of `test.`
pub fn root_zone(ds: &str) -> String {
    format!("{}{}{ds}\n", apex("", ROOT), delegation("test", TOP_LEVEL))
}

/// A domain that is no case, such as that which reports go to. Nobody forges it.
#[derive(Debug)]
pub struct Neighbor {
    /// Its name, right below `test.`
    pub name: String,
    /// Its name server.
    pub name_server: Ipv4Addr,
    /// Whether its zone has signatures.
    pub is_signed: bool,
    /// Its records, each as in a zone file.
    pub records: Vec<String>,
}

impl Neighbor {
    /// Its zone before it is signed.
    pub fn zone(&self) -> String {
        apex(&self.name, self.name_server) + &self.records.join("\n") + "\n"
    }
}

/// The zone `test.` before it is signed; `ds` are the DS records of the signed domains.
pub fn top_level_zone(cases: &[Numbered], neighbors: &[Neighbor], ds: &[String]) -> String {
    let mut zone = apex("test", TOP_LEVEL) + &delegation(ROGUE_DOMAIN, ROGUE_ZONE);
    for neighbor in neighbors {
        zone += &delegation(&neighbor.name, neighbor.name_server);
    }
    for numbered in cases {
        zone += &delegation(&numbered.case.domain, numbered.number.name_server());
    }
    for record in ds {
        let _ = writeln!(zone, "{record}");
    }
    zone
}

/// The attacker's own zone: one host for each case.
pub fn rogue_zone(cases: &[Numbered]) -> String {
    let mut zone = apex(ROGUE_DOMAIN, ROGUE_ZONE);
    for numbered in cases {
        let (name, address) = (numbered.rogue_name(), numbered.number.rogue());
        let _ = writeln!(zone, "{name}. 300 IN A {address}");
    }
    zone
}
