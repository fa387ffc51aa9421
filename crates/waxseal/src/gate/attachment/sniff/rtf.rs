//! Rich text (RTF 1.9.1), which can embed objects: programs, documents, and what exploits the
//! programs that open them.

use memchr::memmem;

use super::super::kind::{Kind, Macro};
use super::Sniffer;

impl Sniffer {
    /// Looks for control words of objects. Writers of malware hide their data in odd ways, but the
    /// control word must stand there.
    pub(super) fn scan_rtf(&mut self, window: &[u8], to: usize) {
        const WORDS: [&[u8]; 6] = [b"data", b"emb", b"link", b"autlink", b"ocx", b"update"];
        let is_object = |at: usize| {
            let rest = &window[at + 4..];
            WORDS.iter().any(|word| rest.starts_with(word))
        };
        if memmem::find_iter(window, b"\\obj").take_while(|at| *at < to).any(is_object) {
            self.see(Kind::MacroDocument(Macro::RtfObject));
        }
    }
}
