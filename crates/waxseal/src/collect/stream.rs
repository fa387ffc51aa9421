//! Lines of JSON on a stream socket, for whoever is not Postfix: one line is what one datagram is.
//!
//! Whoever has written all lines closes their side for writing, and may then read one line: how many
//! were counted and refused, and whether they are on the disk.
//!
//! ```text
//! {"counted": 3, "refused": 1, "saved": true}
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::Collector;
use super::counters::CollectCount;
use super::lines::{Line, Lines};
use crate::listen::{Connection, Listener};

/// How many octets a line has at most.
pub(crate) const MAX_LINE: usize = 64 * 1024;

/// How many connections may be open at once.
const MAX_CONNECTIONS: usize = 1_024;

/// How long a connection may be silent.
const IDLE: Duration = Duration::from_mins(10);

/// How long it may take to read the answer.
const ANSWER: Duration = Duration::from_secs(5);

/// How much is read at once.
const PIECE: usize = 16 * 1024;

/// How long to wait when the system does not hand over a connection.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// What came of the lines of a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    counted: u64,
    refused: u64,
}

/// Takes lines until `stop` says true, and finishes what has begun.
pub(super) async fn serve(
    listener: Listener,
    collector: Arc<Collector>,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        while connections.try_join_next().is_some() {}
        let Ok((connection, _)) = accepted else {
            tokio::time::sleep(AFTER_FAILURE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            collector.counters.add(CollectCount::Refused, 1);
            continue;
        };
        let (collector, stop) = (Arc::clone(&collector), stop.clone());
        connections.spawn(async move {
            converse(connection, &collector, stop).await;
            drop(place);
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn converse(
    mut connection: Connection,
    collector: &Collector,
    mut stop: watch::Receiver<bool>,
) {
    let (mut lines, mut sum) = (Lines::new(MAX_LINE), Sum::default());
    let mut piece = vec![0; PIECE];
    loop {
        let read = tokio::select! {
            read = tokio::time::timeout(IDLE, connection.read(&mut piece)) => read,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match read {
            Ok(Ok(0)) => break,
            Ok(Ok(octets)) => {
                let piece = piece.get(..octets).unwrap_or_default();
                lines.push(piece, &mut |line| take(collector, line, &mut sum));
            }
            Ok(Err(_)) | Err(_) => return,
        }
    }
    lines.finish(&mut |line| take(collector, line, &mut sum));
    let saved = collector.flush().await;
    let answer = serde_json::json!({
        "counted": sum.counted,
        "refused": sum.refused,
        "saved": saved,
    });
    // Whoever does not want to know has gone.
    let answer = format!("{answer}\n");
    let _ = tokio::time::timeout(ANSWER, connection.write_all(answer.as_bytes())).await;
}

fn take(collector: &Collector, line: Line<'_>, sum: &mut Sum) {
    let is_counted = match line {
        Line::Whole(line) if line.trim_ascii().is_empty() => return,
        Line::Whole(line) => {
            collector.counters.add(CollectCount::Lines, 1);
            collector.take("a line", line)
        }
        Line::TooLong => {
            collector.counters.add(CollectCount::Lines, 1);
            collector.counters.add(CollectCount::TooLarge, 1);
            false
        }
    };
    match is_counted {
        true => sum.counted += 1,
        false => sum.refused += 1,
    }
}
