//! Canonical octets of a body on their way into the hash, as fast as they can get there.
//!
//! Most of a body stays as it is in `relaxed`, too. Long stretches of it are hashed where they lie;
//! where white space shrinks, blocks are put together in a buffer, which is hashed when it is full.
//! Both look at many octets at once, without a branch for each: that is what lets the compiler use
//! vectors, and what keeps the processor from guessing wrong.

use alloc::boxed::Box;

use crate::crypto::Sha256;
use crate::dkim::BodyDigest;
use crate::dkim::canonical::{BLOCK, unchanged, unchanged_blocks};

/// How many octets are gathered before they are hashed: as many as the nearest cache likes, and a
/// multiple of what the hash takes at once.
const BUFFER: usize = 4096;

/// How much longer the buffer is, so that a block can be written to it whole, of which only the
/// beginning counts.
const SLACK: usize = 2 * BLOCK;

/// How many octets are looked at to shrink a block: it may be copied from its last octet on.
const AHEAD: usize = 2 * BLOCK;

/// After so many blocks that stay as they are, they are looked for again in long stretches.
const QUIET: usize = 8;

/// The octets that count, and the hash.
#[derive(Debug)]
pub(crate) struct Gathered<S> {
    sha256: S,
    /// How many octets are hashed at most.
    limit: u64,
    /// How many octets there are, hashed or not.
    octets: u64,
    /// Made when it is first used.
    buffer: Option<Box<[u8; BUFFER + SLACK]>>,
    /// How much of the buffer is used; never more than `BUFFER` between two calls.
    used: usize,
}

impl<S: Sha256> Gathered<S> {
    pub(crate) fn new(sha256: S, limit: u64) -> Self {
        Self { sha256, limit, octets: 0, buffer: None, used: 0 }
    }

    /// How many octets there are.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// Adds octets that stay as they are.
    pub(crate) fn add(&mut self, octets: &[u8]) {
        let left = usize::try_from(self.left()).unwrap_or(usize::MAX);
        self.octets = self.octets.saturating_add(octets.len() as u64);
        self.gather(octets.get(..left).unwrap_or(octets));
    }

    /// Adds content that neither begins nor ends with white space, in the form of RFC 6376 §3.4.4:
    /// white space is one space, and none at the end of a line.
    pub(crate) fn add_relaxed(&mut self, content: &[u8]) {
        let mut rest = content;
        loop {
            let (same, behind) = rest.split_at(unchanged_blocks::<false>(rest));
            self.add(same);
            rest = behind;
            // Where one block shrinks, others near by do, too.
            let mut quiet = 0;
            while quiet < QUIET {
                let block = rest.first_chunk().filter(|_| self.left() >= BLOCK as u64);
                let Some(block) = block else {
                    return self.add_relaxed_slowly(rest);
                };
                quiet = if self.add_shrunk(block) < BLOCK { 0 } else { quiet + 1 };
                rest = rest.get(BLOCK..).unwrap_or_default();
            }
        }
    }

    pub(crate) fn finish(mut self) -> BodyDigest {
        self.hash(self.used);
        BodyDigest {
            digest: self.sha256.finish(),
            canonical_octets: self.octets,
            unsigned_octets: self.octets.saturating_sub(self.limit),
        }
    }

    /// How many octets still are hashed.
    fn left(&self) -> u64 {
        self.limit.saturating_sub(self.octets)
    }

    /// The same as [`add_relaxed`](Self::add_relaxed), piece by piece.
    fn add_relaxed_slowly(&mut self, content: &[u8]) {
        let mut rest = content;
        while !rest.is_empty() {
            let is_text = |octet: &u8| !matches!(octet, b' ' | b'\t');
            let white = rest.iter().position(is_text).unwrap_or(rest.len());
            let (space, text) = rest.split_at(white);
            if !space.is_empty() && !text.starts_with(b"\r\n") {
                self.add(b" ");
            }
            let (run, behind) = text.split_at(unchanged::<false>(text));
            self.add(run);
            rest = behind;
        }
    }

