//! Which messages may lead to a report.
//!
//! A report is a message, so it makes a report, which makes a report. And whoever can make us send
//! mail by sending us mail will do so: a record with `rua` costs nothing, and forged mail neither.
//! So a message is one of three:
//!
//! - it [counts](Trigger::Counts): it is a reason to make a report;
//! - it is [optional](Trigger::Optional): it is told if another message of that domain and day is a
//!   reason, because a report is about "all messages received, even if their delivery is ultimately
//!   blocked" (RFC 9990 §3.1), and alone it leads to nothing;
//! - it is [never](Trigger::Never) told.
//!
//! | message | trigger |
//! |---|---|
//! | sent by our own reporter | never |
//! | its domain wants no reports | never |
//! | to one of our addresses for reports | optional |
//! | a bounce to our own reporter | optional |
//! | generated, and a report by its form | optional |
//! | refused as spam or malware | optional |
//! | refused or failed, from a domain without good contact | optional |
//! | any other | counts |

use alloc::vec::Vec;

use smtp_types::EmailAddress;

use super::DmarcResult;
use crate::Header;

/// Whether a message may lead to a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trigger {
    /// It is a reason to make a report.
    Counts,
    /// It is told along with others.
    Optional(Unwanted),
    /// It is not told.
    Never(Untold),
}

/// Why a message alone leads to no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unwanted {
    /// It is a report of others: it was sent to an address for reports, or looks like one.
    Report,
    /// It is a bounce of one of our reports.
    Bounce,
    /// It was refused as spam or malware. Reporting it would tell a spammer that we are here.
    Spam,
    /// It failed or was refused, and its domain never sent us anything good: most likely the name
    /// is only used to make us send reports to somebody.
    Stranger,
}

impl Unwanted {
    /// A stable name for counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Bounce => "bounce",
            Self::Spam => "spam",
            Self::Stranger => "stranger",
        }
    }
}

/// Why a message is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Untold {
    /// Our own reporter sent it.
    OwnReport,
    /// The domain has no record, or one without `rua`.
    NotAskedFor,
}

impl Untold {
    /// A stable name for counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OwnReport => "own-report",
            Self::NotAskedFor => "not-asked-for",
        }
    }
}

/// What decides about the trigger of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// Whether the domain wants reports.
    pub wish: Wish,
    /// What kind of message it is.
    pub kind: Kind,
    /// What was done with it.
    pub outcome: Outcome,
    /// Whether DMARC passed.
    pub dmarc: DmarcResult,
    /// Whether the domain has ever sent us anything good.
    pub contact: Contact,
}

/// Whether a domain wants aggregate reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wish {
    /// Its record has a usable `rua`.
    Reports,
    /// It has no record, or none with `rua`.
    Nothing,
}

/// What was done with a message in the end, by anyone who had a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was accepted, perhaps marked.
    Accepted,
    /// It was refused because of DMARC or another rule that is not about its content.
    Refused,
    /// It was refused as spam or malware.
    RefusedAsSpam,
}

/// Whether a domain has ever sent us mail that passed DMARC and was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contact {
    /// It has.
    Good,
    /// It has not, or not for so long that we have forgotten.
    None,
}

/// What kind of message it is, as far as reports are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Our own reporter sent it.
    OwnReport,
    /// Somebody's report.
    Report,
    /// A bounce of one of our reports.
    Bounce,
    /// Anything else.
    Ordinary,
}

/// The one decision of this module. The first rule that fits counts.
#[must_use]
pub fn trigger(circumstances: Circumstances) -> Trigger {
    let Circumstances { wish, kind, outcome, dmarc, contact } = circumstances;
    if wish == Wish::Nothing {
        return Trigger::Never(Untold::NotAskedFor);
    }
    match kind {
        Kind::OwnReport => return Trigger::Never(Untold::OwnReport),
        Kind::Report => return Trigger::Optional(Unwanted::Report),
        Kind::Bounce => return Trigger::Optional(Unwanted::Bounce),
        Kind::Ordinary => {}
    }
    if outcome == Outcome::RefusedAsSpam {
        return Trigger::Optional(Unwanted::Spam);
    }
    let good = outcome == Outcome::Accepted && dmarc == DmarcResult::Pass;
    if !good && contact == Contact::None {
        return Trigger::Optional(Unwanted::Stranger);
    }
    Trigger::Counts
}

