//! Whatever is sent, by whatever way: what is in the store is what was sent, and what is not was
//! counted as lost.

use std::io::Write;
use std::os::unix::net::UnixStream;

use super::{Collecting, RECORD, count, failure, success, until};

/// A small generator that is the same in each run (Numerical Recipes' constants).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

#[test]
fn sums_in_the_store_are_those_that_were_sent() {
    let collecting = Collecting::new();
    let daemon = collecting.serve();
    let mut random = Random(5);
    let (mut successes, mut failures, mut garbage) = (0, 0, 0);
    let mut stream = UnixStream::connect(&collecting.stream).unwrap();
    for _ in 0..5_000 {
        let domain = format!("d{}.test", random.below(40));
        let text = match random.below(10) {
            0..5 => {
                successes += 1;
                success(&domain)
            }
            // More kinds of failures than a policy may have rows.
            5..9 => {
                failures += 1;
                failure(&domain, &format!("r{}", random.below(100_000)))
            }
            _ => {
                garbage += 1;
                format!("{{\"d\": \"{domain}\", \"pr\": \"{RECORD}\", \"policies\": 0}}")
            }
        };
        match random.below(2) {
            0 => collecting.send([text]),
            _ => writeln!(stream, "{text}").unwrap(),
        }
    }
    drop(stream);
    let all = u64::try_from(successes + failures).unwrap();
    until(&daemon, "saved", all);
    assert_eq!(count(&daemon, "lost-wrong-type"), garbage);
    let stored = collecting.stored();
    assert_eq!(
        (stored.successes, stored.failures, stored.details),
        (successes, failures, failures)
    );
    assert_eq!((stored.sessions, stored.domains), (successes + failures, 40));
}

/// One domain with more kinds of failures than rows are kept: the rest is counted together.
#[test]
fn rows_have_an_end_and_sums_stay_exact() {
    let collecting = Collecting::new();
    let daemon = collecting.serve();
    for round in 1..=3 {
        let kinds = (0..400).map(|number| failure("a.test", &format!("r{round}.{number}")));
        collecting.send(kinds);
        until(&daemon, "saved", round * 400);
    }
    let stored = collecting.stored();
    assert_eq!((stored.failures, stored.details), (1_200, 1_200));
    let path = collecting.world.state().join("waxseal.db");
    let db = rusqlite::Connection::open(path).unwrap();
    let rows = |sql: &str| -> i64 { db.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(rows("SELECT COUNT(*) FROM tls_failure"), 501);
    let rest = "SELECT sessions FROM tls_failure WHERE failure LIKE 'f1 validation-failure - %'";
    assert_eq!(rows(rest), 700);
    assert_eq!(rows("SELECT rows FROM tls_total"), 502);
}
