//! The field `Authentication-Results`.

use sender_auth::authres::{
    AuthenticationResults, AuthservId, FIELD_NAME, RemovalReason, removals,
};
use sender_auth::{Header, HeaderField};

/// A field: written and read it is the same, a line of it has no control character, and it is
/// removed exactly if it bears our id; whatever begins with our id is removed.
pub fn authentication_results(data: &[u8]) {
    let parsed = AuthenticationResults::parse(data);
    if let Ok(field) = &parsed {
        let value = field.to_value();
        assert_eq!(AuthenticationResults::parse(value.as_bytes()).as_ref(), Ok(field), "{value:?}");
        for (index, line) in value.split("\r\n").enumerate() {
            assert!(!line.contains(char::is_control), "{line:?}");
            assert!(index == 0 || line.starts_with(' '), "{line:?}");
            assert!(line.len() <= 998 && !line.trim_matches(' ').is_empty(), "{line:?}");
        }
    }
    let ours = AuthservId::new("MX.example.com").expect("an id");
    let removed = |value: &[u8]| {
        let field = HeaderField::new(FIELD_NAME.as_bytes(), value).expect("a field");
        let header: Header = [field].into_iter().collect();
        removals(&header, &ours).first().map(|removal| removal.reason)
    };
    if let Ok(field) = &parsed {
        let is_ours = field.authserv_id.is_same(&ours);
        assert_eq!(removed(data), is_ours.then_some(RemovalReason::ClaimsOurId));
    }
    assert!(removed(&[b" mx.example.com;", data].concat()).is_some());
    assert!(removed(&[b" (x) mx.example.com ", data].concat()).is_some());
}
