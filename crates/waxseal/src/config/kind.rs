//! The kinds of settings: how the value of a key is read from TOML, and how it is printed.
//!
//! A kind holds the limits of the value and its one place in [`Config`], so that what is read and
//! what is printed cannot be two different fields.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use sender_auth::report::Text;
use smtp_types::{DomainName, EmailAddress};
use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeValue};

use super::choice::Choice;
use super::duration;
use super::settings::{Config, HostPort, ProbeName, Resolver, STATE_DIR};
use crate::keys::SelectorPrefix;
use crate::listen::ListenAddress;

/// The port of the DNS.
const DNS_PORT: u16 = 53;

/// The word for a duration without end.
const NEVER: &str = "never";

/// A kind of setting, with its limits and its place.
pub(super) enum Kind {
    /// An absolute path.
    Path(fn(&mut Config) -> &mut PathBuf),
    /// An absolute path, or the empty text for none.
    OptionalPath(fn(&mut Config) -> &mut Option<PathBuf>),
    /// `true` or `false`.
    Switch(fn(&mut Config) -> &mut bool),
    /// A whole number.
    Number { limits: RangeInclusive<usize>, place: fn(&mut Config) -> &mut usize },
    /// A port, 1 to 65535.
    Port(fn(&mut Config) -> &mut u16),
    /// Permission bits, as text in octal digits.
    Mode(fn(&mut Config) -> &mut u32),
    /// A duration.
    Duration { limits: RangeInclusive<Duration>, place: fn(&mut Config) -> &mut Duration },
    /// A duration, or `never`.
    OptionalDuration {
        limits: RangeInclusive<Duration>,
        place: fn(&mut Config) -> &mut Option<Duration>,
    },
    /// What selectors begin with.
    Prefix(fn(&mut Config) -> &mut SelectorPrefix),
    /// One word out of a few.
    Choice(fn(&mut Config) -> &mut dyn Choice),
    /// `system` or `ADDR[:PORT]`.
    Resolver(fn(&mut Config) -> &mut Resolver),
    /// A list of listen addresses.
    Listen(fn(&mut Config) -> &mut Vec<ListenAddress>),
    /// A list of domain names, the root among them.
    Names(fn(&mut Config) -> &mut Vec<ProbeName>),
    /// A list of domain names.
    Domains(fn(&mut Config) -> &mut Vec<DomainName>),
    /// A domain name, or the empty text for none.
    OptionalName(fn(&mut Config) -> &mut Option<DomainName>),
    /// A list of networks.
    Networks(fn(&mut Config) -> &mut Vec<IpNet>),
    /// A text of one line, at most 200 characters of printable ASCII.
    Text(fn(&mut Config) -> &mut String),
    /// A text in a report, or the empty text for none.
    OptionalText(fn(&mut Config) -> &mut Option<Text>),
    /// An e-mail address, or the empty text for none.
    OptionalAddress(fn(&mut Config) -> &mut Option<EmailAddress>),
    /// A list of e-mail addresses.
    Addresses(fn(&mut Config) -> &mut Vec<EmailAddress>),
    /// An IP address and a port.
    Server(fn(&mut Config) -> &mut SocketAddr),
    /// The name or address of a server, with or without a port, or the empty text for none.
    OptionalHost(fn(&mut Config) -> &mut Option<HostPort>),
}

/// Why a value, or a part of it, is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Where it stands in the file, in octets.
    pub(super) span: Range<usize>,
    /// What may stand there.
    pub(super) expected: String,
    /// What stands there.
    pub(super) found: String,
}

impl Refusal {
    pub(super) fn new(value: &Spanned<DeValue<'_>>, expected: impl Into<String>) -> Self {
        Self { span: value.span(), expected: expected.into(), found: describe(value.get_ref()) }
    }
}

/// A value in TOML notation.
pub(super) enum Printed {
    /// A single value.
    One(String),
    /// The items of a list.
    List(Vec<String>),
}

impl Printed {
    /// The value in one line.
    pub(super) fn line(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::List(items) => format!("[{}]", items.join(", ")),
        }
    }
}

