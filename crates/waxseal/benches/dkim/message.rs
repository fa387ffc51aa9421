//! The messages that are verified, and their keys: made anew for each run, and written down for the
//! peers.
//!
//! Sizes are those of whole messages. The header is that of a message that has passed two mail
//! servers. The body of 10 KB is text with HTML beside it: lines of all lengths, some with white
//! space at their ends or doubled. The one of 1 MB is the same with an attachment in base64, which
//! is what makes messages that long; a third is 1 MB of nothing but text, where canonicalization
//! finds the most to do.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sender_auth::crypto::KeyType;
use sender_auth::dkim::{Selector, SignOptions, SignWith, Signer};
use sender_auth::{HeaderField, HeaderLimits, MessageReader, Part};
use smtp_types::{
    DnsAnswer, DnsQuestion, Dnssec, DomainName, Known, RecordData, RecordType, UnixTime,
};
use waxseal::crypto::{AwsLc, SigningKey};

use crate::subject::look_up;

/// When the messages were signed, and are verified.
pub(crate) const SIGNED_AT: UnixTime = UnixTime(1_750_000_000);

const DOMAIN: &str = "example.com";

/// The messages and what the DNS says.
pub(crate) struct World {
    pub(crate) cases: Vec<Case>,
    pub(crate) known: Known,
    pub(crate) crypto: AwsLc,
    /// The names and texts of the TXT records.
    records: Vec<(String, String)>,
}

/// One message with one signature.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// As it comes over the network, lines ended by CRLF.
    pub(crate) octets: Vec<u8>,
    /// Names and values, as a milter is told them.
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where the body begins.
    body_at: usize,
}

impl Case {
    fn new(name: &'static str, octets: Vec<u8>) -> Self {
        let mut reader = MessageReader::new(HeaderLimits::default());
        let parts = reader.push(&octets).unwrap();
        let Part::Header(header) = &parts[0] else { unreachable!("the header comes first") };
        let field = |field: &HeaderField| {
            // Postfix sends folds as LF.
            let value = field.value().iter().copied().filter(|octet| *octet != b'\r');
            (field.name().to_vec(), value.collect())
        };
        let fields = header.fields().iter().map(field).collect();
        let end = octets.windows(4).position(|octets| octets == b"\r\n\r\n").unwrap();
        Self { name, octets, fields, body_at: end + 4 }
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.octets[self.body_at..]
    }
}

/// What a body consists of.
#[derive(Clone, Copy)]
enum Body {
    Text,
    Attachment,
}

const CASES: [(&str, KeyType, usize, Body); 6] = [
    ("rsa-10k", KeyType::Rsa, 10_000, Body::Text),
    ("rsa-1m", KeyType::Rsa, 1_000_000, Body::Attachment),
    ("rsa-1m-text", KeyType::Rsa, 1_000_000, Body::Text),
    ("ed25519-10k", KeyType::Ed25519, 10_000, Body::Text),
    ("ed25519-1m", KeyType::Ed25519, 1_000_000, Body::Attachment),
    ("ed25519-1m-text", KeyType::Ed25519, 1_000_000, Body::Text),
];

impl World {
    /// With new keys.
    pub(crate) fn new() -> Self {
        let crypto = AwsLc::new();
        let keys = [KeyType::Rsa, KeyType::Ed25519].map(|kind| SigningKey::generate(kind).unwrap());
        let of = |kind| if kind == KeyType::Rsa { &keys[0] } else { &keys[1] };
        let record = |key: &SigningKey| {
            let public = key.public_key().unwrap();
            let kind = public.key_type().as_str();
            (
                format!("{kind}._domainkey.{DOMAIN}"),
                format!("v=DKIM1; k={kind}; p={}", public.base64()),
            )
        };
        let others = [
            (DOMAIN.to_owned(), "v=spf1 mx ip4:192.0.2.0/24 -all".to_owned()),
            (format!("_dmarc.{DOMAIN}"), "v=DMARC1; p=reject; adkim=s".to_owned()),
        ];
        let records = keys.iter().map(record).chain(others).collect();
        let cases = CASES.map(|(name, kind, octets, body)| {
            let message = message(octets, body);
            Case::new(name, signed(&message, of(kind), kind, &crypto))
        });
        Self::of(cases.into(), records)
    }

