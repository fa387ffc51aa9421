//! The forms of mail and of files that reports come in.

use waxseal::intake::Report;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use super::forms::{FEEDBACK, Read, TLS, base64, gzip, mail, multipart, part, xml, zip, zip_with};

fn good(octets: &[u8], kinds: &[&str]) -> Read {
    let read = Read::of(octets);
    assert_eq!(read.faults, Vec::<String>::new());
    assert_eq!(read.kinds(), kinds);
    read
}

const ONE: [&str; 1] = ["dmarc-aggregate"];

#[test]
fn files_by_content() {
    let xml = xml(3);
    for octets in [
        xml.clone().into_bytes(),
        format!("\u{feff}{xml}").into_bytes(),
        format!("\r\n\r\n  {}", xml.split_once('\n').unwrap().1).into_bytes(),
        gzip(xml.as_bytes()),
        zip(&[("report.xml", xml.as_bytes())]),
        zip(&[("no name", xml.as_bytes())]),
        zip(&[("report.xml.gz", &gzip(xml.as_bytes()))]),
        gzip(&zip(&[("report.xml", xml.as_bytes())])),
        gzip(&gzip(xml.as_bytes())),
    ] {
        let read = good(&octets, &ONE);
        assert_eq!(read.records.len(), 3);
        assert_eq!(read.quirks(), Vec::<String>::new());
    }
    good(TLS.as_bytes(), &["tls-rpt"]);
    good(&gzip(TLS.as_bytes()), &["tls-rpt"]);
    good(FEEDBACK.as_bytes(), &["dmarc-failure"]);
}

#[test]
fn utf_16_and_old_encodings() {
    let declared = xml(1).replace("UTF-8", "UTF-16");
    let little: Vec<u8> = declared.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = declared.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for octets in [little.clone(), big, [&b"\xFF\xFE"[..], &little].concat()] {
        assert_eq!(good(&octets, &ONE).quirks(), Vec::<String>::new());
    }
    let latin = xml(1).replace("UTF-8", "ISO-8859-1").replace("Receiver", "M\u{fc}ller");
    let latin: Vec<u8> = latin.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let read = good(&latin, &ONE);
    let Some(Report::DmarcAggregate(report)) = read.reports.first() else { panic!() };
    assert_eq!(report.metadata.org_name.as_ref().unwrap().as_str(), "Müller");
    assert!(report.quirks.is_empty());

    let lying: Vec<u8> = xml(1)
        .replace("Receiver", "M\u{fc}ller")
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    assert_eq!(good(&lying, &ONE).quirks(), ["encoding"]);
}

#[test]
fn attachments_of_every_type() {
    let (xml, gz) = (xml(2), gzip(xml(2).as_bytes()));
    let zipped = zip(&[("report.xml", xml.as_bytes())]);
    for (header, octets) in [
        ("Content-Type: application/gzip; name=\"a!example.com!1!2.xml.gz\"", &gz),
        ("Content-Type: application/zip; name=\"a!example.com!1!2.xml.zip\"", &gz),
        ("Content-Type: application/gzip; name=\"a!example.com!1!2.xml.gz\"", &zipped),
        ("Content-Type: application/octet-stream", &gz),
        ("Content-Type: text/plain; charset=us-ascii", &gz),
        ("Content-Type: text/xml", &xml.clone().into_bytes()),
        ("Content-Disposition: attachment; filename=x", &zipped),
        (
            "Content-Type: application/x-zip-compressed;\r\n name*0=\"a!example.com!1\";\r\n name*1=\"!2.zip\"",
            &zipped,
        ),
    ] {
        let text = "Content-Type: text/plain\r\n\r\nThis is a DMARC report.\r\n".to_owned();
        let octets = mail(&[text, part(header, octets)]);
        let read = good(octets.as_bytes(), &ONE);
        assert!(read.places[0].starts_with("part 2"), "{:?}", read.places);
    }
}

#[test]
fn the_only_body_of_a_mail() {
    let header = "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: application/zip";
    let octets = part(header, &zip(&[("report.xml", xml(1).as_bytes())]));
    good(octets.as_bytes(), &ONE);
    let octets = format!("From: a@b.example\r\n\r\n{}", xml(1));
    good(octets.as_bytes(), &ONE);
    let octets = format!("From a@b Sat Nov 21 00:00:00 2026\nSubject: in an mbox\n\n{}", xml(1));
    good(octets.as_bytes(), &ONE);
}

#[test]
fn transfer_encodings() {
    let xml = xml(1);
    let quoted = xml.replace('=', "=3D").replace("</row>", "</ro=\r\nw>");
    let header = "Content-Type: text/xml\r\nContent-Transfer-Encoding: quoted-printable";
    good(mail(&[format!("{header}\r\n\r\n{quoted}")]).as_bytes(), &ONE);
    let stray = format!(
        "Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n\r\n-- \r\n\
         Mailing list, footer: yes!\r\n",
        base64(&gzip(xml.as_bytes()))
    );
    good(mail(&[stray]).as_bytes(), &ONE);
    let binary = [
        &b"Content-Type: application/gzip\nContent-Transfer-Encoding: binary\nSubject: x\n\n"[..],
        &gzip(xml.as_bytes()),
    ]
    .concat();
    good(&binary, &ONE);
}

