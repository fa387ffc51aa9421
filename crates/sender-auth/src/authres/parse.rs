//! Reading the field (RFC 8601 §2.2).
//!
//! One cursor goes over the text and never back. The functions carry the names of the grammar.

use alloc::vec::Vec;
use core::fmt;

use smtp_types::Position;

use super::cursor::{Cursor, MAX_DEPTH, MAX_FIELD, is_token, utf8, valid_utf8};
use super::model::{AuthenticationResults, MethodResult, Property, PropertyName};
use super::words::{AuthservId, MAX_OCTETS};

/// How many statements a field may have, and how many properties one of them.
const MAX_ITEMS: usize = 256;

/// `authres-payload = [CFWS] authserv-id [ CFWS authres-version ] ( no-result / 1*resinfo ) [CFWS]`
pub(super) fn parse(value: &[u8]) -> Result<AuthenticationResults, AuthenticationResultsError> {
    let text = utf8(value)?;
    authres_payload(&mut Cursor { text, offset: 0 })
}

/// Reads the instance that stands in front of the payload of an `ARC-Authentication-Results`
/// field, and the payload if it can be read: `arc-info = instance [CFWS] ";" authres-payload`
/// (RFC 8617 §4.1.1). What the payload says has no part in whether the field is valid (§3.4).
///
/// # Errors
/// If the instance cannot be read.
pub(crate) fn parse_instance(
    value: &[u8],
) -> Result<InstanceAndPayload, AuthenticationResultsError> {
    // The instance is ASCII; what follows may be anything.
    let readable = match utf8(value) {
        Ok(text) => text,
        Err(AuthenticationResultsError { fault: AuthenticationResultsFault::NotUtf8, .. }) => {
            valid_utf8(value)
        }
        Err(error) => return Err(error),
    };
    let mut cursor = Cursor { text: readable, offset: 0 };
    cursor.cfws()?;
    if !cursor.take("i") {
        return Err(cursor.expected("i="));
    }
    cursor.cfws()?;
    cursor.require("=")?;
    cursor.cfws()?;
    let instance = cursor.position()?;
    cursor.cfws()?;
    cursor.require(";")?;
    let payload = utf8(value).and_then(|_| authres_payload(&mut cursor));
    Ok(InstanceAndPayload { instance, payload })
}

/// What an `ARC-Authentication-Results` field says.
pub(crate) struct InstanceAndPayload {
    /// 0 to 99.
    pub(crate) instance: u8,
    pub(crate) payload: Result<AuthenticationResults, AuthenticationResultsError>,
}

fn authres_payload(
    cursor: &mut Cursor<'_>,
) -> Result<AuthenticationResults, AuthenticationResultsError> {
    cursor.cfws()?;
    let authserv_id = authserv_id(cursor)?;
    cursor.cfws()?;
    authres_version(cursor)?;
    cursor.require(";")?;
    cursor.cfws()?;
    let results = if no_result(cursor)? { Vec::new() } else { resinfos(cursor)? };
    Ok(AuthenticationResults { authserv_id, results })
}

/// How many octets of a field that cannot be read belong to its beginning: all up to the semicolon
/// behind the authserv-id, or everything if not even that can be found.
pub(super) fn length_of_beginning(text: &str) -> usize {
    let mut cursor = Cursor { text, offset: 0 };
    match cursor.cfws().and_then(|_| authserv_id(&mut cursor)) {
        Ok(_) => cursor.offset + cursor.run(|c| c != ';').len(),
        Err(_) => text.len(),
    }
}

/// `authserv-id = value`. Characters that belong into quotes are not taken without: a field without
/// any id, such as `spf=pass; ...`, shall not be read as one of a server of that name.
fn authserv_id(cursor: &mut Cursor<'_>) -> Result<AuthservId, AuthenticationResultsError> {
    let start = cursor.offset;
    let text = match cursor.quoted_string()? {
        Some(text) => text,
        None => cursor.run(|c| is_token(c) || !c.is_ascii()).into(),
    };
    AuthservId::new(&text).map_err(|_| {
        let fault = AuthenticationResultsFault::Expected { what: "an authserv-id", found: None };
        Cursor { offset: start, ..*cursor }.error(fault)
    })
}

/// §2.6: behind a version that is not known nothing can be read.
fn authres_version(cursor: &mut Cursor<'_>) -> Result<(), AuthenticationResultsError> {
    if !cursor.next().is_some_and(|c| c.is_ascii_digit()) {
        return Ok(());
    }
    let start = *cursor;
    let found = cursor.digits()?;
    if found != 1 {
        return Err(start.error(AuthenticationResultsFault::Version { found }));
    }
    cursor.cfws().map(|_| ())
}

