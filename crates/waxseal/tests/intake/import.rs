//! `waxseal reports import`: what goes in once, what is kept aside, and what survives.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use proptest::prelude::*;
use serde_json::Value;
use smtp_types::{DomainName, UnixTime};
use waxseal::intake::{Arrival, Authenticity, Grade, Intake, IntakeSettings, RequireAuthor, Way};
use waxseal::store::{
    Counted, ReceivedKind, ReceivedView, ReportRow, Selection, Store, TakenOutcome,
};

use super::forms::{FEEDBACK, NOW, TLS, gzip, mail, part, xml, zip};

/// The program with this state folder.
pub(crate) fn waxseal(state: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
    command.args(["reports", arguments[0], "--state-dir"]).arg(state);
    command.args(["--at", &NOW.0.to_string()]).args(&arguments[1..]);
    command.env_remove("WAXSEAL_CONFIG").stdin(Stdio::null());
    command
}

pub(crate) fn run(state: &Path, arguments: &[&str]) -> Output {
    waxseal(state, arguments).output().unwrap()
}

fn import(state: &Path, path: &Path) -> (Value, Option<i32>) {
    let output = run(state, &["import", "--json", path.to_str().unwrap()]);
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code())
}

fn all() -> Selection {
    Selection {
        domain: None,
        kind: None,
        since: UnixTime(0),
        until: UnixTime(u64::MAX),
        counted: Counted::All,
        limit: u32::MAX,
    }
}

fn reports(state: &Path) -> Vec<ReportRow> {
    match ReceivedView::open(state).unwrap() {
        Some(view) => view.reports(&all()).unwrap(),
        None => Vec::new(),
    }
}

/// A report of its own for each number.
fn numbered(number: usize) -> String {
    xml(2).replace("<report_id>1<", &format!("<report_id>{number}<"))
}

#[test]
fn all_forms_once_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let (state, mails) = (folder.path().join("state"), folder.path().join("mails"));
    for name in ["cur", "new", "tmp", ".Archive/cur", ".Archive/new"] {
        fs::create_dir_all(mails.join(name)).unwrap();
    }
    let with = |octets: &[u8]| mail(&[part("Content-Type: application/gzip", octets)]);
    fs::write(mails.join("cur/1"), with(&gzip(numbered(1).as_bytes()))).unwrap();
    fs::write(mails.join("new/2"), with(&zip(&[("a.xml", numbered(2).as_bytes())]))).unwrap();
    fs::write(mails.join(".Archive/cur/3"), with(&gzip(TLS.as_bytes()))).unwrap();
    fs::write(mails.join("dovecot.index"), "not a mail").unwrap();
    let mbox: String = (4..8)
        .map(|number| format!("From a@b Sat\n{}\n", with(&gzip(numbered(number).as_bytes()))))
        .collect();
    fs::write(folder.path().join("mbox"), mbox).unwrap();
    let paths = [mails.to_str().unwrap(), folder.path().join("mbox").to_str().unwrap()].join("\n");
    let paths: Vec<&str> = ["import", "--json"].into_iter().chain(paths.lines()).collect();
    let output = run(&state, &paths);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["inputs"], &found["reports"]["new"]), (&7.into(), &7.into()));
    assert_eq!((&found["kinds"]["tls-rpt"], &found["kept_aside"]), (&1.into(), &0.into()));
    let before = reports(&state);
    assert_eq!(before.len(), 7);

    let again: Value = serde_json::from_slice(&run(&state, &paths).stdout).unwrap();
    assert_eq!((&again["reports"]["new"], &again["reports"]["duplicate"]), (&0.into(), &7.into()));
    let after = reports(&state);
    let without_count = |mut row: ReportRow| {
        row.duplicates = 0;
        row
    };
    assert!(before.into_iter().map(without_count).eq(after.into_iter().map(without_count)));
}

#[test]
fn standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.gz");
    fs::write(&file, gzip(xml(3).as_bytes())).unwrap();
    let output = waxseal(folder.path(), &["import", "-", "--json"])
        .stdin(fs::File::open(file).unwrap())
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["reports"]["new"], 1);
    assert_eq!(reports(folder.path())[0].rows, 3);
}

