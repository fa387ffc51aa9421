//! Who sends a message, and to whom.

use smtp_types::EmailAddress;

use super::command::Forwarded;
use crate::report::is_return_path;

/// What a client has said of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// By which name the client of this connection goes.
    pub hello: String,
    /// The return path as it was said; empty for a message about a message.
    pub sender: String,
    /// To whom it goes: at least one, each of them taken.
    pub recipients: Vec<EmailAddress>,
    /// What the mail server in front says of its client.
    pub forwarded: Forwarded,
}

/// To whom mail is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// To anybody: whoever reaches this listener has already chosen.
    All,
    /// To these, and to nobody else.
    Listed {
        /// Where reports are sent to.
        intakes: Vec<EmailAddress>,
        /// From whom our own reports go: what bounces comes to its return paths.
        reporter: Option<EmailAddress>,
    },
}

impl Recipients {
    /// Whether mail to `address` is taken. Letters may be of any case.
    #[must_use]
    pub fn take(&self, address: &EmailAddress) -> bool {
        let Self::Listed { intakes, reporter } = self else { return true };
        let is_same = |one: &EmailAddress| {
            one.domain() == address.domain()
                && one.local_part().eq_ignore_ascii_case(address.local_part())
        };
        intakes.iter().any(is_same)
            || reporter.as_ref().is_some_and(|from| is_return_path(from, address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients() {
        let parse = |text: &str| EmailAddress::parse(text).unwrap();
        let listed = Recipients::Listed {
            intakes: vec![parse("rua@us.test")],
            reporter: Some(parse("reports@r.us.test")),
        };
        for (address, is_taken) in [
            ("rua@us.test", true),
            ("RUA@US.test", true),
            ("reports+abcdefghijklmnop@r.us.test", true),
            ("reports@r.us.test", false),
            ("rua+x@us.test", false),
            ("jane@us.test", false),
        ] {
            assert_eq!(listed.take(&parse(address)), is_taken, "{address}");
            assert!(Recipients::All.take(&parse(address)));
        }
    }
}