/// The addresses of this installation that have to do with reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportAddresses {
    /// From which our reports are sent. Return paths with a `+token` behind the local part belong
    /// to them.
    pub senders: Vec<EmailAddress>,
    /// To which others send reports.
    pub intakes: Vec<EmailAddress>,
}

/// Who handed a message over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Client {
    /// A program or server of this installation, known by its address or because it logged in.
    Own,
    /// Anyone else.
    Other,
}

/// The envelope of a message.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'e> {
    /// Who handed it over.
    pub client: Client,
    /// The return path; `None` if it is null.
    pub mail_from: Option<&'e EmailAddress>,
    /// The recipients.
    pub recipients: &'e [EmailAddress],
}

/// What kind of message it is.
///
/// Our reporter is known by its return path, and by handing the message over itself: a forger could
/// write that return path, too, and would hide from reports. A report of others is known by the
/// address to which it came, or by its form: generated (RFC 3834 §5), and a type or subject that
/// only reports have.
#[must_use]
pub fn kind(envelope: Envelope<'_>, header: &Header, own: &ReportAddresses) -> Kind {
    let from_reporter = envelope.mail_from.is_some_and(|from| is_one_of(from, &own.senders));
    if from_reporter && envelope.client == Client::Own {
        return Kind::OwnReport;
    }
    let any_to = |own: &[EmailAddress]| envelope.recipients.iter().any(|to| is_one_of(to, own));
    if any_to(&own.intakes) {
        return Kind::Report;
    }
    if envelope.mail_from.is_none() && any_to(&own.senders) {
        return Kind::Bounce;
    }
    if is_generated(header) && (has_report_type(header) || has_report_subject(header)) {
        return Kind::Report;
    }
    Kind::Ordinary
}

/// Whether it is one of our addresses, a `+token` aside. Mailbox names are compared without case,
/// as nearly every server does.
fn is_one_of(address: &EmailAddress, own: &[EmailAddress]) -> bool {
    let local = address.local_part();
    let base = local.split_once('+').map_or(local, |(base, _)| base);
    own.iter().any(|own| {
        let same = |local: &str| own.local_part().eq_ignore_ascii_case(local);
        own.domain() == address.domain() && (same(local) || same(base))
    })
}

/// RFC 3834 §5: any value but `no` is generated mail.
fn is_generated(header: &Header) -> bool {
    header.named("Auto-Submitted").any(|field| {
        let keyword = field.value().trim_ascii();
        let end = keyword.iter().position(|octet| matches!(octet, b';' | b' ' | b'\t' | b'('));
        !keyword[..end.unwrap_or(keyword.len())].eq_ignore_ascii_case(b"no")
    })
}

/// `multipart/report` with the type of a failure report (RFC 5965 §2) or a TLS report (RFC 8460
/// §5.3), or an attachment that is the whole message.
fn has_report_type(header: &Header) -> bool {
    header.named("Content-Type").any(|field| {
        let value = field.value().to_ascii_lowercase();
        let has = |word: &[u8]| value.windows(word.len()).any(|octets| octets == word);
        has(b"feedback-report") || has(b"tlsrpt")
    })
}

