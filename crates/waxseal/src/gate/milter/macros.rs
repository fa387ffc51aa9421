//! What the mail server knows besides: macros, by the step that they came with.
//!
//! Before a command, a mail server may say names and values that belong to it: how the connection
//! is encrypted, who has logged in, the number that it gives the message. Postfix calls them by
//! sendmail's names (`milter_connect_macros` and so on). A macro holds from its step on, until that
//! step or one before it comes again: what was said of one message is never said of the next.

use super::command::CommandCode;

/// The steps that macros come with, in their order in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MacroStage {
    /// The SMTP client has connected.
    Connect,
    /// HELO.
    Helo,
    /// MAIL.
    Mail,
    /// RCPT. Those of the last one hold.
    Rcpt,
    /// DATA.
    Data,
    /// The header.
    Header,
    /// The body, and the end of the message.
    EndOfMessage,
}

impl MacroStage {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::Helo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Header,
        Self::EndOfMessage,
    ];

    /// The step that a command belongs to. Postfix sends the macros of the end of the header with
    /// each field, and those of the end of the message with each piece of the body.
    #[must_use]
    pub const fn of(command: CommandCode) -> Option<Self> {
        match command {
            CommandCode::Connect => Some(Self::Connect),
            CommandCode::Helo => Some(Self::Helo),
            CommandCode::Mail => Some(Self::Mail),
            CommandCode::Rcpt => Some(Self::Rcpt),
            CommandCode::Data => Some(Self::Data),
            CommandCode::Header | CommandCode::EndOfHeader => Some(Self::Header),
            CommandCode::Body | CommandCode::EndOfMessage => Some(Self::EndOfMessage),
            CommandCode::Abort
            | CommandCode::Macros
            | CommandCode::QuitNewClient
            | CommandCode::Negotiate
            | CommandCode::Quit
            | CommandCode::Unknown => None,
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// All macros that hold now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Macros {
    /// Names and values of each stage, each ended by a zero octet.
    stages: [Box<[u8]>; MacroStage::ALL.len()],
}

impl Macros {
    /// The value of a macro, from the latest step that knows it. Braces around the name do not
    /// matter: `i`, `{auth_authen}` and `auth_authen` are names. An empty value is none: both
    /// mail servers send some that they have no value for.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        let name = without_braces(name.as_bytes());
        self.stages
            .iter()
            .rev()
            .flat_map(|pairs| pairs_of(pairs))
            .find(|pair| without_braces(pair.name) == name && !pair.value.is_empty())
            .map(|pair| pair.value)
    }

    /// Whether the mail server is Postfix, by what it says of its version.
    #[must_use]
    pub fn are_of_postfix(&self) -> bool {
        self.value("v").is_some_and(is_postfix)
    }

    /// What a step brought. Those of steps behind it hold no longer.
    pub(super) fn set(&mut self, stage: MacroStage, pairs: &[u8]) {
        self.clear_behind(stage);
        if let Some(place) = self.stages.get_mut(stage.index()) {
            // With each field of a header, Postfix sends the same ones.
            if **place != *pairs {
                *place = pairs.into();
            }
        }
    }

    /// Forgets the steps behind `stage`.
    pub(super) fn clear_behind(&mut self, stage: MacroStage) {
        self.stages.iter_mut().skip(stage.index() + 1).for_each(|pairs| *pairs = Box::default());
    }
}

/// Whether a value of the macro `v` is one of Postfix.
pub(in crate::gate) fn is_postfix(version: &[u8]) -> bool {
    version.starts_with(b"Postfix ")
}

struct Pair<'p> {
    name: &'p [u8],
    value: &'p [u8],
}

fn pairs_of(pairs: &[u8]) -> impl Iterator<Item = Pair<'_>> {
    let mut texts = pairs.split(|octet| *octet == 0);
    std::iter::from_fn(move || Some(Pair { name: texts.next()?, value: texts.next()? }))
}

fn without_braces(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"{").and_then(|name| name.strip_suffix(b"}")).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let mut macros = Macros::default();
        macros.set(MacroStage::Connect, b"j\0mail.example\0{daemon_name}\0smtpd\0{v}\0Postfix\0");
        for (name, value) in [
            ("j", Some("mail.example")),
            ("{j}", Some("mail.example")),
            ("daemon_name", Some("smtpd")),
            ("{daemon_name}", Some("smtpd")),
            ("v", Some("Postfix")),
            ("i", None),
            ("smtpd", None),
            ("{daemon_name", None),
            ("", None),
        ] {
            assert_eq!(macros.value(name), value.map(str::as_bytes), "{name}");
        }
    }

    #[test]
    fn software() {
        let by = |pairs: &[u8]| {
            let mut macros = Macros::default();
            macros.set(MacroStage::Connect, pairs);
            macros.are_of_postfix()
        };
        assert!(by(b"v\0Postfix 3.10.13\0"));
        assert!(!by(b"v\x008.18.1\0") && !by(b"v\0\0") && !by(b""));
    }

    #[test]
    fn the_latest_step_that_has_a_value_counts() {
        let mut macros = Macros::default();
        macros.set(MacroStage::Helo, b"tls_version\0TLSv1.3\0x\0old\0");
        macros.set(MacroStage::Mail, b"tls_version\0\0x\0new\0i\0Q1\0");
        assert_eq!(macros.value("tls_version"), Some(&b"TLSv1.3"[..]));
        assert_eq!(macros.value("x"), Some(&b"new"[..]));
        macros.clear_behind(MacroStage::Helo);
        assert_eq!((macros.value("x"), macros.value("i")), (Some(&b"old"[..]), None));
        macros.set(MacroStage::EndOfMessage, b"i\0Q2\0");
        macros.set(MacroStage::Connect, b"");
        assert_eq!(macros, Macros::default());
    }
}
