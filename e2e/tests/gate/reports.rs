//! A DMARC report, from the mail that it is about to the mailbox of the domain's owner: the real
//! daemon counts, closes the day, makes the report, and hands it to the real Postfix, whose milter
//! is that same daemon. Nobody waits for the next day: the daemon begins with a clock that is three
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
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

/// Who gets the report.
const OWNER: &str = "dmarc@away.test";

const DAY: Duration = Duration::from_secs(86_400);

/// The whole way.
pub(crate) fn from_mail_to_report(lab: &mut GateLab, key: &LabKey) -> Result<Check, LabError> {
    lab.end_waxseal()?;
    lab.start_waxseal_days_ago(3)?;
    if let Err(wrong) = mail_of_a_day(lab, key)? {
        return Ok(Err(wrong));
    }
    // All is on the disk when it has ended.
    lab.end_waxseal()?;
    // The day is over, so the report is made; its first try is some time in the next four hours.
    lab.start_waxseal_days_ago(1)?;
    lab.wait_until("a report in the outbox", || {
        let config = lab.config_file();
        let list = ["outbox", "list", "--json", "--config", &config];
        let document = succeed(lab.waxseal_command(&list))?;
        let document: Value = serde_json::from_str(&document).unwrap_or_default();
        let letters = document["letters"].as_array().into_iter().flatten();
        let mut about = letters.filter(|letter| letter["domain"] == REPORTED.name);
        Ok(about.next().map(drop))
    })?;
    lab.end_waxseal()?;
    lab.start_waxseal()?;

    let to = format!(" to=<{OWNER}>, ");
    let id = lab.postfix.log().wait_for("the report", lab.deadline(), |lines| {
        let sent = lines.iter().find(|line| line.contains(&to) && line.contains("status=sent"))?;
        Some(sent.split_once("]: ")?.1.split_once(':')?.0.to_owned())
    })?;
    lab.place(&id)?;
    let found = lab.mailbox(OWNER)?;
    let [report] = found.as_slice() else {
        return Ok(Err(format!("expected one report, found {}", found.len())));
    };
    let peers = Peers::new(lab)?;
    if let Err(wrong) = is_signed(&peers, report)? {
        return Ok(Err(wrong));
    }
    is_understood(&peers, report)
}

/// Four letters in the name of one domain, each with another fate.
fn mail_of_a_day(lab: &GateLab, key: &LabKey) -> Result<Result<(), String>, LabError> {
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
        sent(LISTS.server, "bounces@lists.test", "reported-list", &by_list(lab, key)?)?,
    ];
    let expected = [Ok(Place::Mailbox), Ok(Place::Mailbox), Err(550), Ok(Place::Mailbox)];
    Ok(match found == expected {
        true => Ok(()),
        false => Err(format!("expected {expected:?}, found {found:?}")),
    })
}

/// Changed by a list that we trust.
fn by_list(lab: &GateLab, key: &LabKey) -> Result<Vec<u8>, LabError> {
    let original = signed(key, REPORTED, &letter(REPORTED, "reported-list"));
    let changed = replaced(&original, "Subject: ", "Subject: [list] ");
    let results = b"Authentication-Results: lists.test; dmarc=pass header.from=reported.test\r\n";
    let then = SystemTime::now() - 3 * DAY;
    Peers::new(lab)?.waxseal_seal_at(then, LISTS.name, &[results, &changed[..]].concat())
}

/// What parsedmarc reads is what has happened, and it has nothing to complain about.
fn is_understood(peers: &Peers<'_>, report: &Letter) -> Result<Check, LabError> {
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
    Ok(match rows == ROWS {
        true => Ok("signed once by each key, four rows read by parsedmarc".to_owned()),
        false => Err(format!("expected {ROWS:?}, found {rows:?}")),
    })
}

/// From where, how many, what came of them, aligned DKIM, aligned SPF, and why it was not as asked.
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