#[test]
fn mails_in_mails() {
    let report = part("Content-Type: application/gzip", &gzip(xml(1).as_bytes()));
    let inner = mail(&[report]).replace("=_b", "=_inner");
    let forwarded = format!("Content-Type: message/rfc822\r\n\r\n{inner}");
    let read = good(mail(&[forwarded]).as_bytes(), &ONE);
    assert_eq!(read.places, ["part 1, mail, part 1, gzip"]);
    let encoded = part("Content-Type: message/rfc822", inner.as_bytes());
    good(mail(&[encoded]).as_bytes(), &ONE);
    let named = part("Content-Type: application/octet-stream; name=a.eml", inner.as_bytes());
    good(mail(&[named]).as_bytes(), &ONE);
    let attached = zip(&[("report.eml", inner.as_bytes())]);
    good(&attached, &ONE);
}

#[test]
fn both_kinds_in_one_mail() {
    let octets = mail(&[
        part("Content-Type: application/tlsrpt+gzip", &gzip(TLS.as_bytes())),
        part("Content-Type: application/gzip", &gzip(xml(1).as_bytes())),
        part("Content-Type: application/tlsrpt+json", TLS.as_bytes()),
    ]);
    good(octets.as_bytes(), &["tls-rpt", "dmarc-aggregate", "tls-rpt"]);
}

#[test]
fn a_failure_report_and_nothing_of_the_mail_in_it() {
    let secret = part("Content-Type: application/gzip", &gzip(xml(1).as_bytes()));
    for kind in ["feedback-report", "feedback"] {
        let body = multipart(
            &format!("report; report-type={kind}"),
            &[
                "Content-Type: text/plain\r\n\r\nA failure.\r\n".to_owned(),
                format!("Content-Type: message/feedback-report\r\n\r\n{FEEDBACK}"),
                format!("Content-Type: message/rfc822\r\n\r\nFrom: jane@example.com\r\n{secret}"),
            ],
        );
        let read = good(format!("From: a@b.example\r\n{body}").as_bytes(), &["dmarc-failure"]);
        assert!(!format!("{read:?}").contains("jane"));
    }
}

#[test]
fn gzip_in_pieces_and_cut_off() {
    let xml = xml(200);
    let (first, second) = xml.split_at(xml.len() / 2);
    let pieces = [gzip(first.as_bytes()), gzip(second.as_bytes())].concat();
    assert_eq!(good(&pieces, &ONE).records.len(), 200);

    let whole = gzip(xml.as_bytes());
    let cut = good(&whole[..whole.len() / 2], &ONE);
    assert!(cut.records.len() > 10 && cut.records.len() < 200);
    assert!(cut.quirks().contains(&"compression".to_owned()));
    // Without its checksum it is cut off, too, but nothing is lost.
    let cut = good(&whole[..whole.len() - 4], &ONE);
    assert_eq!((cut.records.len(), cut.quirks()), (200, vec!["compression".to_owned()]));
    let trailing = [&whole[..], b"\0\0\0\0garbage"].concat();
    assert_eq!(good(&trailing, &ONE).records.len(), 200);
}

#[test]
fn zips_of_many_kinds() {
    let xml = xml(2);
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    good(&zip_with(&[("report.xml", xml.as_bytes())], stored), &ONE);
    let several = zip(&[
        ("report.xml", xml.as_bytes()),
        ("folder/", b""),
        ("readme.txt", b"for people"),
        ("../../../etc/cron.d/evil.xml", xml.as_bytes()),
        ("tls.json", TLS.as_bytes()),
    ]);
    let read = good(&several, &["dmarc-aggregate", "dmarc-aggregate", "tls-rpt"]);
    assert_eq!(read.places[1], "entry 4 \"../../../etc/cron.d/evil.xml\"");
}

#[test]
fn what_is_missing_is_said_once() {
    for octets in [
        &b"From: a@b.example\r\nSubject: hello\r\n\r\nunused\r\n"[..],
        b"unused",
        b"",
        b"\0\0\0\0",
        b"<html><body>hello</body></html>",
        b"From: a@b\nContent-Type: multipart/mixed; boundary=x\n\nno part here\n",
    ] {
        let read = Read::of(octets);
        assert_eq!((read.reports.len(), read.faults.len()), (0, 1), "{read:?}");
    }
}

#[test]
fn a_bad_part_does_not_stop_the_others() {
    let octets = mail(&[
        part("Content-Type: application/gzip; name=a.gz", b"\x1f\x8bbroken"),
        part("Content-Type: application/zip", b"PK\x03\x04broken"),
        part("Content-Type: text/xml", b"<html/>"),
        part("Content-Type: application/json", b"{\"not\": \"a report\"}"),
        part("Content-Type: application/gzip", &gzip(xml(2).as_bytes())),
        part("Content-Type: application/gzip", b"neither"),
    ]);
    let read = Read::of(octets.as_bytes());
    assert_eq!(read.kinds(), ONE);
    assert_eq!(read.faults.len(), 5, "{:#?}", read.faults);
    for (fault, number) in read.faults.iter().zip([1, 2, 3, 4, 6]) {
        assert!(fault.starts_with(&format!("part {number}")), "{fault}");
    }
}