impl Kind {
    /// Reads `value` into its place. Of a list, all items that are wrong are told.
    pub(super) fn read(
        &self,
        config: &mut Config,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), Vec<Refusal>> {
        let text = value.get_ref().as_str();
        let refusal = || vec![Refusal::new(value, self.expected())];
        match self {
            Self::Path(place) => *place(config) = text.and_then(path).ok_or_else(refusal)?,
            Self::OptionalPath(place) => {
                *place(config) = match text {
                    Some("") => None,
                    _ => Some(text.and_then(path).ok_or_else(refusal)?),
                };
            }
            Self::Switch(place) => {
                *place(config) = value.get_ref().as_bool().ok_or_else(refusal)?;
            }
            Self::Number { limits, place } => {
                let number = integer(value.get_ref()).filter(|number| limits.contains(number));
                *place(config) = number.ok_or_else(refusal)?;
            }
            Self::Port(place) => {
                let port = integer(value.get_ref()).and_then(|number| u16::try_from(number).ok());
                *place(config) = port.filter(|port| *port != 0).ok_or_else(refusal)?;
            }
            Self::Mode(place) => *place(config) = text.and_then(mode).ok_or_else(refusal)?,
            Self::Duration { limits, place } => {
                let found = text.and_then(duration::parse);
                *place(config) =
                    { found.filter(|found| limits.contains(found)) }.ok_or_else(refusal)?;
            }
            Self::OptionalDuration { limits, place } => {
                *place(config) = match text {
                    Some(NEVER) => None,
                    _ => {
                        let found = text.and_then(duration::parse);
                        let found = found.filter(|found| limits.contains(found));
                        Some(found.ok_or_else(refusal)?)
                    }
                };
            }
            Self::Prefix(place) => {
                *place(config) = text.and_then(SelectorPrefix::parse).ok_or_else(refusal)?;
            }
            Self::Choice(place) => {
                if !text.is_some_and(|word| place(config).choose(word)) {
                    return Err(refusal());
                }
            }
            Self::Resolver(place) => {
                *place(config) = text.and_then(resolver).ok_or_else(refusal)?;
            }
            Self::Listen(place) => {
                let items = value.get_ref().as_array().ok_or_else(refusal)?;
                *place(config) = read_items(items, LISTEN_ADDRESS, ListenAddress::parse)?;
            }
            Self::Names(place) => {
                let items = value.get_ref().as_array().ok_or_else(refusal)?;
                *place(config) = read_items(items, "a domain name, or \".\"", probe_name)?;
            }
            Self::Domains(place) => {
                let items = value.get_ref().as_array().ok_or_else(refusal)?;
                let domain = |text: &str| DomainName::parse(text).ok();
                *place(config) = read_items(items, "a domain name", domain)?;
            }
            Self::OptionalName(place) => {
                let name = match text {
                    Some("") => None,
                    _ => Some(
                        text.and_then(|name| DomainName::parse(name).ok()).ok_or_else(refusal)?,
                    ),
                };
                *place(config) = name;
            }
            Self::Networks(place) => {
                let items = value.get_ref().as_array().ok_or_else(refusal)?;
                *place(config) = read_items(items, NETWORK, network)?;
            }
            Self::Text(place) => *place(config) = text.and_then(line).ok_or_else(refusal)?,
            Self::OptionalText(place) => {
                *place(config) = match text {
                    Some("") => None,
                    _ => Some(text.and_then(|text| Text::parse(text).ok()).ok_or_else(refusal)?),
                };
            }
            Self::OptionalAddress(place) => {
                *place(config) = match text {
                    Some("") => None,
                    _ => Some(text.and_then(short_address).ok_or_else(refusal)?),
                };
            }
            Self::Addresses(place) => {
                let items = value.get_ref().as_array().ok_or_else(refusal)?;
                let address = |text: &str| EmailAddress::parse(text).ok();
                *place(config) =
                    read_items(items, "an address such as \"rua@example.com\"", address)?;
            }
            Self::Server(place) => {
                let server = text.and_then(|text| text.parse::<SocketAddr>().ok());
                *place(config) = server.filter(|server| server.port() != 0).ok_or_else(refusal)?;
            }
            Self::OptionalHost(place) => {
                *place(config) = match text {
                    Some("") => None,
                    _ => Some(text.and_then(HostPort::parse).ok_or_else(refusal)?),
                };
            }
        }
        Ok(())
    }

