//! New inputs from old ones: a few small changes to an input of the corpus.

use crate::random::Random;

/// Inputs grow no longer than this; faults that need more are libFuzzer's.
const MAX_OCTETS: usize = 4096;

/// Octets and pieces on which readers of text stumble.
const STUMBLING_BLOCKS: [&[u8]; 22] = [
    b"\0",
    b"\t",
    b"\n",
    b"\r\n",
    b" ",
    b"\"",
    b"%",
    b"*",
    b"*.",
    b",",
    b".",
    b"..",
    b":",
    b";",
    b"=",
    b"[",
    b"{",
    b"0",
    b"99999999999",
    b"\xc3\xb6",
    b"\xe2\x80\xa8",
    b"\xff",
];

/// Makes inputs for one target.
pub struct Mutator<'c> {
    corpus: &'c [Vec<u8>],
    /// Words of the corpus, such as `max_age` and `STSv1`.
    words: Vec<&'c [u8]>,
    random: Random,
}

impl<'c> Mutator<'c> {
    /// Begins always with the same input.
    pub fn new(corpus: &'c [Vec<u8>]) -> Self {
        let is_word = |octet: &u8| octet.is_ascii_alphanumeric() || b"_-".contains(octet);
        let texts = corpus.iter().flat_map(|input| input.split(move |octet| !is_word(octet)));
        let mut words: Vec<&[u8]> = texts.filter(|word| (2..=32).contains(&word.len())).collect();
        words.sort_unstable();
        words.dedup();
        Self { corpus, words, random: Random::new(1) }
    }

    /// The next input.
    pub fn next(&mut self) -> Vec<u8> {
        let mut input = self.random.choose(self.corpus).cloned().unwrap_or_default();
        for _ in 0..=self.random.below(4) {
            self.change(&mut input);
        }
        input.truncate(MAX_OCTETS);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.random.below(input.len() + 1);
        let end = (at + self.random.below(16)).min(input.len());
        match self.random.below(9) {
            0 => {
                if let Some(octet) = input.get_mut(at) {
                    *octet ^= 1 << self.random.below(8);
                }
            }
            1 => drop(input.drain(at..end)),
            2 => {
                let copy = input[at..end].to_vec();
                insert(input, self.random.below(input.len() + 1), &copy);
            }
            3 => input.truncate(at),
            4 => {
                let piece = self.random.choose(&STUMBLING_BLOCKS).copied().unwrap_or_default();
                insert(input, at, piece);
            }
            5 => {
                let word = self.random.choose(&self.words).copied().unwrap_or_default();
                insert(input, at, word);
            }
            6 => {
                let word = self.random.choose(&self.words).copied().unwrap_or_default();
                drop(input.splice(at..end, word.iter().copied()));
            }
            7 => {
                let octet = self.random.below(256);
                insert(input, at, &[u8::try_from(octet).unwrap_or_default()]);
            }
            _ => {
                let other = self.random.choose(self.corpus).map_or(&[][..], Vec::as_slice);
                let from = self.random.below(other.len() + 1);
                drop(input.splice(at.., other[from..].iter().copied()));
            }
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    drop(input.splice(at..at, piece.iter().copied()));
}
