//! The one-line protocol on real sockets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::net::SocketAddr;
use std::sync::Arc;

use mta_sts::Policy;
use smtp_types::{DomainName, NextHop};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use transport_policy::{Answer, Decision, Level, LocalMatch, Reason};
use waxseal::answer::line::{LineSettings, serve};
use waxseal::answer::{Answers, Replies};
use waxseal::listen::{ListenAddress, bind};

/// The name of the domain says what was decided.
struct ByName;

impl Answers for ByName {
    fn fresh(&self, key: &str) -> Option<Replies> {
        (key == "fresh.test").then(|| decided("dane-only.test"))
    }

    async fn look_up(&self, next_hop: NextHop) -> Replies {
        decided(next_hop.policy_domain().as_str())
    }
}

fn decided(domain: &str) -> Replies {
    let policy = |mode| {
        let body = format!(
            "version: STSv1\nmode: {mode}\nmx: mail.example.com\nmx: *.example.net\nmax_age: 1\n\
             note: }} decision=none\n"
        );
        Answer::Secure(Policy::parse(body.as_bytes()).unwrap())
    };
    let fixed = |level, names| Answer::Fixed(LocalMatch { level, names });
    let answer = match domain {
        "enforce.test" => policy("enforce"),
        "testing.test" => policy("testing"),
        "dane.test" => Answer::Dane,
        "dane-only.test" => Answer::DaneOnly,
        "defer.test" => Answer::Defer,
        "secure.test" => fixed(Level::Secure, vec![]),
        "names.test" => {
            fixed(Level::Secure, vec![(DomainName::parse("example.org").unwrap(), true)])
        }
        "encrypt.test" => fixed(Level::Encrypt, vec![]),
        "quotes.test" => return Replies::temporary("\"a\\\" decision=none\r\nü"),
        _ => Answer::NoPolicy,
    };
    let next_hop = NextHop::parse("example.com").unwrap();
    let reasons = vec![Reason::RequirementUnmet];
    Replies::new(&next_hop, &Decision { answer, reasons })
}

async fn start() -> (SocketAddr, watch::Sender<bool>) {
    let address = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
    let listener = bind(&address, 0o666).unwrap_or_else(|fault| panic!("{fault:?}"));
    let ListenAddress::Tcp(address) = listener.local_address().unwrap() else {
        panic!("not TCP");
    };
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(serve(listener, Arc::new(ByName), LineSettings::default(), stopped));
    (address, stop)
}

async fn ask(address: SocketAddr, question: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(question).await.unwrap();
    let mut reply = String::new();
    // A reset counts as an end.
    let _ = stream.read_to_string(&mut reply).await;
    reply
}

#[tokio::test]
async fn lines() {
    let (address, _stop) = start().await;
    for (question, reply) in [
        ("enforce.test", "decision=secure mx=mail.example.com:*.example.net sts=enforce"),
        ("testing.test", "decision=secure mx=mail.example.com:*.example.net sts=testing"),
        ("fresh.test", "decision=dane-only"),
        ("DANE-only.test.", "decision=dane-only"),
        ("dane.test", "decision=dane"),
        ("secure.test", "decision=secure"),
        ("names.test", "decision=secure mx=*.example.org"),
        ("encrypt.test", "decision=encrypt"),
        ("unknown.test", "decision=none"),
        ("[enforce.test]:587", "decision=secure mx=mail.example.com:*.example.net sts=enforce"),
        ("192.0.2.1", "decision=none"),
        (".enforce.test", "decision=none"),
        ("", "decision=none"),
        (
            "defer.test",
            "decision=defer reason=\"authentication is required here, and the domain offers none\"",
        ),
        ("quotes.test", "decision=defer reason=\"a decision=none???\""),
    ] {
        for end in ["\n", "\r\n", "\nenforce.test\n"] {
            let asked = ask(address, format!("{question}{end}").as_bytes()).await;
            assert_eq!(asked, format!("{reply}\n"), "{question}{end:?}");
        }
    }
}

#[tokio::test]
async fn the_end_of_input_ends_the_question() {
    let (address, _stop) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"dane.test").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert_eq!(reply, "decision=dane\n");
}

#[tokio::test]
async fn no_question() {
    let (address, _stop) = start().await;
    assert_eq!(ask(address, b"\xff\xfe\n").await, "decision=none\n");
    assert_eq!(ask(address, &[b'a'; 5_000]).await, "");
}

#[tokio::test]
async fn the_end() {
    let (address, stop) = start().await;
    let mut open = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask(address, b"dane.test\n").await, "decision=dane\n");
    stop.send(true).unwrap();
    assert_eq!(open.read(&mut [0]).await.unwrap(), 0);
}
