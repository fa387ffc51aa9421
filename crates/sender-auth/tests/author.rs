//! Whom a message shows as its author: RFC 9989 §5.3.1 and §11.5 with RFC 5322 §3.4 and §4.4 below
//! it. Most tests are attacks.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use sender_auth::dmarc::{
    AddressFault, Author, AuthorDomain, AuthorFault, MAX_AUTHOR_DOMAINS, SyntaxFault,
};
use sender_auth::{Header, HeaderField, HeaderLimits, MessageReader, Part};

fn author(fields: &[&[u8]]) -> Author {
    let fields = fields.iter().map(|field| HeaderField::parse(field).unwrap());
    Author::read(&fields.collect::<Header>())
}

/// The author of a message as it comes from the network.
fn of_message(message: &[u8]) -> Author {
    let mut reader = MessageReader::new(HeaderLimits::default());
    let mut parts = reader.push(message).unwrap();
    parts.extend(reader.finish().unwrap());
    let header = parts.into_iter().find_map(|part| match part {
        Part::Header(header) => Some(header),
        Part::Body(_) => None,
    });
    Author::read(&header.unwrap())
}

/// Exactly one domain.
#[track_caller]
fn one(field: &str, domain: &str) -> Author {
    one_of(author(&[field.as_bytes()]), domain)
}

#[track_caller]
fn one_of(author: Author, domain: &str) -> Author {
    match author.domain() {
        AuthorDomain::One(found) => assert_eq!(found.as_str(), domain),
        other => panic!("{other:?}"),
    }
    author
}

/// Several domains and no fault.
#[track_caller]
fn several(field: &str, domains: &[&str]) {
    let author = author(&[field.as_bytes()]);
    assert!(matches!(author.domain(), AuthorDomain::Several(_)), "{author:?}");
    assert_eq!(seen(&author), domains);
}

/// A fault, and the domains that are evaluated all the same.
#[track_caller]
fn unclear(fields: &[&[u8]], fault: &str, domains: &[&str]) -> Author {
    let author = author(fields);
    match author.domain() {
        AuthorDomain::Unclear(found) => assert_eq!(found.to_string(), fault),
        other => panic!("{other:?}"),
    }
    assert_eq!(seen(&author), domains);
    author
}

fn seen(author: &Author) -> Vec<&str> {
    author.domains().iter().map(|domain| domain.as_str()).collect()
}

fn hints(author: &Author) -> Vec<String> {
    author.hints().iter().map(ToString::to_string).collect()
}

mod s5_3_1_one_domain {
    use super::*;

    #[test]
    fn s5_3_1_the_domain_of_the_one_address_is_the_author_domain() {
        one("From: a@good.test", "good.test");
        one("From: A B <a@good.test>", "good.test");
        one("From: A B\r\n <a@good.test>\r\n", "good.test");
    }

    #[test]
    fn s5_3_1_u_labels_become_a_labels() {
        one("From: a@dané.test", "xn--dan-dma.test");
        one("From: a@XN--DAN-DMA.test", "xn--dan-dma.test");
        // UTS #46 maps full-width letters and the ideographic full stop as browsers do.
        one("From: a@ｇｏｏｄ。test", "good.test");
    }

    #[test]
    fn s5_3_1_letters_that_look_alike_are_another_domain() {
        let author = one("From: a@g\u{43e}\u{43e}d.test", "xn--gd-fmca.test"); // Cyrillic о
        assert_ne!(seen(&author), ["good.test"]);
    }

    #[test]
    fn s5_3_1_case_and_the_dot_of_the_root_do_not_matter() {
        one("From: a@GOOD.Test.", "good.test");
    }

    #[test]
    fn s5_3_1_two_addresses_of_one_domain_are_one_domain() {
        one("From: a@good.test, b@GOOD.test", "good.test");
    }

    #[test]
    fn the_name_of_the_field_is_compared_without_case_and_white_space() {
        one("FROM: a@good.test", "good.test");
        one("from : a@good.test", "good.test");
        one("From\t: a@good.test", "good.test");
    }

    #[test]
    fn fields_with_similar_names_are_not_read() {
        let author =
            author(&[b"X-From: a@evil.test", b"From: a@good.test", b"Sender: a@evil.test"]);
        one_of(author, "good.test");
    }
}

mod s11_5_several_domains {
    use super::*;

    #[test]
    fn s11_5_two_addresses_of_two_domains_are_both_seen() {
        several("From: a@good.test, b@evil.test", &["good.test", "evil.test"]);
        several("From: <a@good.test>,<b@evil.test>,c@good.test", &["good.test", "evil.test"]);
    }

