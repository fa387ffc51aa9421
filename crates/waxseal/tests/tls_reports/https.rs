//! Reports by POST (RFC 8460 §5.4): what a web server may say, and where we do not go.

use std::time::Duration;

use smtp_types::UnixTime;
use tempfile::TempDir;
use waxseal::observe::{Authorities, FetchSettings};
use waxseal::report::{ReportCount, TlsHttps};
use waxseal::store::LetterRow;

use crate::dns::Dns;
use crate::node::{DAY, HOUR, NOW, Node};
use crate::sessions::{ask, count, end_day, good, night_after, read, unzip};
use crate::web_server::{Answer, WebServer};

struct World {
    dns: Dns,
    node: Node,
    web: WebServer,
    _folder: TempDir,
}

#[derive(Clone, Copy)]
struct Wish {
    host: &'static str,
    https: TlsHttps,
    allow_private: bool,
    timeout: Duration,
}

impl Default for Wish {
    fn default() -> Self {
        let timeout = crate::PATIENCE;
        Self { host: "web.test", https: TlsHttps::Verified, allow_private: true, timeout }
    }
}

/// One letter to a web server in the outbox.
async fn world(wish: Wish) -> World {
    let folder = tempfile::tempdir().unwrap();
    let (web, ca) = WebServer::start(folder.path());
    let dns = Dns::start();
    dns.say(&[&format!("{} A 127.0.0.1", wish.host)]);
    let fetch = FetchSettings {
        authorities: Authorities::File(ca),
        allow_private: wish.allow_private,
        timeout: wish.timeout,
        ..FetchSettings::default()
    };
    let node = Node::on_the_web("us.test", &dns, fetch, |settings| {
        settings.tls = settings.tls.map(|mut tls| {
            tls.https = wish.https;
            tls
        });
    });
    ask(&dns, "a.test", &format!("https://{}:{}/in?key=1", wish.host, web.port));
    count(&node, NOW, "a.test", good(3)).await;
    assert_eq!(end_day(&node, NOW).await, 1);
    World { dns, node, web, _folder: folder }
}

impl World {
    fn letter(&self) -> LetterRow {
        self.node.view().letters(None, 1).unwrap().remove(0)
    }

    async fn deliver(&self, now: UnixTime) -> usize {
        self.node.reporter.deliver_due(now).await.unwrap()
    }
}

fn night() -> UnixTime {
    night_after(NOW)
}

#[tokio::test(flavor = "multi_thread")]
async fn s5_4_the_post_is_the_report_and_nothing_else() {
    let world = world(Wish::default()).await;
    assert_eq!(world.deliver(night()).await, 1);
    let post = world.web.posts().remove(0);
    let lines: Vec<_> = post.head.lines().map(str::to_ascii_lowercase).collect();
    assert_eq!(lines[0], "post /in?key=1 http/1.1");
    let host = format!("host: web.test:{}", world.web.port);
    for line in [&host, "content-type: application/tlsrpt+gzip"] {
        assert!(lines.iter().any(|found| found == line), "{lines:?}");
    }
    assert!(!lines.iter().any(|line| line.starts_with("cookie") || line.starts_with("auth")));
    let report = read(&unzip(&post.body));
    assert_eq!(report.totals().successes, 3);
    assert_eq!(world.letter().state, "delivered");
    assert_eq!(world.node.mail_server.tries(), 0);
    assert_eq!(world.deliver(UnixTime(night().0 + DAY)).await, 0);
    assert_eq!(world.web.tries(), 1);
}