/// `no-result = [CFWS] ";" [CFWS] "none"`
fn no_result(cursor: &mut Cursor<'_>) -> Result<bool, AuthenticationResultsError> {
    let mut ahead = *cursor;
    if !ahead.run(|c| c.is_ascii_alphabetic()).eq_ignore_ascii_case("none") {
        return Ok(false);
    }
    ahead.cfws()?;
    let is_at_end = ahead.next().is_none();
    if is_at_end {
        *cursor = ahead;
    }
    Ok(is_at_end)
}

/// `1*resinfo`, the cursor behind the first semicolon.
fn resinfos(cursor: &mut Cursor<'_>) -> Result<Vec<MethodResult>, AuthenticationResultsError> {
    let mut results = Vec::new();
    loop {
        if results.len() == MAX_ITEMS {
            return Err(cursor.error(AuthenticationResultsFault::TooMany));
        }
        results.push(resinfo(cursor)?);
        if cursor.next().is_none() {
            return Ok(results);
        }
        cursor.require(";")?;
        cursor.cfws()?;
        if cursor.next().is_none() {
            return Ok(results); // a semicolon at the end
        }
    }
}

/// `resinfo = [CFWS] ";" methodspec [ CFWS reasonspec ] [ CFWS 1*propspec ]`
fn resinfo(cursor: &mut Cursor<'_>) -> Result<MethodResult, AuthenticationResultsError> {
    let method = cursor.keyword("a method")?;
    cursor.cfws()?;
    let mut method_version = 1;
    if cursor.take("/") {
        cursor.cfws()?;
        method_version = u32::try_from(cursor.digits()?).unwrap_or(u32::MAX);
        cursor.cfws()?;
    }
    cursor.require("=")?;
    cursor.cfws()?;
    let mut info = MethodResult::new(method, cursor.keyword("a result")?);
    info.method_version = method_version;
    info.comment = cursor.cfws()?;
    while !matches!(cursor.next(), None | Some(';')) {
        reason_or_property(cursor, &mut info)?;
        let comment = cursor.cfws()?;
        info.comment = info.comment.or(comment);
    }
    Ok(info)
}

/// `reasonspec = "reason" [CFWS] "=" [CFWS] value`,
/// `propspec = ptype [CFWS] "." [CFWS] property [CFWS] "=" pvalue`
fn reason_or_property(
    cursor: &mut Cursor<'_>,
    info: &mut MethodResult,
) -> Result<(), AuthenticationResultsError> {
    let start = *cursor;
    let ptype = cursor.keyword("a property, a reason or a semicolon")?;
    cursor.cfws()?;
    if ptype.as_str() == "reason" && cursor.take("=") {
        if info.reason.is_some() {
            return Err(start.error(AuthenticationResultsFault::RepeatedReason));
        }
        cursor.cfws()?;
        info.reason = Some(cursor.value()?);
        return Ok(());
    }
    cursor.require(".")?;
    cursor.cfws()?;
    let property = cursor.keyword("a property")?;
    cursor.cfws()?;
    cursor.require("=")?;
    cursor.cfws()?;
    let value = cursor.value()?;
    if info.properties.len() == MAX_ITEMS {
        return Err(start.error(AuthenticationResultsFault::TooMany));
    }
    info.properties.push(Property { name: PropertyName { ptype, property }, value });
    Ok(())
}

/// Why a field cannot be read, and where. What it says does not count then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationResultsError {
    /// The place in what stands behind the colon.
    pub position: Position,
    /// The fault.
    pub fault: AuthenticationResultsFault,
}

impl fmt::Display for AuthenticationResultsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (RFC 8601 §2.2)", self.position, self.fault)
    }
}

impl core::error::Error for AuthenticationResultsError {}

/// What can be wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthenticationResultsFault {
    /// The field is not UTF-8.
    NotUtf8,
    /// The field has more than 64 KiB, or a value has more than 900 octets.
    TooLong,
    /// More than 256 statements, or properties in one.
    TooMany,
    /// Comments are nested deeper than 32 levels.
    TooDeep,
    /// A comment or a quoted string has no end.
    Unclosed {
        /// What opens it.
        opened: char,
    },
    /// A version of the field that is not known (§2.6).
    Version {
        /// The version.
        found: u64,
    },
    /// A statement has two reasons.
    RepeatedReason,
    /// Something else than the grammar wants.
    Expected {
        /// What it wants.
        what: &'static str,
        /// What stands there; nothing at the end.
        found: Option<char>,
    },
}

