//! A value with parameters: `multipart/mixed; boundary="x"` (RFC 2045 §5.1, RFC 2231).
//!
//! Mail programs read what is wrong in many ways. What is right is read as the standards say; what
//! is wrong is read in one likely way and marked as doubtful.

/// How many parameters are read.
const MAX_PARAMETERS: usize = 50;

/// The value of a field such as Content-Type, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Structured {
    /// The value itself in lower case, without comments and white space.
    pub(super) value: Vec<u8>,
    parameters: Vec<Parameter>,
    /// What holds for all parameters.
    reading: Reading,
}

/// Whether others are likely to read the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reading {
    #[default]
    Plain,
    Doubtful,
}

#[derive(Debug, PartialEq, Eq)]
struct Parameter {
    /// In lower case, with the asterisks of RFC 2231.
    name: Vec<u8>,
    value: Vec<u8>,
    reading: Reading,
}

/// The value of a parameter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParameterValue {
    pub(super) octets: Vec<u8>,
    /// What RFC 2231 said about the octets; empty if nothing.
    pub(super) charset: Vec<u8>,
    pub(super) reading: Reading,
}

impl Structured {
    /// Reads what stands behind the colon of a field, folds included. There is no text that it
    /// cannot read.
    pub(super) fn parse(body: &[u8]) -> Self {
        let mut rest = Text(body);
        let mut structured = Self::default();
        loop {
            rest.skip_space_and_comments();
            let word = rest.take_until(|octet| b";(/ \t\r\n".contains(&octet));
            structured.value.extend(word.to_ascii_lowercase());
            rest.skip_space_and_comments();
            if !rest.skip(b'/') {
                break;
            }
            structured.value.push(b'/');
        }
        while !rest.0.is_empty() {
            // Behind the value, and behind each parameter, stands a semicolon.
            if !rest.skip(b';') {
                structured.reading = Reading::Doubtful;
            }
            rest.skip_space_and_comments();
            if structured.parameters.len() == MAX_PARAMETERS {
                structured.reading = Reading::Doubtful;
                break;
            }
            structured.parameters.extend(rest.take_parameter());
            rest.skip_space_and_comments();
        }
        structured
    }

    /// The value of a parameter. RFC 2231 §3 and §4: it may be cut into `name*0`, `name*1` and so
    /// on, and may be encoded, which a `*` behind the name says.
    pub(super) fn parameter(&self, name: &str) -> Option<ParameterValue> {
        let plain = self.named(name.as_bytes());
        let extended = self.extended(name);
        match (plain, extended) {
            (Some(plain), Some(extended)) if plain.octets != extended.octets => {
                Some(ParameterValue { reading: Reading::Doubtful, ..extended })
            }
            (plain, extended) => extended.or(plain),
        }
    }

    /// The parameter of exactly this name. The first counts, and it is doubtful if another one
    /// says something else.
    fn named(&self, name: &[u8]) -> Option<ParameterValue> {
        let mut same = self.parameters.iter().filter(|parameter| parameter.name == name);
        let first = same.next()?;
        let differs = same.any(|other| other.value != first.value);
        let reading = if differs { Reading::Doubtful } else { first.reading };
        let reading = reading.max(self.reading);
        Some(ParameterValue { octets: first.value.clone(), charset: Vec::new(), reading })
    }

    /// `name*`, or `name*0` with those that continue it.
    fn extended(&self, name: &str) -> Option<ParameterValue> {
        let encoded = |name: String| self.named(name.as_bytes()).map(decode_first);
        if let Some(whole) = encoded(format!("{name}*")) {
            return Some(whole);
        }
        let first = format!("{name}*0");
        let mut value = encoded(format!("{first}*")).or_else(|| self.named(first.as_bytes()))?;
        for number in 1..MAX_PARAMETERS {
            let plain = format!("{name}*{number}");
            let encoded = self.named(format!("{plain}*").as_bytes()).map(|mut part| {
                part.octets = decode_percent(&part.octets);
                part
            });
            let Some(part) = encoded.or_else(|| self.named(plain.as_bytes())) else {
                break;
            };
            value.octets.extend(part.octets);
            value.reading = value.reading.max(part.reading);
        }
        Some(value)
    }
}

