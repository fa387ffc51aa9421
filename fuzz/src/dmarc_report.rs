//! What goes into DMARC reports: rows as a store keeps them, and headers of messages that failed.

use sender_auth::crypto::{
    Crypto, Digest, KeyType, RsaPublicKey, Sha256, SigningFailed, SigningKey,
};
use sender_auth::report::{
    Accumulation, Coarseness, Day, DeliveryResult, FailureReport, Letter, Limits, Metadata, Permit,
    Policy, PolicyPublished, PolicySeen, Profile, RedactionKey, Remark, ReportId, Row, Schema,
    SpfRecord, Tally, Text, write_xml,
};
use sender_auth::{Header, HeaderLimits, MessageReader, Part};
use sha2::Digest as _;
use smtp_types::{DnsName, DomainName, EmailAddress, UnixTime};

use crate::text;

/// A row out of a store: printed and read it is the same, coarsening keeps what was decided, and
/// the report about it is an XML document in which nothing that a sender wrote is markup.
pub fn dmarc_report_row(data: &[u8]) {
    let Some(row) = text(data).and_then(|line| Row::from_line(line).ok()) else {
        return;
    };
    assert_eq!(row.to_line().as_bytes(), data);
    let domain = domain("example.com");
    for step in Coarseness::ALL {
        let coarse = row.clone().coarsened(*step, &domain);
        assert_eq!(coarse.passed(), row.passed());
        assert_eq!(Row::from_line(&coarse.to_line()).as_ref(), Ok(&coarse));
        assert_eq!(coarse.clone().coarsened(*step, &domain), coarse);
    }

    let mut seen = Accumulation::new(Limits::default());
    let policy = PolicyPublished::new(domain, Policy::None);
    let seen_policy = PolicySeen { at: UnixTime(0), policy };
    seen.add(Day::since_epoch(0), seen_policy, row, Tally { messages: 1, triggers: 1 });
    let Some(group) = seen.groups().next() else {
        panic!("what was added is there");
    };
    let report = group.to_report(Metadata {
        org_name: words("Receiver"),
        email: address("dmarc@mx.example.net"),
        extra_contact_info: None,
        report_id: id("1"),
        errors: Vec::new(),
        generator: None,
    });
    for schema in [Schema::Rfc9990, Schema::Rfc7489] {
        let xml = write_xml(&report, schema);
        assert!(!xml.contains(|c: char| c < ' ' && c != '\n'), "{xml}");
        assert_eq!(xml.matches('@').count(), 1, "{xml}");
        let tags: Vec<&str> = xml.split('<').skip(1).collect();
        let named =
            |tag: &&str| tag.starts_with(|c: char| c.is_ascii_lowercase() || "/?".contains(c));
        assert!(tags.iter().all(named), "{xml}");
        let ends = tags.iter().filter(|tag| tag.starts_with('/')).count();
        assert_eq!(tags.len(), 2 * ends + 1, "{xml}");
    }
}

/// The header of a message that failed: the report is plain ASCII in lines that are short enough,
/// has its three parts, and in what it tells of the header every local part is a pseudonym.
pub fn dmarc_failure_report(data: &[u8]) {
    let Some(header) = header(data) else {
        return;
    };
    let Ok(permit) = Permit::grant(Profile::Own, Some(&words("notice"))) else {
        panic!("a notice is enough in the operator's own profile");
    };
    let Ok(key) = RedactionKey::new(&[7; 32]) else {
        panic!("32 octets are a key");
    };
    let spf_text = String::from_utf8_lossy(data);
    let (Ok(user_agent), Ok(spf_domain)) = (Remark::parse("Waxseal"), DnsName::parse("a.test"))
    else {
        panic!("constants");
    };
    let domain = domain("example.com");
    let report = FailureReport {
        permit: &permit,
        letter: Letter {
            from: &address("dmarc@mx.example.net"),
            to: &address("ruf@example.com"),
            date: UnixTime(0),
            message_id: &id("1"),
        },
        user_agent: &user_agent,
        authserv_id: &domain,
        policy_domain: &domain,
        row: &Row::new([192, 0, 2, 1].into(), domain.clone()),
        arrival: UnixTime(0),
        mail_from: None,
        delivery: DeliveryResult::Reject,
        incidents: 1,
        spf_records: &[SpfRecord { domain: &spf_domain, text: &spf_text }],
        header: &header,
        key: &key,
    };
    let octets = report.write(&HashOnly);
    let report = String::from_utf8_lossy(&octets);
    assert!(report.is_ascii() && report.split("\r\n").all(|line| line.len() <= 998));
    assert!(!report.replace("\r\n", "").contains(['\r', '\n']));
    assert_eq!(report.matches("\r\n--=_failure").count(), 4, "{report}");
    let told = report.split("text/rfc822-headers\r\n\r\n").nth(1).unwrap_or_default();
    for (at, _) in told.match_indices('@') {
        let pseudonym = &told[at.saturating_sub(32)..at];
        assert!(
            pseudonym.len() == 32 && pseudonym.chars().all(|c| c.is_ascii_hexdigit()),
            "{told}"
        );
    }
    for line in told.lines().filter(|line| !line.starts_with([' ', '-']) && !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default();
        assert!(["From", "Date", "Message-ID", "DKIM-Signature"].contains(&name), "{line}");
    }
}

fn header(data: &[u8]) -> Option<Header> {
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(data).ok()?;
    parts.extend(reader.finish().ok()?);
    parts.into_iter().find_map(|part| match part {
        Part::Header(header) => Some(header),
        Part::Body(_) => None,
    })
}

fn domain(text: &str) -> DomainName {
    DomainName::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn words(text: &str) -> Text {
    Text::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn id(text: &str) -> ReportId {
    ReportId::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Hashes; pseudonyms need nothing else.
struct HashOnly;

struct Hash(sha2::Sha256);

struct NoKey;

impl Sha256 for Hash {
    fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}

impl SigningKey for NoKey {
    fn key_type(&self) -> KeyType {
        KeyType::Ed25519
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        Err(SigningFailed)
    }
}

impl Crypto for HashOnly {
    type Sha256 = Hash;
    type SigningKey = NoKey;

    fn sha256(&self) -> Hash {
        Hash(sha2::Sha256::new())
    }

    fn verify_rsa_sha256(&self, _: RsaPublicKey<'_>, _: &[u8], _: &[u8]) -> bool {
        false
    }

    fn verify_ed25519(&self, _: &[u8; 32], _: &[u8], _: &[u8]) -> bool {
        false
    }
}
