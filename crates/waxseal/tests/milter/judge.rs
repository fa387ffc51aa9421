//! A judge whose verdict hangs on the sender's local part, and who writes down what he sees.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use sender_auth::{Header, HeaderField};
use tokio::sync::Semaphore;
use waxseal::gate::milter::{
    Change, Envelope, FieldName, HeaderFault, Judge, MessageInProgress, NewField, QuarantineReason,
    Refusal, Verdict,
};

/// The judge.
pub(crate) struct Court {
    /// How many messages have begun.
    pub(crate) begun: AtomicUsize,
    /// What was judged.
    pub(crate) judged: Arc<Mutex<Vec<Judged>>>,
    /// Messages that went no further, by sender.
    pub(crate) dropped: Arc<Mutex<Vec<String>>>,
    /// Verdicts of `slow` wait here.
    pub(crate) gate: Arc<Semaphore>,
}

impl Default for Court {
    fn default() -> Self {
        let gate = Arc::new(Semaphore::new(0));
        Self { begun: AtomicUsize::new(0), judged: Arc::default(), dropped: Arc::default(), gate }
    }
}

/// A message with all that was known at its end.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) envelope: Envelope,
    /// Header and body as they were, or why not.
    pub(crate) content: Result<Vec<u8>, HeaderFault>,
}

impl Judge for Court {
    type Message = Case;

    fn begin(&self, envelope: &Envelope) -> Case {
        self.begun.fetch_add(1, SeqCst);
        let sender = String::from_utf8_lossy(envelope.sender()).into_owned();
        assert!(!sender.starts_with("panic-begin"), "as the test wants it");
        Case {
            sender,
            content: Ok(Vec::new()),
            judged: Arc::clone(&self.judged),
            dropped: Some(Arc::clone(&self.dropped)),
            gate: Arc::clone(&self.gate),
        }
    }
}

/// A message before the judge.
pub(crate) struct Case {
    sender: String,
    content: Result<Vec<u8>, HeaderFault>,
    judged: Arc<Mutex<Vec<Judged>>>,
    dropped: Option<Arc<Mutex<Vec<String>>>>,
    gate: Arc<Semaphore>,
}

impl MessageInProgress for Case {
    fn header(&mut self, envelope: &Envelope, header: Result<Header, HeaderFault>) {
        assert!(!self.sender.starts_with("panic-header"), "as the test wants it");
        assert!(!envelope.sender().is_empty());
        self.content = header.map(|header| {
            let mut octets = Vec::new();
            for field in header.fields() {
                octets.extend_from_slice(field.octets());
                octets.extend_from_slice(b"\r\n");
            }
            octets.extend_from_slice(b"\r\n");
            octets
        });
    }

    fn body(&mut self, octets: &[u8]) {
        assert!(!self.sender.starts_with("panic-body"), "as the test wants it");
        if let Ok(content) = &mut self.content {
            content.extend_from_slice(octets);
        }
    }

    async fn verdict(mut self, envelope: &Envelope) -> Verdict {
        let case = self.sender.split('@').next().unwrap_or_default().to_owned();
        if case == "slow" {
            self.gate.acquire().await.unwrap().forget();
        }
        if case == "hang" {
            std::future::pending::<()>().await;
        }
        assert_ne!(case, "panic-verdict", "as the test wants it");
        self.dropped = None;
        let content = std::mem::replace(&mut self.content, Ok(Vec::new()));
        self.judged.lock().unwrap().push(Judged { envelope: envelope.clone(), content });
        verdict(&case)
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        if let Some(dropped) = &self.dropped {
            dropped.lock().unwrap().push(self.sender.clone());
        }
    }
}

fn verdict(case: &str) -> Verdict {
    let changes = match case {
        "refuse" => return Verdict::Refuse(Refusal::new(550, "5.7.1", "100% no").unwrap()),
        "defer" => return Verdict::Refuse(Refusal::new(451, "4.7.1", "later").unwrap()),
        "discard" => return Verdict::Discard,
        "quarantine" => {
            vec![Change::Quarantine { reason: QuarantineReason::new("odd").unwrap() }]
        }
        "change" => vec![
            Change::InsertHeader { place: 1, field: field(b"X-Top: 1\r\n\t2") },
            Change::AddHeader { field: field(b"X-Bottom: 3") },
            Change::ReplaceHeader { occurrence: NonZeroU32::MIN, field: field(b"Subject: other") },
            Change::RemoveHeader {
                occurrence: NonZeroU32::new(2).unwrap(),
                name: FieldName::new(b"X-Old").unwrap(),
            },
        ],
        _ => vec![],
    };
    Verdict::Accept { changes }
}

fn field(octets: &[u8]) -> NewField {
    NewField::new(&HeaderField::parse(octets).unwrap()).unwrap()
}
