//! Good files, and for each kind of mistake the message that it gets.

use super::{Answer, Attack, Case, Kind, Obstacle, Protection, Security};

const GOOD: &str = "\
# Two lines of
# reasons.
protection: both
attack: record-removed
domain: example.test

[dns]
MX    example.test.                    secure  10 mx.example.test.
AAAA  mx.example.test.                 secure  nodata
TLSA  _25._tcp.mx.example.test.        bogus
TXT   _mta-sts.example.test.           bogus   \"v=STSv1; id=0;\"

[https]
certificate-name
| version: STSv1
| mode: none

[earlier https]
200 text/plain
| # not a comment
|

[expect]
QUERY: TEMP
QUERYwithTLSRPT: OK secure match=mx.example.test
   servername=hostname
receiver: 0
rogue: 0
queue: 1
";

#[test]
fn reads_every_section() {
    let case = Case::parse(GOOD).unwrap();
    assert_eq!(case.readme, "Two lines of\nreasons.");
    assert_eq!(case.protection, Protection::Both);
    assert_eq!(case.attack, Attack::RecordRemoved);
    assert_eq!(case.name(), "both/record-removed");
    assert_eq!(case.dns.len(), 4);
    assert_eq!(case.dns[0].answer, Answer::Record("10 mx.example.test.".to_owned()));
    assert_eq!(case.dns[1].answer, Answer::NoData);
    assert_eq!((case.dns[2].kind, case.dns[2].security), (Kind::Tlsa, Security::Bogus));
    assert_eq!(case.dns[2].answer, Answer::Withheld);
    assert_eq!(case.https.unwrap().obstacle, Some(Obstacle::CertificateName));
    let earlier = case.earlier.unwrap();
    assert_eq!(earlier.dns, case.dns);
    assert_eq!(earlier.https.unwrap().body, "# not a comment\r\n\r\n");
    assert_eq!(
        case.expect.query_with_tlsrpt,
        "OK secure match=mx.example.test servername=hostname"
    );
    assert_eq!((case.expect.receiver, case.expect.rogue, case.expect.queue), (0, 0, 1));
}

#[test]
fn names_line_found_and_expected() {
    let bad = |from: &str, to: &str, message: &str| {
        let error = Case::parse(&GOOD.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    };
    bad(
        "protection: both",
        "protection: some",
        "line 3: expected one of none, testing, enforce, dane, both, found \"protection: some\"",
    );
    bad("attack: record-removed\n", "", "expected a line \"attack: …\", found no such line");
    bad("example.test\n", "Example.test.\n", "line 5: expected a domain in lower case");
    bad("MX  ", "SRV ", "line 8: expected MX, A, AAAA, TLSA, TXT or CNAME at the start");
    bad("mx.example.test. ", "mx.example.test ", "line 9: expected a full name with a final dot");
    bad("secure  10", "signed  10", "line 8: expected secure, insecure, bogus or temporary");
    bad("secure  nodata", "secure", "line 9: expected a record, nodata or nxdomain at the end");
    bad("secure  nodata", "temporary nodata", "line 9: expected no data after temporary");
    bad("secure  nodata", "bogus nodata", "line 9: expected the forged record after bogus");
    bad("certificate-name", "closed", "line 14: expected a status and a media type");
    bad("| mode", "mode", "line 16: expected a line of the body behind \"| \"");
    bad("[expect]", "[result]", "line 23: expected [dns], [https], [earlier dns]");
    bad("[earlier https]", "[https]", "line 18: expected each section once");
    bad("QUERY: TEMP", "QUERY: FOUND", "line 24: expected NOTFOUND, TEMP or \"OK");
    bad("rogue: 0", "rogue: no", "line 28: expected a number of letters");
    bad("rogue: 0", "receiver: 0", "line 28: expected receiver once");
    bad("rogue: 0", "rogues: 0", "line 28: expected one of the names QUERY");
    bad("# Two", " Two", "line 1: expected a line that the white space can continue");
}
