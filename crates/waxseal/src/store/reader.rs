//! The thread that reads.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::StoreError;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Runs queries, one after the other, on a connection of its own. Ends when dropped.
pub(super) struct Reader {
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
    _thread: Thread,
}

/// A thread that ends by itself when nobody can order anything more. Dropped, it is waited for:
/// then its connection is closed. To be declared below the sender of its orders.
pub(super) struct Thread(Option<JoinHandle<()>>);

impl Thread {
    pub(super) fn start(body: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(thread::spawn(body)))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // What a thread panics of was said by it.
        let _ = self.0.take().map(JoinHandle::join);
    }
}

impl Reader {
    pub(super) fn start(db: Connection, path: PathBuf) -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let thread = Thread::start(move || queue.into_iter().for_each(|job| job(&db)));
        Self { jobs, path, _thread: thread }
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        let job = Box::new(move |db: &Connection| {
            let _ = reply.send(query(db));
        });
        self.jobs.send(job).map_err(|_| StoreError::Closed)?;
        let result = result.await.map_err(|_| StoreError::Closed)?;
        result.map_err(StoreError::sqlite(&self.path))
    }
}