/// `charset'language'octets` with `%` (RFC 2231 §4).
fn decode_first(mut value: ParameterValue) -> ParameterValue {
    let mut parts = value.octets.splitn(3, |octet| *octet == b'\'');
    if let (Some(charset), Some(_), Some(octets)) = (parts.next(), parts.next(), parts.next()) {
        (value.charset, value.octets) = (charset.to_vec(), decode_percent(octets));
    } else {
        value.octets = decode_percent(&value.octets);
    }
    value
}

fn decode_percent(encoded: &[u8]) -> Vec<u8> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut octets = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let [first, behind @ ..] = rest {
        rest = behind;
        let pair = if *first == b'%' { behind.split_first_chunk::<2>() } else { None };
        match pair.and_then(|([high, low], behind)| Some((digit(high)?, digit(low)?, behind))) {
            Some((high, low, behind)) => {
                octets.push(high * 16 + low);
                rest = behind;
            }
            None => octets.push(*first),
        }
    }
    octets
}

/// What is still to read.
struct Text<'t>(&'t [u8]);

impl<'t> Text<'t> {
    fn skip(&mut self, octet: u8) -> bool {
        let behind = self.0.strip_prefix(&[octet]);
        self.0 = behind.unwrap_or(self.0);
        behind.is_some()
    }

