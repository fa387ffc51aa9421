//! TNEF (MS-OXTNEF), the `winmail.dat` in which Outlook wraps attachments: a row of attributes.

use super::super::kind::{Kind, Unreadable, Wrapper};
use super::super::search::Search;
use super::{Sniffer, Source};

/// The first octets of a file.
pub(super) const MAGIC: &[u8] = b"\x78\x9f\x3e\x22";

/// attAttachData, the octets of an attached file (MS-OXTNEF §2.1.3.3).
const ATTACHED: [u8; 4] = 0x0006_800f_u32.to_le_bytes();

/// The reader of attributes.
#[derive(Debug)]
pub(super) struct Tnef {
    /// How many octets to pass over before the next attribute, or the end of the attached file.
    skip: u64,
    child: Option<Box<Sniffer>>,
    /// How many octets of the attached file are still to come.
    left: u64,
}

impl Default for Tnef {
    /// The first attribute stands behind the magic octets and a key of two.
    fn default() -> Self {
        Self { skip: 6, child: None, left: 0 }
    }
}

impl Sniffer {
    /// Reads the attributes that begin before `to`: level (1), identity (4), length (4), octets,
    /// checksum (2).
    pub(super) fn scan_tnef(&mut self, window: &[u8], to: usize, search: &mut Search) {
        if matches!(self.source, Source::Wrapper | Source::Entry(_)) {
            self.see(Kind::Unreadable(Unreadable::ArchiveEntry));
            return;
        }
        let mut at = 0;
        while at < to {
            let rest = &window[at..to];
            let fits = |octets: u64| usize::try_from(octets).unwrap_or(rest.len()).min(rest.len());
            if let Some(child) = &mut self.tnef.child {
                let taken = fits(self.tnef.left);
                child.push(&rest[..taken], search);
                self.tnef.left -= taken as u64;
                at += taken;
                if self.tnef.left == 0 {
                    self.finish_tnef(search);
                    self.tnef.skip = 2;
                }
                continue;
            }
            if self.tnef.skip > 0 {
                let taken = fits(self.tnef.skip);
                self.tnef.skip -= taken as u64;
                at += taken;
                continue;
            }
            if self.tnef.left > 0 {
                self.tnef.child = Some(Box::new(Sniffer::new(Source::Wrapper)));
                continue;
            }
            let Some([_, identity @ .., a, b, c, d]) = window[at..].first_chunk::<9>() else {
                return;
            };
            let length = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
            self.tnef.skip = 9;
            if *identity == ATTACHED && length > 0 {
                self.tnef.left = length;
            } else {
                self.tnef.skip += length + 2;
            }
        }
    }

    /// The attached file is at its end.
    pub(super) fn finish_tnef(&mut self, search: &mut Search) {
        if let Some(child) = self.tnef.child.take() {
            let seen = child.finish(search);
            self.adopt(seen, Wrapper::Tnef, None);
        }
    }
}
