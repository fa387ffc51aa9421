//! What somebody could send to do harm: more than fits, deeper than anything, other than it says.

use std::io::Write;

use sender_auth::report::ReadLimits;
use waxseal::intake::Limits;

use super::forms::{Read, gzip, mail, part, xml, zip};

/// The only fault, and no report.
fn refused(octets: &[u8]) -> String {
    refused_with(octets, &Limits::default())
}

fn refused_with(octets: &[u8], limits: &Limits) -> String {
    let read = Read::with(octets, limits);
    assert_eq!(
        (read.reports.len(), read.faults.len()),
        (0, 1),
        "{:?} {:?}",
        read.kinds(),
        read.faults
    );
    read.faults[0].clone()
}

#[test]
fn bombs_by_size_and_by_ratio() {
    // 100 MiB of spaces in 100 KiB, in a report.
    let mut bomb = xml(1).replace("</feedback>\n", "").into_bytes();
    bomb.resize(100 << 20, b' ');
    let (gz, zipped) = (gzip(&bomb), zip(&[("report.xml", &bomb)]));
    drop(bomb);
    for packed in [&gz, &zipped] {
        assert!(packed.len() < 200_000);
        let fault = refused(packed);
        assert!(
            fault.contains("in one tag or text") || fault.contains("times the packed size"),
            "{fault}"
        );
    }
    // Without the bound of a text, that of the ratio; without that, that of the size.
    let limits = Limits { markup: u64::MAX, ..Limits::default() };
    assert!(refused_with(&gz, &limits).contains("at most 200 times the packed size"));
    assert!(refused_with(&zipped, &limits).contains("at most 200 times the packed size"));
    let limits = Limits { ratio: u64::MAX, document: 1 << 20, ..limits };
    assert!(refused_with(&gz, &limits).contains("at most 1048576 octets unpacked"));
    // All together.
    let limits = Limits { total: 100_000, ..Limits::default() };
    let entry = xml(100);
    let many: Vec<_> = (0..10).map(|_| ("report.xml", entry.as_bytes())).collect();
    let parts: Vec<_> =
        many.iter().map(|one| part("Content-Type: application/zip", &zip(&[*one]))).collect();
    let read = Read::with(mail(&parts).as_bytes(), &limits);
    assert!(!read.reports.is_empty() && read.reports.len() < 10);
    assert!(read.faults[0].contains("in all"), "{:?}", read.faults);
}

#[test]
fn archives_in_archives() {
    let mut packed = xml(1).into_bytes();
    for _ in 0..3 {
        packed = gzip(&packed);
    }
    assert!(refused(&packed).contains("at most 2 packings"));
    let mut packed = xml(1).into_bytes();
    for _ in 0..3 {
        packed = zip(&[("report.zip", &packed)]);
    }
    assert!(refused(&packed).contains("at most 2 packings"));
}

#[test]
fn zips_with_too_many_entries() {
    let names: Vec<String> = (0..10_000).map(|index| format!("{index}.xml")).collect();
    let entries: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), &b"<a/>"[..])).collect();
    assert_eq!(refused(&zip(&entries)), "zip: expected at most 100 entries, found more");
}

#[test]
fn zips_with_overlapping_entries() {
    // Two entries of the directory point at the same octets.
    let mut octets = zip(&[("a.xml", xml(1).as_bytes()), ("b.xml", xml(1).as_bytes())]);
    let second = memchr::memmem::rfind(&octets, b"PK\x01\x02").unwrap();
    octets[second + 42..second + 46].fill(0);
    let fault = refused(&octets);
    assert!(fault.contains("zip"), "{fault}");
}

#[test]
fn encrypted_zips() {
    // Bit 0 of the flags, in the entry and in the directory (APPNOTE 4.4.4).
    let mut octets = zip(&[("report.xml", xml(1).as_bytes())]);
    let central = memchr::memmem::rfind(&octets, b"PK\x01\x02").unwrap();
    octets[6] |= 1;
    octets[central + 8] |= 1;
    assert!(refused(&octets).contains("encrypted"), "{}", refused(&octets));
}

#[test]
fn document_types_and_entities() {
    let lol = "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY a \"lol\"><!ENTITY b \"&a;&a;&a;\">]><feedback>&b;</feedback>";
    let external = "<!DOCTYPE f SYSTEM \"file:///etc/passwd\"><feedback/>";
    let attributes =
        "<!DOCTYPE f [<!ATTLIST a b CDATA \"xxxxxxxx\">]><feedback><a/><a/></feedback>";
    for xml in [lol, external, attributes] {
        assert!(refused(xml.as_bytes()).contains("document type declaration"));
    }
    let read = Read::of(xml(1).replace("Receiver", "&xxe;&#0;&#x110000;&amp;&lt;").as_bytes());
    assert_eq!(read.quirks(), ["syntax"]);
}