/// Every harm that `hostile.rs` has, as far as it fits a folder of files: one bad of a hundred.
#[test]
fn one_bad_mail_never_stops_the_others() {
    let mut bomb = xml(1).replace("</feedback>\n", "").into_bytes();
    bomb.resize(100 << 20, b' ');
    let bomb = gzip(&bomb);
    let deep = gzip(format!("<feedback>{}", "<a>".repeat(100_000)).as_bytes());
    let laughs = b"<!DOCTYPE l [<!ENTITY a \"lol\">]><feedback>&a;</feedback>".to_vec();
    let names: Vec<String> = (0..10_000).map(|index| format!("{index}.xml")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"<a/>"[..])).collect();
    let bad = [
        ("bomb", bomb),
        ("deep", deep),
        ("laughs", laughs),
        ("entries", zip(&many)),
        ("nothing", b"\0\0\0\0".to_vec()),
        ("empty", Vec::new()),
        ("cut", gzip(TLS.as_bytes())[..40].to_vec()),
        ("\u{1b}[2J=cmd", b"From: a@b\n\nunused\n".to_vec()),
    ];
    for (name, octets) in bad {
        let folder = tempfile::tempdir().unwrap();
        let (state, mails) = (folder.path().join("state"), folder.path().join("mails"));
        fs::create_dir(&mails).unwrap();
        for number in 0..99 {
            fs::write(mails.join(format!("{number:02}")), numbered(number)).unwrap();
        }
        fs::write(mails.join(format!("50{name}")), &octets).unwrap();
        for times in 1..3 {
            let (found, code) = import(&state, &mails);
            assert_eq!(code, Some(2), "{name}");
            assert_eq!(
                (&found["inputs"], &found["kept_aside"]),
                (&100.into(), &1.into()),
                "{name}"
            );
            assert_eq!(reports(&state).len(), 99);
            let view = ReceivedView::open(&state).unwrap().unwrap();
            let asides = view.asides(10).unwrap();
            assert_eq!((asides.len(), asides[0].times), (1, times), "{name}");
            assert!(!asides[0].problems.is_empty() && !asides[0].name.contains('\u{1b}'));
        }
        // Nothing is lost: the octets are there as they came.
        let output = run(&state, &["show", "--aside", "1"]);
        assert!(output.stdout == octets, "{name}");
        let listed = run(&state, &["list", "--aside"]);
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.lines().all(|line| line.chars().count() <= 80), "{listed}");
        assert!(!listed.contains('\u{1b}'), "{listed}");
    }
}