    fn of(cases: Vec<Case>, records: Vec<(String, String)>) -> Self {
        let mut known = Known::default();
        for case in &cases {
            look_up(&mut known, case, |question| answer(&records, question));
        }
        Self { cases, known, crypto: AwsLc::new(), records }
    }

    /// Each message in a file of its own, and the TXT records in `txt.tsv`.
    pub(crate) fn write(&self, folder: &Path) {
        for case in &self.cases {
            fs::write(folder.join(case.name).with_extension("eml"), &case.octets).unwrap();
        }
        let lines = self.records.iter().map(|(name, text)| format!("{name}\t{text}\n"));
        fs::write(folder.join("txt.tsv"), lines.collect::<String>()).unwrap();
    }

    /// What [`write`](Self::write) has written.
    pub(crate) fn read(folder: &Path) -> Self {
        let read = |name| {
            let file = folder.join(name).with_extension("eml");
            Case::new(name, fs::read(file).unwrap())
        };
        let cases = CASES.map(|(name, ..)| read(name)).into();
        let texts = fs::read_to_string(folder.join("txt.tsv")).unwrap();
        let record = |line: &str| {
            let (name, text) = line.split_once('\t').unwrap();
            (name.to_owned(), text.to_owned())
        };
        Self::of(cases, texts.lines().map(record).collect())
    }
}

fn answer(records: &[(String, String)], question: &DnsQuestion) -> DnsAnswer {
    let texts = records.iter().filter(|(name, _)| *name == question.name.to_string());
    let texts = texts.filter(|_| question.record_type == RecordType::Txt);
    let records: Vec<RecordData> =
        texts.map(|(_, text)| RecordData::Txt(text.as_bytes().into())).collect();
    DnsAnswer {
        dnssec: Dnssec::Insecure,
        canonical_name: question.name.clone(),
        name_exists: !records.is_empty(),
        records,
        ttl: 3600,
    }
}

/// The message with a signature on top.
fn signed(message: &[u8], key: &SigningKey, kind: KeyType, crypto: &AwsLc) -> Vec<u8> {
    let domain = DomainName::parse(DOMAIN).unwrap();
    let selector = Selector::parse(kind.as_str()).unwrap();
    let mut with = vec![SignWith { domain, selector, key }];
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(message).unwrap();
    parts.extend(reader.finish().unwrap());
    let mut signer = None;
    for part in parts {
        match part {
            Part::Header(header) => {
                let (with, options) = (std::mem::take(&mut with), SignOptions::new(SIGNED_AT));
                signer = Some(Signer::new(&header, crypto, with, options).unwrap());
            }
            Part::Body(body) => signer.as_mut().unwrap().push(&body),
        }
    }
    let fields = signer.unwrap().finish().unwrap();
    [fields[0].octets(), b"\r\n", message].concat()
}

/// A message of about so many octets.
fn message(octets: usize, body: Body) -> Vec<u8> {
    let mut text = String::from(HEADER);
    let mut words = Words { state: 0x2545_f491_4f6c_dd1d };
    text += "--=_part\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
    let text_until = match body {
        Body::Text => octets / 2,
        Body::Attachment => 5_000,
    };
    words.paragraphs(&mut text, text_until);
    text += "\r\n--=_part\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body>\r\n";
    let html_until = match body {
        Body::Text => octets - 1_000,
        Body::Attachment => 10_000,
    };
    while text.len() < html_until {
        text += "  <p class=\"text\">";
        words.line(&mut text, 60);
        text += "</p>\r\n";
    }
    text += "</body></html>\r\n";
    if matches!(body, Body::Attachment) {
        text += "--=_part\r\nContent-Type: application/pdf; name=\"report.pdf\"\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n";
        while text.len() < octets - 1_000 {
            words.base64_line(&mut text);
        }
    }
    text += "--=_part--\r\n\r\n";
    text.into_bytes()
}

