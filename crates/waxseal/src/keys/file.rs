//! `keys.toml`: the file in which the states of a domain's keys stand.
//!
//! Read strictly, for a wrong reading deletes or uses a wrong key: an unknown name, a second active
//! generation or a selector twice is an error with its line, and then nothing is changed. Times are
//! seconds since 1970, with the date behind them for people. There is no private key in it.

use std::fmt::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sender_auth::crypto::KeyType;
use sender_auth::dkim::Selector;
use serde::Deserialize;
use smtp_types::{DomainName, Position, UnixTime};

use super::generation::{DomainKeys, Generation, Key, State};
use crate::crypto::PublicKey;

/// The form of the file. A newer one is not touched.
const VERSION: i64 = 1;

/// The file's text for these keys.
pub(super) fn print(keys: &DomainKeys) -> String {
    let mut text = format!(
        "# The DKIM keys of {domain}, written by waxseal. Each private key stands beside\n\
         # this file as SELECTOR.pem. `waxseal dkim` changes both; please do not.\n\
         version = {VERSION}\n\
         domain = \"{domain}\"\n",
        domain = keys.domain()
    );
    for generation in keys.generations() {
        let state = generation.state;
        text += "\n[[generation]]\n";
        // Writing to a String cannot fail.
        let _ = writeln!(text, "state = \"{}\"", state.as_str());
        let _ = writeln!(text, "since = {}", time(state.since()));
        if let State::Announced { seen: Some(seen), .. } = state {
            let _ = writeln!(text, "seen = {}", time(seen));
        }
        for key in generation.keys() {
            let public = &key.public;
            text += "\n[[generation.key]]\n";
            let _ = writeln!(text, "selector = \"{}\"", key.selector);
            let _ = writeln!(text, "algorithm = \"{}\"", public.key_type().as_str());
            let _ = writeln!(text, "public = \"{}\"", public.base64());
        }
    }
    text
}

fn time(time: UnixTime) -> String {
    // TOML's integers end with i64; so does our time, some hundred thousand million years ahead.
    format!("{} # {time}", i64::try_from(time.0).unwrap_or(i64::MAX))
}

/// Why the file cannot be used. Nothing is changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysFileError {
    /// Where, if it is one place.
    pub position: Option<Position>,
    /// Field, expected and found.
    pub detail: String,
}

impl fmt::Display for KeysFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{position}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

impl std::error::Error for KeysFileError {}