#[test]
fn what_cannot_be_opened_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("good.xml");
    fs::write(&file, xml(1)).unwrap();
    let output = run(folder.path(), &["import", "/nowhere/at/all", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nowhere/at/all"));
    assert_eq!(reports(folder.path()).len(), 1);
    fs::write(folder.path().join("file"), "x").unwrap();
    let output = run(&folder.path().join("file/below"), &["import", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
}

/// An import that is killed has written whole batches, and the next one writes the rest.
#[test]
fn kill_9_loses_nothing_that_is_there() {
    const MAILS: usize = 4_000;
    let folder = tempfile::tempdir().unwrap();
    let (state, mbox) = (folder.path().join("state"), folder.path().join("mbox"));
    let mails = (0..MAILS).map(|number| format!("From a@b Sat\nX: y\n\n{}\n", numbered(number)));
    fs::write(&mbox, mails.collect::<String>()).unwrap();
    let mut child: Child = waxseal(&state, &["import", mbox.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Until the first batch is there, or all of it.
    let seen = loop {
        let seen = match state.join("waxseal.db").exists() {
            true => reports(&state).len(),
            false => 0,
        };
        if seen > 0 || child.try_wait().unwrap().is_some() {
            break seen;
        }
        std::thread::yield_now();
    };
    let _ = child.kill();
    child.wait().unwrap();
    let kept = reports(&state).len();
    assert!(kept >= seen && kept <= MAILS, "{kept} of {seen}");
    let (found, code) = import(&state, &mbox);
    assert_eq!(code, Some(0));
    assert_eq!(found["reports"]["duplicate"], kept);
    assert_eq!(found["reports"]["new"], MAILS - kept);
    assert_eq!(reports(&state).len(), MAILS);
}

/// As with a full disk: the file may not grow.
#[test]
fn a_full_disk_keeps_what_was_there() {
    const MAILS: usize = 3_000;
    let folder = tempfile::tempdir().unwrap();
    let (state, mbox) = (folder.path().join("state"), folder.path().join("mbox"));
    let first = folder.path().join("first.xml");
    fs::write(&first, numbered(MAILS)).unwrap();
    assert_eq!(import(&state, &first).1, Some(0));
    let mails = (0..MAILS).map(|number| format!("From a@b Sat\nX: y\n\n{}\n", numbered(number)));
    fs::write(&mbox, mails.collect::<String>()).unwrap();
    let program = waxseal(&state, &["import", mbox.to_str().unwrap()]);
    let quoted = program.get_args().map(|one| format!("'{}'", one.to_str().unwrap()));
    let script = format!(
        "ulimit -f 1500; trap '' XFSZ; exec '{}' {}",
        env!("CARGO_BIN_EXE_waxseal"),
        quoted.collect::<Vec<_>>().join(" ")
    );
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("can be repeated"), "{told}");
    let kept = reports(&state).len();
    assert!((1..MAILS).contains(&kept), "{kept}");
    // With room again, the rest comes.
    let (found, code) = import(&state, &mbox);
    assert_eq!((code, &found["reports"]["duplicate"]), (Some(0), &(kept - 1).into()));
    assert_eq!(reports(&state).len(), MAILS + 1);
}

/// The daemon holds the folder, and writes, while others import.
#[tokio::test]
async fn beside_a_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let (state, mails) = (folder.path().join("state"), folder.path().join("mails"));
    fs::create_dir(&mails).unwrap();
    for number in 0..1_200 {
        fs::write(mails.join(format!("{number}")), numbered(number)).unwrap();
    }
    let (store, _) = Store::open(&state).unwrap();
    let intake = Intake::new(IntakeSettings::default(), std::sync::Arc::new(store));
    let mut child = waxseal(&state, &["import", mails.to_str().unwrap()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut own = 0;
    while child.try_wait().unwrap().is_none() || own == 0 {
        let octets = numbered(10_000 + own).into_bytes();
        intake.accept(octets, Arrival::file("x"), NOW).await.unwrap();
        own += 1;
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(reports(&state).len(), 1_200 + own);
}

async fn intake(state: &Path, settings: IntakeSettings) -> Intake {
    Intake::new(settings, std::sync::Arc::new(Store::open(state).unwrap().0))
}

fn from(tls: Grade, dmarc: Grade, submitter: &str) -> Arrival {
    let submitter = DomainName::parse(submitter).ok();
    let authenticity = Authenticity { tls, dmarc, submitter };
    Arrival { way: Way::Lmtp, name: "queue id".into(), about: None, authenticity }
}

#[tokio::test]
async fn nobody_replaces_the_report_of_a_surer_author() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path(), IntakeSettings::default()).await;
    let sure = from(Grade::Failed, Grade::Authenticated, "receiver.example");
    let unsure = from(Grade::Unauthenticated, Grade::Unauthenticated, "");
    let accept = async |octets: String, arrival: &Arrival| {
        let accepted = intake.accept(octets.into_bytes(), arrival.clone(), NOW).await.unwrap();
        accepted.reports[0].outcome
    };
    assert_eq!(accept(xml(2), &sure).await, TakenOutcome::New);
    assert_eq!(accept(xml(2), &unsure).await, TakenOutcome::Duplicate);
    assert_eq!(accept(xml(3), &unsure).await, TakenOutcome::Doubtful);
    assert_eq!(accept(xml(4), &sure).await, TakenOutcome::Replaced);
    // What was doubtful is not any more when its author proves himself.
    assert_eq!(accept(xml(3), &sure).await, TakenOutcome::Replaced);
    let rows = reports(folder.path());
    let counted: Vec<_> = rows.iter().filter(|row| row.state == "counted").collect();
    assert_eq!((counted.len(), counted[0].rows), (1, 3));
    assert_eq!((&*counted[0].submitter, &*counted[0].grade), ("receiver.example", "authenticated"));
}

#[tokio::test]
async fn a_better_proof_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path(), IntakeSettings::default()).await;
    for (arrival, grade) in [
        (Arrival::file("a"), "unchecked"),
        (from(Grade::Authenticated, Grade::Failed, "receiver.example"), "authenticated"),
        (from(Grade::Failed, Grade::Failed, ""), "authenticated"),
    ] {
        intake.accept(TLS.into(), arrival, NOW).await.unwrap();
        assert_eq!(reports(folder.path())[0].grade, grade);
    }
    assert_eq!(reports(folder.path())[0].duplicates, 2);
}

#[tokio::test]
async fn a_signature_of_somebody_else_proves_nothing() {
    for (submitter, grade) in [
        ("receiver.example", "authenticated"),
        ("mail.receiver.example", "authenticated"),
        ("example", "authenticated"),
        ("evil.example", "unauthenticated"),
        ("notreceiver.example", "unauthenticated"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let intake = intake(folder.path(), IntakeSettings::default()).await;
        let arrival = from(Grade::Authenticated, Grade::Failed, submitter);
        intake.accept(TLS.into(), arrival, NOW).await.unwrap();
        assert_eq!(reports(folder.path())[0].grade, grade, "{submitter}");
    }
}

#[tokio::test]
async fn reports_must_be_about_domains_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let ours = |names: &[&str]| IntakeSettings {
        domains: names.iter().map(|name| DomainName::parse(name).unwrap()).collect(),
        ..IntakeSettings::default()
    };
    let dane = TLS.replace(
        "\"policy-type\":\"sts\",\"policy-domain\":\"example.com\"",
        "\"policy-type\":\"tlsa\",\"policy-domain\":\"mx.hoster.example\"",
    );
    assert_ne!(dane, TLS);
    let named = format!(
        "From: tls@receiver.example\r\nTLS-Report-Domain: example.com\r\nContent-Type: \
         application/tlsrpt+json\r\n\r\n{dane}"
    );
    let subject = named.replace(
        "TLS-Report-Domain: example.com",
        "Subject: Report Domain: example.com\r\n \
            Submitter: receiver.example Report-ID: <1@x>",
    );
    let posted = Arrival { about: DomainName::parse("example.com").ok(), ..Arrival::file("x") };
    let table: [(&[&str], &str, Option<&str>); 11] = [
        (&[], TLS, Some("example.com")),
        (&["example.com"], TLS, Some("example.com")),
        (&["com"], TLS, Some("example.com")),
        (&["ample.com"], TLS, None),
        (&["example.org"], TLS, None),
        // Policies of DANE name mail hosts, ours or not: the mail says whom they are about.
        (&[], &dane, Some("mx.hoster.example")),
        (&["example.com"], &dane, None),
        (&[], &named, Some("example.com")),
        (&["example.com", "hoster.example"], &named, Some("example.com")),
        (&["hoster.example"], &named, Some("mx.hoster.example")),
        (&["example.com"], &subject, Some("example.com")),
    ];
    let by_file =
        table.into_iter().map(|(ours, octets, domain)| (ours, octets, Arrival::file("x"), domain));
    let by_post: [(&[&str], &str, Arrival, Option<&str>); 2] = [
        (&["example.com"], &dane, posted.clone(), Some("example.com")),
        // What the report says counts more.
        (&[], &TLS.replace("example.com", "example.org"), posted, Some("example.org")),
    ];
    for (index, (names, octets, arrival, domain)) in by_file.chain(by_post).enumerate() {
        let state = folder.path().join(index.to_string());
        let intake = intake(&state, ours(names)).await;
        let accepted = intake.accept(octets.into(), arrival, NOW).await.unwrap();
        assert_eq!(accepted.reports.len(), usize::from(domain.is_some()), "{index}: {accepted:?}");
        let view = ReceivedView::open(&state).unwrap().unwrap();
        assert_eq!(view.asides(9).unwrap().len(), usize::from(domain.is_none()));
        let found = accepted.reports.first().and_then(|taken| view.report(taken.id).unwrap());
        assert_eq!(found.map(|report| report.domain.to_string()).as_deref(), domain, "{index}");
    }
}

#[tokio::test]
async fn authors_can_be_required() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        IntakeSettings { require_author: RequireAuthor::Yes, ..IntakeSettings::default() };
    let intake = intake(folder.path(), settings).await;
    for (arrival, is_taken) in [
        (from(Grade::Failed, Grade::Failed, ""), false),
        (from(Grade::Unauthenticated, Grade::Authenticated, ""), false),
        (from(Grade::Authenticated, Grade::Failed, "receiver.example"), true),
        (Arrival::file("x"), true),
    ] {
        let accepted = intake.accept(TLS.into(), arrival, NOW).await.unwrap();
        assert_eq!(!accepted.reports.is_empty(), is_taken);
        assert_eq!(accepted.faults.is_empty(), is_taken);
    }
}

#[tokio::test]
async fn overlaps_are_marked() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path(), IntakeSettings::default()).await;
    let next_day =
        numbered(2).replace("1795132800", "1795219200").replace("1795219199", "1795305599");
    let half = numbered(3).replace("1795132800", "1795176000");
    for octets in [numbered(1), next_day, half] {
        intake.accept(octets.into_bytes(), Arrival::file("x"), NOW).await.unwrap();
    }
    let mut rows = reports(folder.path());
    rows.sort_by_key(|row| row.id);
    assert_eq!(rows.iter().map(|row| row.overlaps).collect::<Vec<_>>(), [false, false, true]);
}