const HEADER: &str = "\
Received: from mx.example.net (mx.example.net [192.0.2.25])\r
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r
\t key-exchange X25519 server-signature RSA-PSS (2048 bits))\r
\t(No client certificate requested)\r
\tby mail.example.org (Postfix) with ESMTPS id 4cFzQy1Z9Pz3xKd\r
\tfor <recipient@example.org>; Sun, 15 Jun 2025 17:06:40 +0200 (CEST)\r
Received: from client.example.com (unknown [198.51.100.7])\r
\t(Authenticated sender: sender@example.com)\r
\tby mx.example.net (Postfix) with ESMTPSA id 4cFzQw5S8Zz9sWb\r
\tfor <recipient@example.org>; Sun, 15 Jun 2025 15:06:40 +0000 (UTC)\r
From: \"The Sender\" <sender@example.com>\r
To: \"One Recipient\" <recipient@example.org>,\r
\t\"Another Recipient\" <another@example.org>\r
Subject: =?utf-8?Q?The_minutes_of_our_meeting_on_M=C3=A4rz?=\r
 and what follows from them\r
Date: Sun, 15 Jun 2025 17:06:39 +0200\r
Message-ID: <20250615150639.4cFzQw5S8Zz9sWb@mx.example.net>\r
In-Reply-To: <20250614101010.4cFzQw5S8Zz9sWa@mail.example.org>\r
References: <20250612090909.4cFzQw5S8Zz9sW9@mail.example.org>\r
\t<20250614101010.4cFzQw5S8Zz9sWa@mail.example.org>\r
User-Agent: Mutt/2.2.12 (2023-09-09)\r
X-Mailer: none\r
X-Priority: 3\r
List-Unsubscribe: <https://lists.example.com/unsubscribe/1234567890>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=\"=_part\"\r
Content-Language: en\r
\r
";

/// Words by a simple rule, the same in each run (xorshift64).
struct Words {
    state: u64,
}

impl Words {
    fn next(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % below
    }

    /// Text up to this length of the whole: paragraphs, the last line of each shorter, an empty
    /// line behind it; here and there a quotation.
    fn paragraphs(&mut self, text: &mut String, until: usize) {
        while text.len() < until {
            let quoted = if self.next(5) == 0 { "> " } else { "" };
            for _ in 0..1 + self.next(6) {
                text.push_str(quoted);
                self.line(text, 66);
                // Mail programs that flow their lines leave a space at the end (RFC 3676).
                text.push_str(if self.next(4) == 0 { " \r\n" } else { "\r\n" });
            }
            text.push_str(quoted);
            let short = 10 + self.next(40);
            self.line(text, usize::try_from(short).unwrap());
            text.push_str("\r\n\r\n");
        }
    }

    /// Words up to this length.
    fn line(&mut self, text: &mut String, length: usize) {
        let end = text.len() + length;
        loop {
            for _ in 0..2 + self.next(9) {
                let letter = u8::try_from(self.next(26)).unwrap();
                text.push(char::from(b'a' + letter));
            }
            if text.len() >= end {
                return;
            }
            // Some people put two spaces behind a sentence.
            text.push_str(match self.next(20) {
                0 => ".  ",
                1 | 2 => ", ",
                _ => " ",
            });
        }
    }

    fn base64_line(&mut self, text: &mut String) {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for _ in 0..76 {
            let digit = DIGITS[usize::try_from(self.next(64)).unwrap()];
            text.push(char::from(digit));
        }
        let _ = write!(text, "\r\n");
    }
}
