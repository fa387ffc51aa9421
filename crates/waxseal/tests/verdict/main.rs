//! Every combination of what can be found out about an incoming message, decided.
//!
//! `matrix.ref` holds one combination a line. The columns are the decision with the default table,
//! and with a table that lets everything pass. A change of the decision function shows as a diff
//! of that file. `UPDATE=1 cargo test -p waxseal --test verdict` writes it anew.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fmt::Write as _;
use std::path::Path;

use smtp_types::DomainName;
use waxseal::gate::decide::{
    Action, Asked, Author, Dmarc, Facts, Local, Matrix, Spf, Voucher, decide,
};

const AUTHORS: [(&str, Author); 3] =
    [("one", Author::One), ("several", Author::Several), ("nobody", Author::Nobody)];

const DMARC: [(&str, Dmarc); 7] = [
    ("pass", Dmarc::Pass),
    ("fail/none", Dmarc::Fail(Asked::Nothing)),
    ("fail/quarantine", Dmarc::Fail(Asked::Quarantine)),
    ("fail/reject", Dmarc::Fail(Asked::Reject)),
    ("none", Dmarc::None),
    ("temperror", Dmarc::Temperror),
    ("permerror", Dmarc::Permerror),
];

const SPF: [(&str, Spf); 2] = [("fail", Spf::Fail), ("other", Spf::Other)];

const LENIENT: Matrix = Matrix {
    asked_nothing: Action::Accept,
    asked_quarantine: Action::Accept,
    asked_reject: Action::Accept,
    temperror: Action::Accept,
    no_author: Action::Accept,
    spf_fail: Action::Accept,
};

/// Every combination with its words.
fn combinations() -> Vec<([&'static str; 5], Facts)> {
    let voucher =
        Voucher { sealer: DomainName::parse("lists.test").unwrap(), comment: "our lists".into() };
    let forwarders = [("-", None), ("vouches", Some(voucher))];
    let local = |action| Some(Local { action, comment: "ticket".into() });
    let locals =
        [("-", None), ("accept", local(Action::Accept)), ("reject", local(Action::Reject))];
    let mut all = Vec::new();
    for (author_word, author) in AUTHORS {
        for (dmarc_word, dmarc) in DMARC {
            for (spf_word, spf) in SPF {
                for (forwarder_word, forwarder) in &forwarders {
                    for (local_word, local) in &locals {
                        let (forwarder, local) = (forwarder.clone(), local.clone());
                        let facts = Facts { author, dmarc, spf, forwarder, local };
                        let words =
                            [author_word, dmarc_word, spf_word, *forwarder_word, *local_word];
                        all.push((words, facts));
                    }
                }
            }
        }
    }
    all
}

#[test]
fn the_table_is_as_reviewed() {
    let mut table = String::new();
    let head = ["author", "dmarc", "spf", "forwarder", "local"];
    let mut line = |words: [&str; 5], default: &str, lenient: &str| {
        let [author, dmarc, spf, forwarder, local] = words;
        let line = format!(
            "{author:<8} {dmarc:<16} {spf:<6} {forwarder:<10} {local:<7}| {default:<38} {lenient}"
        );
        writeln!(table, "{}", line.trim_end()).unwrap();
    };
    line(head, "default", "lenient");
    for (words, facts) in combinations() {
        let told = |matrix| {
            let decision = decide(&facts, matrix);
            format!("{} ({})", decision.action.as_str(), decision.reason.code())
        };
        line(words, &told(&Matrix::default()), &told(&LENIENT));
    }
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdict/matrix.ref");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&reference, &table).unwrap();
    }
    let expected = std::fs::read_to_string(&reference).unwrap_or_default();
    for (number, (found, expected)) in table.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "matrix.ref, line {}", number + 1);
    }
    assert_eq!(table.lines().count(), expected.lines().count(), "matrix.ref: number of lines");
}

/// What must hold in every line, whatever the reference file says.
#[test]
fn no_combination_lets_a_forger_in_or_a_friend_out() {
    for (words, facts) in combinations() {
        let action = decide(&facts, &Matrix::default()).action;
        if facts.dmarc == Dmarc::Pass && facts.author != Author::Nobody {
            assert_eq!(action, Action::Accept, "{words:?}");
        }
        let vouched = facts.forwarder.is_some() || facts.local.is_some();
        if facts.dmarc == Dmarc::Fail(Asked::Reject) && !vouched {
            assert_eq!(action, Action::Reject, "{words:?}");
        }
        // Without a policy, nothing is refused for its domain.
        let no_policy = matches!(facts.dmarc, Dmarc::None | Dmarc::Permerror);
        if no_policy && facts.author == Author::One && facts.local.is_none() {
            assert_eq!(action, Action::Accept, "{words:?}");
        }
        // Nobody's word is better than the operator's.
        if let (Some(local), Author::One) = (&facts.local, facts.author)
            && facts.dmarc != Dmarc::Pass
        {
            assert_eq!(action, local.action, "{words:?}");
        }
    }
}