#[tokio::test]
async fn what_is_old_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let settings = IntakeSettings { aside_octets: 100, ..IntakeSettings::default() };
    let intake = intake(folder.path(), settings).await;
    let day = 86_400;
    for (number, octets) in
        [numbered(1), "rubbish".into(), numbered(2), "more".into()].into_iter().enumerate()
    {
        let now = UnixTime(NOW.0 + u64::try_from(number).unwrap() * 300 * day);
        intake.accept(octets.into_bytes(), Arrival::file("x"), now).await.unwrap();
    }
    let view = ReceivedView::open(folder.path()).unwrap().unwrap();
    intake.forget(UnixTime(NOW.0 + 399 * day)).await.unwrap();
    assert_eq!((reports(folder.path()).len(), view.asides(9).unwrap().len()), (2, 2));
    intake.forget(UnixTime(NOW.0 + 801 * day)).await.unwrap();
    assert_eq!((reports(folder.path()).len(), view.asides(9).unwrap().len()), (1, 1));
    let kept = &reports(folder.path())[0];
    assert_eq!((&*kept.domain, kept.name.as_str()), ("example.com", "2"));
    assert_eq!(view.details(kept.id).unwrap().records[0].auth.split(' ').count(), 2);
    intake.forget(UnixTime(NOW.0 + 5_000 * day)).await.unwrap();
    assert_eq!((reports(folder.path()).len(), view.asides(9).unwrap().len()), (0, 0));
}

