//! Inflating what is packed by deflate (RFC 1951), piece by piece and as far as it is wanted.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// How far back deflate may refer (RFC 1951 §2).
const DICTIONARY: usize = 32 * 1024;

/// Inflates one stream to its end.
#[derive(Default)]
pub(super) struct Inflater {
    state: Box<DecompressorOxide>,
    dictionary: Vec<u8>,
    at: usize,
}

/// Where a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It goes on.
    More,
    /// It is at its end, or what is inflated is not wanted any more.
    End,
    /// It is no deflate stream, or a damaged one.
    Broken,
}

impl Inflater {
    /// Inflates the next octets, and says how many of them belong to the stream. `sink` says
    /// whether it wants more.
    pub(super) fn push(
        &mut self,
        packed: &[u8],
        sink: &mut impl FnMut(&[u8]) -> bool,
    ) -> (Progress, usize) {
        self.dictionary.resize(DICTIONARY, 0);
        let mut used = 0;
        loop {
            let rest = &packed[used..];
            let (status, read, written) = decompress(
                &mut self.state,
                rest,
                &mut self.dictionary,
                self.at,
                TINFL_FLAG_HAS_MORE_INPUT,
            );
            used += read;
            let wants_more = written == 0 || sink(&self.dictionary[self.at..self.at + written]);
            self.at = (self.at + written) % DICTIONARY;
            match status {
                _ if !wants_more => return (Progress::End, used),
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return (Progress::More, used),
                TINFLStatus::Done => return (Progress::End, used),
                _ => return (Progress::Broken, used),
            }
        }
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("at", &self.at).finish_non_exhaustive()
    }
}

/// Inflates the first octets of a stream: as many as `sample` holds. Returns how many, and whether
/// there are more to come.
pub(super) fn sample(
    state: &mut DecompressorOxide,
    packed: &[u8],
    sample: &mut [u8],
) -> (Progress, usize) {
    state.init();
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | TINFL_FLAG_HAS_MORE_INPUT;
    let (status, _, written) = decompress(state, packed, sample, 0, flags);
    let progress = match status {
        TINFLStatus::HasMoreOutput | TINFLStatus::Done => Progress::End,
        TINFLStatus::NeedsMoreInput => Progress::More,
        _ => Progress::Broken,
    };
    (progress, written)
}
