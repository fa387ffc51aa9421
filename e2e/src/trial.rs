//! One run of all cases through a lab: the healthy time, the power cut, the attack, the count.

use crate::daemon::Log;
use crate::error::LabError;
use crate::lab::Lab;
use crate::maillog::Delivery;
use crate::outcome::Outcome;
use crate::postfix::MapAnswer;
use crate::rogue::Capture;
use crate::submission::submit;
use crate::waxseal::PORT;
use crate::zones::Numbered;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long a letter may take from the sender's "sent" to the receiver's log.
const HANDOVER: Duration = Duration::from_secs(10);
/// How many questions are asked at the same time.
const AT_A_TIME: usize = 12;

/// Runs the cases of the lab, and hands back what came of each, in their order.
pub fn run(lab: &mut Lab, waxseal: &Path) -> Result<Vec<Outcome>, LabError> {
    let deadline = lab.deadline();
    lab.start_waxseal(waxseal)?;
    let earlier = ask_for_each(lab, |numbered| match numbered.case.earlier {
        Some(_) => ask(lab, "QUERY", numbered).map(Some),
        None => Ok(None),
    })?;
    if let Some(waxseal) = lab.waxseal.take() {
        waxseal.kill();
    }
    lab.attack()?;
    lab.start_waxseal(waxseal)?;

    let answers = ask_for_each(lab, |numbered| {
        Ok([ask(lab, "QUERY", numbered)?, ask(lab, "QUERYwithTLSRPT", numbered)?])
    })?;
    let letters: Vec<String> = lab.cases.iter().map(recipient).collect();
    let queue_ids = lab.network.sender.within(|| submit(&letters))?;
    wait_for_ends(lab, &queue_ids, deadline);
    let probes: Vec<Option<String>> =
        lab.cases.iter().map(|numbered| probe(lab, numbered, deadline)).collect();
    let deliveries = deliveries(lab.sender.log());
    let captures: Vec<Capture> =
        lab.cases.iter().map(|numbered| lab.rogue.capture(numbered.number)).collect();
    wait_for_arrivals(lab, &deliveries, &captures, deadline);
    let arrived = self::deliveries(lab.receiver.log());
    let queue = lab.sender.queue()?;

    let answers = earlier.into_iter().zip(answers).zip(probes);
    let seen = lab.cases.iter().zip(answers).zip(queue_ids.iter().zip(captures));
    let outcomes = seen.map(|((numbered, ((earlier, now), probe)), (queue_id, rogue))| {
        let [query, query_with_tlsrpt] = now;
        let domain = &numbered.case.domain;
        let address = format!("\"{}\"", recipient(numbered));
        let mine = |delivery: &&Delivery| delivery.domain() == domain;
        Outcome {
            earlier,
            query,
            query_with_tlsrpt,
            delivery: deliveries.iter().find(|delivery| delivery.queue_id == *queue_id).cloned(),
            receiver: arrived.iter().filter(mine).count(),
            queue: queue.iter().filter(|entry| entry.contains(&address)).count(),
            probe,
            rogue,
            reports: lab.reports.lines(|line| line.contains(&format!("\"{domain}\""))),
            mail_log: lab
                .sender
                .log()
                .lines(|line| line.contains(&format!(": {queue_id}: ")) || line.contains(domain)),
        }
    });
    Ok(outcomes.collect())
}

/// Waits until Postfix has said of every letter what became of it. A letter of which nothing is
/// heard is a failed case, not the end of the run.
fn wait_for_ends(lab: &Lab, queue_ids: &[String], deadline: Instant) {
    let _ = lab.sender.log().wait_for("the end of every letter", deadline, |lines| {
        let ended = lines.iter().filter_map(|line| Delivery::parse(line));
        let ended = ended.filter(|delivery| queue_ids.contains(&delivery.queue_id)).count();
        (ended == queue_ids.len()).then_some(())
    });
}

/// Waits for what Waxseal writes about the mail server of a case, if the case expects a word of it.
fn probe(lab: &Lab, numbered: &Numbered, deadline: Instant) -> Option<String> {
    numbered.case.expect.probe.as_ref()?;
    let domain = format!(" domain={} ", numbered.case.domain);
    let about = |line: &&String| line.contains("mode testing: ") && line.contains(&domain);
    let log = lab.waxseal.as_ref()?.log();
    let soon = deadline.min(Instant::now() + HANDOVER);
    log.wait_for("what a probe has found", soon, |lines| lines.iter().find(about).cloned()).ok()
}

/// Waits until the receiver has written about every letter that was sent and that the rogue has
/// not got. What is missing after that shows in the count.
fn wait_for_arrivals(lab: &Lab, deliveries: &[Delivery], captures: &[Capture], deadline: Instant) {
    let sent = deliveries.iter().filter(|delivery| delivery.status == "sent").count();
    let lost: usize = captures.iter().map(|capture| capture.letters.len()).sum();
    let arriving = sent.saturating_sub(lost);
    let soon = deadline.min(Instant::now() + HANDOVER);
    let _ = lab.receiver.log().wait_for("the letters that were sent", soon, |lines| {
        let arrived = lines.iter().filter_map(|line| Delivery::parse(line)).count();
        (arrived >= arriving).then_some(())
    });
}

fn recipient(numbered: &Numbered) -> String {
    format!("letter@{}", numbered.case.domain)
}

/// Asks about several cases at a time: `postmap` rests for a second before it reports a failure.
fn ask_for_each<T: Send>(
    lab: &Lab,
    question: impl Fn(&Numbered) -> Result<T, LabError> + Sync,
) -> Result<Vec<T>, LabError> {
    let mut answers = Vec::new();
    for group in lab.cases.chunks(AT_A_TIME) {
        let asked: Vec<Result<T, LabError>> = thread::scope(|scope| {
            let askers: Vec<_> =
                group.iter().map(|numbered| scope.spawn(|| question(numbered))).collect();
            let joined = askers.into_iter().map(|asker| asker.join());
            joined.map(|done| done.unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        answers.extend(asked.into_iter().collect::<Result<Vec<T>, LabError>>()?);
    }
    Ok(answers)
}

/// Asks Waxseal through Postfix's own client.
fn ask(lab: &Lab, question: &str, numbered: &Numbered) -> Result<MapAnswer, LabError> {
    let map = format!("socketmap:inet:127.0.0.1:{PORT}:{question}");
    lab.sender.postmap_query(&map, &numbered.case.domain)
}

fn deliveries(log: &Log) -> Vec<Delivery> {
    log.lines(|_| true).iter().filter_map(|line| Delivery::parse(line)).collect()
}