#[tokio::test]
async fn room_for_what_is_kept_aside_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let settings = IntakeSettings { aside_octets: 60, ..IntakeSettings::default() };
    let intake = intake(folder.path(), settings).await;
    for octets in ["first rubbish", "second rubbish"] {
        intake.accept(octets.into(), Arrival::file("x"), NOW).await.unwrap();
    }
    intake.forget(NOW).await.unwrap();
    let view = ReceivedView::open(folder.path()).unwrap().unwrap();
    let octets = |id| view.aside_octets(id).unwrap();
    assert_eq!((octets(1).is_some(), octets(2).is_some()), (false, true));
    assert_eq!(view.asides(9).unwrap().len(), 2);
}

#[tokio::test]
async fn failure_reports_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let intake = intake(folder.path(), IntakeSettings::default()).await;
    for _ in 0..2 {
        intake.accept(FEEDBACK.into(), Arrival::file("x"), NOW).await.unwrap();
    }
    let rows = reports(folder.path());
    assert_eq!((rows.len(), rows[0].kind, rows[0].duplicates), (1, ReceivedKind::Failure, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// In whatever order and however often mails come, each report is there once.
    #[test]
    fn twice_is_once(order in prop::collection::vec(0_usize..6, 1..30)) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let intake = intake(folder.path(), IntakeSettings::default()).await;
            for number in &order {
                let octets = match number {
                    5 => TLS.to_owned(),
                    number => numbered(*number),
                };
                intake.accept(octets.into_bytes(), Arrival::file("x"), NOW).await.unwrap();
            }
        });
        let rows = reports(folder.path());
        let distinct = order.iter().collect::<std::collections::BTreeSet<_>>().len();
        prop_assert_eq!(rows.len(), distinct);
        let again: u64 = rows.iter().map(|row| row.duplicates).sum();
        prop_assert_eq!(again, u64::try_from(order.len() - distinct).unwrap());
    }
}