    /// Adds the first block of `octets`, in which white space shrinks, and returns how many octets
    /// of it are kept.
    ///
    /// An octet is left out if it is white and the next one is, too, or ends the line. The others
    /// move to the front, because what stands behind a gap is copied again, to where the gap began.
    fn add_shrunk(&mut self, octets: &[u8; AHEAD]) -> usize {
        let mut leave_out = [0; BLOCK];
        let mut tabs = false;
        let places = octets.iter().zip(octets.iter().skip(1)).zip(octets.iter().skip(2));
        for (leave_out, ((octet, next), behind)) in leave_out.iter_mut().zip(places) {
            let is_white = |octet: u8| (octet == b' ') | (octet == b'\t');
            let ends_line = (*next == b'\r') & (*behind == b'\n');
            *leave_out = u8::from(is_white(*octet) & (is_white(*next) | ends_line));
            tabs |= *octet == b'\t';
        }
        let mut gaps = bits(&leave_out);
        let buffer = self.buffer.get_or_insert_with(|| Box::new([0; BUFFER + SLACK]));
        let (mut from, mut to) = (0, self.used);
        loop {
            let place = buffer.get_mut(to..).and_then(|place| place.first_chunk_mut::<BLOCK>());
            let text = octets.get(from..).and_then(|text| text.first_chunk::<BLOCK>());
            if let (Some(place), Some(text)) = (place, text) {
                *place = *text;
            }
            if gaps == 0 {
                break;
            }
            let gap = gaps.trailing_zeros() as usize;
            to += gap - from;
            from = gap + (gaps >> gap).trailing_ones() as usize;
            // The lowest run of ones is added up to one bit above it, which is dropped.
            gaps &= gaps.wrapping_add(gaps & gaps.wrapping_neg());
        }
        let end = to + BLOCK - from;
        let kept = end - self.used;
        if tabs && let Some(text) = buffer.get_mut(self.used..end) {
            text.iter_mut().filter(|octet| **octet == b'\t').for_each(|octet| *octet = b' ');
        }
        self.octets = self.octets.saturating_add(kept as u64);
        self.used = end;
        if self.used >= BUFFER {
            self.hash(BUFFER);
        }
        kept
    }

    /// Fills the buffer before it is hashed. Behind an empty one, octets that would soon fill it
    /// need not go through it.
    fn gather(&mut self, octets: &[u8]) {
        if self.used == 0 && octets.len() >= BUFFER / 4 {
            return self.sha256.update(octets);
        }
        let buffer = self.buffer.get_or_insert_with(|| Box::new([0; BUFFER + SLACK]));
        let (fits, behind) = octets.split_at(octets.len().min(BUFFER - self.used));
        let end = self.used + fits.len();
        if let Some(place) = buffer.get_mut(self.used..end) {
            place.copy_from_slice(fits);
        }
        self.used = end;
        if self.used == BUFFER {
            self.hash(BUFFER);
            self.gather(behind);
        }
    }

    /// Hashes so many octets from the front of the buffer, and moves the others there.
    fn hash(&mut self, octets: usize) {
        let Some(buffer) = &mut self.buffer else {
            return;
        };
        self.sha256.update(buffer.get(..octets).unwrap_or_default());
        buffer.copy_within(octets..self.used.max(octets), 0);
        self.used = self.used.saturating_sub(octets);
    }
}

/// One bit for each octet that is 1; all others are 0.
fn bits(octets: &[u8; BLOCK]) -> u64 {
    let words = octets.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
    // The product has the lowest bits of the eight octets in its highest octet.
    let byte = |word: u64| word.wrapping_mul(0x0102_0408_1020_4080) >> 56;
    words.enumerate().fold(0, |bits, (index, word)| bits | (byte(word) << (8 * index)))
}
