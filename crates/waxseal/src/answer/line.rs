//! One line each way, for Exim's `readsocket` and for scripts.
//!
//! Exim knows no netstrings; it sends a text, reads to the end of the connection, and takes the
//! reply apart with `${extract{name}{…}}`. So: a next hop and a line feed come, one line of
//! `name=value` pairs goes, and the connection is closed.
//!
//! ```text
//! example.com
//! decision=secure mx=mail.example.com:*.mx.example.net sts=enforce
//! ```
//!
//! | name | value |
//! |---|---|
//! | `decision` | `none`, `defer`, `may`, `encrypt`, `dane`, `dane-only`, `secure` |
//! | `mx` | for `secure`: names that a certificate must have one of, `:` between them |
//! | `sts` | the mode of the policy behind it: `enforce`, or `testing` where the operator requires more |
//! | `reason` | for `defer`: why, in quotes, without quotes and backslashes in it |
//!
//! Values are made of parsed names and of fixed words; text from strangers is only in `reason`,
//! which ends the line, and there only as printable ASCII.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mta_sts::Mode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::request::next_hop;
use super::{Answers, MapName, Replies, ReplyKind};
use crate::listen::{Connection, Listener};

/// The most octets of a question, its line feed included.
const MAX_QUESTION_OCTETS: usize = 1_100;

/// How long a question may take to arrive, and a reply to be taken.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long nothing is accepted after an error such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The bounds of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSettings {
    /// How many connections may be open at once; more wait to be accepted. The default is 256.
    pub max_connections: usize,
}

impl Default for LineSettings {
    fn default() -> Self {
        Self { max_connections: 256 }
    }
}

/// Answers on `listener` until `stop` holds true or its sender is gone. Connections that are open
/// then are closed.
pub async fn serve<A: Answers>(
    listener: Listener,
    answers: Arc<A>,
    settings: LineSettings,
    mut stop: watch::Receiver<bool>,
) {
    let mut stop = pin!(async move {
        // An error means that nobody is left who could say so.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let mut open = JoinSet::new();
    loop {
        let full = open.len() >= settings.max_connections;
        let accepted = tokio::select! {
            accepted = listener.accept(), if !full => accepted,
            Some(_) = open.join_next() => continue,
            () = &mut stop => return,
        };
        match accepted {
            Ok((connection, _)) => {
                let answers = Arc::clone(&answers);
                open.spawn(async move { answer(connection, &*answers).await });
            }
            Err(error) => {
                tracing::debug!(%error, "line: accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One question, one line, the end. Whoever does not ask in time is not answered.
async fn answer(mut connection: Connection, answers: &impl Answers) -> io::Result<()> {
    let question = in_time(read_question(&mut connection)).await?;
    let replies = replies(&question, answers).await;
    let mut reply = line(&replies);
    reply.push('\n');
    in_time(async {
        connection.write_all(reply.as_bytes()).await?;
        connection.shutdown().await
    })
    .await
}

async fn in_time<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(TIMEOUT, step).await?
}

/// What stands before the first line feed, or all if the other side writes no more.
async fn read_question(connection: &mut Connection) -> io::Result<String> {
    let mut octets = Vec::with_capacity(MAX_QUESTION_OCTETS);
    let mut limited = connection.take(MAX_QUESTION_OCTETS as u64);
    while !octets.contains(&b'\n') {
        if limited.read_buf(&mut octets).await? > 0 {
            continue;
        }
        match limited.limit() {
            0 => return Err(io::ErrorKind::InvalidData.into()),
            _ => break,
        }
    }
    let end = octets.iter().position(|&octet| octet == b'\n').unwrap_or(octets.len());
    octets.truncate(end);
    // What is not UTF-8 is no next hop, with or without these.
    let text = String::from_utf8_lossy(&octets);
    Ok(text.trim_end_matches(['\r', ' ']).to_owned())
}

async fn replies(question: &str, answers: &impl Answers) -> Replies {
    if let Some(replies) = answers.fresh(question) {
        return replies;
    }
    match next_hop(question) {
        // `look_up` looks into memory first.
        Some((next_hop, _)) => answers.look_up(next_hop).await,
        None => Replies::no_policy(),
    }
}

/// The line for a decision, without its line feed.
fn line(replies: &Replies) -> String {
    let mut line = match replies.kind(MapName::Query) {
        ReplyKind::Level(level) => format!("decision={}", level.as_str()),
        ReplyKind::NotFound => "decision=none".to_owned(),
        ReplyKind::Temporary | ReplyKind::Permanent => "decision=defer".to_owned(),
    };
    if let Some(names) = replies.match_list() {
        for (index, name) in names.split(':').enumerate() {
            line.push_str(if index == 0 { " mx=" } else { ":" });
            if name.starts_with('.') {
                line.push('*');
            }
            line.push_str(name);
        }
    }
    match replies.sts_mode() {
        Some(Mode::Enforce) => line.push_str(" sts=enforce"),
        Some(Mode::Testing) => line.push_str(" sts=testing"),
        Some(Mode::None) | None => {}
    }
    if let Some(reason) = replies.reply(MapName::Query).strip_prefix("TEMP ") {
        line.push_str(" reason=\"");
        line.extend(reason.chars().filter(|c| !matches!(c, '"' | '\\')));
        line.push('"');
    }
    line
}
