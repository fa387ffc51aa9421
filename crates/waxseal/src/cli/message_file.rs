//! Reading a message from a file or from standard input, piece by piece.

use std::fs::File;
use std::io::{self, Read};

use sender_auth::{Header, HeaderLimits, MessageReader, Part};

/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// A message that is being read: whoever opened it gets the header, and then the body.
pub(super) struct MessageFile {
    source: Box<dyn Read>,
    reader: Option<MessageReader>,
    waiting: Vec<Part>,
}

impl MessageFile {
    /// Opens the file; `-` is standard input.
    pub(super) fn open(name: &str) -> io::Result<Self> {
        let source: Box<dyn Read> = match name {
            "-" => Box::new(io::stdin().lock()),
            _ => Box::new(File::open(name)?),
        };
        let reader = Some(MessageReader::new(HeaderLimits::default()));
        Ok(Self { source, reader, waiting: Vec::new() })
    }

    /// Reads up to the end of the header. Comes first, and once.
    pub(super) fn header(&mut self) -> io::Result<Header> {
        loop {
            let parts = self.next_parts()?;
            let is_end = self.reader.is_none();
            let mut parts = parts.into_iter();
            match parts.next() {
                Some(Part::Header(header)) => {
                    self.waiting = parts.collect();
                    return Ok(header);
                }
                Some(Part::Body(_)) | None if is_end => return Ok(Header::default()),
                Some(Part::Body(_)) | None => {}
            }
        }
    }

    /// Hands on the whole body.
    pub(super) fn body(mut self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let mut parts = std::mem::take(&mut self.waiting);
        loop {
            for part in parts {
                if let Part::Body(octets) = part {
                    take(&octets);
                }
            }
            if self.reader.is_none() {
                return Ok(());
            }
            parts = self.next_parts()?;
        }
    }

    /// What the next piece brings; at the end of the file, the reader is gone.
    fn next_parts(&mut self) -> io::Result<Vec<Part>> {
        let Some(reader) = &mut self.reader else { return Ok(Vec::new()) };
        let mut piece = vec![0; PIECE];
        let octets = loop {
            match self.source.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        let parts = match octets {
            0 => self.reader.take().map_or(Ok(Vec::new()), MessageReader::finish),
            octets => reader.push(&piece[..octets]),
        };
        parts.map_err(io::Error::other)
    }
}
