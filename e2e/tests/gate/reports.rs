//! DMARC reports, from the mail that they are about to the mailbox of the domain's owner: the real
//! daemon counts, closes the day, makes the report, and hands it to the real Postfix, whose milter
//! is that same daemon. Nobody waits for the next day: the daemon begins with a clock that is some
//! days slow, and starts again with one that is less so.

use crate::case::Check;
use crate::incoming::replaced;
use crate::outgoing::is_signed;
use e2e::command::succeed;
use e2e::error::LabError;
use e2e::gate::GateLab;
use e2e::gate::mailbox::{Letter, Place};
use e2e::gate::peers::Peers;
use e2e::gate::signature::LabKey;
use e2e::gate::smtp::Envelope;
use e2e::gate::world::{Domain, LISTS, REPORTED, STRANGER, letter, signed};
use serde_json::Value;
use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

/// Who gets the report.
const OWNER: &str = "dmarc@away.test";

const DAY: Duration = Duration::from_secs(86_400);

/// In which form reports are written, as the configuration says it.
const FORMS: [&str; 2] = ["rfc7489", "rfc9990"];

/// The whole way, in both forms.
pub(crate) fn from_mail_to_report(lab: &mut GateLab, key: &LabKey) -> Result<Check, LabError> {
    for (form, days_ago) in FORMS.into_iter().zip([6, 3]) {
        write_in(lab, form)?;
        if let Err(wrong) = day(lab, key, days_ago)? {
            return Ok(Err(wrong));
        }
    }
    lab.end_waxseal()?;
    lab.start_waxseal()?;
    let peers = Peers::new(lab)?;
    let reports = delivered(lab)?;
    let mut forms = Vec::new();
    for report in &reports {
        if let Err(wrong) = is_signed(&peers, report)? {
            return Ok(Err(wrong));
        }
        match is_understood(&peers, report)? {
            Ok(form) => forms.push(form),
            Err(wrong) => return Ok(Err(wrong)),
        }
    }
    if let Err(wrong) = is_taken_in(lab, &reports)? {
        return Ok(Err(wrong));
    }
    forms.sort_unstable();
    Ok(match forms == FORMS {
        true => Ok("two, signed once by each key, read by parsedmarc and taken in".to_owned()),
        false => Err(format!("expected reports in the forms {FORMS:?}, found {forms:?}")),
    })
}

/// Changes a setting, for the next start.
fn write_in(lab: &GateLab, form: &str) -> Result<(), LabError> {
    let file = lab.config_file();
    let settings = String::from_utf8_lossy(&e2e::gate::read(file.as_ref())?).into_owned();
    let lines = settings.lines().filter(|line| !line.starts_with("schema = "));
    let settings = lines.collect::<Vec<_>>().join("\n");
    let settings = settings.replace("dmarc = true", &format!("dmarc = true\nschema = \"{form}\""));
    fs::write(&file, settings).map_err(LabError::io(file))
}

/// Mail arrives, and a report is made when the day is over.
fn day(lab: &mut GateLab, key: &LabKey, days_ago: u32) -> Result<Result<(), String>, LabError> {
    lab.end_waxseal()?;
    lab.start_waxseal_days_ago(days_ago)?;
    let before = in_outbox(lab)?;
    if let Err(wrong) = mail_of_a_day(lab, key, SystemTime::now() - days_ago * DAY)? {
        return Ok(Err(wrong));
    }
    // All is on the disk when it has ended.
    lab.end_waxseal()?;
    // Two days later, so that midnight does no harm. The first try of a letter is some time in the
    // next four hours.
    lab.start_waxseal_days_ago(days_ago - 2)?;
    let is_made = || Ok((in_outbox(lab)? > before).then_some(()));
    lab.wait_until("a report in the outbox", is_made).map(Ok)
}

/// How many reports about the domain there are.
fn in_outbox(lab: &GateLab) -> Result<usize, LabError> {
    let config = lab.config_file();
    let list = ["outbox", "list", "--json", "--config", &config];
    let document = succeed(lab.waxseal_command(&list))?;
    let document: Value = serde_json::from_str(&document).unwrap_or_default();
    let letters = document["letters"].as_array().into_iter().flatten();
    Ok(letters.filter(|letter| letter["domain"] == REPORTED.name).count())
}

/// All reports, when Postfix has delivered so many as there are forms.
fn delivered(lab: &GateLab) -> Result<Vec<Letter>, LabError> {
    let to = format!(" to=<{OWNER}>, ");
    let ids = lab.postfix.log().wait_for("the reports", lab.deadline(), |lines| {
        let sent = lines.iter().filter(|line| line.contains(&to) && line.contains("status=sent"));
        let id = |line: &String| Some(line.split_once("]: ")?.1.split_once(':')?.0.to_owned());
        let ids: Vec<String> = sent.filter_map(id).collect();
        (ids.len() >= FORMS.len()).then_some(ids)
    })?;
    for id in &ids {
        lab.place(id)?;
    }
    lab.mailbox(OWNER)
}

