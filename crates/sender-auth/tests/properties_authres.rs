//! What must hold for every `Authentication-Results` field: reading never panics, what is written
//! is read as the same, and nothing that a sender chose gets out of its place.

use proptest::prelude::*;
use sender_auth::authres::{
    AuthenticationResults, AuthservId, Keyword, MethodResult, PropertyName, RemovalReason,
    removals, signature_prefixes,
};
use sender_auth::{Header, HeaderField};

/// Any text, with what matters to the grammar more often than by chance.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9.@\"\\\\;:=()<> \r\n\t\u{0}äé_-]{0,120}",
        "\\PC{0,60}",
        "[a-z ]{0,1200}",
        "([a-z\"\\\\ ]{0,9}|\"[a-z \\\\\"]{0,9}\")@[a-zä.]{0,12}",
    ]
}

fn keyword() -> impl Strategy<Value = Keyword> {
    "[a-z0-9-]{0,8}[a-z0-9]".prop_filter_map("a keyword", |word| Keyword::parse(&word))
}

fn result() -> impl Strategy<Value = MethodResult> {
    let property = (keyword(), keyword(), text());
    let optional = || prop::option::of(text());
    let properties = prop::collection::vec(property, 0..5);
    (keyword(), 1..4_u32, keyword(), optional(), optional(), properties).prop_map(
        |(method, method_version, result, comment, reason, properties)| {
            let mut info = MethodResult::new(method, result);
            info.method_version = method_version;
            if let Some(comment) = comment {
                info = info.with_comment(&comment);
            }
            if let Some(reason) = reason {
                info = info.with_reason(&reason);
            }
            for (ptype, property, value) in properties {
                info = info.with_property(PropertyName { ptype, property }, &value);
            }
            info
        },
    )
}

fn id() -> impl Strategy<Value = AuthservId> {
    text().prop_filter_map("an id", |text| AuthservId::new(&text).ok())
}

fn field_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "(a|mx.example.com|\"b c\"|1|;|=|/|\\.|none|reason|spf|pass|\\(x\\)|\\(|\\)|\r\n | )",
        "; ?(spf|dkim)=(pass|fail) (smtp|header)\\.(d|helo)=[a-z.@]{1,9}",
        "\\PC{0,3}",
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = AuthenticationResults::parse(&octets);
        if let Ok(field) = HeaderField::new(b"Authentication-Results", &octets) {
            let header: Header = [field].into_iter().collect();
            let ours = AuthservId::new("mx.example.com").unwrap();
            let _ = removals(&header, &ours);
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same(
        authserv_id in id(),
        results in prop::collection::vec(result(), 0..5),
    ) {
        let field = AuthenticationResults { authserv_id, results };
        let value = field.to_value();
        prop_assert_eq!(AuthenticationResults::parse(value.as_bytes()), Ok(field.clone()), "{:?}", value);
        // One field, as the header of a message is cut into fields.
        for (index, line) in value.split("\r\n").enumerate() {
            prop_assert!(!line.contains(|c: char| c.is_control()), "{:?}", line);
            prop_assert!(index == 0 || line.starts_with(' '), "{:?}", line);
            prop_assert!(!line.trim_matches(' ').is_empty() && line.len() <= 998, "{:?}", line);
        }
        // It is found as ours.
        let header: Header =
            [HeaderField::new(b"Authentication-Results", value.as_bytes()).unwrap()].into_iter().collect();
        let found = removals(&header, &field.authserv_id);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].reason, RemovalReason::ClaimsOurId);
    }

    #[test]
    fn what_is_read_and_written_is_read_as_the_same(text in field_like()) {
        if let Ok(field) = AuthenticationResults::parse(text.as_bytes()) {
            let value = field.to_value();
            prop_assert_eq!(AuthenticationResults::parse(value.as_bytes()), Ok(field), "{:?}", value);
        }
    }

    #[test]
    fn whatever_begins_with_our_id_is_removed(
        before in "(\\(x\\)| |\r\n ){0,2}",
        behind in "( ?;|\\(| |/|=|\")\\PC{0,40}",
    ) {
        let value = format!(" {before}mx.example.com{behind}");
        let field = HeaderField::new(b"Authentication-Results", value.as_bytes()).unwrap();
        let header: Header = [field].into_iter().collect();
        let ours = AuthservId::new("MX.example.com").unwrap();
        prop_assert_eq!(removals(&header, &ours).len(), 1, "{:?}", value);
    }

    #[test]
    fn prefixes_are_prefixes_and_tell_different_signatures_apart(
        signatures in prop::collection::vec("[AB]{0,14}", 0..6),
    ) {
        let prefixes = signature_prefixes(signatures.iter().map(String::as_str));
        prop_assert_eq!(prefixes.len(), signatures.len());
        for (index, (prefix, whole)) in prefixes.iter().zip(&signatures).enumerate() {
            prop_assert!(whole.starts_with(prefix) && prefix.len() >= whole.len().min(8));
            for (other, another) in signatures.iter().enumerate() {
                let apart = !another.starts_with(prefix) || another.starts_with(whole);
                prop_assert!(other == index || apart, "{:?} {:?}", prefix, another);
            }
        }
    }
}
