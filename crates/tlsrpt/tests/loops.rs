//! Loops, spam and privacy: what must not happen, played through (S2-32, S4-20).

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use smtp_types::{DomainName, EmailAddress, UnixTime};
use tlsrpt::{
    Aggregate, Day, Event, Limits, NoReport, Outcome, Policy, ReportId, Session, Submitter,
    Traffic, decide, parse_datagram, personal_data,
};

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn success(domain: &DomainName) -> Event {
    let policy = Policy::none_of(domain.clone());
    let session = Session { policy, outcome: Outcome::Success, failures: Vec::new() };
    let record = Some(format!("v=TLSRPTv1; rua=mailto:tls@{domain}").into());
    Event { domain: domain.clone(), record, sessions: vec![session] }
}

fn submitter(domain: &DomainName) -> Submitter {
    let contact = EmailAddress::parse(&format!("tls@{domain}")).unwrap();
    Submitter { organization: "Example".into(), contact }
}

/// One who sends mail and reports, and counts the sessions of both.
struct Instance {
    other: DomainName,
    aggregate: Aggregate,
    /// Report mails sent to the other on each day.
    report_mails: Vec<u64>,
}

impl Instance {
    fn new(other: &str) -> Self {
        let aggregate = Aggregate::new(Limits::default());
        Self { other: name(other), aggregate, report_mails: vec![0; 40] }
    }

    fn send(&mut self, day: u32) {
        self.aggregate.add(success(&self.other), Day::since_epoch(day).begin());
    }

    /// Reports about the day before; the report is a session of this day.
    fn report(&mut self, today: u32) -> Result<(), NoReport> {
        let yesterday = today - 1;
        let sessions = self.aggregate.summary(Day::since_epoch(yesterday), &self.other);
        let report_mails = self.report_mails[yesterday as usize];
        decide(&Traffic { sessions, report_mails, ..Traffic::default() })?;
        self.report_mails[today as usize] += 1;
        self.send(today);
        Ok(())
    }
}

#[test]
fn two_instances_that_report_to_each_other_stay_silent_for_30_days() {
    let (mut a, mut b) = (Instance::new("b.test"), Instance::new("a.test"));
    a.send(0); // one letter, long ago
    assert_eq!((a.report(1), b.report(1)), (Ok(()), Err(NoReport::NoSession)));
    for day in 2..32 {
        let silent = |result: Result<(), NoReport>| {
            matches!(result, Err(NoReport::OwnReportsOnly | NoReport::NoSession))
        };
        assert!(silent(a.report(day)) && silent(b.report(day)), "day {day}");
    }
    // A real letter is reported again, once.
    a.send(32);
    assert_eq!((a.report(33), a.report(34)), (Ok(()), Err(NoReport::OwnReportsOnly)));
}

#[test]
fn destinations_of_spam_get_no_report() {
    let mut aggregate = Aggregate::new(Limits::default());
    let day = Day::since_epoch(20_000);
    let spammers: Vec<_> = (0..81).map(|number| name(&format!("spam{number}.test"))).collect();
    for domain in &spammers {
        aggregate.add(success(domain), day.begin()); // a bounce
    }
    let reports = aggregate.summaries(day).filter(|(_, sessions)| {
        decide(&Traffic { sessions: *sessions, refused: 3, ..Traffic::default() }).is_ok()
    });
    assert_eq!(reports.count(), 0);
}

/// Everything in a datagram that could name a person, and none of it in the report.
#[test]
fn nothing_personal_gets_from_datagrams_into_a_report() {
    let datagram = "{\"dpv\":\"1\",\"d\":\"example.com\",\"pr\":\"v=TLSRPTv1; rua=mailto:r@a.test\",\
        \"policies\":[{\"policy-type\":2,\"policy-domain\":\"example.com\",\
        \"policy-string\":[\"version: STSv1\",\"mode: enforce\"],\"mx-host\":[\"*.example.com\"],\
        \"failure-details\":[{\"c\":205,\"s\":\"192.0.2.1\",\"n\":\"mx.example.com\",\
        \"h\":\"250-mx.example.com hello alice@example.net\\r\\n250 SIZE\",\"r\":\"192.0.2.2\",\
        \"a\":\"mailto:alice@example.net\",\
        \"f\":\"TLS for <alice@example.net> (message <1.2@example.net>) failed\"}],\
        \"t\":1,\"f\":1}]}";
    let event = parse_datagram(datagram.as_bytes()).unwrap().event;
    let now = UnixTime(1_795_289_400);
    let mut aggregate = Aggregate::new(Limits::default());
    aggregate.add(event, now);
    let submitter = submitter(&name("sender.test"));
    let domain = name("example.com");
    let id = ReportId::of_day(Day::of(now), &domain, "a", submitter.domain()).unwrap();
    let report = aggregate.report(Day::of(now), &domain, &submitter, &id).unwrap();
    let json = report.to_json();
    let allowed = [&*submitter.contact.to_string(), id.as_str()];
    assert_eq!(personal_data(&json, &allowed, &["alice", "r"]), [], "{json}");
    assert!(json.contains("TLS for [address] (message [address]) failed"), "{json}");
    // The scanner is not blind.
    assert_eq!(personal_data(datagram, &[], &["alice"]).len(), 5);
}
