//! Readers that end in an error when there is more than there should be.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

/// Below this many octets the ratio does not matter.
const RATIO_FROM: u64 = 1024 * 1024;

/// How many octets of something packed were read.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Rc<Cell<u64>>);

impl Meter {
    pub(super) fn octets(&self) -> u64 {
        self.0.get()
    }

    pub(super) fn add(&self, octets: usize) {
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        self.0.set(self.0.get().saturating_add(octets));
    }
}

/// Counts what is taken out of a reader.
pub(super) struct Metered<R> {
    inner: R,
    meter: Meter,
}

impl<R> Metered<R> {
    pub(super) fn new(inner: R, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl<R: BufRead> Read for Metered<R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(octets)?;
        self.meter.add(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, octets: usize) {
        self.meter.add(octets);
        self.inner.consume(octets);
    }
}

/// What unpacking may give.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// How many octets.
    pub(super) octets: u64,
    /// How many times what was packed.
    pub(super) ratio: u64,
    /// How many octets all that is unpacked may have together, and how many it has.
    pub(super) total: u64,
    pub(super) spent: Meter,
}

/// What comes out of a decompressor, up to its bounds.
pub(super) struct Unpacked<R> {
    inner: R,
    packed: Meter,
    out: u64,
    bounds: Bounds,
}

impl<R> Unpacked<R> {
    pub(super) fn new(inner: R, packed: Meter, bounds: Bounds) -> Self {
        Self { inner, packed, out: 0, bounds }
    }

    fn check(&self) -> Result<(), TooMuch> {
        let packed = self.packed.octets().max(1);
        let Bounds { octets, ratio, total, spent } = &self.bounds;
        if self.out > *octets {
            return Err(TooMuch(format!("expected at most {octets} octets unpacked, found more")));
        }
        if self.out > RATIO_FROM && self.out / packed > *ratio {
            let out = self.out;
            return Err(TooMuch(format!(
                "expected at most {ratio} times the packed size, found {out} octets out of {packed}"
            )));
        }
        if spent.octets() > *total {
            return Err(TooMuch(format!("expected at most {total} octets in all, found more")));
        }
        Ok(())
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(octets)?;
        self.out = self.out.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        self.bounds.spent.add(read);
        self.check().map_err(io::Error::other)?;
        Ok(read)
    }
}

/// Counts from one event of a document to the next, so that none needs much memory.
pub(super) struct EventBound<R> {
    inner: R,
    since: u64,
    limit: u64,
}

impl<R> EventBound<R> {
    pub(super) fn new(inner: R, limit: u64) -> Self {
        Self { inner, since: 0, limit }
    }

    /// An event is over.
    pub(super) fn reset(&mut self) {
        self.since = 0;
    }

    pub(super) fn inner(&self) -> &R {
        &self.inner
    }
}

impl<R: BufRead> Read for EventBound<R> {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let read = available.len().min(octets.len());
        octets[..read].copy_from_slice(&available[..read]);
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for EventBound<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > self.limit {
            let limit = self.limit;
            let problem = format!("expected at most {limit} octets in one tag or text, found more");
            return Err(io::Error::other(TooMuch(problem)));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, octets: usize) {
        self.since = self.since.saturating_add(u64::try_from(octets).unwrap_or(u64::MAX));
        self.inner.consume(octets);
    }
}

/// There is more than there should be.
#[derive(Debug)]
pub(super) struct TooMuch(String);

impl TooMuch {
    /// What was too much, if that is what ended the reading.
    pub(super) fn of(error: &io::Error) -> Option<&str> {
        let inner = error.get_ref()?;
        match inner.downcast_ref::<Self>() {
            Some(TooMuch(problem)) => Some(problem),
            // A decompressor may have wrapped it.
            None => Self::of(inner.downcast_ref::<io::Error>()?),
        }
    }
}

impl std::fmt::Display for TooMuch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TooMuch {}
