//! The table of all settings: the one place that defines an option. Long, because it is data: each
//! entry can be read alone.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::duration;
use super::kind::Kind;
use super::settings::Config;

/// One setting.
pub struct Key {
    /// The dotted name, for example `dns.resolver`.
    pub name: &'static str,
    /// Its flag on the command line, if it has one.
    pub flag: Option<Flag>,
    /// What it is for, in whole sentences; limits and default are added by [`Key::text`].
    pub doc: &'static str,
    /// Why the limits are what they are; told to those who run into them.
    hint: Option<&'static str>,
    pub(super) kind: Kind,
}

/// A flag of the command line.
pub struct Flag {
    /// Its name without dashes.
    pub name: &'static str,
    /// What stands behind it; empty for a switch.
    pub value: &'static str,
}

impl Key {
    /// The key with this dotted name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The table that it stands in and its name there; the table is empty for a key at the top.
    #[must_use]
    pub fn table_and_name(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }

    /// Its text for people: what it is for, its limits, its default.
    #[must_use]
    pub fn text(&self) -> String {
        let default = match &*self.default_text() {
            // The default of the state folder depends on who starts the program.
            _ if self.name == "state_dir" => return self.text_without_default(),
            "\"\"" | "[]" => "none".to_owned(),
            default => default.to_owned(),
        };
        format!("{} The default is {default}.", self.text_without_default())
    }

    /// What it is for, and its limits.
    #[must_use]
    pub fn text_without_default(&self) -> String {
        let limits = match &self.kind {
            Kind::Number { limits, .. } => {
                format!(" From {} to {}.", limits.start(), limits.end())
            }
            Kind::Duration { limits, .. } | Kind::OptionalDuration { limits, .. } => format!(
                " From {} to {}.",
                duration::print(*limits.start()),
                duration::print(*limits.end())
            ),
            Kind::Path(_)
            | Kind::OptionalPath(_)
            | Kind::Switch(_)
            | Kind::Port(_)
            | Kind::Mode(_)
            | Kind::Prefix(_)
            | Kind::Choice(_)
            | Kind::Resolver(_)
            | Kind::Listen(_)
            | Kind::Names(_)
            | Kind::Domains(_)
            | Kind::OptionalName(_)
            | Kind::Networks(_)
            | Kind::Text(_)
            | Kind::OptionalText(_)
            | Kind::OptionalAddress(_)
            | Kind::Addresses(_)
            | Kind::Server(_) => String::new(),
        };
        format!("{}{limits}", self.doc)
    }

    /// The default in TOML notation.
    #[must_use]
    pub fn default_text(&self) -> String {
        self.value_text(&Config::default())
    }

    /// The value in `config` in TOML notation, in one line.
    #[must_use]
    pub fn value_text(&self, config: &Config) -> String {
        self.kind.print(config).line()
    }

    pub(super) fn hint(&self) -> Option<&'static str> {
        self.hint
    }
}

const fn seconds(first: u64, last: u64) -> RangeInclusive<Duration> {
    Duration::from_secs(first)..=Duration::from_secs(last)
}