/// The subject of aggregate reports (RFC 9990 §3.5.2) and of TLS reports begins in the same way.
fn has_report_subject(header: &Header) -> bool {
    header.named("Subject").any(|field| {
        let mut words = field.value().split(|octet| octet.is_ascii_whitespace());
        let mut words = words.by_ref().filter(|word| !word.is_empty());
        let same = |word: Option<&[u8]>, expected: &[u8]| {
            word.is_some_and(|word| word.eq_ignore_ascii_case(expected))
        };
        same(words.next(), b"report") && same(words.next(), b"domain:")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HeaderField;

    const ORDINARY: Circumstances = Circumstances {
        wish: Wish::Reports,
        kind: Kind::Ordinary,
        outcome: Outcome::Accepted,
        dmarc: DmarcResult::Pass,
        contact: Contact::None,
    };

    #[test]
    fn the_first_rule_that_fits_counts() {
        use Trigger::{Counts, Never, Optional};
        let failed = Circumstances { dmarc: DmarcResult::Fail, ..ORDINARY };
        let refused = Circumstances { outcome: Outcome::Refused, ..ORDINARY };
        let spam = Circumstances { outcome: Outcome::RefusedAsSpam, ..ORDINARY };
        let friend = |one: Circumstances| Circumstances { contact: Contact::Good, ..one };
        let kind = |kind| Circumstances { kind, ..friend(ORDINARY) };
        for (circumstances, expected) in [
            (ORDINARY, Counts),
            (friend(ORDINARY), Counts),
            (failed, Optional(Unwanted::Stranger)),
            (friend(failed), Counts),
            (refused, Optional(Unwanted::Stranger)),
            (friend(refused), Counts),
            (spam, Optional(Unwanted::Spam)),
            (friend(spam), Optional(Unwanted::Spam)),
            (kind(Kind::Report), Optional(Unwanted::Report)),
            (kind(Kind::Bounce), Optional(Unwanted::Bounce)),
            (kind(Kind::OwnReport), Never(Untold::OwnReport)),
            (Circumstances { wish: Wish::Nothing, ..ORDINARY }, Never(Untold::NotAskedFor)),
        ] {
            assert_eq!(trigger(circumstances), expected, "{circumstances:?}");
        }
    }

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    fn kind_of(client: Client, mail_from: &str, to: &str, header: &[&str]) -> Kind {
        let own = ReportAddresses {
            senders: alloc::vec![address("rpt@reports.example.net")],
            intakes: alloc::vec![address("dmarc@example.net"), address("a+b@example.net")],
        };
        let header: Header =
            header.iter().map(|field| HeaderField::parse(field.as_bytes()).unwrap()).collect();
        let mail_from = (!mail_from.is_empty()).then(|| address(mail_from));
        let recipients = &[address("x@y.test"), address(to)];
        kind(Envelope { client, mail_from: mail_from.as_ref(), recipients }, &header, &own)
    }

    #[test]
    fn kinds() {
        let generated = "Auto-Submitted: auto-generated";
        let subject = "Subject:  Report\r\n Domain: example.com Submitter: a.test";
        let failure = "Content-Type: multipart/report; report-type=\"Feedback-Report\"";
        for (mail_from, to, header, expected) in [
            ("a@b.test", "c@example.net", &[][..], Kind::Ordinary),
            ("rpt@example.net", "c@example.net", &[], Kind::Ordinary),
            ("a@b.test", "DMARC+x@example.net", &[], Kind::Report),
            ("a@b.test", "a+b@example.net", &[], Kind::Report),
            ("a@b.test", "a@example.net", &[], Kind::Ordinary),
            ("", "rpt+17@reports.example.net", &[], Kind::Bounce),
            ("a@b.test", "rpt+17@reports.example.net", &[], Kind::Ordinary),
            ("", "c@example.net", &[], Kind::Ordinary),
            ("a@b.test", "c@example.net", &[generated], Kind::Ordinary),
            ("a@b.test", "c@example.net", &[subject], Kind::Ordinary),
            ("a@b.test", "c@example.net", &[generated, subject], Kind::Report),
            ("a@b.test", "c@example.net", &[failure, generated], Kind::Report),
            ("a@b.test", "c@example.net", &[failure, "Auto-Submitted: no (x)"], Kind::Ordinary),
            ("a@b.test", "c@example.net", &[failure, "Auto-submitted: NO"], Kind::Ordinary),
            ("a@b.test", "c@example.net", &[generated, "Subject: Report"], Kind::Ordinary),
        ] {
            let found = kind_of(Client::Other, mail_from, to, header);
            assert_eq!(found, expected, "{mail_from} {to} {header:?}");
        }
    }

    #[test]
    fn only_our_own_reporter_is_our_reporter() {
        let of = |client, mail_from, to| kind_of(client, mail_from, to, &[]);
        let (rpt, plain) = ("RPT+17@reports.example.net", "c@example.net");
        assert_eq!(of(Client::Own, rpt, plain), Kind::OwnReport);
        assert_eq!(
            of(Client::Own, "rpt@reports.example.net", "dmarc@example.net"),
            Kind::OwnReport
        );
        assert_eq!(of(Client::Own, "a@example.net", plain), Kind::Ordinary);
        // Forged: it is told as any other message.
        assert_eq!(of(Client::Other, rpt, plain), Kind::Ordinary);
        assert_eq!(of(Client::Other, rpt, "dmarc@example.net"), Kind::Report);
    }
}