impl fmt::Display for AuthenticationResultsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => write!(f, "expected UTF-8, found other octets"),
            Self::TooLong => write!(
                f,
                "expected at most {MAX_FIELD} octets and {MAX_OCTETS} in a value, found more"
            ),
            Self::TooMany => {
                write!(f, "expected at most {MAX_ITEMS} results or properties, found more")
            }
            Self::TooDeep => write!(f, "expected at most {MAX_DEPTH} nested comments, found more"),
            Self::Unclosed { opened } => write!(f, "expected an end of {opened:?}, found none"),
            Self::Version { found } => write!(f, "version: expected 1, found {found}"),
            Self::RepeatedReason => write!(f, "reason: expected once, found again"),
            Self::Expected { what, found: Some(found) } => {
                write!(f, "expected {what}, found {found:?}")
            }
            Self::Expected { what, found: None } => write!(f, "expected {what}, found nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};

    /// Reads the text, and shows what was understood in one form for all.
    fn good(text: &str, shown: &str) {
        let parsed = parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text:?}: {e}"));
        let mut found = parsed.authserv_id.to_string();
        for result in &parsed.results {
            found += &format!("; {}/{}={}", result.method, result.method_version, result.result);
            let comment = result.comment.as_ref();
            found += &comment.map_or(String::new(), |comment| format!(" ({})", comment.as_str()));
            found +=
                &result.reason.as_ref().map_or(String::new(), |why| format!(" reason={why:?}"));
            for Property { name, value } in &result.properties {
                found += &format!(" {}.{}={}", name.ptype, name.property, value);
            }
        }
        assert_eq!(found, shown, "{text:?}");
        let written = parsed.to_value();
        assert_eq!(parse(written.as_bytes()), Ok(parsed), "{text:?} as {written:?}");
    }

    fn bad(text: &str, message: &str) {
        assert_eq!(parse(text.as_bytes()).expect_err(text).to_string(), message, "{text:?}");
    }

    #[test]
    fn fields() {
        good(" example.org 1; none", "example.org");
        good("x;None ", "x");
        good(
            "example.com; auth=pass (cram-md5) smtp.auth=sender@example.net; spf=fail smtp.helo=a",
            "example.com; auth/1=pass (cram-md5) smtp.auth=sender@example.net; spf/1=fail smtp.helo=a",
        );
        // Comments and folds wherever they may be (RFC 8601, appendix B.7).
        good(
            "foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = \
             (wait for it) fail\r\n\tpolicy (A dot can go here) . (like that) expired\r\n\t\
             (this surprised me) = (as I wasn't expecting it) 1362471462",
            "foo.example.net; dkim/1=fail policy.expired=1362471462",
        );
        good("a;x=pass(b(c)d\\)e)", "a; x/1=pass (b(c)d)e)");
        good("\"a b\" ; X-y/22 = Pass", "a b; x-y/22=pass");
        good("a; x=pass reason=\"b \\\"c\\\" d\"", "a; x/1=pass reason=Value(\"b \\\"c\\\" d\")");
        good("a; x=pass reason=b y.z=\"\"", "a; x/1=pass reason=Value(\"b\") y.z=");
        good("a; x=pass y.z=\"b\r\n\tc;d\"", "a; x/1=pass y.z=b c;d");
        good("a; x=pass y.z=SRS0=a=b@d.example", "a; x/1=pass y.z=SRS0=a=b@d.example");
        good("a; x=pass y.z=@d.example", "a; x/1=pass y.z=@d.example");
        good("a; x=pass y.z=\"b c\"@d.example e.f=g", "a; x/1=pass y.z=\"b c\"@d.example e.f=g");
        good("dané.example; x=pass y.z=ö@ä.example", "dané.example; x/1=pass y.z=ö@ä.example");
        good("a; x=pass reason.z=b", "a; x/1=pass reason.z=b");
        good("a; none=pass", "a; none/1=pass");
        // What others write, against the grammar.
        good("a; x=pass;", "a; x/1=pass");
        good(
            "a; x=pass y.z=2001:db8::1 reason=b",
            "a; x/1=pass reason=Value(\"b\") y.z=2001:db8::1",
        );
        good("a; x=pass y.z=<> y.b=ab/+", "a; x/1=pass y.z=<> y.b=ab/+");

        bad("", "line 1, column 1: expected an authserv-id, found nothing (RFC 8601 §2.2)");
        bad(
            "; spf=pass",
            "line 1, column 1: expected an authserv-id, found nothing (RFC 8601 §2.2)",
        );
        bad("a", "line 1, column 2: expected ;, found nothing (RFC 8601 §2.2)");
        bad("a;", "line 1, column 3: expected a method, found nothing (RFC 8601 §2.2)");
        bad("a 2; spf=pass", "line 1, column 3: version: expected 1, found 2 (RFC 8601 §2.2)");
        bad("a b; spf=pass", "line 1, column 3: expected ;, found 'b' (RFC 8601 §2.2)");
        bad("spf=pass; dkim=pass", "line 1, column 4: expected ;, found '=' (RFC 8601 §2.2)");
        bad("a; none; spf=pass", "line 1, column 8: expected =, found ';' (RFC 8601 §2.2)");
        bad("a; spf", "line 1, column 7: expected =, found nothing (RFC 8601 §2.2)");
        bad("a; spf=", "line 1, column 8: expected a result, found nothing (RFC 8601 §2.2)");
        bad("a; x=b y", "line 1, column 9: expected ., found nothing (RFC 8601 §2.2)");
        bad("a; x=b y.z=;", "line 1, column 12: expected a value, found ';' (RFC 8601 §2.2)");
        bad(
            "a; x=b y.z=c=d",
            "line 1, column 13: expected a property, a reason or a semicolon, found '=' (RFC 8601 §2.2)",
        );
        bad(
            "a; x=b reason=c reason=d",
            "line 1, column 17: reason: expected once, found again (RFC 8601 §2.2)",
        );
        bad(
            "a;\r\n x=b (c",
            "line 2, column 6: expected an end of '(', found none (RFC 8601 §2.2)",
        );
        bad(
            "a; x=b y.z=\"c",
            "line 1, column 12: expected an end of '\"', found none (RFC 8601 §2.2)",
        );
        bad("a; x=b\ry.z=c", "line 1, column 7: expected a fold, found '\\r' (RFC 8601 §2.2)");
        bad(
            "a; x=b (\0)",
            "line 1, column 9: expected a printable character, found '\\0' (RFC 8601 §2.2)",
        );
    }

    #[test]
    fn limits() {
        let fault = |text: &str| parse(text.as_bytes()).unwrap_err().fault;
        let nested = |depth: usize| format!("a; x=b {}{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(nested(32).as_bytes()).is_ok());
        assert_eq!(fault(&nested(33)), AuthenticationResultsFault::TooDeep);
        let value = |octets: usize| format!("a; x=b y.z={}", "c".repeat(octets));
        assert!(parse(value(900).as_bytes()).is_ok());
        assert_eq!(fault(&value(901)), AuthenticationResultsFault::TooLong);
        assert_eq!(fault(&" ".repeat(MAX_FIELD + 1)), AuthenticationResultsFault::TooLong);
        assert!(parse(format!("a{}", ";x=b".repeat(256)).as_bytes()).is_ok());
        assert_eq!(fault(&format!("a{}", ";x=b".repeat(257))), AuthenticationResultsFault::TooMany);
        assert_eq!(
            fault(&format!("a; x=b{}", " y.z=c".repeat(257))),
            AuthenticationResultsFault::TooMany
        );
        let error = parse(b"a; x=b (\xc3\xa4\xff)").unwrap_err();
        assert_eq!(error.fault, AuthenticationResultsFault::NotUtf8);
        assert_eq!(error.position, Position { line: 1, column: 10 });
    }

    #[test]
    fn instances() {
        let instance = |text: &[u8]| parse_instance(text).ok().map(|found| found.instance);
        assert_eq!(instance(b" i=1; a; none"), Some(1));
        assert_eq!(instance(b"(x) i (y) = (z) 50 (u); a; none"), Some(50));
        assert_eq!(instance(b"i=2; nothing that can be read \xff"), Some(2));
        for text in ["i=; a", "i=1 a; none", "a; i=1; none", "I=1; a", "i=001; a", "i=x; a", ""] {
            assert_eq!(instance(text.as_bytes()), None, "{text:?}");
        }
        assert!(parse_instance(b"i=2; a; none \xff").unwrap().payload.is_err());
        assert!(parse_instance(b"i=2; a; none").unwrap().payload.is_ok());
    }
}