const fn milliseconds(first: u64, last: u64) -> RangeInclusive<Duration> {
    Duration::from_millis(first)..=Duration::from_millis(last)
}

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// Every setting, in the order in which people are told of them.
pub static KEYS: &[Key] = &[
    Key {
        name: "state_dir",
        flag: Some(Flag { name: "state-dir", value: "DIR" }),
        doc: "The folder for what must outlive the program: policies that were promised to be \
              remembered, and sockets. It is made if it is not there. The default is \
              $STATE_DIRECTORY, which systemd sets; else \"/var/lib/waxseal\" for root; else \
              \"$XDG_STATE_HOME/waxseal\" or \"~/.local/state/waxseal\".",
        hint: None,
        kind: Kind::Path(|config| &mut config.state_dir),
    },
    Key {
        name: "profile",
        flag: None,
        doc: "How strict to be where the standards leave a choice. \"standard\": as the RFCs say. \
              \"bsi\": as BSI TR-03108 says; for example, wildcard certificates of policy hosts \
              are refused.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.profile),
    },
    Key {
        name: "dns.resolver",
        flag: Some(Flag { name: "resolver", value: "ADDR[:PORT]" }),
        doc: "The resolver to ask. \"system\" is the first name server of /etc/resolv.conf. DANE \
              needs a resolver that validates DNSSEC, such as unbound on this machine.",
        hint: None,
        kind: Kind::Resolver(|config| &mut config.dns.resolver),
    },
    Key {
        name: "dns.trust",
        flag: None,
        doc: "Whose word on DNSSEC counts. Nothing protects the answer on its way here, so \
              \"loopback\" believes a resolver on this machine only. \"yes\": the way to the \
              resolver is safe, for example in a network of its own. \"no\": nobody is believed, \
              and DANE is off.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.dns.trust),
    },
    Key {
        name: "dns.timeout",
        flag: None,
        doc: "How long one try of one question may take.",
        hint: None,
        kind: Kind::Duration {
            limits: milliseconds(100, 30_000),
            place: |config| &mut config.dns.timeout,
        },
    },
    Key {
        name: "dns.tries",
        flag: None,
        doc: "How many tries a question gets before it counts as a temporary failure.",
        hint: None,
        kind: Kind::Number { limits: 1..=5, place: |config| &mut config.dns.tries },
    },
    Key {
        name: "dns.probe_signed",
        flag: None,
        doc: "Names that are signed, to prove that the resolver validates. \".\" is the root.",
        hint: None,
        kind: Kind::Names(|config| &mut config.dns.probe_signed),
    },
    Key {
        name: "dns.probe_bogus",
        flag: None,
        doc: "Names whose signatures are broken on purpose, to prove that the resolver refuses \
              them. With an empty list that is not probed.",
        hint: None,
        kind: Kind::Names(|config| &mut config.dns.probe_bogus),
    },
    Key {
        name: "dns.probe_interval",
        flag: None,
        doc: "How often the resolver has to prove again that it validates.",
        hint: None,
        kind: Kind::Duration {
            limits: seconds(10, DAY),
            place: |config| &mut config.dns.probe_interval,
        },
    },
    Key {
        name: "socketmap.listen",
        flag: Some(Flag { name: "socketmap", value: "LISTEN" }),
        doc: "Where the mail server asks: \"ADDR:PORT\", \"[ADDR]:PORT\" or \"unix:PATH\". A path \
              is absolute, or begins with STATE_DIR/, the folder state_dir. Socketmap has no \
              authentication, so use loopback or a network of its own. The flag may be repeated; \
              it replaces the list, and listeners that are named nowhere stay off.",
        hint: None,
        kind: Kind::Listen(|config| &mut config.socketmap.listen),
    },
    Key {
        name: "socketmap.unix_mode",
        flag: None,
        doc: "The permission bits, in octal, of the unix sockets of [socketmap] and [line].",
        hint: None,
        kind: Kind::Mode(|config| &mut config.socketmap.unix_mode),
    },
    Key {
        name: "socketmap.max_connections",
        flag: None,
        doc: "How many connections of mail servers may be open at once. Each smtp(8) process of \
              Postfix holds one.",
        hint: None,
        kind: Kind::Number {
            limits: 1..=100_000,
            place: |config| &mut config.socketmap.max_connections,
        },
    },
    Key {
        name: "socketmap.idle_timeout",
        flag: None,
        doc: "How long a connection may be silent between two requests.",
        hint: Some(
            "Postfix keeps an idle connection for up to 100s, and defers mail if it was closed \
             before",
        ),
        kind: Kind::Duration {
            limits: seconds(101, DAY),
            place: |config| &mut config.socketmap.idle_timeout,
        },
    },
    Key {
        name: "socketmap.read_timeout",
        flag: None,
        doc: "How long a request may take from its first octet to its last.",
        hint: None,
        kind: Kind::Duration {
            limits: seconds(1, 60),
            place: |config| &mut config.socketmap.read_timeout,
        },
    },
    Key {
        name: "http.listen",
        flag: Some(Flag { name: "http", value: "LISTEN" }),
        doc: "Where /metrics and /healthz are read, written as in socketmap.listen. The flag may \
              be repeated, and replaces the list.",
        hint: None,
        kind: Kind::Listen(|config| &mut config.http.listen),
    },
    Key {
        name: "http.api",
        flag: Some(Flag { name: "api", value: "LISTEN" }),
        doc: "Where the decision API is reached, written as in socketmap.listen. `waxseal explain` \
              asks the running program there. The flag may be repeated, and replaces the list.",
        hint: None,
        kind: Kind::Listen(|config| &mut config.http.api),
    },
    Key {
        name: "line.listen",
        flag: None,
        doc: "Where Exim's readsocket asks, one line for a question, written as in \
              socketmap.listen.",
        hint: None,
        kind: Kind::Listen(|config| &mut config.line.listen),
    },
    Key {
        name: "sender.deadline",
        flag: None,
        doc: "When the mail server gets its answer at the latest. Work that takes longer goes on, \
              and its result is used the next time.",
        hint: Some("Postfix gives up after 100s"),
        kind: Kind::Duration {
            limits: milliseconds(100, 90_000),
            place: |config| &mut config.sender.deadline,
        },
    },
    Key {
        name: "sender.on_deadline",
        flag: None,
        doc: "What the mail server is told if the facts are not complete by then. \"defer\": try \
              again later. \"deliver\": there is no policy; such mail may be read and redirected \
              by an attacker who slows us down.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.sender.on_deadline),
    },
    Key {
        name: "sender.mixed",
        flag: None,
        doc: "What counts for a domain with an MTA-STS policy where only a part of the mail \
              servers has TLSA records. \"sts\": all are authenticated by the web's certificates. \
              \"dane\": those with TLSA records by DANE, the others not at all.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.sender.mixed),
    },
    Key {
        name: "sender.on_sts_error",
        flag: None,
        doc: "What happens if a domain announces an MTA-STS policy that cannot be fetched, and no \
              earlier one is known. \"deliver\": as without a policy (RFC 8461 section 5.1). \
              \"defer\": the mail waits.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.sender.on_sts_error),
    },
    Key {
        name: "sender.overrides",
        flag: None,
        doc: "The file with what you want otherwise for single domains. It is read again when it \
              changes. \"\" is none.",
        hint: None,
        kind: Kind::OptionalPath(|config| &mut config.sender.overrides),
    },
    Key {
        name: "sender.refresh",
        flag: None,
        doc: "How old a policy gets before it is fetched again.",
        hint: None,
        kind: Kind::Duration {
            limits: seconds(HOUR, 7 * DAY),
            place: |config| &mut config.sender.refresh,
        },
    },
    Key {
        name: "sender.cache_entries",
        flag: None,
        doc: "How many domains are kept in memory. Policies that do not fit stay on disk.",
        hint: None,
        kind: Kind::Number {
            limits: 1_000..=10_000_000,
            place: |config| &mut config.sender.cache_entries,
        },
    },
    Key {
        name: "sender.dane",
        flag: None,
        doc: "Whether DANE is used. \"auto\": whenever the resolver was proved to validate. \
              \"off\": never.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.sender.dane),
    },
    Key {
        name: "sender.probe_testing",
        flag: None,
        doc: "Whether the mail hosts of domains with an MTA-STS policy in mode \"testing\" are \
              looked at, beside the mail, so that their owners can be told what would fail. After \
              a question for such a domain each of its hosts gets at most one connection to port \
              25 in an hour: EHLO, STARTTLS, QUIT, never a sender, a recipient or a letter.",
        hint: None,
        kind: Kind::Switch(|config| &mut config.sender.probe_testing),
    },
    Key {
        name: "fetch.timeout",
        flag: None,
        doc: "How long fetching a policy may take, from the look-up to the last octet.",
        hint: None,
        kind: Kind::Duration { limits: seconds(1, 120), place: |config| &mut config.fetch.timeout },
    },
    Key {
        name: "fetch.max_body",
        flag: None,
        doc: "How many octets a policy may have.",
        hint: None,
        kind: Kind::Number {
            limits: 1_024..=1_048_576,
            place: |config| &mut config.fetch.max_body,
        },
    },
    Key {
        name: "fetch.https_port",
        flag: Some(Flag { name: "https-port", value: "PORT" }),
        doc: "The port of policy hosts. For tests.",
        hint: None,
        kind: Kind::Port(|config| &mut config.fetch.https_port),
    },
    Key {
        name: "fetch.ca",
        flag: Some(Flag { name: "ca", value: "PEM" }),
        doc: "A file with the certificates that are trusted for policy hosts instead of those that \
              the system trusts. \"\" is none.",
        hint: None,
        kind: Kind::OptionalPath(|config| &mut config.fetch.ca),
    },
    Key {
        name: "fetch.allow_private",
        flag: Some(Flag { name: "allow-private", value: "" }),
        doc: "Whether a policy host may have a loopback or private address. If so, whoever sends \
              you mail to a domain of theirs can make this machine connect to such addresses. For \
              tests.",
        hint: None,
        kind: Kind::Switch(|config| &mut config.fetch.allow_private),
    },
    Key {
        name: "gate.listen",
        flag: Some(Flag { name: "milter", value: "ADDR" }),
        doc: "Where the mail server finds the milter that verifies incoming mail and signs \
              outgoing mail: \"127.0.0.1:8644\", or \"unix:STATE_DIR/milter\". Without an address \
              there is no milter.",
        hint: None,
        kind: Kind::Listen(|config| &mut config.gate.listen),
    },
    Key {
        name: "gate.unix_mode",
        flag: None,
        doc: "The permission bits of unix sockets for the milter.",
        hint: None,
        kind: Kind::Mode(|config| &mut config.gate.unix_mode),
    },
    Key {
        name: "gate.max_connections",
        flag: None,
        doc: "How many SMTP sessions the milter serves at the same time.",
        hint: None,
        kind: Kind::Number {
            limits: 1..=100_000,
            place: |config| &mut config.gate.max_connections,
        },
    },
    Key {
        name: "gate.idle_timeout",
        flag: None,
        doc: "How long the mail server may be silent within an SMTP session. A message that comes \
              slowly is silence, too, for the milter gets it when it is complete; and sendmail \
              waits an hour for a command. If the milter goes first, that mail is deferred, each \
              time anew.",
        hint: None,
        kind: Kind::Duration {
            limits: seconds(1, 24 * HOUR),
            place: |config| &mut config.gate.idle_timeout,
        },
    },
    Key {
        name: "gate.deadline",
        flag: None,
        doc: "How long verifying may take after the last octet of a message. RFC 7208 wants at \
              least 20 s for SPF.",
        hint: None,
        kind: Kind::Duration { limits: seconds(1, 250), place: |config| &mut config.gate.deadline },
    },
    Key {
        name: "gate.on_fault",
        flag: None,
        doc: "What happens to a message if verifying ends in a fault of ours, or not in time. \
              \"defer\": the client is asked to try again later. \"accept\": it passes unverified.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.gate.on_fault),
    },
    Key {
        name: "gate.not_strict",
        flag: None,
        doc: "What happens to outgoing mail that would be signed and is not strictly RFC 5322, such \
              as one with two Subject fields or without a Date. \"sign\": it is signed, and the log \
              says what is wrong. \"leave\": it passes unsigned. \"refuse\": whoever sends it is told \
              what to mend. BSI TR-03182 (04-M) wants only strict mail to be signed.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.gate.not_strict),
    },
    Key {
        name: "gate.authserv_id",
        flag: None,
        doc: "The name under which verdicts are given in Authentication-Results. Fields under this \
              name that come from outside are removed. \"\" is the mail server's own name.",
        hint: None,
        kind: Kind::OptionalName(|config| &mut config.gate.authserv_id),
    },
    Key {
        name: "gate.networks",
        flag: None,
        doc: "Clients whose mail is outgoing, besides those that have logged in: it is signed, \
              and not verified.",
        hint: None,
        kind: Kind::Networks(|config| &mut config.gate.networks),
    },
    Key {
        name: "gate.help",
        flag: None,
        doc: "What is added to the answer when mail is refused, such as \"see \
              https://example.com/mail\", so that its sender finds help.",
        hint: None,
        kind: Kind::Text(|config| &mut config.gate.help),
    },
    Key {
        name: "verdict.dmarc_none",
        flag: None,
        doc: "What happens if DMARC fails and the owner of the domain asks for nothing: \
              \"accept\", \"quarantine\", \"defer\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.verdict.matrix.asked_nothing),
    },
    Key {
        name: "verdict.dmarc_quarantine",
        flag: None,
        doc: "What happens if DMARC fails and the owner asks for quarantine: \"accept\", \
              \"quarantine\", \"defer\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.verdict.matrix.asked_quarantine),
    },
    Key {
        name: "verdict.dmarc_reject",
        flag: None,
        doc: "What happens if DMARC fails and the owner asks for rejection: \"accept\", \
              \"quarantine\", \"defer\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.verdict.matrix.asked_reject),
    },
    Key {
        name: "verdict.temperror",
        flag: None,
        doc: "What happens if DMARC cannot be evaluated because the DNS does not answer: \
              \"accept\", \"quarantine\", \"defer\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.verdict.matrix.temperror),
    },
    Key {
        name: "verdict.no_author",
        flag: None,
        doc: "What happens to a message without exactly one author that can be read: \"accept\", \
              \"quarantine\", \"defer\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.verdict.matrix.no_author),
    },
    Key {
        name: "verdict.spf_fail",
        flag: None,
        doc: "What happens if SPF says fail and the domain has no DMARC policy: \"accept\", \
              \"quarantine\", \"defer\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.verdict.matrix.spf_fail),
    },
    Key {
        name: "verdict.local",
        flag: None,
        doc: "The file of local verdicts: what happens to the mail of single domains, until when \
              and why, and which forwarders are trusted. \"\" is none.",
        hint: None,
        kind: Kind::OptionalPath(|config| &mut config.verdict.local),
    },
    Key {
        name: "attachments.executable",
        flag: None,
        doc: "Programs: Windows, Linux and macOS executables, scripts with an interpreter \
              line, installers, also inside a zip archive. What happens to them if the author \
              is identified beyond doubt: \"pass\", \"quarantine\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.attachments.executable.identified),
    },
    Key {
        name: "attachments.executable_unidentified",
        flag: None,
        doc: "The same as attachments.executable if the author is not identified beyond doubt: \
              \"pass\", \"quarantine\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.attachments.executable.unidentified),
    },
    Key {
        name: "attachments.macro_document",
        flag: None,
        doc: "Office documents with macros. What happens to them if the author is identified \
              beyond doubt: \"pass\", \"quarantine\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.attachments.macro_document.identified),
    },
    Key {
        name: "attachments.macro_document_unidentified",
        flag: None,
        doc: "The same as attachments.macro_document if the author is not identified beyond \
              doubt: \"pass\", \"quarantine\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.attachments.macro_document.unidentified),
    },
    Key {
        name: "attachments.closed_archive",
        flag: None,
        doc: "Archives that cannot be looked into: with a password, or of a form that is not \
              read. What happens to them if the author is identified beyond doubt: \"pass\", \
              \"quarantine\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.attachments.closed_archive.identified),
    },
    Key {
        name: "attachments.closed_archive_unidentified",
        flag: None,
        doc: "The same as attachments.closed_archive if the author is not identified beyond \
              doubt: \"pass\", \"quarantine\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.attachments.closed_archive.unidentified),
    },
    Key {
        name: "attachments.archive",
        flag: None,
        doc: "Archives that were looked into, with nothing worse inside. What happens to them \
              if the author is identified beyond doubt: \"pass\", \"quarantine\" or \
              \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.attachments.archive.identified),
    },
    Key {
        name: "attachments.archive_unidentified",
        flag: None,
        doc: "The same as attachments.archive if the author is not identified beyond doubt: \
              \"pass\", \"quarantine\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.attachments.archive.unidentified),
    },
    Key {
        name: "attachments.sealed",
        flag: None,
        doc: "Messages that are encrypted or signed as a whole. What happens to them if the \
              author is identified beyond doubt: \"pass\", \"quarantine\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.attachments.sealed.identified),
    },
    Key {
        name: "attachments.sealed_unidentified",
        flag: None,
        doc: "The same as attachments.sealed if the author is not identified beyond doubt: \
              \"pass\", \"quarantine\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.attachments.sealed.unidentified),
    },
    Key {
        name: "attachments.unreadable",
        flag: None,
        doc: "Parts that different mail programs read in different ways. What happens to them \
              if the author is identified beyond doubt: \"pass\", \"quarantine\" or \
              \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.attachments.unreadable.identified),
    },
    Key {
        name: "attachments.unreadable_unidentified",
        flag: None,
        doc: "The same as attachments.unreadable if the author is not identified beyond doubt: \
              \"pass\", \"quarantine\" or \"reject\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.attachments.unreadable.unidentified),
    },
    Key {
        name: "dkim.prefix",
        flag: None,
        doc: "What the selectors of new keys begin with; the month and a letter follow, as in \
              wx202611r. Two machines that sign for one domain, each with keys of its own, need \
              different ones. It has up to 20 lower-case letters, digits and hyphens.",
        hint: None,
        kind: Kind::Prefix(|config| &mut config.dkim.prefix),
    },
    Key {
        name: "dkim.subdomains",
        flag: None,
        doc: "Who signs for a domain without keys of its own. \"parent\": the nearest domain above \
              it that has some; DMARC takes that for aligned unless its owner asks for strict \
              alignment. \"own\": nobody.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.dkim.subdomains),
    },
    Key {
        name: "dkim.lifetime",
        flag: None,
        doc: "How long keys sign before the next ones take their place. BSI TR-03182 asks for six \
              months or a written reason. \"never\": until you ask for new ones.",
        hint: None,
        kind: Kind::OptionalDuration {
            limits: seconds(30 * DAY, 1_100 * DAY),
            place: |config| &mut config.dkim.lifetime,
        },
    },
    Key {
        name: "dkim.announce_before",
        flag: None,
        doc: "How long before the end of that time the next keys are made. Within it, somebody \
              has to publish their records.",
        hint: None,
        kind: Kind::Duration {
            limits: seconds(DAY, 28 * DAY),
            place: |config| &mut config.dkim.announce_before,
        },
    },
    Key {
        name: "dkim.publish_wait",
        flag: None,
        doc: "How long the DNS must have shown the next keys before they sign: as long as a \
              resolver somewhere may remember that there were none.",
        hint: None,
        kind: Kind::Duration {
            limits: seconds(HOUR, 14 * DAY),
            place: |config| &mut config.dkim.publish_wait,
        },
    },
    Key {
        name: "dkim.retire_after",
        flag: None,
        doc: "How long the records of old keys stay after that, for mail that waits in queues. \
              Then their private keys are deleted, and you are told to remove the records.",
        hint: None,
        kind: Kind::Duration {
            limits: seconds(DAY, 90 * DAY),
            place: |config| &mut config.dkim.retire_after,
        },
    },
    Key {
        name: "collect.socket",
        flag: None,
        doc: "Unix sockets at which Postfix 3.10 and later tell of TLS sessions, to be counted for \
              reports (RFC 8460): \"unix:/var/spool/postfix/run/tlsrpt/tlsrpt.sock\" for \
              smtp_tlsrpt_socket_name = run/tlsrpt/tlsrpt.sock. More than one if you run several \
              instances of Postfix.",
        hint: None,
        kind: Kind::Listen(|config| &mut config.collect.socket),
    },
    Key {
        name: "collect.stream",
        flag: None,
        doc: "Where others tell of TLS sessions, a line of JSON for each, written as in \
              socketmap.listen. `waxseal reports inject` writes there. There is no \
              authentication, so use a unix socket or loopback.",
        hint: None,
        kind: Kind::Listen(|config| &mut config.collect.stream),
    },
    Key {
        name: "collect.unix_mode",
        flag: None,
        doc: "The permission bits, in octal, of the unix sockets of [collect].",
        hint: None,
        kind: Kind::Mode(|config| &mut config.collect.unix_mode),
    },
    Key {
        name: "collect.group",
        flag: None,
        doc: "The group, by name or number, that collect.socket belongs to: that of Postfix, so \
              that nobody else can make up sessions. If we may not give the socket to it, a \
              warning says so. \"\" is our own.",
        hint: None,
        kind: Kind::Text(|config| &mut config.collect.group),
    },
    Key {
        name: "collect.postfix_log",
        flag: None,
        doc: "The log file of a Postfix that cannot use collect.socket, for it is older than 3.10 \
              or was built without the library. It is followed from its end on, over rotations. Do \
              not use both for one Postfix: sessions would be counted twice. \"\" is none.",
        hint: None,
        kind: Kind::OptionalPath(|config| &mut config.collect.postfix_log),
    },
    Key {
        name: "reports.from",
        flag: None,
        doc: "From whom reports go to the owners of other domains. Without it there are none. Use \
              an address in a subdomain whose DMARC record has no rua, so that nobody reports \
              about reports, and make DKIM keys for it. Bounces come to this address with a \
              + and a word behind its local part.",
        hint: None,
        kind: Kind::OptionalAddress(|config| &mut config.reports.from),
    },
    Key {
        name: "reports.dmarc",
        flag: None,
        doc: "Whether the owners of domains are told once a day what mail came in their name \
              (RFC 9990), if they ask for it. It needs reports.from and the milter.",
        hint: None,
        kind: Kind::Switch(|config| &mut config.reports.dmarc),
    },
    Key {
        name: "reports.tls",
        flag: None,
        doc: "Whether the owners of domains are told once a day what became of our TLS sessions with \
              their mail servers (RFC 8460), if they ask for it. It needs reports.from, DKIM keys \
              for its domain, and a way in at [collect].",
        hint: None,
        kind: Kind::Switch(|config| &mut config.reports.tls),
    },
    Key {
        name: "reports.tls_https",
        flag: None,
        doc: "What happens if somebody wants TLS reports by https. \"verified\": they go there if \
              the server has a valid certificate. \"any-certificate\": with another one, too, which \
              RFC 8460 allows; with profile \"bsi\" that is \"verified\". \"off\": they go by mail \
              only.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.reports.tls_https),
    },
    Key {
        name: "reports.tls_per_host",
        flag: None,
        doc: "How many TLS reports about one day go to one host. Anybody can name any host in a \
              record, so that bound keeps others from being flooded. More if you write to very many \
              domains that use the same company for their reports.",
        hint: None,
        kind: Kind::Number {
            limits: 0..=1_000_000,
            place: |config| &mut config.reports.tls_per_host,
        },
    },
    Key {
        name: "reports.intakes",
        flag: None,
        doc: "Your addresses to which others send reports, those that stand behind rua and ruf in \
              the records of your domains. Mail to them is no reason to report about its sender.",
        hint: None,
        kind: Kind::Addresses(|config| &mut config.reports.intakes),
    },
    Key {
        name: "reports.organization",
        flag: None,
        doc: "The name of your organization in reports. \"\" is the domain of reports.from.",
        hint: None,
        kind: Kind::OptionalText(|config| &mut config.reports.organization),
    },
    Key {
        name: "reports.contact",
        flag: None,
        doc: "The address where people ask about reports. \"\" is reports.from.",
        hint: None,
        kind: Kind::OptionalAddress(|config| &mut config.reports.contact),
    },
    Key {
        name: "reports.submit",
        flag: None,
        doc: "The mail server that delivers reports, as an address and a port. It is asked \
              without TLS and without a password, so it should be on this machine.",
        hint: None,
        kind: Kind::Server(|config| &mut config.reports.submit),
    },
    Key {
        name: "reports.schema",
        flag: None,
        doc: "In which form DMARC reports are written. \"rfc9990\": the standard. \"rfc7489\": \
              its predecessor, for readers that know nothing else.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.reports.schema),
    },
    Key {
        name: "reports.retention",
        flag: None,
        doc: "How long reports that have been delivered or given up are kept, to be looked at.",
        hint: None,
        kind: Kind::Duration {
            limits: seconds(DAY, 365 * DAY),
            place: |config| &mut config.reports.retention,
        },
    },
    Key {
        name: "reports.failure_notice",
        flag: None,
        doc: "The legal ground on which you tell others about single messages, as a text that \
              stands in each such report. With it, DMARC failure reports (RFC 9991) are sent to \
              those who ask for them: redacted, few, and never with profile \"bsi\". Without it \
              there are none.",
        hint: None,
        kind: Kind::OptionalText(|config| &mut config.reports.failure_notice),
    },
    Key {
        name: "intake.domains",
        flag: None,
        doc: "Your domains. A report about any other domain is kept aside; those below them are \
              yours, too. Without any, all domains that are reported about are taken for yours.",
        hint: None,
        kind: Kind::Domains(|config| &mut config.intake.domains),
    },
    Key {
        name: "intake.require_author",
        flag: None,
        doc: "What happens to reports whose author is not proved by DKIM (TLS reports, RFC 8460 \
              section 3) or DMARC (DMARC reports). \"no\": they count. \"warn\": they count, and \
              are shown as such; those whose proof has failed explain nothing. \"yes\": they are \
              kept aside, but for files that you import.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.intake.require_author),
    },
    Key {
        name: "intake.retention",
        flag: None,
        doc: "How long received reports, and what could not be read, are kept after they came.",
        hint: None,
        kind: Kind::Duration {
            limits: seconds(DAY, 3650 * DAY),
            place: |config| &mut config.intake.retention,
        },
    },
    Key {
        name: "log.level",
        flag: Some(Flag { name: "log-level", value: "LEVEL" }),
        doc: "The least important message that is still written: \"error\", \"warn\", \"info\", \
              \"debug\" or \"trace\".",
        hint: None,
        kind: Kind::Choice(|config| &mut config.log.level),
    },
    Key {
        name: "log.format",
        flag: None,
        doc: "How messages are written to standard error: \"text\" or \"json\", one on a line.",
        hint: None,
        kind: Kind::Choice(|config| &mut config.log.format),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_flags_are_unique_and_tables_stand_together() {
        let names: BTreeSet<_> = KEYS.iter().map(|key| key.name).collect();
        assert_eq!(names.len(), KEYS.len());
        let flags: Vec<_> = KEYS.iter().filter_map(|key| key.flag.as_ref()).collect();
        let flag_names: BTreeSet<_> = flags.iter().map(|flag| flag.name).collect();
        assert_eq!(flag_names.len(), flags.len());
        let mut tables: Vec<_> = KEYS.iter().map(|key| key.table_and_name().0).collect();
        tables.dedup();
        assert_eq!(tables.len(), tables.iter().collect::<BTreeSet<_>>().len());
        assert_eq!(tables[0], "");
    }

    #[test]
    fn texts_are_whole_sentences() {
        for key in KEYS {
            let text = key.text();
            assert!(text.ends_with('.'), "{}", key.name);
            assert!(text.contains("The default is "), "{}", key.name);
            assert!(!text.contains("  "), "{}: {text}", key.name);
        }
        let timeout = Key::find("dns.timeout").unwrap();
        assert_eq!(
            timeout.text(),
            "How long one try of one question may take. From 100ms to 30s. The default is \"2s\"."
        );
    }

    #[test]
    fn every_choice_is_explained() {
        for key in KEYS {
            if let Kind::Choice(place) = &key.kind {
                for word in place(&mut Config::default()).words() {
                    let quoted = format!("\"{word}\"");
                    assert!(key.doc.contains(&quoted), "{}: {word}", key.name);
                }
            }
        }
    }
}