    fn take_until(&mut self, end: impl Fn(u8) -> bool) -> &'t [u8] {
        let length = self.0.iter().position(|octet| end(*octet)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// Comments stand in parentheses, nest, and may have `\` before any octet (RFC 5322 §3.2.2).
    fn skip_space_and_comments(&mut self) {
        let mut depth = 0_usize;
        while let [first, behind @ ..] = self.0 {
            match first {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'(' => depth = depth.saturating_add(1),
                b')' if depth > 0 => depth -= 1,
                b'\\' if depth > 0 => {
                    self.0 = behind.get(1..).unwrap_or_default();
                    continue;
                }
                _ if depth > 0 => {}
                _ => return,
            }
            self.0 = behind;
        }
    }

    /// `parameter := attribute "=" value`. `None` if there is no value; that is common, harmless,
    /// and passed over.
    fn take_parameter(&mut self) -> Option<Parameter> {
        let name = self.take_until(|octet| b"=;( \t\r\n".contains(&octet)).to_ascii_lowercase();
        self.skip_space_and_comments();
        if !self.skip(b'=') {
            // Whatever stands there, the next parameter is behind the next semicolon.
            self.take_until(|octet| octet == b';');
            return None;
        }
        self.skip_space_and_comments();
        let (value, mut reading) =
            if self.skip(b'"') { self.take_quoted() } else { self.take_unquoted() };
        self.skip_space_and_comments();
        if !self.take_until(|octet| octet == b';').is_empty() {
            reading = Reading::Doubtful;
        }
        Some(Parameter { name, value, reading })
    }

    /// A quoted string behind its first quotation mark. Folds in it are taken out, and are
    /// doubtful, as is `\`: some programs keep it.
    fn take_quoted(&mut self) -> (Vec<u8>, Reading) {
        let (mut value, mut reading) = (Vec::new(), Reading::Plain);
        while let [first, behind @ ..] = self.0 {
            self.0 = behind;
            match (first, behind) {
                (b'"', _) => return (value, reading),
                (b'\\', [escaped, behind @ ..]) => {
                    self.0 = behind;
                    value.push(*escaped);
                    reading = Reading::Doubtful;
                }
                (b'\r' | b'\n', _) => reading = Reading::Doubtful,
                _ => value.push(*first),
            }
        }
        (value, Reading::Doubtful)
    }

    /// A value without quotation marks: up to the semicolon, or to a comment behind a space. RFC
    /// 2045 §5.1 allows no space in it and few signs; `=` and `/` are common all the same.
    fn take_unquoted(&mut self) -> (Vec<u8>, Reading) {
        let whole = self.take_until(|octet| octet == b';');
        let comment = whole.windows(2).position(|pair| matches!(pair, [b' ' | b'\t', b'(']));
        let value = comment.map_or(whole, |start| &whole[..start]).trim_ascii();
        let doubtful = value.iter().any(|octet| b"\"()\\ \t\r\n".contains(octet));
        let reading = if doubtful { Reading::Doubtful } else { Reading::Plain };
        (value.to_vec(), reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(body: &str, value: &str, name: &str, expected: &str) {
        let read = read(body, value, name);
        assert_eq!(read, Some((expected.to_owned(), Reading::Plain)), "{body}");
    }

    fn doubtful(body: &str, value: &str, name: &str, expected: &str) {
        let read = read(body, value, name);
        assert_eq!(read, Some((expected.to_owned(), Reading::Doubtful)), "{body}");
    }

    fn read(body: &str, value: &str, name: &str) -> Option<(String, Reading)> {
        let structured = Structured::parse(body.as_bytes());
        assert_eq!(String::from_utf8_lossy(&structured.value), value, "{body}");
        let value = structured.parameter(name)?;
        Some((String::from_utf8_lossy(&value.octets).into_owned(), value.reading))
    }

    #[test]
    fn parameters() {
        good(" multipart/mixed; boundary=x", "multipart/mixed", "boundary", "x");
        good("Multipart/MIXED;BOUNDARY=\"a b\";", "multipart/mixed", "boundary", "a b");
        good(
            "multipart (a) / (b \\) (c)) mixed\r\n ; (d)\r\n boundary (e) = (f) x (g) ; y=z",
            "multipart/mixed",
            "boundary",
            "x",
        );
        good("a/b; boundary=----=_Part_1; c=d", "a/b", "boundary", "----=_Part_1");
        good("a/b; c; boundary=x", "a/b", "boundary", "x");
        good("a/b;;; boundary=x;;", "a/b", "boundary", "x");
        good("a/b; boundary=x; boundary=x", "a/b", "boundary", "x");
        good("a/b; c=\"; boundary=y\"; boundary=x", "a/b", "boundary", "x");
        assert_eq!(read("a/b", "a/b", "boundary"), None);
        assert_eq!(read("", "", "boundary"), None);
        assert_eq!(read("a/b; boundary", "a/b", "boundary"), None);
        assert_eq!(read("a/b (; boundary=x", "a/b", "boundary"), None);
    }

    #[test]
    fn doubts() {
        doubtful("a/b boundary=x", "a/b", "boundary", "x");
        doubtful("a/b; boundary=x c=d", "a/b", "boundary", "x c=d");
        doubtful("a/b; boundary=x; boundary=y", "a/b", "boundary", "x");
        doubtful("a/b; boundary=\"x\"y", "a/b", "boundary", "x");
        doubtful("a/b; boundary=\"x", "a/b", "boundary", "x");
        doubtful("a/b; boundary=\"x\\y\"", "a/b", "boundary", "xy");
        doubtful("a/b; boundary=\"x\r\n y\"", "a/b", "boundary", "x y");
        doubtful("a/b; boundary=x(y)", "a/b", "boundary", "x(y)");
        doubtful("a/b; boundary=x; boundary*=''y", "a/b", "boundary", "y");
        let many = format!("a/b; boundary=x{}", "; a=b".repeat(50));
        doubtful(&many, "a/b", "boundary", "x");
    }

    #[test]
    fn extended_parameters() {
        good(
            "message/external-body; access-type=URL; URL*0=\"ftp://\"; \
             URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"",
            "message/external-body",
            "url",
            "ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar",
        ); // RFC 2231 §3
        good(
            "application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
            "application/x-stuff",
            "title",
            "This is ***fun***",
        ); // RFC 2231 §4
        good(
            "application/x-stuff; title*0*=us-ascii'en'This%20is%20even%20more%20; \
             title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
            "application/x-stuff",
            "title",
            "This is even more ***fun*** isn't it!",
        ); // RFC 2231 §4.1
        good("a/b; c*=50%25", "a/b", "c", "50%");
        good("a/b; c*=''%4%", "a/b", "c", "%4%");
        good("a/b; c*0=x; c*2=z", "a/b", "c", "x");
    }
}
