//! What Postfix makes of a reply: its rules, written anew.
//!
//! They are those of `socketmap_table(5)`, of "smtp_tls_policy_maps" in `TLS_README` and
//! `postconf(5)`, and of `TLSRPT_README`, as of Postfix 3.11. Nothing here knows how replies are
//! made.

/// What Postfix makes of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Understood {
    Policy(TlsPolicy),
    NotFound,
    Temporary(String),
}

/// A policy as Postfix keeps it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsPolicy {
    pub(crate) level: String,
    pub(crate) matches: Vec<String>,
    pub(crate) servername: Option<String>,
    pub(crate) policy_type: Option<String>,
    pub(crate) policy_domain: Option<String>,
    pub(crate) policy_strings: Vec<String>,
    pub(crate) mx_host_patterns: Vec<String>,
}

/// Status and data are parted by the first space, which must be there.
pub(crate) fn understand(reply: &str) -> Result<Understood, String> {
    if reply.len() > 100_000 {
        return Err(format!("{} octets are more than socketmap_max_reply_size", reply.len()));
    }
    let (status, data) = reply.split_once(' ').ok_or("no space behind the status")?;
    match status {
        "OK" => read_policy(data).map(Understood::Policy),
        "NOTFOUND" if data.is_empty() => Ok(Understood::NotFound),
        "TEMP" if !data.is_empty() => Ok(Understood::Temporary(data.to_owned())),
        _ => Err(format!("unexpected status or data: {reply:?}")),
    }
}

/// The level first, then attributes. Whatever Postfix does not know makes it refuse the policy, and
/// all mail to the domain waits.
fn read_policy(data: &str) -> Result<TlsPolicy, String> {
    let mut words = Words(data);
    let level = words.next().ok_or("empty policy")?;
    if !["none", "may", "encrypt", "fingerprint", "verify", "secure", "dane", "dane-only"]
        .contains(&level)
    {
        return Err(format!("no level: {level:?}"));
    }
    let mut policy = TlsPolicy { level: level.to_owned(), ..TlsPolicy::default() };
    for word in words {
        let (name, value) = name_and_value(word)?;
        match name.to_ascii_lowercase().as_str() {
            "match" => {
                if !["verify", "secure"].contains(&level) {
                    return Err(format!("match at level {level}"));
                }
                if value.is_empty() {
                    return Err("match without a value".to_owned());
                }
                policy.matches.extend(value.split(':').map(str::to_owned));
            }
            "servername" => once(&mut policy.servername, name, value, is_host_name(value))?,
            "policy_type" => {
                once(
                    &mut policy.policy_type,
                    name,
                    value,
                    ["sts", "no-policy-found"].contains(&value),
                )?;
            }
            "policy_domain" => once(&mut policy.policy_domain, name, value, is_host_name(value))?,
            "policy_string" => policy.policy_strings.push(value.to_owned()),
            "mx_host_pattern" => policy.mx_host_patterns.push(value.to_owned()),
            // Postfix knows these, and we have no business with them.
            "ciphers" | "protocols" | "exclude" | "tafile" | "connection_reuse" | "enable_rpk"
            | "policy_ttl" | "policy_failure" => {
                return Err(format!("an attribute that nobody meant: {name}={value}"));
            }
            _ => return Err(format!("unknown attribute: {name:?}")),
        }
    }
    let has_details = policy.policy_domain.is_some()
        || !policy.policy_strings.is_empty()
        || !policy.mx_host_patterns.is_empty();
    match policy.policy_type.as_deref() {
        None if has_details => Err("policy attributes without policy_type".to_owned()),
        // smtp(8) before 3.10.6 crashes without them.
        Some("sts") if policy.policy_strings.is_empty() || policy.mx_host_patterns.is_empty() => {
            Err("policy_type=sts without policy_string or mx_host_pattern".to_owned())
        }
        Some("sts") if policy.policy_domain.is_none() || level != "secure" => {
            Err("policy_type=sts without policy_domain, or at another level".to_owned())
        }
        _ => Ok(policy),
    }
}

fn once(place: &mut Option<String>, name: &str, value: &str, valid: bool) -> Result<(), String> {
    if !valid {
        return Err(format!("{name}: bad value {value:?}"));
    }
    match place.replace(value.to_owned()) {
        None => Ok(()),
        Some(_) => Err(format!("{name} is there twice")),
    }
}

/// Words end at a comma or white space that is not inside braces; braces nest.
struct Words<'r>(&'r str);

impl<'r> Iterator for Words<'r> {
    type Item = &'r str;

    fn next(&mut self) -> Option<&'r str> {
        let is_separator = |c| matches!(c, ',' | ' ' | '\t' | '\r' | '\n');
        let text = self.0.trim_start_matches(is_separator);
        if text.is_empty() {
            return None;
        }
        let mut depth = 0_usize;
        let end = text.find(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => return depth == 0 && is_separator(c),
            }
            false
        });
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        self.0 = rest;
        Some(word)
    }
}

/// `name=value`, or `{ name = value }`, where white space around both does not count. A brace must
/// be closed, and nothing may follow.
fn name_and_value(word: &str) -> Result<(&str, &str), String> {
    let text = match word.strip_prefix('{') {
        None => word,
        Some(inner) => {
            let mut depth = 1_usize;
            let close = inner.find(|c| {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                depth == 0
            });
            let (inner, behind) = inner.split_at(close.ok_or("a brace is not closed")?);
            if behind != "}" {
                return Err(format!("something behind a closing brace: {behind:?}"));
            }
            inner
        }
    };
    let (name, value) = text.split_once('=').ok_or_else(|| format!("no = in {word:?}"))?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(format!("no attribute name: {name:?}"));
    }
    Ok((name, value))
}

/// `valid_hostname`: labels of 1 to 63 letters, digits, underscores and inner hyphens, 255 octets
/// at most, and not all digits.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 255
        && text.split('.').all(is_label)
        && !text.bytes().all(|c| c.is_ascii_digit() || c == b'.')
}
