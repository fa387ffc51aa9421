//! "Did you mean": the name that a misspelled one is closest to.

use super::keys::KEYS;

/// The key or table that was likely meant.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let own_last = last(name);
    let tables = KEYS.iter().map(|key| key.table_and_name().0);
    let names = KEYS.iter().map(|key| key.name).chain(tables);
    names
        .filter(|known| !known.is_empty())
        .map(|known| {
            let whole = distance(name, known);
            // The right name in the wrong table is a near miss, too.
            let in_other_table = distance(&own_last, &last(known)) + 1;
            (whole.min(in_other_table), whole, known)
        })
        .min()
        .filter(|(distance, _, _)| *distance <= 1 + own_last.len() / 4)
        .map(|(_, _, known)| known)
}

/// How many octets must be inserted, removed or replaced to get from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant() {
        let table = [
            ("dns.resolvr", Some("dns.resolver")),
            ("resolver", Some("dns.resolver")),
            ("fetch.allow-private", Some("fetch.allow_private")),
            ("http.metrics", None),
            ("socketmap.listn", Some("socketmap.listen")),
            ("sender.timeout", Some("dns.timeout")),
            ("dn", Some("dns")),
            ("x", None),
            ("", None),
        ];
        for (name, meant) in table {
            assert_eq!(nearest(name), meant, "{name}");
        }
    }
}
