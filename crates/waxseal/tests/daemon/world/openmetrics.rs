//! A strict reader of the OpenMetrics text format 1.0, as far as counters and gauges go.

use std::collections::{BTreeMap, BTreeSet};

/// All samples by name and labels. Panics at whatever the format does not allow.
pub(crate) fn parse(text: &str) -> BTreeMap<String, f64> {
    let text = text.strip_suffix("# EOF\n").expect("the text ends in # EOF and a line feed");
    let mut samples = BTreeMap::new();
    let mut families: BTreeSet<String> = BTreeSet::new();
    // Name and type of the family that the lines belong to.
    let mut family: Option<(String, String)> = None;
    for line in text.lines() {
        assert!(!line.is_empty() && line == line.trim(), "{line:?}");
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (keyword, name, rest) =
                (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            assert!(is_name(name), "{line:?}");
            match keyword {
                "HELP" => assert!(!rest.is_empty() && !rest.contains('"'), "{line:?}"),
                "TYPE" => assert!(["counter", "gauge"].contains(&rest), "{line:?}"),
                _ => panic!("{line:?}"),
            }
            let continues = family.as_ref().is_some_and(|(known, _)| known == name);
            if !continues {
                assert!(families.insert(name.to_owned()), "{name} stands in two places");
                family = Some((name.to_owned(), "unknown".to_owned()));
            }
            if keyword == "TYPE" {
                family = Some((name.to_owned(), rest.to_owned()));
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect(line);
        let (name, labels) = series.split_once('{').map_or((series, ""), |(name, labels)| {
            (name, labels.strip_suffix('}').expect("labels end in }"))
        });
        assert!(is_name(name), "{line:?}");
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (label, text) = label.split_once("=\"").expect(line);
            let text = text.strip_suffix('"').expect(line);
            assert!(is_name(label) && !text.contains(['"', '\\', '\n']), "{line:?}");
        }
        let (expected, kind) = family.as_ref().expect("samples follow their family");
        let suffix = if kind == "counter" { "_total" } else { "" };
        assert_eq!(name, format!("{expected}{suffix}"), "{line:?}");
        let value: f64 = value.parse().expect(line);
        assert!(value >= 0.0, "{line:?}");
        assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line:?}");
    }
    samples
}

fn is_name(name: &str) -> bool {
    let mut octets = name.bytes();
    octets.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && octets.all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
}
