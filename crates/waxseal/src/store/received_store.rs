//! What the intake asks of the store. All of it waits for a disk; nothing of it holds a lock.

use smtp_types::UnixTime;

use super::{NewAside, NewReceived, Store, StoreError, TakenIn, received};

/// Each function fails if SQLite cannot write; then nothing has changed.
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Store {
    /// Takes in what one mail or file holds. When it returns, it is on the disk.
    pub async fn take_in(
        &self,
        reports: Vec<NewReceived>,
        aside: Option<NewAside>,
    ) -> Result<TakenIn, StoreError> {
        self.writer.run(move |db| received::take_in(db, &reports, aside.as_ref())).await
    }

    /// Forgets up to `limit` reports that came before `before`, and the octets of the oldest things
    /// kept aside beyond `aside_octets`. Returns whether there may be more.
    pub async fn forget_received(
        &self,
        before: UnixTime,
        aside_octets: u64,
        limit: u32,
    ) -> Result<bool, StoreError> {
        self.writer.run(move |db| received::forget(db, before, aside_octets, limit)).await
    }
}
