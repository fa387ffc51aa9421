//! Files that are uuencoded in a text.

use memchr::{memchr, memmem};

use super::super::decode::uuencode::{self, Line, MAX_LINE};
use super::super::kind::Wrapper;
use super::super::search::Search;
use super::super::words;
use super::{Sniffer, Source};

/// The reader of lines.
#[derive(Debug, Default)]
pub(super) struct Uuencoded {
    /// The file that is being decoded, and its name.
    child: Option<(Box<Sniffer>, Option<String>)>,
    /// How many octets of the next window are read already.
    ahead: usize,
}

impl Sniffer {
    /// Reads the lines that begin before `to`.
    pub(super) fn scan_uuencoded(&mut self, window: &[u8], to: usize, search: &mut Search) {
        let mut at = std::mem::take(&mut self.uuencoded.ahead);
        while at < to {
            if self.uuencoded.child.is_none() {
                let Some(begin) = self.find_begin(window, at).filter(|begin| *begin < to) else {
                    break;
                };
                at = begin;
            }
            let rest = &window[at..];
            let line = &rest[..memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)];
            at += line.len();
            let line = line.trim_ascii_end();
            let Some((child, _)) = &mut self.uuencoded.child else {
                if let Some(name) = uuencode::begin(&line[..line.len().min(MAX_LINE)]) {
                    let name = words::name(name, b"");
                    let child = Box::new(Sniffer::new(Source::Wrapper));
                    self.uuencoded.child = Some((child, name));
                }
                continue;
            };
            match Line::parse(line) {
                Line::Octets(octets) => child.push(&octets, search),
                Line::End => self.finish_uuencoded(search),
            }
        }
        self.uuencoded.ahead = at.saturating_sub(to);
    }

    /// The next line that starts with "begin ".
    fn find_begin(&self, window: &[u8], from: usize) -> Option<usize> {
        let before = |at: usize| match at.checked_sub(1) {
            Some(before) => window[before],
            None => self.before,
        };
        let mut begins = memmem::find_iter(&window[from..], b"begin ").map(|at| from + at);
        begins.find(|at| before(*at) == b'\n')
    }

    /// The file is at its end.
    pub(super) fn finish_uuencoded(&mut self, search: &mut Search) {
        if let Some((child, name)) = self.uuencoded.child.take() {
            let seen = child.finish(search);
            self.adopt(seen, Wrapper::Uuencode, name.as_deref());
        }
    }
}