    /// What may stand as the value, to follow "expected".
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Path(_) => "an absolute path".into(),
            Self::OptionalPath(_) => "an absolute path, or \"\" for none".into(),
            Self::Switch(_) => "true or false".into(),
            Self::Number { limits, .. } => {
                format!("a whole number from {} to {}", limits.start(), limits.end())
            }
            Self::Port(_) => "a port from 1 to 65535".into(),
            Self::Mode(_) => "permission bits as text, such as \"0660\"".into(),
            Self::Duration { limits, .. } => format!(
                "a duration from \"{}\" to \"{}\"",
                duration::print(*limits.start()),
                duration::print(*limits.end())
            ),
            Self::OptionalDuration { limits, .. } => format!(
                "a duration from \"{}\" to \"{}\", or \"{NEVER}\"",
                duration::print(*limits.start()),
                duration::print(*limits.end())
            ),
            Self::Prefix(_) => "1 to 20 lower-case letters, digits and hyphens".into(),
            Self::Choice(place) => {
                let words = place(&mut Config::default()).words();
                let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                match quoted.split_last() {
                    Some((last, rest)) if !rest.is_empty() => {
                        format!("{} or {last}", rest.join(", "))
                    }
                    _ => quoted.concat(),
                }
            }
            Self::Resolver(_) => "\"system\" or an IP address with or without a port".into(),
            Self::Listen(_) => "a list of listen addresses".into(),
            Self::Names(_) | Self::Domains(_) => "a list of domain names".into(),
            Self::OptionalName(_) => "a domain name, or \"\" for none".into(),
            Self::Networks(_) => "a list of networks".into(),
            Self::Text(_) => "at most 200 characters of printable ASCII".into(),
            Self::OptionalText(_) => "a text of one line, or \"\" for none".into(),
            Self::OptionalAddress(_) => format!(
                "an address such as \"reports@example.com\" with at most {MAX_LOCAL_PART} octets \
                 before the @, or \"\" for none"
            ),
            Self::Addresses(_) => "a list of addresses".into(),
            Self::Server(_) => "an IP address and a port, such as \"127.0.0.1:25\"".into(),
            Self::OptionalHost(_) => {
                "a server such as \"imap.example.com\" or \"imap.example.com:993\", or \"\" for \
                 none"
                    .into()
            }
        }
    }

    /// The value in `config`, in TOML notation.
    pub(super) fn print(&self, config: &Config) -> Printed {
        // A place is a place to write, so reading goes through a copy. Only people ask for it.
        let mut config = config.clone();
        Printed::One(match self {
            Self::Path(place) => quote(&place(&mut config).to_string_lossy()),
            Self::OptionalPath(place) => {
                let path = place(&mut config).take().unwrap_or_default();
                quote(&path.to_string_lossy())
            }
            Self::Switch(place) => place(&mut config).to_string(),
            Self::Number { place, .. } => place(&mut config).to_string(),
            Self::Port(place) => place(&mut config).to_string(),
            Self::Mode(place) => format!("\"{:04o}\"", place(&mut config)),
            Self::Duration { place, .. } => quote(&duration::print(*place(&mut config))),
            Self::OptionalDuration { place, .. } => match place(&mut config) {
                Some(duration) => quote(&duration::print(*duration)),
                None => quote(NEVER),
            },
            Self::Prefix(place) => quote(place(&mut config).as_str()),
            Self::Choice(place) => quote(place(&mut config).word()),
            Self::Resolver(place) => quote(&place(&mut config).to_string()),
            Self::Listen(place) => return print_items(place(&mut config)),
            Self::Names(place) => return print_items(place(&mut config)),
            Self::Domains(place) => return print_items(place(&mut config)),
            Self::OptionalName(place) => {
                quote(&place(&mut config).as_ref().map(ToString::to_string).unwrap_or_default())
            }
            Self::Networks(place) => return print_items(place(&mut config)),
            Self::Addresses(place) => return print_items(place(&mut config)),
            Self::Text(place) => quote(place(&mut config)),
            Self::OptionalText(place) => {
                quote(place(&mut config).as_ref().map_or("", |text| text.as_str()))
            }
            Self::OptionalAddress(place) => {
                quote(&place(&mut config).as_ref().map(ToString::to_string).unwrap_or_default())
            }
            Self::Server(place) => quote(&place(&mut config).to_string()),
            Self::OptionalHost(place) => {
                quote(&place(&mut config).as_ref().map(ToString::to_string).unwrap_or_default())
            }
        })
    }

    /// What was typed behind the flag, as if it stood in the file. Relative paths are those of
    /// the shell, so they are completed by the working folder.
    pub(super) fn typed<'a>(&self, texts: &'a [String]) -> Spanned<DeValue<'a>> {
        let text = |text: &'a str| DeValue::String(text.into());
        let last = texts.last().map_or("", |text| text.as_str());
        let value = match self {
            Self::Switch(_) => DeValue::Boolean(true),
            Self::Number { .. } | Self::Port(_) => {
                DeValue::parse(last).map_or_else(|_| text(last), Spanned::into_inner)
            }
            Self::Path(_) | Self::OptionalPath(_) => DeValue::String(absolute("", last).into()),
            Self::Listen(_)
            | Self::Names(_)
            | Self::Domains(_)
            | Self::Networks(_)
            | Self::Addresses(_) => {
                let items = texts.iter().map(|item| {
                    let item = match item.strip_prefix("unix:") {
                        Some(path) => DeValue::String(absolute("unix:", path).into()),
                        None => text(item),
                    };
                    Spanned::new(0..0, item)
                });
                DeValue::Array(items.collect())
            }
            Self::Mode(_)
            | Self::Duration { .. }
            | Self::OptionalDuration { .. }
            | Self::Prefix(_)
            | Self::Choice(_)
            | Self::Resolver(_)
            | Self::OptionalName(_)
            | Self::Text(_)
            | Self::OptionalText(_)
            | Self::OptionalAddress(_)
            | Self::Server(_)
            | Self::OptionalHost(_) => text(last),
        };
        Spanned::new(0..0, value)
    }
}

