//! How large received reports are, and how long people wait: `cargo bench -p waxseal --bench
//! received`. Makes a year of a hoster in small: 5 million rows of DMARC reports about 500 domains,
//! and asks what the verbs ask. `ROWS=200000` makes fewer.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for people, which may fail loudly"
)]

use std::net::IpAddr;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use smtp_types::UnixTime;
use waxseal::intake::problems::{Evidence, find};
use waxseal::store::{
    Aligned, Counted, NewReceived, NewRecord, ReceivedImport, ReceivedKind, ReceivedTotals,
    ReceivedView, Selection, Texts,
};

/// How many domains the hoster has.
const DOMAINS: u64 = 500;

/// Who reports about each of them each day.
const REPORTERS: [&str; 4] = ["google.com", "Enterprise Outlook", "Yahoo", "mail.example"];

/// How many rows a report has.
const ROWS: u64 = 10;

const DAY: u64 = 86_400;

/// 2026-01-01.
const START: u64 = 20_454;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let rows = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(5_000_000);
    let folder = tempfile::tempdir().unwrap();
    let mut store = ReceivedImport::open(folder.path()).unwrap();
    let reporters = u64::try_from(REPORTERS.len()).unwrap();
    let days = u64::div_ceil(rows, DOMAINS * reporters * ROWS);
    println!(
        "{rows} rows: {days} days, {DOMAINS} domains, {reporters} reporters, {ROWS} rows each"
    );

    let cpu = cpu_seconds();
    let (mut batch, mut written) = (Vec::new(), 0_u64);
    for number in 0..days * DOMAINS * reporters {
        let (day, rest) = (number / (DOMAINS * reporters), number % (DOMAINS * reporters));
        batch.push((vec![report(START + day, rest % DOMAINS, rest / DOMAINS)], None));
        if batch.len() == 500 {
            written += u64::try_from(store.take_in(&batch).unwrap().len()).unwrap();
            batch.clear();
        }
    }
    written += u64::try_from(store.take_in(&batch).unwrap().len()).unwrap();
    let cpu = cpu_seconds() - cpu;
    drop(store);
    let file = folder.path().join("waxseal.db");
    let size = std::fs::metadata(&file).unwrap().len();
    let all = written * ROWS;
    println!("written: {written} reports, {all} rows, {:.1} s of processor time", cpu);
    println!(
        "  {:.1} µs for each row, {:.0} reports/s",
        cpu * 1e6 / as_f64(all),
        as_f64(written) / cpu
    );
    println!(
        "size: {} MB, {:.1} octets for each row",
        size / 1_000_000,
        as_f64(size) / as_f64(all)
    );

    let view = ReceivedView::open(folder.path()).unwrap().unwrap();
    let end = (START + days) * DAY;
    let selection = |domain: Option<&str>, since: u64, limit| Selection {
        domain: domain.map(str::to_owned),
        kind: None,
        since: UnixTime(since),
        until: UnixTime(end),
        counted: Counted::Only,
        limit,
    };
    let timed = |name: &str, ask: &dyn Fn() -> usize| {
        let start = Instant::now();
        let found = ask();
        println!("{name}: {:.1} ms, {found} rows", start.elapsed().as_secs_f64() * 1e3);
    };
    timed("list, 50 latest", &|| view.reports(&selection(None, 0, 50)).unwrap().len());
    timed("list, 50 latest of a domain", &|| {
        view.reports(&selection(Some("d7.example"), 0, 50)).unwrap().len()
    });
    timed("show one report", &|| view.details(4711).unwrap().records.len());
    timed("trend of a domain, 14 days", &|| {
        let kind = ReceivedKind::Dmarc;
        let since = UnixTime(end - 14 * DAY);
        view.days(kind, Some("d7.example"), since, UnixTime(end)).unwrap().len()
    });
    timed("trend of all domains, 14 days", &|| {
        let since = UnixTime(end - 14 * DAY);
        view.days(ReceivedKind::Dmarc, None, since, UnixTime(end)).unwrap().len()
    });
    timed("trend of all domains, all days", &|| {
        view.days(ReceivedKind::Dmarc, None, UnixTime(0), UnixTime(end)).unwrap().len()
    });
    let problems = |domain: Option<&str>| {
        let mut evidence = Evidence::default();
        for report in view.reports(&selection(domain, end - 30 * DAY, u32::MAX)).unwrap() {
            evidence.add(&report, &view.details(report.id).unwrap());
        }
        find(&evidence).len()
    };
    timed("problems of a domain, 30 days", &|| problems(Some("d7.example")));
    timed("problems of all domains, 30 days", &|| problems(None));

    let mut store = ReceivedImport::open(folder.path()).unwrap();
    let (start, mut rounds) = (Instant::now(), 0);
    while store.forget(UnixTime((START + 10) * DAY), 0, 500).unwrap() {
        rounds += 1;
    }
    println!("forget 10 days: {:.1} s in {rounds} rounds", start.elapsed().as_secs_f64());
}

fn report(day: u64, domain: u64, reporter: u64) -> NewReceived {
    let mut texts = Texts::default();
    let name = format!("d{domain}.example");
    let reporter = usize::try_from(reporter).unwrap();
    let number = format!("{day}.{domain}.{reporter}");
    let records = (0..ROWS).map(|row| NewRecord {
        source: Some(IpAddr::from([192, 0, octet(domain + row), octet(day * 7 + row * 13)])),
        messages: 1 + row * 3,
        disposition: 1,
        aligned: Aligned { dkim: row < 8, spf: row < 5 },
        header_from: Some(texts.number(&name)),
        envelope_from: Some(texts.number(&name)),
        envelope_to: None,
        auth: texts.number(&match row {
            0..8 => format!("dkim:{name}:s1:pass spf:{name}:mfrom:pass"),
            _ => format!("spf:other{}.example:mfrom:fail", row + domain % 50),
        }),
        reasons: texts.number(""),
    });
    let records = records.collect();
    let mut identity = [0; 32];
    for (place, octet) in identity.iter_mut().zip(number.bytes().cycle()) {
        *place = octet;
    }
    NewReceived {
        kind: ReceivedKind::Dmarc,
        domain: texts.number(&name),
        organization: texts.number(REPORTERS[reporter]),
        contact: Some(texts.number("dmarc@reporter.example")),
        submitter: None,
        name: number,
        begins: UnixTime(day * DAY),
        ends: UnixTime(day * DAY + DAY - 1),
        received: UnixTime((day + 1) * DAY),
        way: "file",
        grade: "unchecked",
        grade_rank: 2,
        identity,
        content: identity,
        totals: ReceivedTotals {
            good: 116,
            bad: 29,
            dkim_pass: 116,
            spf_pass: 35,
            ..ReceivedTotals::default()
        },
        policy: Some(texts.number("p=quarantine adkim=r aspf=r")),
        quirks: String::new(),
        policies: Vec::new(),
        failures: Vec::new(),
        records,
        texts,
    }
}

fn octet(number: u64) -> u8 {
    u8::try_from(number % 251).unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}
