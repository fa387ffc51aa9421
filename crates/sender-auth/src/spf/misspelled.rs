//! What the owner of a record most likely meant by a term that is none.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::network::{Ip4Network, Ip6Network};
use super::record::{RecordFault, Span};

/// What was most likely meant by a term that has this fault.
pub(super) fn meant_by_fault(fault: &RecordFault, span: Span<'_>) -> Option<String> {
    match fault {
        RecordFault::Mechanism { found } if span.text.len() > found.len() && is_modifier(found) => {
            Some(format!("{}= (a modifier)", found.to_ascii_lowercase()))
        }
        RecordFault::Mechanism { found } => near(found).map(String::from),
        RecordFault::Ip4Network { found } if found.contains(':') && is_ip6(found) => {
            Some("ip6".into())
        }
        RecordFault::Ip6Network { found } if is_ip4(found) => Some("ip4".into()),
        RecordFault::DomainEnd { found } if is_ip4(found) => Some("ip4".into()),
        RecordFault::ModifierName { found } => {
            let name = found.trim_start_matches(['+', '-', '~', '?']);
            is_modifier(name).then(|| format!("{name}= without a sign"))
        }
        _ => None,
    }
}

pub(super) fn is_modifier(name: &str) -> bool {
    name.eq_ignore_ascii_case("redirect") || name.eq_ignore_ascii_case("exp")
}

fn is_ip4(text: &str) -> bool {
    Ip4Network::parse(Span { text, offset: 0 }).is_ok()
}

fn is_ip6(text: &str) -> bool {
    Ip6Network::parse(Span { text, offset: 0 }).is_ok()
}

/// The names of terms with enough letters to be recognized when misspelled.
const NAMES: [&str; 8] = ["include", "exists", "redirect", "exp", "all", "ptr", "ip4", "ip6"];

/// The name of a term that this is, or most likely should have been: one letter too few, too many
/// or another one, or the same letters in another order.
pub(super) fn near(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    NAMES.into_iter().find(|known| {
        *known == name
            || within_one_edit(name.as_bytes(), known.as_bytes())
            || (known.len() > 3 && sorted(&name) == sorted(known))
    })
}

fn within_one_edit(one: &[u8], other: &[u8]) -> bool {
    let same_start = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[same_start..], &other[same_start..]);
    match (one, other) {
        ([_, a @ ..], [_, b @ ..]) if a == b => true,
        ([_, a @ ..], b) if a == b => true,
        (a, [_, b @ ..]) => a == b,
        _ => false,
    }
}

fn sorted(text: &str) -> Vec<u8> {
    let mut octets = text.as_bytes().to_vec();
    octets.sort_unstable();
    octets
}

#[cfg(test)]
mod tests {
    use super::super::lint_record;
    use alloc::borrow::ToOwned;

    #[test]
    fn what_was_meant_is_said() {
        let advice = |text: &str| {
            let message = lint_record(text.as_bytes()).remove(0).message;
            message.split_once("did you mean ").map(|(_, meant)| meant.to_owned())
        };
        let meant = |text, expected: &str| assert_eq!(advice(text).as_deref(), Some(expected));
        meant("v=spf1 inlcude:a.test -all", "include?");
        meant("v=spf1 ipv4:192.0.2.1 -all", "ip4?");
        meant("v=spf1 redirect:a.test", "redirect= (a modifier)?");
        meant("v=spf1 -redirect=a.test", "redirect= without a sign?");
        meant("v=spf1 a:192.0.2.1 -all", "ip4?");
        meant("v=spf1 ip4:2001:db8::1 -all", "ip6?");
        meant("v=spf1 ip6:192.0.2.1 -all", "ip4?");
        meant("v=spf1 include=a.test -all", "include:?");
        meant("v=spf1 redirct=a.test -all", "redirect=?");
        assert_eq!(advice("v=spf1 moo -all"), None);
    }
}