const LISTEN_ADDRESS: &str =
    "an IP address with a port, or \"unix:\" and an absolute path or one below STATE_DIR/";

const NETWORK: &str = "a network such as \"192.0.2.0/24\" or \"2001:db8::/32\", or an address";

/// A network, written with its first address; or an address, which is a network of one.
fn network(text: &str) -> Option<IpNet> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.into());
    }
    text.parse::<IpNet>().ok().filter(|network| network.trunc() == *network)
}

/// How many octets the local part of an address may have, so that a word of ours fits behind it.
const MAX_LOCAL_PART: usize = 40;

fn short_address(text: &str) -> Option<EmailAddress> {
    let address = EmailAddress::parse(text).ok()?;
    (address.local_part().len() <= MAX_LOCAL_PART).then_some(address)
}

fn line(text: &str) -> Option<String> {
    let printable = text.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    (printable && text.len() <= 200).then(|| text.to_owned())
}

fn absolute(scheme: &str, typed: &str) -> String {
    if typed.is_empty() || Path::new(typed).starts_with(STATE_DIR) {
        return format!("{scheme}{typed}");
    }
    let path = std::path::absolute(typed).unwrap_or_else(|_| typed.into());
    format!("{scheme}{}", path.display())
}

fn path(text: &str) -> Option<PathBuf> {
    let usable = text.starts_with('/') && !text.contains(|c: char| c.is_control());
    usable.then(|| text.into())
}

fn integer(value: &DeValue<'_>) -> Option<usize> {
    let number: &DeInteger<'_> = value.as_integer()?;
    usize::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Three octal digits, with or without zeros in front.
fn mode(text: &str) -> Option<u32> {
    let is_octal = (3..=5).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'7'));
    let mode = u32::from_str_radix(text, 8).ok()?;
    (is_octal && mode <= 0o777).then_some(mode)
}

fn resolver(text: &str) -> Option<Resolver> {
    if text == "system" {
        return Some(Resolver::System);
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return (address.port() != 0).then_some(Resolver::Address(address));
    }
    let address = match text.strip_prefix("localhost") {
        Some("") => return Some(Resolver::Address((Ipv4Addr::LOCALHOST, DNS_PORT).into())),
        Some(rest) => return resolver(&format!("{}{rest}", Ipv4Addr::LOCALHOST)),
        None => text.parse::<IpAddr>().ok()?,
    };
    Some(Resolver::Address((address, DNS_PORT).into()))
}

fn probe_name(text: &str) -> Option<ProbeName> {
    if text == "." {
        return Some(ProbeName::Root);
    }
    DomainName::parse(text).ok().map(ProbeName::Domain)
}

fn read_items<T: PartialEq>(
    items: &DeArray<'_>,
    expected: &str,
    parse: fn(&str) -> Option<T>,
) -> Result<Vec<T>, Vec<Refusal>> {
    let (mut values, mut refusals) = (Vec::new(), Vec::new());
    for item in items {
        match item.get_ref().as_str().and_then(parse) {
            Some(value) if values.contains(&value) => {
                refusals.push(Refusal::new(item, "each item once"));
            }
            Some(value) => values.push(value),
            None => refusals.push(Refusal::new(item, expected)),
        }
    }
    if refusals.is_empty() { Ok(values) } else { Err(refusals) }
}

fn print_items<T: ToString>(items: &[T]) -> Printed {
    Printed::List(items.iter().map(|item| quote(&item.to_string())).collect())
}

/// A TOML basic string. Our own values hold no control characters.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

/// The value as people are told what was found.
pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.is_empty() => "an empty text".into(),
        DeValue::String(text) if text.chars().count() > 60 => {
            format!("{:?}...", text.chars().take(60).collect::<String>())
        }
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}
