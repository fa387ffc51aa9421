//! What became of a letter that Postfix has taken, and the letters in the mailboxes.

use super::{GateLab, read};
use crate::command::succeed;
use crate::error::LabError;
use std::fs;
use std::io::ErrorKind;

/// Where a letter has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Into its mailbox.
    Mailbox,
    /// Into quarantine: Postfix's queue `hold`.
    Hold,
}

impl GateLab {
    /// Waits until Postfix has put the letter somewhere, and says where.
    pub fn place(&self, queue_id: &str) -> Result<Place, LabError> {
        let removed = format!(": {queue_id}: removed");
        let held = format!(": {queue_id}: milter-hold: ");
        let expected = format!("the end of {queue_id}");
        self.postfix.log().wait_for(&expected, self.deadline(), |lines| {
            lines.iter().find_map(|line| match () {
                () if line.contains(&removed) => Some(Place::Mailbox),
                () if line.contains(&held) => Some(Place::Hold),
                () => None,
            })
        })
    }

    /// The letters that were delivered to an address, as they lie there: lines end in LF.
    pub fn mailbox(&self, address: &str) -> Result<Vec<Letter>, LabError> {
        let folder = self.postfix.file("var/mail/all/new");
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(LabError::io(folder.display().to_string()))?,
        };
        let letters = entries.map(|entry| {
            let path = entry.map_err(LabError::io(folder.display().to_string()))?.path();
            Ok(Letter::read(&read(&path)?))
        });
        let letters: Vec<Letter> = letters.collect::<Result<_, LabError>>()?;
        let is_here = |letter: &Letter| letter.values("Delivered-To").contains(&address.to_owned());
        Ok(letters.into_iter().filter(is_here).collect())
    }

    /// A letter that still lies in a queue, its lines ended by LF.
    pub fn queued(&self, queue_id: &str) -> Result<String, LabError> {
        let mut command = self.postfix.tool("postcat");
        command.args(["-q", "-b", "-h", queue_id]);
        succeed(command)
    }
}

/// A delivered letter taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The fields, each as it stands, without its last line end; the first one first.
    pub fields: Vec<String>,
    /// What follows the empty line.
    pub body: Vec<u8>,
    octets: Vec<u8>,
}

impl Letter {
    /// Takes a letter apart whose lines end in LF.
    pub fn read(octets: &[u8]) -> Self {
        let end = octets.windows(2).position(|two| two == b"\n\n");
        let (header, body) = match end {
            Some(end) => (&octets[..end], &octets[end + 2..]),
            None => (octets, &b""[..]),
        };
        let mut fields: Vec<String> = Vec::new();
        for line in String::from_utf8_lossy(header).lines() {
            match fields.last_mut() {
                Some(last) if line.starts_with([' ', '\t']) => {
                    last.push('\n');
                    last.push_str(line);
                }
                _ => fields.push(line.to_owned()),
            }
        }
        Self { fields, body: body.to_vec(), octets: octets.to_vec() }
    }

    /// The letter as it goes over the wire, its lines ended by CRLF.
    pub fn with_crlf(&self) -> Vec<u8> {
        let lines = self.octets.split_inclusive(|octet| *octet == b'\n');
        let ended = lines.flat_map(|line| match line.strip_suffix(b"\n") {
            Some(line) => [line, b"\r\n"],
            None => [line, b""],
        });
        ended.collect::<Vec<_>>().concat()
    }

    /// The values of all fields of this name, unfolded, the first one first.
    pub fn values(&self, name: &str) -> Vec<String> {
        let named = self.fields.iter().filter_map(|field| field.split_once(':'));
        let named = named.filter(|(found, _)| found.trim().eq_ignore_ascii_case(name));
        named.map(|(_, value)| unfolded(value)).collect()
    }
}

fn unfolded(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::Letter;

    #[test]
    fn takes_a_letter_apart() {
        let letter = Letter::read(b"A: 1\nB: 2;\n 3\na: 4\n\nbody\n\nend\n");
        assert_eq!(letter.values("a"), ["1", "4"]);
        assert_eq!(letter.values("B"), ["2; 3"]);
        assert_eq!(letter.body, b"body\n\nend\n");
    }
}
