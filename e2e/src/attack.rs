//! What the attacker does in each case: the rogue's disguise, and the rules on the path that lead
//! the sender's traffic to the rogue.

use crate::addresses::FORGER;
use crate::case::{Attack, Obstacle};
use crate::certificates::{Authority, Identity, Validity};
use crate::command::feed;
use crate::error::LabError;
use crate::namespace::Namespace;
use crate::rogue::{Disguise, Starttls};
use crate::zones::Numbered;
use std::fmt::Write;

/// The rogue's disguise in a case.
pub fn disguise(numbered: &Numbered, authority: &Authority) -> Result<Disguise, LabError> {
    let right_name = [numbered.receiver_name()];
    let own_name = [numbered.rogue_name()];
    let (starttls, identity) = match numbered.case.attack {
        Attack::Healthy
        | Attack::StarttlsStripped
        | Attack::PolicyHostDown
        | Attack::PolicyHostWrongCertificate
        | Attack::RecordRemoved => (Starttls::Stripped, Identity::self_signed(&right_name)?),
        Attack::StarttlsGarbage => (Starttls::Garbage, Identity::self_signed(&right_name)?),
        Attack::SelfSigned | Attack::BogusZone => {
            (Starttls::Offered, Identity::self_signed(&right_name)?)
        }
        Attack::WrongCertificate | Attack::ForgedMx => {
            (Starttls::Offered, authority.issue(&own_name, Validity::Always)?)
        }
        Attack::Expired => (Starttls::Offered, authority.issue(&right_name, Validity::Ended)?),
        Attack::TlsaMismatch => {
            (Starttls::Offered, authority.issue(&right_name, Validity::Always)?)
        }
    };
    Ok(Disguise { starttls, tls: identity.server_config()? })
}

/// Whether the attacker takes over port 25 of the real mail server. In the other attacks the
/// sender is to come to the rogue by itself, misled by the DNS.
fn takes_over_mail_server(attack: Attack) -> bool {
    match attack {
        Attack::Healthy | Attack::ForgedMx | Attack::BogusZone => false,
        Attack::StarttlsStripped
        | Attack::StarttlsGarbage
        | Attack::WrongCertificate
        | Attack::SelfSigned
        | Attack::Expired
        | Attack::PolicyHostDown
        | Attack::PolicyHostWrongCertificate
        | Attack::RecordRemoved
        | Attack::TlsaMismatch => true,
    }
}

/// Whether the DNS says something else at delivery than it said before.
pub fn changes_dns(numbered: &Numbered) -> bool {
    numbered.dns_before() != numbered.case.dns
}

/// The rules for nftables.
pub fn rules(cases: &[Numbered]) -> String {
    let (mut redirected, mut refused) = (String::new(), String::new());
    for numbered in cases {
        let (case, number) = (&numbered.case, numbered.number);
        let rogue = number.rogue();
        if takes_over_mail_server(case.attack) {
            let receiver = number.receiver();
            let _ = writeln!(redirected, "    ip daddr {receiver} tcp dport 25 dnat to {rogue}");
        }
        if changes_dns(numbered) {
            let server = number.name_server();
            let _ = writeln!(redirected, "    ip daddr {server} udp dport 53 dnat to {FORGER}");
            let _ = writeln!(redirected, "    ip daddr {server} tcp dport 53 dnat to {FORGER}");
        }
        let host = number.policy_host();
        match case.https.as_ref().and_then(|https| https.obstacle) {
            None => {}
            Some(Obstacle::Unreachable) => {
                let reject = "reject with tcp reset";
                let _ = writeln!(refused, "    ip daddr {host} tcp dport 443 {reject}");
            }
            Some(Obstacle::CertificateName | Obstacle::CertificateUntrusted) => {
                let _ = writeln!(redirected, "    ip daddr {host} tcp dport 443 dnat to {rogue}");
            }
        }
    }
    format!(
        "table ip attack {{\n  \
           chain led_astray {{\n    type nat hook prerouting priority dstnat;\n{redirected}  }}\n  \
           chain cut_off {{\n    type filter hook forward priority filter;\n{refused}  }}\n}}\n"
    )
}

/// Puts the rules in force on the path.
pub fn begin(path: &Namespace, cases: &[Numbered]) -> Result<(), LabError> {
    let mut command = path.command("nft");
    command.args(["-f", "-"]);
    feed(command, &rules(cases))
}
