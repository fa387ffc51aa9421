//! What a TLS report calls each failure (RFC 8460 §4.3). Each name carries the section.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use smtp_dane::VerifyError;
use smtp_starttls::{Failure, Reply, ReplyFault, ReplyReader, Stage};
use smtp_types::CertificateFault;
use tlsrpt::ResultType;
use transport_policy::{SessionFailure, session_result_type};

fn reply(text: &str) -> Reply {
    let mut reader = ReplyReader::new();
    text.bytes().find_map(|octet| reader.push(octet).unwrap()).unwrap()
}

fn dialogue(failure: Failure) -> Option<ResultType> {
    session_result_type(&SessionFailure::Dialogue(failure))
}

fn certificate(fault: CertificateFault) -> Option<ResultType> {
    assert_eq!(
        session_result_type(&SessionFailure::Dane(VerifyError::Path(fault.clone()))),
        session_result_type(&SessionFailure::Certificate(fault.clone())),
    );
    session_result_type(&SessionFailure::Certificate(fault))
}

#[test]
fn s4_3_1_starttls_not_supported() {
    let hello = reply("250 mx.example.org\r\n");
    for overwritten in [None, Some("XXXXXXXA".into())] {
        let failure = Failure::NotOffered { hello: hello.clone(), overwritten };
        assert_eq!(dialogue(failure), Some(ResultType::StarttlsNotSupported));
    }
    let refused = Failure::StarttlsRefused { reply: reply("454 Later\r\n") };
    assert_eq!(dialogue(refused), Some(ResultType::StarttlsNotSupported));
}

#[test]
fn s4_3_1_certificates() {
    let wrong = CertificateFault::WrongName { presented: vec!["a.example".into()] };
    assert_eq!(certificate(wrong), Some(ResultType::CertificateHostMismatch));
    assert_eq!(certificate(CertificateFault::Expired), Some(ResultType::CertificateExpired));
    for fault in [
        CertificateFault::UnknownIssuer,
        CertificateFault::NotYetValid,
        CertificateFault::Other { detail: "a name constraint".into() },
    ] {
        assert_eq!(certificate(fault), Some(ResultType::CertificateNotTrusted));
    }
    let no_match = SessionFailure::Dane(VerifyError::NoMatch);
    assert_eq!(session_result_type(&no_match), Some(ResultType::CertificateNotTrusted));
}

#[test]
fn s4_3_3_validation_failure_is_the_rest() {
    let handshake = SessionFailure::Handshake { detail: "alert".into() };
    assert_eq!(session_result_type(&handshake), Some(ResultType::ValidationFailure));
    let other_host = session_result_type(&SessionFailure::MxNotAllowed);
    assert_eq!(other_host, Some(ResultType::ValidationFailure));
    let injected = dialogue(Failure::Injected { octets: 7 });
    assert_eq!(injected, Some(ResultType::ValidationFailure));
    let closed = Failure::Closed { stage: Stage::Starttls, octets: 0 };
    assert_eq!(dialogue(closed), Some(ResultType::ValidationFailure));
}

/// RFC 8460 §1.1, §4.3: a report is about TLS. A server that wants no session, or is none, has
/// said nothing about TLS.
#[test]
fn s4_3_what_says_nothing_about_tls_is_no_result() {
    let stage = Stage::Greeting;
    let refused = Failure::Refused { stage, reply: reply("554 No\r\n") };
    assert_eq!(dialogue(refused), None);
    assert_eq!(dialogue(Failure::Closed { stage, octets: 0 }), None);
    let mut reader = ReplyReader::new();
    let error = reader.push(b'\n').unwrap_err();
    assert_eq!(error.fault, ReplyFault::BareLineFeed);
    assert_eq!(dialogue(Failure::Malformed { stage: Stage::Ehlo, error }), None);
}