    #[test]
    fn s11_5_an_address_in_place_of_a_display_name_is_seen_too() {
        several("From: a@good.test <b@evil.test>", &["good.test", "evil.test"]);
        one("From: a@good.test <a@good.test>", "good.test");
    }

    #[test]
    fn s11_5_members_of_a_group_are_seen() {
        several("From: Us: a@good.test, b@evil.test;", &["good.test", "evil.test"]);
        one("From: Us: a@good.test;", "good.test");
    }

    #[test]
    fn s11_5_the_number_of_domains_is_limited() {
        let list = |count: usize| {
            let addresses: Vec<_> = (0..count).map(|one| format!("a@d{one}.test")).collect();
            format!("From: {}", addresses.join(", "))
        };
        let within = author(&[list(MAX_AUTHOR_DOMAINS).as_bytes()]);
        assert!(matches!(within.domain(), AuthorDomain::Several(_)));
        let above = author(&[list(MAX_AUTHOR_DOMAINS + 1).as_bytes()]);
        let fault = AuthorFault::TooManyDomains { limit: MAX_AUTHOR_DOMAINS };
        assert_eq!(above.domain(), AuthorDomain::Unclear(&fault));
        assert_eq!(above.domains().len(), MAX_AUTHOR_DOMAINS);
    }
}

mod s4_4_no_single_valid_field {
    use super::*;

    #[test]
    fn s4_4_no_from_field() {
        unclear(&[b"Subject: x"], "From: expected this field, found none", &[]);
    }

    #[test]
    fn s4_4_a_repeated_field_is_a_fault_and_all_of_it_is_seen() {
        let fields = [&b"From: a@good.test"[..], b"FROM : b@evil.test"];
        unclear(&fields, "From: expected one field, found 2", &["good.test", "evil.test"]);
        let fields = [&b"From: a@good.test"[..], b"from: a@good.test"];
        unclear(&fields, "From: expected one field, found 2", &["good.test"]);
    }

    #[test]
    fn s4_4_fields_without_an_address() {
        for field in
            ["From:", "From: ", "From: (x)", "From: root", "From: undisclosed:;", "From: ,"]
        {
            unclear(&[field.as_bytes()], "From: expected an address, found none", &[]);
        }
        let empty = "From: line 1, column 7: expected an address, found \"<>\"";
        unclear(&[b"From: <>"], empty, &[]);
        let local = "From: line 1, column 7: expected an address with a domain, found none";
        unclear(&[b"From: <root>"], local, &[]);
    }

    #[test]
    fn s4_4_an_address_literal_is_no_domain() {
        let fault = "From: line 1, column 9: expected a domain, found an address literal";
        unclear(&[b"From: a@[192.0.2.1]"], fault, &[]);
        unclear(&[b"From: a@[192.0.2.1], b@good.test"], fault, &["good.test"]);
    }

    #[test]
    fn s4_4_a_domain_that_is_none() {
        let fault = "From: line 1, column 9: expected a last label with a letter, found \"1\" \
                     (an IP address?)";
        unclear(&[b"From: a@192.0.2.1"], fault, &[]);
        let author = author(&[b"From: a@-x.test"]);
        assert!(matches!(author.fault(), Some(AuthorFault::Address { .. })));
        let fault = AddressFault::NotUtf8;
        let author = super::author(&[b"From: a@g\xf6\xf6d.test"]);
        assert!(
            matches!(author.fault(), Some(AuthorFault::Address { fault: f, .. }) if *f == fault)
        );
    }

    #[test]
    fn s4_4_a_nul_hides_nothing() {
        let fault = "From: line 1, column 18: expected printable characters, found the octet 0x00";
        unclear(&[b"From: a@good.test\0.evil.test"], fault, &["good.test"]);
        let quoted = "From: line 1, column 9: expected printable characters, found the octet 0x00";
        unclear(&[b"From: \"a\0@good.test\" <b@evil.test>"], quoted, &["good.test", "evil.test"]);
    }

    #[test]
    fn s4_4_a_bare_cr_hides_nothing() {
        let fault = "From: line 1, column 18: expected printable characters, found the octet 0x0d";
        unclear(&[b"From: a@good.test\rFrom: b@evil.test"], fault, &["good.test", "evil.test"]);
    }

