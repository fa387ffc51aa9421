//! What is measured of ours.

use std::hint::black_box;

use sender_auth::crypto::Crypto;
use sender_auth::dkim::{DkimResult, Hashed, ServiceType, Verifier, VerifyLimits, message_result};
use sender_auth::dmarc::DmarcResult;
use sender_auth::{
    Authentication, Header, HeaderField, HeaderLimits, Incoming, Limits, MessageReader, Part,
    Received, spf,
};
use smtp_types::{DnsAnswer, DnsQuestion, Known, Need};
use waxseal::crypto::AwsLc;

use crate::message::{Case, SIGNED_AT, World};

/// How much of a body comes at once: what Postfix and sendmail send to a milter.
const PIECE: usize = 65_535;

/// Ours.
#[derive(Clone, Copy)]
pub(crate) enum Subject {
    /// DKIM as the milter does it: header fields one by one, the body in pieces.
    Gate,
    /// DKIM of a file: header and body are found first.
    File,
    /// All checks, as the milter makes them: DKIM, SPF, ARC and DMARC.
    All,
}

pub(crate) const SUBJECTS: [Subject; 3] = [Subject::Gate, Subject::File, Subject::All];

impl Subject {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gate => "waxseal",
            Self::File => "from-file",
            Self::All => "all-checks",
        }
    }

    /// Verifies the message once.
    pub(crate) fn run(self, world: &World, case: &Case) {
        match self {
            Self::Gate => {
                let mut verifier = Verifier::new(
                    &header(black_box(&case.fields)),
                    &world.crypto,
                    VerifyLimits::default(),
                );
                for piece in case.body().chunks(PIECE) {
                    verifier.push(piece);
                }
                check(&verifier.finish(), &world.known, &world.crypto);
            }
            Self::File => {
                check(&read(black_box(&case.octets), &world.crypto), &world.known, &world.crypto);
            }
            Self::All => all_checks(world, case),
        }
    }
}

fn header(fields: &[(Vec<u8>, Vec<u8>)]) -> Header {
    fields.iter().map(|(name, value)| HeaderField::new(name, value).unwrap()).collect()
}

/// A message in a file, with everything but its keys.
pub(crate) fn read<C: Crypto>(octets: &[u8], crypto: &C) -> Hashed {
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut verifier = None;
    let mut take = |part| match part {
        Part::Header(header) => {
            verifier = Some(Verifier::new(&header, crypto, VerifyLimits::default()));
        }
        Part::Body(body) => verifier.as_mut().unwrap().push(&body),
    };
    for piece in octets.chunks(PIECE) {
        reader.push(piece).unwrap().into_iter().for_each(&mut take);
    }
    reader.finish().unwrap().into_iter().for_each(&mut take);
    verifier.unwrap().finish()
}

pub(crate) fn check<C: Crypto>(hashed: &Hashed, known: &Known, crypto: &C) {
    let results = hashed.evaluate(known, crypto, ServiceType::Email, SIGNED_AT).unwrap();
    assert_eq!(message_result(&results), DkimResult::Pass);
}

fn all_checks(world: &World, case: &Case) {
    let mut incoming =
        Incoming::new(&header(black_box(&case.fields)), &world.crypto, &Limits::default());
    for piece in case.body().chunks(PIECE) {
        incoming.push(piece);
    }
    let result = evaluate(&incoming.finish(), &world.known, &world.crypto).unwrap();
    assert_eq!(result.dmarc.result, DmarcResult::Pass);
}

fn evaluate(received: &Received, known: &Known, crypto: &AwsLc) -> Result<Authentication, Need> {
    let client = spf::Client {
        ip: [192, 0, 2, 25].into(),
        helo: "mx.example.net",
        mail_from: "sender@example.com",
    };
    let receiver = spf::Receiver { host_name: "mail.example.org", now: SIGNED_AT };
    received.evaluate(known, crypto, Some(client), &receiver, &Limits::default())
}

/// Asks for all that [`Subject::All`] wants to know, until nothing is left to ask for.
pub(crate) fn look_up(known: &mut Known, case: &Case, answer: impl Fn(&DnsQuestion) -> DnsAnswer) {
    let crypto = AwsLc::new();
    loop {
        let received = Incoming::new(&header(&case.fields), &crypto, &Limits::default()).finish();
        let Err(need) = evaluate(&received, known, &crypto) else { return };
        for question in need.dns {
            let answer = answer(&question);
            known.add_dns(question, Ok(answer));
        }
    }
}