/// Four letters in the name of one domain, each with another fate.
fn mail_of_a_day(
    lab: &GateLab,
    key: &LabKey,
    then: SystemTime,
) -> Result<Result<(), String>, LabError> {
    let usual = |name: &str| letter(REPORTED, name);
    let good = signed(key, REPORTED, &usual("reported-signed"));
    let path = "author@reported.test";
    let sent = |from: Ipv4Addr, mail_from: &str, name: &str, octets: &[u8]| {
        let to = format!("{name}@ours.test");
        let helo = format!("mail.{}", mail_from.split('@').next_back().unwrap_or_default());
        let envelope = Envelope { helo: &helo, mail_from, to: &to };
        let reply = lab.hand_over(from, &envelope, octets)?;
        match reply.queue_id() {
            Some(id) => lab.place(id).map(Ok),
            None => Ok(Err(reply.code)),
        }
    };
    let Domain { server, .. } = REPORTED;
    let found = [
        sent(server, path, "reported-signed", &good)?,
        sent(server, path, "reported-unsigned", &usual("reported-unsigned"))?,
        sent(STRANGER, path, "reported-forged", &usual("reported-forged"))?,
        sent(LISTS.server, "bounces@lists.test", "reported-list", &by_list(lab, key, then)?)?,
    ];
    let expected = [Ok(Place::Mailbox), Ok(Place::Mailbox), Err(550), Ok(Place::Mailbox)];
    Ok(match found == expected {
        true => Ok(()),
        false => Err(format!("expected {expected:?}, found {found:?}")),
    })
}

/// Changed by a list that we trust.
fn by_list(lab: &GateLab, key: &LabKey, then: SystemTime) -> Result<Vec<u8>, LabError> {
    let original = signed(key, REPORTED, &letter(REPORTED, "reported-list"));
    let changed = replaced(&original, "Subject: ", "Subject: [list] ");
    let results = b"Authentication-Results: lists.test; dmarc=pass header.from=reported.test\r\n";
    Peers::new(lab)?.waxseal_seal_at(then, LISTS.name, &[results, &changed[..]].concat())
}

/// What parsedmarc reads is what has happened, and it has nothing to complain about. Returns the form
/// of the report.
fn is_understood(
    peers: &Peers<'_>,
    report: &Letter,
) -> Result<Result<&'static str, String>, LabError> {
    let (read, complaint) = peers.parsedmarc(&report.with_crlf())?;
    if !complaint.is_empty() {
        return Ok(Err(format!("expected no complaint of parsedmarc, found {complaint}")));
    }
    let [about] = read["aggregate_reports"].as_array().map_or(&[][..], Vec::as_slice) else {
        return Ok(Err(format!("expected one aggregate report, found {read}")));
    };
    let (errors, policy) = (&about["report_metadata"]["errors"], &about["policy_published"]);
    let is_well = errors.as_array().is_some_and(Vec::is_empty);
    if !is_well || policy["domain"] != REPORTED.name || policy["p"] != "reject" {
        return Ok(Err(format!("expected the policy of the domain, found {policy}, {errors}")));
    }
    let records = about["records"].as_array().into_iter().flatten();
    let mut rows: Vec<String> = records.map(row).collect();
    rows.sort();
    // RFC 7489 has no word for mail that passes.
    let old = ROWS.map(|row| row.replace(" pass f", " none f").replace(" pass p", " none p"));
    let is_old = about["xml_namespace"].is_null();
    Ok(match (is_old, rows) {
        (true, rows) if rows == old => Ok("rfc7489"),
        (false, rows) if rows == ROWS => Ok("rfc9990"),
        (_, rows) => Err(format!("expected {ROWS:?}, found {rows:?}")),
    })
}

/// Waxseal takes in what Waxseal has sent: a report of each mail, with all messages of its day.
fn is_taken_in(lab: &GateLab, reports: &[Letter]) -> Result<Result<(), String>, LabError> {
    let (mails, state) = (lab.folder.join("reports"), lab.folder.join("receiver-state"));
    fs::create_dir_all(&mails).map_err(LabError::io(mails.display().to_string()))?;
    for (number, report) in reports.iter().enumerate() {
        let file = mails.join(format!("{number}.eml"));
        fs::write(&file, report.with_crlf()).map_err(LabError::io(file.display().to_string()))?;
    }
    let (mails, state) = (mails.display().to_string(), state.display().to_string());
    succeed(lab.waxseal_command(&["reports", "import", &mails, "--state-dir", &state]))?;
    let list = ["reports", "list", "--json", "--state-dir", &state];
    let document: Value =
        serde_json::from_str(&succeed(lab.waxseal_command(&list))?).unwrap_or_default();
    let taken = document["reports"].as_array().cloned().unwrap_or_default();
    let is_one = |report: &&Value| {
        report["kind"] == "dmarc-aggregate"
            && report["domain"] == REPORTED.name
            && report["messages"] == ROWS.len()
    };
    Ok(match taken.iter().filter(is_one).count() == FORMS.len() && taken.len() == FORMS.len() {
        true => Ok(()),
        false => Err(format!("expected {} reports, found {document}", FORMS.len())),
    })
}

/// From where, how many, what became of them, aligned DKIM, aligned SPF, and why it was not as asked.
const ROWS: [&str; 4] = [
    "10.8.0.5 1 none fail fail trusted_forwarder",
    "10.8.0.66 1 reject fail fail ",
    "10.8.0.8 1 pass fail pass ",
    "10.8.0.8 1 pass pass pass ",
];

fn row(record: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let evaluated = &record["policy_evaluated"];
    let reasons = evaluated["policy_override_reasons"].as_array().into_iter().flatten();
    let reasons: Vec<String> = reasons.map(|reason| text(&reason["type"])).collect();
    format!(
        "{} {} {} {} {} {}",
        text(&record["source"]["ip_address"]),
        record["count"],
        text(&evaluated["disposition"]),
        text(&evaluated["dkim"]),
        text(&evaluated["spf"]),
        reasons.join(",")
    )
}
