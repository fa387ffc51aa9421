//! What to do about attachments: class × whether the sender is identified → action.
//!
//! Who is identified beyond doubt can be held to account, and is known to the recipient. A program
//! from anyone else is malware, or it is not missed. That is all the reasoning there is; the
//! defaults follow from it:
//!
//! | class | identified | not identified | why |
//! |---|---|---|---|
//! | executable | quarantine | reject | people hardly ever mail programs, and identified accounts get taken over |
//! | macro document | pass | quarantine | offices mail them; strangers' macros are the usual way in |
//! | closed archive | pass | quarantine | nobody could look into it, which is what it is chosen for |
//! | archive | pass | pass | it was looked into, and what is in it has its own rule |
//! | sealed | pass | pass | encryption end to end is to be wished for, and needs the recipient's key |
//! | unreadable | pass | quarantine | the recipient may see another message than we do |
//!
//! A message that went beyond a limit counts as unreadable. Of several actions the strictest one
//! is taken.

use std::fmt;

use super::kind::{Class, Incomplete};
use super::{Attachments, Found};

/// What to do with a message. The later ones are stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Deliver it.
    Pass,
    /// Keep it back for someone to look at.
    Quarantine,
    /// Refuse it, so that its sender hears of it.
    Reject,
}

impl Action {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Pass, Self::Quarantine, Self::Reject];

    /// `pass`, `quarantine` or `reject`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether it is beyond doubt who has sent the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identified {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// What to do about one class of attachments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// If the sender is identified.
    pub identified: Action,
    /// If not.
    pub unidentified: Action,
}

/// One rule for each [`Class`]; the defaults stand in the head of this module's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// Programs. The default is quarantine if identified, else reject.
    pub executable: Rule,
    /// Documents with macros. The default is pass if identified, else quarantine.
    pub macro_document: Rule,
    /// What cannot be looked into. The default is pass if identified, else quarantine.
    pub closed_archive: Rule,
    /// What was looked into. The default is pass.
    pub archive: Rule,
    /// Encrypted or signed as a whole. The default is pass.
    pub sealed: Rule,
    /// Read in different ways by different programs. The default is pass if identified, else
    /// quarantine.
    pub unreadable: Rule,
}

impl Default for Rules {
    fn default() -> Self {
        let pass = Rule { identified: Action::Pass, unidentified: Action::Pass };
        let quarantine = Rule { identified: Action::Pass, unidentified: Action::Quarantine };
        Self {
            executable: Rule { identified: Action::Quarantine, unidentified: Action::Reject },
            macro_document: quarantine,
            closed_archive: quarantine,
            archive: pass,
            sealed: pass,
            unreadable: quarantine,
        }
    }
}

impl Rules {
    /// The rule for a class.
    #[must_use]
    pub const fn of(&self, class: Class) -> Rule {
        match class {
            Class::Executable => self.executable,
            Class::MacroDocument => self.macro_document,
            Class::ClosedArchive => self.closed_archive,
            Class::Archive => self.archive,
            Class::Sealed => self.sealed,
            Class::Unreadable => self.unreadable,
        }
    }
}

impl Rule {
    /// The action for a sender.
    #[must_use]
    pub const fn action(self, identified: Identified) -> Action {
        match identified {
            Identified::Yes => self.identified,
            Identified::No => self.unidentified,
        }
    }
}

/// What to do with a message, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    /// What to do.
    pub action: Action,
    /// What asked for it. `None` if nothing asked for more than to pass.
    pub cause: Option<Cause<'a>>,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause<'a> {
    /// Something in the message. The rule is that of its class.
    Found(&'a Found),
    /// A limit that the message went beyond. The rule is that of [`Class::Unreadable`].
    Incomplete(Incomplete),
}

impl Cause<'_> {
    /// The class whose rule decided.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Found(found) => found.kind.class(),
            Self::Incomplete(_) => Class::Unreadable,
        }
    }
}

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(found) => found.fmt(f),
            Self::Incomplete(incomplete) => incomplete.fmt(f),
        }
    }
}