/// Reads the file of `domain`.
///
/// # Errors
/// [`KeysFileError`] says what is wrong, and where.
pub(super) fn parse(domain: &DomainName, octets: &[u8]) -> Result<DomainKeys, KeysFileError> {
    let wrong = |detail: String| KeysFileError { position: None, detail };
    let text = str::from_utf8(octets).map_err(|_| wrong("expected UTF-8".to_owned()))?;
    let file: File = toml::from_str(text).map_err(|error| KeysFileError {
        position: error.span().map(|span| Position::of(text, span.start)),
        detail: error.message().to_owned(),
    })?;
    if file.version != VERSION {
        let found = file.version;
        return Err(wrong(format!(
            "version: expected {VERSION}, found {found}: written by a newer release"
        )));
    }
    if file.domain != domain.as_str() {
        let found = file.domain;
        return Err(wrong(format!("domain: expected \"{domain}\", found {found:?}")));
    }
    let generations = file.generation.into_iter().map(|one| one.read(domain));
    let generations = generations.collect::<Result<_, _>>().map_err(wrong)?;
    DomainKeys::new(domain.clone(), generations).map_err(|error| wrong(error.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: i64,
    domain: String,
    #[serde(default)]
    generation: Vec<GenerationEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GenerationEntry {
    state: String,
    since: u64,
    seen: Option<u64>,
    key: Vec<KeyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    selector: String,
    algorithm: String,
    public: String,
}

impl GenerationEntry {
    fn read(self, domain: &DomainName) -> Result<Generation, String> {
        let since = UnixTime(self.since);
        let state = match (&*self.state, self.seen) {
            ("announced", seen) => State::Announced { since, seen: seen.map(UnixTime) },
            (_, Some(_)) => return Err("seen: expected in announced generations only".to_owned()),
            ("active", None) => State::Active { since },
            ("retiring", None) => State::Retiring { since },
            ("retired", None) => State::Retired { since },
            (found, None) => {
                return Err(format!(
                    "state: expected announced, active, retiring or retired, found {found:?}"
                ));
            }
        };
        let keys = self.key.into_iter().map(|key| key.read(domain)).collect::<Result<_, _>>()?;
        Generation::new(keys, state).map_err(|error| error.to_string())
    }
}

impl KeyEntry {
    fn read(self, domain: &DomainName) -> Result<Key, String> {
        let selector =
            Selector::parse(&self.selector).map_err(|error| format!("selector: {error}"))?;
        let key_type = match &*self.algorithm {
            "rsa" => KeyType::Rsa,
            "ed25519" => KeyType::Ed25519,
            found => return Err(format!("algorithm: expected rsa or ed25519, found {found:?}")),
        };
        let public = STANDARD.decode(&self.public).map_err(|_| {
            format!("public: expected base64, found something else at the selector {selector}")
        })?;
        let public = PublicKey::new(key_type, &public);
        Key::new(domain, selector, public).map_err(|error| format!("selector: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn domain() -> DomainName {
        DomainName::parse("example.com").unwrap()
    }

    const GOOD: &str = "\
# The DKIM keys of example.com, written by waxseal. Each private key stands beside
# this file as SELECTOR.pem. `waxseal dkim` changes both; please do not.
version = 1
domain = \"example.com\"

[[generation]]
state = \"active\"
since = 1795200000 # 2026-11-20T18:40:00Z

[[generation.key]]
selector = \"mail\"
algorithm = \"rsa\"
public = \"AQID\"

[[generation]]
state = \"announced\"
since = 1795200001 # 2026-11-20T18:40:01Z
seen = 1795200002 # 2026-11-20T18:40:02Z

[[generation.key]]
selector = \"wx202611r\"
algorithm = \"rsa\"
public = \"BAUG\"

[[generation.key]]
selector = \"wx202611e\"
algorithm = \"ed25519\"
public = \"BwgJ\"
";

    #[test]
    fn good() {
        let keys = parse(&domain(), GOOD.as_bytes()).unwrap();
        assert_eq!(print(&keys), GOOD);
        assert_eq!(keys.active().unwrap().names(), "mail");
        assert_eq!(keys.announced().unwrap().names(), "wx202611r and wx202611e");
        let none = parse(&domain(), b"version = 1\ndomain = \"example.com\"\n").unwrap();
        assert_eq!(none.generations(), []);
    }

    #[test]
    fn bad() {
        let table = [
            ("version = 1", "version = 2", "version: expected 1, found 2: written by a newer"),
            ("version = 1\n", "", "line 1, column 1: missing field `version`"),
            ("example.com\"", "example.net\"", "domain: expected \"example.com\", found"),
            ("active", "idle", "state: expected announced, active, retiring or retired, found"),
            ("\"active", "\"announced", "state: expected one announced generation, found two"),
            ("1795200000", "-1", "line 8, column 9: invalid value: integer `-1`"),
            ("1795200000", "\"now\"", "line 8, column 9: invalid type: string"),
            ("= 1795200000", "= 1\nseen = 2", "seen: expected in announced generations only"),
            ("= 1795200000", "= 1\nuntil = 2", "line 9, column 1: unknown field `until`"),
            ("mail", "ma il", "selector: column 3: expected a letter, digit"),
            ("mail", "../mail", "selector: column 1: expected a label, found none"),
            ("mail", "wx202611r", "selector: expected each once, found wx202611r twice"),
            ("AQID", "AQI", "public: expected base64, found something else at the selector mail"),
            ("ed25519", "rsa", "key: expected at most one rsa and one ed25519 key"),
            ("\"rsa\"", "\"RSA\"", "algorithm: expected rsa or ed25519, found \"RSA\""),
            ("[[generation]]", "[generation]", "line 15, column 3: duplicate key"),
        ];
        for (from, to, error) in table {
            let text = GOOD.replacen(from, to, 1);
            let found = parse(&domain(), text.as_bytes()).unwrap_err().to_string();
            assert!(found.starts_with(error), "{from} -> {to}: {found}");
        }
        assert!(parse(&domain(), b"\xff").is_err());
        assert!(parse(&domain(), b"").is_err());
    }

    proptest! {
        #[test]
        fn parse_after_print_is_identity(
            states in proptest::collection::vec((0..4_u8, any::<u32>(), any::<Option<u32>>()), 0..5),
            octets in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut generations = Vec::new();
            for (index, (state, since, seen)) in states.into_iter().enumerate() {
                let since = UnixTime(since.into());
                let seen = seen.map(|seen| UnixTime(seen.into()));
                let state = match state {
                    0 if index == 0 => State::Announced { since, seen },
                    1 if index == 1 => State::Active { since },
                    0..=2 => State::Retiring { since },
                    _ => State::Retired { since },
                };
                let key = |letter, key_type| {
                    let selector = Selector::parse(&format!("s{index}{letter}")).unwrap();
                    Key::new(&domain(), selector, PublicKey::new(key_type, &octets)).unwrap()
                };
                let keys = vec![key('r', KeyType::Rsa), key('e', KeyType::Ed25519)];
                generations.push(Generation::new(keys, state).unwrap());
            }
            let keys = DomainKeys::new(domain(), generations).unwrap();
            prop_assert_eq!(parse(&domain(), print(&keys).as_bytes()), Ok(keys));
        }

        #[test]
        fn no_text_panics(text in ".*", at in 0..400_usize) {
            let _ = parse(&domain(), text.as_bytes());
            let mut octets = GOOD.as_bytes().to_vec();
            octets.truncate(at);
            octets.extend(text.bytes());
            let _ = parse(&domain(), &octets);
        }
    }
}
