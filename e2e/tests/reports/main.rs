//! TLS reports (RFC 8460) from end to end: letters under attack, the datagrams of the sending
//! Postfix, the reports of the Waxseal beside it, by mail and by https, and what another Waxseal, that
//! of the domains that were attacked, makes of them.
//!
//! Nobody waits for the next day: both run with the clock that the test tells them. Needs root and
//! what `cargo run -p e2e -- setup` installs. What the servers wrote lies in `target/e2e/reports`
//! afterwards.

mod told;

use e2e::command::{outcome, succeed};
use e2e::error::LabError;
use e2e::lab::Lab;
use e2e::reporting::{self, Intake, RUA, Way};
use e2e::submission::submit;
use e2e::waxseal;
use e2e::zones::Numbered;
use e2e::{load, trial};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use told::{CASES, Told, lines};

/// A run takes less than a minute on two cores; nothing in it waits for this limit.
const LIMIT: Duration = Duration::from_secs(300);
/// Between two looks at what no log tells.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
const DAY: u64 = 86_400;

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the lab could not be run: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What was expected and not found.
type Wrong = Vec<String>;

fn run() -> Result<usize, LabError> {
    let start = Instant::now();
    let binary = waxseal::binary()?;
    let mut cases = load::all()?;
    cases.retain(|numbered| told(numbered).is_some());
    let way = |numbered: &Numbered| told(numbered).map_or(Way::Mail, |told| told.way);
    let prepare =
        |folder: &Path, cases: &mut [Numbered]| reporting::prepare(folder, cases, &binary, way);
    let mut lab = Lab::build_with("reports", cases, prepare, LIMIT)?;
    println!("the lab stands after {:.1} s", start.elapsed().as_secs_f32());

    // Days that are over, so that nothing comes from the future.
    let today = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let noon = today.as_secs() / DAY * DAY + DAY / 2 - 4 * DAY;
    let mut run = Run { binary, lab: &mut lab, noon, passed: 0, failed: 0 };
    let counted = run.attacked()?;
    run.show("counted", &counted);
    let made = run.made()?;
    run.show("made", &made);
    let intake = Intake::start(run.lab, &run.binary, noon + 3 * DAY)?;
    let delivered = run.delivered()?;
    run.show("delivered", &delivered);
    let posted = run.posted(&intake)?;
    run.show("posted", &posted);
    let taken = run.taken()?;
    run.show("taken-in", &taken);
    let explained = run.explained()?;
    run.show("explained", &explained);
    let silent = run.silent()?;
    run.show("silent", &silent);
    let (passed, failed) = (run.passed, run.failed);
    println!("{:.1} s in all", start.elapsed().as_secs_f32());
    println!("{passed} passed, {failed} failed");
    if failed > 0 {
        println!("last lines of the other waxseal:\n{}", intake.waxseal.log.last(40).join("\n"));
    }
    Ok(failed)
}

/// What is expected of a case, if it is among those that are run.
fn told(numbered: &Numbered) -> Option<&'static Told> {
    CASES.iter().find(|told| told.case == numbered.case.name())
}

struct Run<'l> {
    binary: PathBuf,
    lab: &'l mut Lab,
    /// The day of the attack.
    noon: u64,
    passed: usize,
    failed: usize,
}