/// What is not the fault of the report is tried again for a day, with the same octets.
#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_server_are_errors() {
    let world = world(Wish::default()).await;
    let mut now = night();
    let answers = [
        Answer::status(500, ""),
        Answer::status(503, "Retry-After: soon\r\n"),
        Answer::status(408, ""),
        Answer::Closed,
        Answer::Says("nonsense\r\n\r\n".into()),
        Answer::Says(format!("HTTP/1.1 200 X\r\nX: {}\r\n\r\n", "x".repeat(100_000))),
        Answer::Says("HTTP/1.1 200 X\r\n".to_owned() + &"X: y\r\n".repeat(200) + "\r\n"),
    ];
    for (tries, answer) in (1..).zip(answers) {
        world.web.say(answer);
        assert_eq!(world.deliver(now).await, 0);
        let letter = world.letter();
        assert_eq!((letter.state.as_str(), letter.tries), ("queued", tries));
        now = UnixTime(letter.next_try.0);
    }
    assert!(now.since(night()).as_secs() > 4 * HOUR, "it waits longer and longer");
    world.web.say(Answer::status(200, ""));
    assert_eq!(world.deliver(now).await, 1);
    let posts = world.web.posts();
    assert!(posts.iter().all(|post| post.body == posts[0].body));
    assert_eq!(world.node.reporter.tls_counters().get(ReportCount::Deferred), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fails_for_a_day_gets_no_more() {
    let world = world(Wish::default()).await;
    world.web.say(Answer::status(500, ""));
    let mut now = night();
    while world.letter().state == "queued" {
        assert_eq!(world.deliver(now).await, 0);
        now = UnixTime(now.0.max(world.letter().next_try.0));
        assert!(now.since(night()).as_secs() < 2 * DAY);
    }
    assert_eq!(world.letter().state, "expired");
    assert_eq!(world.letter().last_error.unwrap(), "HTTP status 500");
    assert!((9..=14).contains(&world.web.tries()), "{}", world.web.tries());
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_heeded_within_reason() {
    let world = world(Wish::default()).await;
    let mut now = night();
    for (asked, waits) in [(7200, 2 * HOUR), (999_999_999, 5 * HOUR)] {
        world.web.say(Answer::status(429, &format!("Retry-After: {asked}\r\n")));
        assert_eq!(world.deliver(now).await, 0);
        let next = world.letter().next_try;
        assert_eq!(next.since(now).as_secs(), waits);
        assert_eq!(world.deliver(UnixTime(next.0 - 1)).await, 0);
        now = next;
    }
    assert_eq!(world.web.tries(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_doubted_twice() {
    for status in [404, 400, 403, 410, 413, 304] {
        let world = world(Wish::default()).await;
        world.web.say(Answer::status(status, ""));
        let mut now = night();
        for _ in 0..5 {
            assert_eq!(world.deliver(now).await, 0);
            now = UnixTime(now.0 + DAY / 4);
        }
        assert_eq!((world.letter().state.as_str(), world.letter().tries), ("failed", 3));
        assert_eq!(world.web.tries(), 3, "{status}");
    }
}

/// A redirect is not followed, wherever it leads.
#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_refusals() {
    let victim = tempfile::tempdir().unwrap();
    let (victim, _) = WebServer::start(victim.path());
    let world = world(Wish::default()).await;
    let to = format!("Location: https://localhost:{}/\r\n", victim.port);
    for status in [301, 307, 308] {
        world.web.say(Answer::status(status, &to));
        assert_eq!(world.deliver(UnixTime(night().0 + u64::from(status) * HOUR)).await, 0);
    }
    assert_eq!(world.letter().state, "failed");
    assert_eq!(victim.tries(), 0);
}

/// S2-60: a record must not make us knock at our neighbors.
#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_not_gone_to() {
    let world = world(Wish { allow_private: false, ..Wish::default() }).await;
    world.dns.say(&["web.test AAAA ::1", "web.test A 10.0.0.1", "web.test A 169.254.169.254"]);
    for hours in 0..4 {
        assert_eq!(world.deliver(UnixTime(night().0 + hours * 6 * HOUR)).await, 0);
    }
    assert_eq!(world.letter().state, "failed");
    let error = world.letter().last_error.unwrap();
    assert!(error.contains("::1") || error.contains("127.0.0.1"), "{error}");
    assert_eq!(world.web.tries(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_waited_for_and_no_longer() {
    let world = world(Wish { timeout: Duration::from_secs(1), ..Wish::default() }).await;
    world.web.say(Answer::Nothing);
    assert_eq!(world.deliver(night()).await, 0);
    assert_eq!(world.letter().state, "queued");
    let error = world.letter().last_error.unwrap();
    assert!(error.contains("1 s"), "{error}");
}

/// Of an answer nothing is read but its status.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_not_read() {
    let world = world(Wish::default()).await;
    world.web.say(Answer::Endless);
    assert_eq!(world.deliver(night()).await, 1);
    assert_eq!(world.letter().state, "delivered");
}

/// RFC 8460 §3 lets us pass over what is wrong with the certificate; that takes a setting.
#[tokio::test(flavor = "multi_thread")]
async fn s3_certificates_are_checked_unless_the_operator_says_otherwise() {
    let host = "web.false.test";
    let world = world(Wish { host, ..Wish::default() }).await;
    assert_eq!(world.deliver(night()).await, 0);
    assert_eq!(world.web.posts(), []);
    let error = world.letter().last_error.unwrap();
    assert!(error.contains("certificate"), "{error}");
    assert_eq!(world.letter().state, "queued");

    let world =
        self::world(Wish { host, https: TlsHttps::AnyCertificate, ..Wish::default() }).await;
    assert_eq!(world.deliver(night()).await, 1);
    assert_eq!(world.web.posts().len(), 1);
    // A good one is still preferred.
    assert_eq!(world.web.tries(), 2);
}
