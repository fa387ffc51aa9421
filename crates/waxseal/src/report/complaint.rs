//! Something that is wrong: told once when it begins, and once when it is over.

use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Complaint {
    raised: AtomicBool,
}

impl Complaint {
    /// Tells it, unless it was told already.
    pub(crate) fn raise(&self, text: &str) {
        if !self.raised.swap(true, Ordering::Relaxed) {
            tracing::error!("{text}");
        }
    }

    /// Tells that it is over, if it was told.
    pub(crate) fn clear(&self, text: &str) {
        if self.raised.swap(false, Ordering::Relaxed) {
            tracing::info!("{text}");
        }
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }
}
