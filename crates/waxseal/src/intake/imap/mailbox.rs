//! What is done with the mails of a mailbox: fetched, stored, and only then marked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::connection::{Connection, quoted, words};
use super::{After, ImapError, ImapSettings, Response};
use crate::intake::Way;
use crate::intake::counters::IntakeCount;
use crate::intake::desk::{Delivery, Desk, Lack};

/// How long one waits for news; RFC 2177 §3 wants less than 29 min.
const IDLE: Duration = Duration::from_mins(25);

/// How often a server without IDLE is asked.
const POLL: Duration = Duration::from_mins(2);

/// How long after a failure another connection is made, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_mins(10);

/// How many mails that are passed over are remembered.
const MAX_PASSED: usize = 100_000;

/// Reads the mailbox until `stop` holds true or its sender is gone.
pub async fn watch(settings: ImapSettings, desk: Arc<Desk>, mut stop: watch::Receiver<bool>) {
    let (done, trouble) = (BTreeSet::new(), Trouble::default());
    let mut mailbox = Mailbox { settings, desk, validity: None, done, trouble };
    let mut pause = FIRST_PAUSE;
    let mut is_failing = false;
    loop {
        let (mut has_read, mut stopped) = (false, stop.clone());
        let ended = tokio::select! {
            ended = mailbox.read(&mut has_read) => ended,
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        mailbox.desk.counters().set_mailbox(false);
        mailbox.desk.counters().add(IntakeCount::MailboxFailure, 1);
        if has_read {
            pause = FIRST_PAUSE;
            is_failing = false;
        }
        if let Err(error) = ended {
            mailbox.note_trouble(&error);
            let host = &mailbox.settings.host;
            if !is_failing {
                tracing::warn!(%host, %error, "intake: mailbox cannot be read, tried again");
            }
            is_failing = true;
        }
        if tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

struct Mailbox {
    settings: ImapSettings,
    desk: Arc<Desk>,
    /// To which life of the folder the numbers belong (RFC 3501 §2.3.1.1).
    validity: Option<String>,
    /// Mails that are not looked at again: too large, or stored and left as they are.
    done: BTreeSet<u32>,
    trouble: Trouble,
}

/// Which mail was being taken when connections broke, and how often in a row.
#[derive(Default)]
struct Trouble {
    uid: Option<u32>,
    times: u32,
}

/// After how many connections that break at the same mail it is passed over.
const MAX_TIMES: u32 = 3;

impl Mailbox {
    /// Reads until something goes wrong. `has_read` is told that the folder was read once.
    async fn read(&mut self, has_read: &mut bool) -> Result<(), ImapError> {
        let mut connection = Connection::open(&self.settings).await?;
        self.select(&mut connection).await?;
        loop {
            connection.has_more = false;
            self.take_all(&mut connection).await?;
            if !*has_read {
                let (host, folder) = (&self.settings.host, &self.settings.folder);
                tracing::info!(%host, %folder, "intake: mailbox is read");
                self.desk.counters().set_mailbox(true);
                *has_read = true;
            }
            if connection.has_more {
                continue;
            }
            if connection.can("IDLE") {
                connection.idle(IDLE).await?;
            } else {
                tokio::time::sleep(POLL).await;
                connection.command("NOOP", "").await?;
            }
        }
    }

    async fn select(&mut self, connection: &mut Connection) -> Result<(), ImapError> {
        let folder = name(&self.settings.folder)?;
        let mut validity = None;
        for response in connection.command("SELECT", &folder).await? {
            if let Response::State { code, .. } = response
                && let [word, value] = words(&code).as_slice()
                && word == "UIDVALIDITY"
            {
                validity = Some(value.clone());
            }
        }
        if validity.is_none() || validity != self.validity {
            // The numbers mean other mails now.
            self.done.clear();
        }
        self.validity = validity;
        Ok(())
    }

    /// Takes all mails that are new.
    async fn take_all(&mut self, connection: &mut Connection) -> Result<(), ImapError> {
        let wanted = match self.settings.after {
            After::Flag => "SEARCH UNSEEN UNDELETED",
            After::Move(_) | After::Keep => "SEARCH UNDELETED",
        };
        let mut found = BTreeSet::new();
        for response in connection.command("UID", wanted).await? {
            if let Response::Search(numbers) = response {
                found.extend(numbers);
            }
        }
        self.done.retain(|uid| found.contains(uid));
        for uid in found.difference(&self.done.clone()).copied() {
            if self.trouble.uid != Some(uid) {
                self.trouble = Trouble { uid: Some(uid), times: 0 };
            }
            match self.take_one(connection, uid).await {
                Ok(()) => {}
                // It has to come again, and others have not: the next round takes it.
                Err(ImapError::NotStored(lack @ (Lack::Quota | Lack::Dns))) => {
                    tracing::info!(uid, "intake: a mail stays in the mailbox for now: {lack}");
                }
                Err(error @ ImapError::Refused { .. }) => {
                    tracing::warn!(uid, %error, "intake: a mail is passed over");
                    self.pass_over(uid);
                }
                Err(error) => return Err(error),
            }
            self.trouble = Trouble::default();
        }
        Ok(())
    }

    async fn take_one(&mut self, connection: &mut Connection, uid: u32) -> Result<(), ImapError> {
        let size = self.fetch(connection, uid, "RFC822.SIZE").await?.and_then(|(size, _)| size);
        let limit = u64::try_from(self.settings.message).unwrap_or(u64::MAX);
        if let Some(size) = size.filter(|size| *size > limit) {
            tracing::warn!(uid, size, "intake: a mail is too large and stays in the mailbox");
            self.pass_over(uid);
            return Ok(());
        }
        let body = self.fetch(connection, uid, "BODY.PEEK[]").await?.and_then(|(_, body)| body);
        let Some(octets) = body else {
            // Somebody else has removed it.
            self.pass_over(uid);
            return Ok(());
        };
        self.desk.counters().add(IntakeCount::Fetched, 1);
        let delivery = Delivery {
            way: Way::Imap,
            name: format!("{} UID {uid}", self.settings.folder),
            bringer: None,
            about: None,
            recipients: Vec::new(),
            octets,
        };
        self.desk.take(delivery).await.map_err(ImapError::NotStored)?;
        match &self.settings.after {
            After::Flag => {
                connection.command("UID", &format!("STORE {uid} +FLAGS.SILENT (\\Seen)")).await?;
            }
            After::Move(folder) => {
                let folder = name(folder)?;
                if connection.can("MOVE") {
                    connection.command("UID", &format!("MOVE {uid} {folder}")).await?;
                } else {
                    // What is marked is removed when somebody expunges, and not searched again.
                    connection.command("UID", &format!("COPY {uid} {folder}")).await?;
                    let flag = format!("STORE {uid} +FLAGS.SILENT (\\Deleted)");
                    connection.command("UID", &flag).await?;
                }
            }
            After::Keep => self.pass_over(uid),
        }
        Ok(())
    }

    /// Size and body of a mail, as far as they were asked for; `None` if it is not there.
    async fn fetch(
        &self,
        connection: &mut Connection,
        uid: u32,
        item: &str,
    ) -> Result<Option<Fetched>, ImapError> {
        let responses = connection.command("UID", &format!("FETCH {uid} ({item})")).await?;
        Ok(responses.into_iter().find_map(|response| match response {
            Response::Fetch { uid: Some(found), size, body } if found == uid => Some((size, body)),
            _ => None,
        }))
    }

    /// One mail that nobody can fetch does not keep those behind it waiting.
    fn note_trouble(&mut self, error: &ImapError) {
        let Some(uid) = self.trouble.uid else { return };
        if matches!(error, ImapError::NotStored(_)) {
            return;
        }
        self.trouble.times += 1;
        if self.trouble.times >= MAX_TIMES {
            tracing::warn!(uid, %error, "intake: a mail is passed over");
            self.pass_over(uid);
            self.trouble = Trouble::default();
        }
    }

    fn pass_over(&mut self, uid: u32) {
        if self.done.len() < MAX_PASSED {
            self.done.insert(uid);
        }
    }
}

/// Size and body.
type Fetched = (Option<u64>, Option<Vec<u8>>);

/// The name of a folder as it goes over the wire.
fn name(folder: &str) -> Result<String, ImapError> {
    quoted(folder).ok_or(ImapError::Protocol("folder: expected a name in ASCII (modified UTF-7)"))
}