#[test]
fn depth_texts_tags_and_comments() {
    let deep = format!("<feedback>{}", "<a>".repeat(1_000_000));
    assert!(refused(deep.as_bytes()).contains("at most 16 in each other"));
    for long in ["<feedback><version>", "<feedback><!--", "<feedback><![CDATA[", "<feedback a='"] {
        for filling in ["x", "<>x"] {
            let octets = format!("{long}{}", filling.repeat((20 << 20) / filling.len()));
            let read = Read::of(&gzip(octets.as_bytes()));
            assert!(read.reports.len() + read.faults.len() == 1, "{long}");
        }
    }
    let text = format!("<feedback><version>{}", "x".repeat(20 << 20));
    assert!(refused(text.as_bytes()).contains("at most 131072 octets in one tag or text"));
    let attributes = format!("<feedback {}>", "a='1' ".repeat(10_000));
    let read = Read::of(format!("{attributes}</feedback>").as_bytes());
    assert_eq!(read.kinds(), ["dmarc-aggregate"]);
}

#[test]
fn too_many_records() {
    let report = ReadLimits { records: 10, ..ReadLimits::default() };
    let read = Read::with(xml(11).as_bytes(), &Limits { report, ..Limits::default() });
    assert_eq!((read.records.len(), read.reports.len()), (10, 0));
    assert!(read.faults[0].contains("records: expected at most 10"), "{:?}", read.faults);
}

#[test]
fn mails_without_end() {
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(500_000);
    assert!(refused(nested.as_bytes()).contains("at most 10 parts in each other"));
    let mut nested = String::from("Subject: x\r\n");
    for index in 0..1000 {
        nested.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{index}\r\n\r\n--b{index}\r\n"
        ));
    }
    assert!(refused(nested.as_bytes()).contains("at most 10 parts in each other"));
    let many: Vec<String> = (0..10_000).map(|_| "\r\nhello".to_owned()).collect();
    assert!(refused(mail(&many).as_bytes()).contains("at most 100 parts"));
    let header = format!("Subject: x\r\n{}\r\n\r\n", "X-Long: y\r\n".repeat(500_000));
    refused(header.as_bytes());
    let large = Limits { input: 1000, ..Limits::default() };
    assert_eq!(refused_with(&[b'<'; 1001], &large), "expected at most 1000 octets, found more");
}

#[test]
fn odd_headers_and_names() {
    let octets = gzip(xml(1).as_bytes());
    for header in [
        "Content-Type: application/gzip; name=\"=?utf-8?B?////?=\"",
        "Content-Type: application/gzip; name*=utf-8''%00%FF%ZZ.gz",
        "Content-Type: application/gzip; name*0*=x''%; name*1=\";;;",
        "Content-Type: ;;;=;/",
        "Content-Type: application/gzip; name=\"a\u{0}b/../../c\u{202e}.gz\"",
        "Subject: =?x?Q?=?=\r\nContent-Type: application/gzip",
        "Content-Type: application/gzip (comment (nested (((((\r\n",
    ] {
        let _ = Read::of(mail(&[part(header, &octets)]).as_bytes());
    }
    let long = "x".repeat(60_000);
    let evil = ["a\u{0}b\r\nX: y\u{1b}[2J.xml", "\u{202e}lmx.xml", &long];
    for name in evil {
        let read = Read::of(&zip(&[(name, xml(1).as_bytes()), ("b.xml", b"no")]));
        let places = format!("{:?}", read.places);
        assert!(
            !places.contains("\\u{1b}") && !places.contains("\\n") && places.len() < 200,
            "{places}"
        );
    }
}

#[test]
fn nothing_panics_on_broken_octets() {
    let originals = [
        gzip(xml(2).as_bytes()),
        zip(&[("report.xml", xml(2).as_bytes())]),
        mail(&[part("Content-Type: application/gzip", &gzip(xml(1).as_bytes()))]).into_bytes(),
        xml(2).into_bytes(),
    ];
    for original in &originals {
        for at in 0..original.len() {
            let mut broken = original.clone();
            broken[at] ^= 0xFF;
            let _ = Read::of(&broken);
            if at % 8 == 0 {
                let _ = Read::of(&original[..at]);
            }
        }
    }
}

/// A report of 50,000 records is read piece by piece. How much memory that needs is a benchmark;
/// here it is only shown that nothing is kept from one record to the next.
#[test]
fn a_long_report_is_handed_out_record_by_record() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(xml(5_000).as_bytes()).unwrap();
    let read = Read::of(&encoder.finish().unwrap());
    assert_eq!((read.records.len(), read.kinds()), (5_000, vec!["dmarc-aggregate"]));
}
