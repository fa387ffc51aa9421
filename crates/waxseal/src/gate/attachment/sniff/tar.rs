//! Tar archives (POSIX.1-2008 pax, "ustar Interchange Format"): blocks of 512 octets, a header
//! before each file.

use super::super::kind::Wrapper;
use super::super::search::Search;
use super::super::words;
use super::head::Form;
use super::{SAMPLE, Sniffer};

const BLOCK: usize = 512;

impl Sniffer {
    /// Looks at every block that is a header. Blocks begin at multiples of 512, and so do windows.
    pub(super) fn scan_tar(&mut self, window: &[u8], to: usize, search: &mut Search) {
        for at in (0..to).step_by(BLOCK) {
            let (Some(block), Some(file)) = (window.get(at..at + BLOCK), window.get(at + BLOCK..))
            else {
                return;
            };
            if !is_header(block) {
                continue;
            }
            if !search.take_entry() {
                return;
            }
            let name = block[..100].split(|octet| *octet == 0).next().unwrap_or_default();
            let name = words::printable(&String::from_utf8_lossy(name));
            let sample = &file[..file.len().min(SAMPLE)];
            if self.see_sample(sample, Wrapper::Tar, name.as_deref()) == Form::Compound {
                self.has_compound = true;
            }
        }
    }
}

/// Whether the checksum is right: the sum of all octets, its own eight counted as spaces.
pub(super) fn is_header(block: &[u8]) -> bool {
    let Some(block) = block.first_chunk::<BLOCK>() else {
        return false;
    };
    let field = &block[148..156];
    let digits = field.trim_ascii_start().split(|octet| !(b'0'..=b'7').contains(octet)).next();
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
    let Ok(checksum) = u32::from_str_radix(digits, 8) else {
        return false;
    };
    let sum = |octets: &[u8]| octets.iter().map(|octet| u32::from(*octet)).sum::<u32>();
    block[0] != 0 && checksum == sum(block) - sum(field) + 8 * u32::from(b' ')
}