impl Run<'_> {
    fn show(&mut self, step: &str, wrong: &Wrong) {
        println!("{} {step}", if wrong.is_empty() { "ok    " } else { "FAILED" });
        wrong.iter().for_each(|wrong| println!("         {wrong}"));
        match wrong.is_empty() {
            true => self.passed += 1,
            false => self.failed += 1,
        }
    }

    /// The next start of the sender is so many days after the attack.
    fn set_clock(&mut self, days: u64) {
        let (config, at) = (self.settings("sender.toml"), self.noon + days * DAY);
        let arguments = ["serve", "--config", &config, "--at", &at.to_string()];
        self.lab.arguments = arguments.map(str::to_owned).to_vec();
    }

    /// Starts the sender again, so many days after the attack.
    fn serve(&mut self, days: u64) -> Result<(), LabError> {
        if let Some(waxseal) = self.lab.waxseal.take() {
            waxseal.end(self.lab.deadline())?;
        }
        self.set_clock(days);
        self.lab.start_waxseal(&self.binary)
    }

    fn settings(&self, file: &str) -> String {
        self.lab.folder.join(file).display().to_string()
    }

    /// A verb about the state of one of both, at so many days after the attack.
    fn verb(&self, file: &str, days: u64, verb: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(verb).args(["--config", &self.settings(file)]);
        command.args(["--at", &(self.noon + days * DAY).to_string()]);
        command
    }

    fn json(&self, file: &str, days: u64, verb: &[&str]) -> Result<Value, LabError> {
        let output = outcome(self.verb(file, days, verb))?;
        Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
    }

    /// Waits until `find` finds something, which no log tells.
    fn until<T>(
        &self,
        expected: &str,
        mut find: impl FnMut() -> Result<Option<T>, LabError>,
    ) -> Result<T, LabError> {
        loop {
            if let Some(found) = find()? {
                return Ok(found);
            }
            if Instant::now() >= self.lab.deadline() {
                let log = self.lab.waxseal.as_ref().map(|one| one.log().last(20).join("\n"));
                let (expected, log) = (expected.to_owned(), log.unwrap_or_default());
                return Err(LabError::Deadline { expected, log });
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// What the store says of the sessions with a domain, a line for each policy and each failure.
    fn counted(&self, domain: &str) -> Result<Vec<String>, LabError> {
        let verb = ["outbox", "preview", domain, "--kind", "tls"];
        Ok(lines(&self.json("sender.toml", 0, &verb)?))
    }

    /// Takes the keys into use, now that the DNS has them.
    fn keys(&self) -> Result<(), LabError> {
        let mut check = self.lab.network.sender.command(&self.binary.display().to_string());
        check.args(["dkim", "check", "--apply", "--config", &self.settings("sender.toml")]);
        succeed(check).map(drop)
    }

    /// Letters go out under attack. What was told of the sessions is in the store, each once.
    fn attacked(&mut self) -> Result<Wrong, LabError> {
        self.keys()?;
        self.set_clock(0);
        let deadline = self.lab.deadline();
        let outcomes = trial::run(self.lab, &self.binary)?;
        let mut wrong = Vec::new();
        for (numbered, outcome) in self.lab.cases.iter().zip(&outcomes) {
            for difference in outcome.differences(&numbered.case.expect) {
                wrong.push(format!("{}: {difference}", numbered.case.name()));
            }
        }
        // The mail server of reports does not show the certificate that it promises.
        let usual = [RUA.to_owned()];
        let queue_ids = self.lab.network.sender.within(|| submit(&usual))?;
        let log = self.lab.sender.log();
        let end = log.wait_for("the end of a letter to rua.test", deadline, |lines| {
            let id = queue_ids.first()?;
            lines.iter().find(|l| l.contains(id) && l.contains(" status=")).cloned()
        })?;
        if !end.contains("status=deferred (Server certificate not verified)") {
            wrong.push(format!("expected a letter to {RUA} to wait, found {end}"));
        }
        let wanted = self.lab.cases.iter().filter_map(|n| Some((n.case.domain.clone(), told(n)?)));
        let wanted: Vec<(String, &Told)> = wanted.collect();
        for (domain, told) in &wanted {
            // What Waxseal finds out itself may come a little later.
            let soon = Instant::now() + Duration::from_secs(10);
            self.until("sessions", || {
                let found = self.counted(domain)?;
                let is_all = found.len() >= told.sessions.len() || Instant::now() > soon;
                Ok(is_all.then_some(()))
            })?;
        }
        if let Some(waxseal) = self.lab.waxseal.take() {
            waxseal.end(deadline)?;
        }
        for (domain, told) in &wanted {
            let found = self.counted(domain)?;
            if found != told.sessions {
                wrong.push(format!("{}: expected {:?}, found {found:?}", told.case, told.sessions));
            }
        }
        let found = self.counted("rua.test")?;
        if found != told::RUA {
            wrong.push(format!("rua.test: expected {:?}, found {found:?}", told::RUA));
        }
        Ok(wrong)
    }

    /// The letters in the outbox.
    fn outbox(&self) -> Result<Vec<Value>, LabError> {
        let config = self.settings("sender.toml");
        let mut list = Command::new(&self.binary);
        list.args(["outbox", "list", "--limit", "200", "--json", "--config", &config]);
        let document: Value = serde_json::from_str(&succeed(list)?).unwrap_or_default();
        Ok(document["letters"].as_array().cloned().unwrap_or_default())
    }

    /// The day is over: a report for each domain and each place.
    fn made(&mut self) -> Result<Wrong, LabError> {
        self.serve(2)?;
        let mut expected = vec![format!("rua.test {RUA}")];
        for numbered in &self.lab.cases {
            let way = told(numbered).map(|told| told.way);
            let domain = &numbered.case.domain;
            if way != Some(Way::Https) {
                expected.push(format!("{domain} {RUA}"));
            }
            if way != Some(Way::Mail) {
                expected.push(format!("{domain} https"));
            }
        }
        expected.sort();
        let letters = self.until("reports in the outbox", || {
            let letters = self.outbox()?;
            Ok((letters.len() >= expected.len()).then_some(letters))
        })?;
        let mut found: Vec<String> = letters
            .iter()
            .map(|letter| {
                let recipient = letter["recipient"].as_str().unwrap_or_default();
                let recipient = recipient.split_once("://").map_or(recipient, |(word, _)| word);
                format!("{} {recipient}", letter["domain"].as_str().unwrap_or_default())
            })
            .collect();
        found.sort();
        Ok(match found == expected {
            true => Vec::new(),
            false => vec![format!("expected {expected:?}, found {found:?}")],
        })
    }

    /// Another day later all of them have reached their places, though the mail server of `rua.test`
    /// is not the one that its TLSA records promise.
    fn delivered(&mut self) -> Result<Wrong, LabError> {
        self.serve(3)?;
        let letters = self.until("the end of each letter", || {
            let letters = self.outbox()?;
            let waits =
                |letter: &Value| matches!(letter["state"].as_str(), Some("queued" | "sending"));
            Ok((!letters.iter().any(waits)).then_some(letters))
        })?;
        let mut wrong: Vec<String> = letters
            .iter()
            .filter(|letter| letter["state"] != "delivered")
            .map(|letter| format!("expected a letter that was delivered, found {letter}"))
            .collect();
        let mails = letters.iter().filter(|letter| letter["recipient"] == RUA).count();
        let to = format!("to=<{RUA}>");
        let sent = self.lab.sender.log().wait_for("the mails", self.lab.deadline(), |lines| {
            let ended = |line: &&String| {
                line.contains("postfix/report/smtp[")
                    && line.contains(&to)
                    && line.contains(" status=")
            };
            let ended: Vec<String> = lines.iter().filter(ended).cloned().collect();
            (ended.len() >= mails).then_some(ended)
        })?;
        wrong.extend(sent.into_iter().filter(|line| !line.contains(" status=sent ")));
        Ok(wrong)
    }

    /// What came by https is the report, packed, and was stored.
    fn posted(&self, intake: &Intake) -> Result<Wrong, LabError> {
        let ways = self.lab.cases.iter().filter_map(|n| Some((&n.case.domain, told(n)?.way)));
        let expected: BTreeSet<String> =
            ways.filter(|(_, way)| *way != Way::Mail).map(|(domain, _)| domain.clone()).collect();
        let (mut wrong, mut found) = (Vec::new(), BTreeSet::new());
        for (number, post) in intake.front.posts().iter().enumerate() {
            let is_report = post
                .head
                .to_ascii_lowercase()
                .contains("\r\ncontent-type: application/tlsrpt+gzip\r\n");
            if !is_report || !post.answer.contains(" 201") {
                wrong.push(format!(
                    "expected a report and 201, found {} {}",
                    post.head, post.answer
                ));
            }
            let file = self.lab.folder.join(format!("post-{number}.json.gz"));
            std::fs::write(&file, &post.body).map_err(LabError::io(file.display().to_string()))?;
            let mut show = Command::new(&self.binary);
            show.args(["reports", "show", "--json"]).arg(&file);
            let document: Value = serde_json::from_str(&succeed(show)?).unwrap_or_default();
            let text = document.to_string();
            found.extend(expected.iter().filter(|d| text.contains(&format!("\"{d}\""))).cloned());
        }
        if found != expected {
            wrong.push(format!("expected posts about {expected:?}, found {found:?}"));
        }
        Ok(wrong)
    }

    /// The other Waxseal has one report of each domain, and believes those that came by mail.
    fn taken(&self) -> Result<Wrong, LabError> {
        let mut wrong = Vec::new();
        let list = ["reports", "list", "--limit", "200", "--json"];
        let wanted = self.lab.cases.len() + 1;
        let document = self.until("reports taken in", || {
            let document = self.json("receiver.toml", 3, &list)?;
            let count = document["reports"].as_array().map_or(0, Vec::len);
            Ok((count >= wanted).then_some(document))
        })?;
        let reports = document["reports"].as_array().into_iter().flatten();
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for report in reports {
            let (domain, grade) = (word(&report["domain"]), word(&report["grade"]));
            let found = found.entry(domain.to_owned()).or_default();
            found.push(format!("{grade}, {} more", report["duplicates"]));
        }
        for numbered in &self.lab.cases {
            let Some(told) = told(numbered) else { continue };
            let expected = match told.way {
                Way::Mail => "authenticated, 0 more",
                Way::Https => "unauthenticated, 0 more",
                Way::Both => "authenticated, 1 more",
            };
            let found = found.get(&numbered.case.domain).map_or(&[][..], Vec::as_slice);
            if found != [expected] {
                wrong.push(format!("{}: expected {expected}, found {found:?}", told.case));
            }
        }
        Ok(wrong)
    }

    /// It names the cause of each failure.
    fn explained(&self) -> Result<Wrong, LabError> {
        let document = self.json("receiver.toml", 3, &["reports", "problems", "--json"])?;
        let problems = document["problems"].as_array().cloned().unwrap_or_default();
        let mut wrong = Vec::new();
        let rua = ("rua.test".to_owned(), &["tls-tlsa-mismatch"][..]);
        let cases = self.lab.cases.iter();
        let cases = cases.filter_map(|n| Some((n.case.domain.clone(), told(n)?.causes)));
        for (domain, causes) in cases.chain([rua]) {
            let of_domain = problems.iter().filter(|p| word(&p["domain"]) == domain);
            let mut found: Vec<&str> = of_domain.filter_map(|p| p["id"].as_str()).collect();
            found.sort_unstable();
            if found != causes {
                wrong.push(format!("{domain}: expected {causes:?}, found {found:?}"));
            }
        }
        Ok(wrong)
    }

    /// Nothing was counted of the sessions in which reports went out.
    fn silent(&self) -> Result<Wrong, LabError> {
        let document =
            self.json("sender.toml", 3, &["outbox", "preview", "--kind", "tls", "--json"])?;
        let counted = document["tls"].as_array().cloned();
        Ok(match counted.as_deref() {
            Some([]) => Vec::new(),
            _ => vec![format!("expected nothing counted, found {document}")],
        })
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
