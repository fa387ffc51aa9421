//! The thread that reads.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::StoreError;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// Runs queries, one after the other, on a connection of its own. Ends when dropped.
pub(super) struct Reader {
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
}

impl Reader {
    pub(super) fn start(db: Connection, path: PathBuf) -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::spawn(move || queue.into_iter().for_each(|job| job(&db)));
        Self { jobs, path }
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
