//! Return paths that tell which letter a bounce is about: `local+word@domain`.
//!
//! A letter that the mail server has taken may bounce hours later, and what a bounce says is anyone's
//! guess. The address to which it comes is not: it holds a word that only this letter has, and that
//! nobody can guess who has not got the letter.

use sender_auth::report::Text;
use smtp_types::EmailAddress;

/// Letters and digits that survive any mail system, whatever it does to case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// How many octets a word has: 80 bits.
const OCTETS: usize = 16;

/// A new word. Without random numbers from the system there is none.
pub(super) fn new_token() -> Option<String> {
    let mut octets = [0; OCTETS];
    getrandom::fill(&mut octets).ok()?;
    let letters = octets.iter().map(|octet| ALPHABET.get(usize::from(octet % 32)));
    letters.map(|letter| letter.map(|letter| char::from(*letter))).collect()
}

/// The return path with this word.
pub(super) fn with_token(from: &EmailAddress, token: &str) -> Option<EmailAddress> {
    EmailAddress::parse(&format!("{}+{token}@{}", from.local_part(), from.domain())).ok()
}

/// The word in the recipient of a bounce, if it is one of our return paths.
pub(super) fn token_of(from: &EmailAddress, recipient: &EmailAddress) -> Option<String> {
    let local = recipient.local_part();
    let (base, token) = local.split_at_checked(from.local_part().len())?;
    let token = token.strip_prefix('+')?.to_ascii_lowercase();
    let is_ours = base.eq_ignore_ascii_case(from.local_part())
        && recipient.domain() == from.domain()
        && token.len() == OCTETS
        && token.bytes().all(|octet| ALPHABET.contains(&octet));
    is_ours.then_some(token)
}

/// Whether an address is a return path of letters from `from`.
#[must_use]
pub fn is_return_path(from: &EmailAddress, address: &EmailAddress) -> bool {
    token_of(from, address).is_some()
}

/// What a server said, as one line that can be shown to anybody.
pub(super) fn printable(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if matches!(c, ' '..='~') { c } else { ' ' }).take(300).collect();
    let line = line.trim();
    match Text::parse(line) {
        Ok(text) => text.as_str().to_owned(),
        Err(_) => "no reason given".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_again() {
        let parse = |text: &str| EmailAddress::parse(text).unwrap();
        let from = parse("dmarc@reports.example.net");
        let token = new_token().unwrap();
        assert_ne!(new_token().unwrap(), token);
        let path = with_token(&from, &token).unwrap();
        assert_eq!(path.to_string(), format!("dmarc+{token}@reports.example.net"));
        assert_eq!(token_of(&from, &path), Some(token.clone()));
        let shouted = parse(&path.to_string().to_ascii_uppercase());
        assert_eq!(token_of(&from, &shouted), Some(token.clone()));
        for other in [
            "dmarc@reports.example.net",
            "dmarc+@reports.example.net",
            "dmarc+abc@reports.example.net",
            "dmarc+aaaaaaaaaaaaaaa1@reports.example.net",
            &format!("dmarc+{token}@example.net"),
            &format!("other+{token}@reports.example.net"),
            &format!("d+{token}@reports.example.net"),
        ] {
            assert_eq!(token_of(&from, &parse(other)), None, "{other}");
        }
    }

    #[test]
    fn what_a_server_says_is_one_line() {
        assert_eq!(printable("550 no\r\n\u{1b}[31mred ü"), "550 no   [31mred");
        assert_eq!(printable(""), "no reason given");
        assert_eq!(printable(&"x".repeat(1000)).len(), 300);
    }
}