/// What to do with a message: the strictest action that anything in it asks for, and of those that
/// ask for it the first.
#[must_use]
pub fn decide<'a>(
    attachments: &'a Attachments,
    identified: Identified,
    rules: &Rules,
) -> Decision<'a> {
    let found = attachments.found.iter().map(Cause::Found);
    let causes = found.chain(attachments.incomplete.map(Cause::Incomplete));
    causes.fold(Decision { action: Action::Pass, cause: None }, |decision, cause| {
        let action = rules.of(cause.class()).action(identified);
        if action > decision.action { Decision { action, cause: Some(cause) } } else { decision }
    })
}

#[cfg(test)]
mod tests {
    use super::super::kind::{Archive, Kind, Macro, Program, Unreadable};
    use super::*;

    fn found(kind: Kind) -> Found {
        let part = "1".to_owned();
        let (entry, declared_name, declared_type) = (None, None, None);
        Found { part, kind, wrapper: None, entry, declared_name, declared_type }
    }

    fn attachments(kinds: &[Kind]) -> Attachments {
        let found = kinds.iter().copied().map(found).collect();
        Attachments { found, ..Attachments::default() }
    }

    #[test]
    fn defaults() {
        let expected = [
            ("executable", Action::Quarantine, Action::Reject),
            ("macro-document", Action::Pass, Action::Quarantine),
            ("closed-archive", Action::Pass, Action::Quarantine),
            ("archive", Action::Pass, Action::Pass),
            ("sealed", Action::Pass, Action::Pass),
            ("unreadable", Action::Pass, Action::Quarantine),
        ];
        let rules = Rules::default();
        let read = Class::ALL.iter().map(|class| {
            let rule = rules.of(*class);
            (class.as_str(), rule.action(Identified::Yes), rule.action(Identified::No))
        });
        assert_eq!(read.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_strictest_decides_and_says_so() {
        let rules = Rules::default();
        let attachments = attachments(&[
            Kind::Archive(Archive::Zip),
            Kind::MacroDocument(Macro::OoxmlVba),
            Kind::Executable(Program::Windows),
            Kind::Executable(Program::Elf),
        ]);
        let decision = decide(&attachments, Identified::No, &rules);
        assert_eq!(decision.action, Action::Reject);
        assert_eq!(decision.cause, Some(Cause::Found(&attachments.found[2])));
        let decision = decide(&attachments, Identified::Yes, &rules);
        assert_eq!(decision.action, Action::Quarantine);
        assert_eq!(decision.cause, Some(Cause::Found(&attachments.found[2])));
    }

    #[test]
    fn nothing_is_no_cause() {
        let nothing = Decision { action: Action::Pass, cause: None };
        assert_eq!(decide(&attachments(&[]), Identified::No, &Rules::default()), nothing);
        let zip = attachments(&[Kind::Archive(Archive::Zip)]);
        assert_eq!(decide(&zip, Identified::No, &Rules::default()), nothing);
    }

    #[test]
    fn beyond_a_limit_is_unreadable() {
        let attachments =
            Attachments { incomplete: Some(Incomplete::Parts), ..Attachments::default() };
        let decision = decide(&attachments, Identified::No, &Rules::default());
        assert_eq!(decision.action, Action::Quarantine);
        assert_eq!(decision.cause, Some(Cause::Incomplete(Incomplete::Parts)));
        assert_eq!(decision.cause.map(|cause| cause.class()), Some(Class::Unreadable));
        assert_eq!(decide(&attachments, Identified::Yes, &Rules::default()).cause, None);
        let mut rules = Rules::default();
        rules.unreadable.identified = Action::Reject;
        assert_eq!(decide(&attachments, Identified::Yes, &rules).action, Action::Reject);
        let doubtful = super::Attachments {
            found: vec![found(Kind::Unreadable(Unreadable::NoBoundary))],
            ..Attachments::default()
        };
        assert_eq!(decide(&doubtful, Identified::Yes, &rules).action, Action::Reject);
    }
}
