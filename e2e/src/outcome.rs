//! What came of a case, and whether it is what the case file says.

use crate::case::Expect;
use crate::maillog::Delivery;
use crate::postfix::MapAnswer;
use crate::rogue::Capture;

/// All that was seen of one case.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The answer in the healthy time; `None` when the case has none.
    pub earlier: Option<MapAnswer>,
    /// The answer to Postfix's plain question.
    pub query: MapAnswer,
    /// The answer to the question with the attributes for TLSRPT.
    pub query_with_tlsrpt: MapAnswer,
    /// What the sending Postfix wrote about the letter's end; `None` when it wrote nothing in time.
    pub delivery: Option<Delivery>,
    /// Letters at the real receiver.
    pub receiver: usize,
    /// Letters that wait in the sender's queue.
    pub queue: usize,
    /// What the sending Postfix said for TLS reports, a session to a line.
    pub reports: Vec<String>,
    /// What Waxseal wrote about the mail server when it looked itself, if the case expects that.
    pub probe: Option<String>,
    /// What the rogue wrote down.
    pub rogue: Capture,
    /// The lines of the sender's mail log about the letter and the domain.
    pub mail_log: Vec<String>,
}

impl Outcome {
    /// The differences to what was expected, one sentence each; none when the case passes.
    pub fn differences(&self, expect: &Expect) -> Vec<String> {
        let mut differences = Vec::new();
        let answers = [
            ("QUERY", &self.query, &expect.query),
            ("QUERYwithTLSRPT", &self.query_with_tlsrpt, &expect.query_with_tlsrpt),
        ];
        for (question, answer, expected) in answers {
            if !answer.fits(expected) {
                differences.push(format!("{question}: expected {expected}, found {answer}"));
            }
        }
        let counts = [
            ("letters at the receiver", self.receiver, expect.receiver),
            ("letters at the rogue", self.rogue.letters.len(), expect.rogue),
            ("letters in the queue", self.queue, expect.queue),
        ];
        for (what, found, expected) in counts {
            if found != expected {
                differences.push(format!("{what}: expected {expected}, found {found}"));
            }
        }
        let reason = self.delivery.as_ref().map_or("", |delivery| &delivery.reason);
        if let Some(expected) = expect.log.as_ref().filter(|text| !reason.contains(text.as_str())) {
            differences.push(format!("reason: expected \"{expected}\", found \"{reason}\""));
        }
        if let Some(expected) = &expect.probe {
            let found = self.probe.as_deref().unwrap_or("no word of it");
            if !found.split_whitespace().any(|word| word == format!("result={expected}")) {
                differences.push(format!("probe: expected result={expected}, found {found}"));
            }
        }
        differences
    }

    /// Everything that helps to see why a case fails, one thing to a line.
    pub fn evidence(&self) -> Vec<String> {
        let earlier = self.earlier.iter().map(|answer| format!("before {answer}"));
        let rogue = self.rogue.transcript.iter().map(|line| format!("rogue  {line}"));
        let letters = self.rogue.letters.iter().map(|letter| {
            let recipients = letter.recipients.join(", ");
            format!("rogue  has a letter ({recipients}): {}", letter.text.replace('\n', " / "))
        });
        let mail_log = self.mail_log.iter().map(|line| format!("log    {line}"));
        let reports = self.reports.iter().map(|report| format!("tlsrpt {report}"));
        earlier.chain(mail_log).chain(reports).chain(rogue).chain(letters).collect()
    }
}

impl MapAnswer {
    /// `NOTFOUND` and `TEMP` are compared without the words for people after them.
    fn fits(&self, expected: &str) -> bool {
        match self {
            Self::Found(value) => expected.strip_prefix("OK ") == Some(value),
            Self::NotFound => expected == "NOTFOUND",
            Self::Failed(complaint) => expected == "TEMP" && complaint.contains("temporary error"),
        }
    }
}

impl std::fmt::Display for MapAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Found(value) => write!(f, "OK {value}"),
            Self::NotFound => f.write_str("NOTFOUND"),
            Self::Failed(complaint) => write!(f, "failure: {}", complaint.replace('\n', " / ")),
        }
    }
}