    #[test]
    fn s4_4_a_bare_lf_ends_a_line_as_everywhere() {
        let author = of_message(b"From: a@good.test\nFrom: b@evil.test\r\n\r\n");
        assert_eq!(author.fault(), Some(&AuthorFault::ManyFrom { count: 2 }));
        assert_eq!(seen(&author), ["good.test", "evil.test"]);
        one_of(of_message(b"From: a@good.test\n (x)\n\nFrom: b@evil.test\n"), "good.test");
    }

    #[test]
    fn s4_4_junk_behind_an_address() {
        let fault = "From: line 1, column 20: expected the end of an address, found '<'";
        unclear(&[b"From: <a@good.test><b@evil.test>"], fault, &["good.test", "evil.test"]);
        let fault = "From: line 1, column 19: expected the end of an address, found 'b'";
        unclear(&[b"From: a@good.test b@evil.test"], fault, &["good.test", "evil.test"]);
        let fault = "From: line 1, column 18: expected the end of an address, found '@'";
        unclear(&[b"From: a@good.test@evil.test"], fault, &["good.test", "evil.test"]);
        let fault = "From: line 1, column 18: expected the end of an address, found ';'";
        unclear(&[b"From: a@good.test; b@evil.test"], fault, &["good.test", "evil.test"]);
    }

    #[test]
    fn s4_4_quotes_and_comments_without_end() {
        let fault = "From: line 1, column 34: expected '\"', found the end";
        unclear(&[b"From: a@good.test, \"<b@evil.test>"], fault, &["good.test", "evil.test"]);
        let fault = "From: line 1, column 34: expected ')', found the end";
        unclear(&[b"From: a@good.test (, <b@evil.test"], fault, &["good.test", "evil.test"]);
    }

    #[test]
    fn s4_4_what_is_shown_is_seen_whatever_stands_around_it() {
        for from in [
            "a@good.test\u{a0}<b@x>",
            "a\u{ff20}good.test",
            "a@good\u{3002}test <",
            "<a@ good.test",
            "a@good.test\u{fffd}",
            "a@x\u{202e}y.good.test",
            "a@-.good.test",
            "a@!good.test@good.test.",
        ] {
            let author = author(&[["From: ", from].concat().as_bytes()]);
            assert!(author.fault().is_some(), "{from}");
            assert!(seen(&author).contains(&"good.test"), "{from} {author:?}");
        }
        let long = ["From: a@", &"x".repeat(64), ".good.test"].concat();
        assert_eq!(seen(&author(&[long.as_bytes()])), ["good.test"]);
        let deep = ["From: a@", &"x.".repeat(5_000), "good.test"].concat();
        assert!(seen(&author(&[deep.as_bytes()]))[0].ends_with(".x.good.test"));
        assert_eq!(
            seen(&author(&[b"From: a@good.test\xff <b@evil.test>"])),
            ["evil.test", "good.test"]
        );
    }

    #[test]
    fn s4_4_comments_without_bottom() {
        let field = ["From: ", &"(".repeat(100_000), "a@good.test"].concat();
        let author = author(&[field.as_bytes()]);
        let Some(AuthorFault::Address { position, fault }) = author.fault() else {
            panic!("{author:?}");
        };
        assert_eq!((position.line, position.column), (1, 7 + 32));
        assert_eq!(*fault, AddressFault::Syntax(SyntaxFault::CommentDepth { limit: 32 }));
        assert_eq!(seen(&author), ["good.test"]);
    }

    #[test]
    fn s4_4_the_place_of_a_fault_counts_lines_and_characters() {
        let fault = "From: line 2, column 4: expected the end of an address, found ')'";
        unclear(&["From: Jürgen\r\n <x)".as_bytes()], fault, &[]);
    }
}

mod rfc5322_s3_4_addresses {
    use super::*;

    #[test]
    fn quoted_display_names_are_no_addresses() {
        let author = one("From: \"a@good.test\" <b@evil.test>", "evil.test");
        assert_eq!(author.mailboxes()[0].name.as_deref(), Some("a@good.test"));
        assert_eq!(
            hints(&author),
            ["the display name shows an address of good.test, the address is of evil.test"]
        );
        one("From: \"<a@good.test>,\" <b@evil.test>", "evil.test");
        one("From: \"\\\"\" <b@evil.test>", "evil.test");
    }

    #[test]
    fn comments_are_no_addresses() {
        let author = one("From: b@evil.test (a@good.test)", "evil.test");
        assert_eq!(
            hints(&author),
            ["the display name shows an address of good.test, the address is of evil.test"]
        );
        one("From: (a@good.test) b@evil.test", "evil.test");
        one("From: (\\() b@evil.test (a@good.test)", "evil.test");
    }

    #[test]
    fn comments_and_folds_inside_of_a_domain_are_not_part_of_it() {
        one("From: a@(x)good.test", "good.test");
        one("From: a@good(.evil).test", "good.test");
        one("From: a@good\r\n\t.test", "good.test");
        one("From: a@good.(x)\r\n test", "good.test");
    }

    #[test]
    fn quoted_local_parts_hide_no_domain() {
        let author = one("From: \"a@good.test\"@evil.test", "evil.test");
        assert_eq!(
            hints(&author),
            ["the local part shows an address of good.test, the address is of evil.test"]
        );
        one("From: \"a@good.test> \"@evil.test", "evil.test");
    }

    #[test]
    fn rfc5322_s4_4_a_route_has_no_meaning() {
        one("From: <@good.test:b@evil.test>", "evil.test");
        one("From: <@good.test,@x.test:b@evil.test>", "evil.test");
    }

    #[test]
    fn rfc5322_s4_1_a_dot_in_a_phrase() {
        one("From: John Q. Public <a@good.test>", "good.test");
    }

    #[test]
    fn an_unquoted_comma_in_a_name_is_no_fault() {
        one("From: Doe, John <a@good.test>", "good.test");
        let author = one("From: a\u{ff20}good.test, x <b@evil.test>", "evil.test");
        assert_eq!(author.hints().len(), 1);
    }
}

mod rfc2047_encoded_words {
    use super::*;

    #[test]
    fn an_encoded_word_is_never_an_address() {
        let author = one("From: =?utf-8?q?a=40good.test?= <b@evil.test>", "evil.test");
        assert_eq!(author.mailboxes()[0].name.as_deref(), Some("a@good.test"));
        assert_eq!(author.hints().len(), 1);
        let author = one("From: =?utf-8?b?PGFAZ29vZC50ZXN0Pg==?= <b@evil.test>", "evil.test");
        assert_eq!(author.mailboxes()[0].name.as_deref(), Some("<a@good.test>"));
        unclear(
            &[b"From: =?utf-8?q?a=40good.test?="],
            "From: expected an address, found none",
            &["good.test"],
        );
    }

    #[test]
    fn an_encoded_word_in_a_local_part_is_a_local_part() {
        let author = one("From: =?utf-8?q?a=40good.test=00?=@evil.test", "evil.test");
        assert_eq!(
            hints(&author),
            [
                "the local part shows an address of good.test, the address is of evil.test",
                "the sender has the hidden character U+0000",
            ]
        );
    }

    #[test]
    fn an_encoded_word_with_a_bare_at_is_against_the_grammar() {
        let fault = "From: line 1, column 19: column 10: expected a letter, digit, hyphen or dot, \
                     found '?'";
        let field = b"From: =?utf-8?q?a@good.test?= <b@evil.test>";
        let author = unclear(&[field], fault, &["evil.test", "good.test"]);
        assert_eq!(author.mailboxes()[0].domain.as_str(), "evil.test");
    }

    #[test]
    fn an_encoded_word_as_domain_is_no_domain() {
        let author = author(&[b"From: a@=?utf-8?q?good.test?="]);
        assert!(matches!(author.fault(), Some(AuthorFault::Address { .. })));
    }
}

mod bounds {
    use super::*;

    #[test]
    fn long_fields_are_read_in_one_pass() {
        let junk = [
            "a@b@c",
            "@\u{e4}.",
            "a@b,",
            "<",
            "\"",
            "@",
            "=?utf-8?q?",
            ":",
            "a.",
            "\u{e4}@",
            "(x)",
            ";",
            " a",
        ];
        for junk in junk {
            let field = ["From: ", &junk.repeat(200_000 / junk.len()), "@good.test"].concat();
            let author = author(&[field.as_bytes()]);
            assert!(author.domains().len() <= MAX_AUTHOR_DOMAINS);
            assert!(author.mailboxes().len() <= 100);
            assert!(author.hints().len() <= 20);
        }
    }

    #[test]
    fn many_fields_are_bounded_together() {
        let field = ["From: ".to_owned(), "a@b.test,".repeat(50)].concat();
        let author = author(&vec![field.as_bytes(); 1_000]);
        assert_eq!(author.fault(), Some(&AuthorFault::ManyFrom { count: 1_000 }));
        assert_eq!(author.mailboxes().len(), 100);
    }
}
