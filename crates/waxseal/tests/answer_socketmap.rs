//! The socketmap server on real sockets: what Postfix gets, and what those get who are not Postfix.
//!
//! Where a bound in time is tested it is set short, and the test waits for the end that it brings.
//!
//! Longer than other files: what a client can do to one connection belongs together.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mta_sts::Policy;
use smtp_types::NextHop;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use transport_policy::{Answer, Decision, Level, Reason};
use waxseal::answer::{
    Answers, Replies, ReplyKind, SocketmapCounters, SocketmapSettings, socketmap,
};
use waxseal::listen::{ListenAddress, Listener, bind};

// ---- a server with a table for a world -------------------------------------------------------

/// Replies by canonical key. Those in `fresh` are at hand, those in `slow` when `gate` opens.
struct Table {
    fresh: HashMap<String, Replies>,
    slow: HashMap<String, Replies>,
    gate: Semaphore,
    looked_up: Mutex<Vec<String>>,
}

impl Answers for Table {
    fn fresh(&self, key: &str) -> Option<Replies> {
        self.fresh.get(key).cloned()
    }

    async fn look_up(&self, next_hop: NextHop) -> Replies {
        let key = next_hop.to_string();
        self.looked_up.lock().unwrap().push(key.clone());
        match self.slow.get(&key) {
            Some(replies) => {
                self.gate.acquire().await.unwrap().forget();
                replies.clone()
            }
            None => Replies::no_policy(),
        }
    }
}

const SECURE: &str = "OK secure match=mail.example.com:.example.net servername=hostname";

fn replies(key: &str, answer: Answer) -> (String, Replies) {
    let decision = Decision { answer, reasons: vec![Reason::NoDane] };
    (key.to_owned(), Replies::new(&NextHop::parse(key).unwrap(), &decision))
}

fn table() -> Table {
    let policy = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\n\
                  max_age: 604800\n";
    let secure = Answer::Secure(Policy::parse(policy.as_bytes()).unwrap());
    let fresh = [
        replies("sts.test", secure.clone()),
        replies("[smart.test]:587", secure),
        replies("dane.test", Answer::DaneOnly),
        replies("xn--dan-dma.test", Answer::DaneOnly),
        replies("a_b.test", Answer::Dane),
        replies("dane.test:2525", Answer::Dane),
        replies("later.test", Answer::Defer),
    ];
    let slow = [replies("slow.test", Answer::Dane), replies("slower.test", Answer::DaneOnly)];
    Table {
        fresh: HashMap::from(fresh),
        slow: HashMap::from(slow),
        gate: Semaphore::new(0),
        looked_up: Mutex::default(),
    }
}

struct Server {
    address: ListenAddress,
    table: Arc<Table>,
    counters: Arc<SocketmapCounters>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Server {
    fn start(settings: SocketmapSettings) -> Self {
        let address = ListenAddress::Tcp("127.0.0.1:0".parse().unwrap());
        Self::start_at(&address, settings)
    }

    fn start_at(address: &ListenAddress, settings: SocketmapSettings) -> Self {
        let listener: Listener = bind(address, 0o666).unwrap_or_else(|fault| panic!("{fault:?}"));
        let address = listener.local_address().unwrap();
        let (table, counters) = (Arc::new(table()), Arc::new(SocketmapCounters::default()));
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(socketmap::serve(
            vec![listener],
            Arc::clone(&table),
            settings,
            Arc::clone(&counters),
            stopped,
        ));
        Self { address, table, counters, stop, running }
    }

    async fn connect(&self) -> TcpStream {
        match &self.address {
            ListenAddress::Tcp(address) => TcpStream::connect(address).await.unwrap(),
            ListenAddress::Unix(path) => panic!("{path:?} is not TCP"),
        }
    }

    fn counted(&self, kind: ReplyKind) -> u64 {
        self.counters.replies().find(|(known, _)| *known == kind).unwrap().1
    }
}

/// The server's default, and no test waits for it.
fn patient() -> SocketmapSettings {
    SocketmapSettings::default()
}

fn netstring(text: &[u8]) -> Vec<u8> {
    let mut octets = format!("{}:", text.len()).into_bytes();
    octets.extend_from_slice(text);
    octets.push(b',');
    octets
}

fn netstrings(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| netstring(text.as_bytes())).collect()
}

/// What must come next.
async fn expect(stream: &mut (impl AsyncRead + Unpin), texts: &[&str]) {
    let expected = netstrings(texts);
    let mut octets = vec![0; expected.len()];
    in_time(stream.read_exact(&mut octets)).await.unwrap();
    assert_eq!(octets.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

/// What comes until the server closes.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut octets = Vec::new();
    // A reset counts: a client that has sent more than was read gets one.
    let _ = in_time(stream.read_to_end(&mut octets)).await;
    octets.escape_ascii().to_string()
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), text: &str, reply: &str) {
    stream.write_all(&netstring(text.as_bytes())).await.unwrap();
    expect(stream, &[reply]).await;
}

/// Only so that a fault ends the test.
async fn in_time<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), step).await.unwrap()
}

/// Until the counters say so, which happens right after what a client can see.
async fn until(mut holds: impl FnMut() -> bool) {
    in_time(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

// ---- keys and maps ---------------------------------------------------------------------------

#[tokio::test]
async fn keys() {
    let server = Server::start(patient());
    let mut stream = server.connect().await;
    for (key, reply) in [
        (".example.com", "NOTFOUND "),
        (".sts.test", "NOTFOUND "),
        (".", "NOTFOUND "),
        ("", "NOTFOUND "),
        ("sts.test", SECURE),
        ("STS.Test.", SECURE),
        ("DANE.Test.", "OK dane-only"),
        ("dane.test:25", "OK dane-only"),
        ("dane.test:smtp", "OK dane-only"),
        ("dane.test:2525", "OK dane"),
        ("[smart.test]:587", SECURE),
        ("[Smart.test]:submission", SECURE),
        ("dané.test", "OK dane-only"),
        ("a_b.test", "OK dane"),
        ("later.test", "TEMP what must be known could not be found out"),
        ("192.0.2.1", "NOTFOUND "),
        ("[192.0.2.1]", "NOTFOUND "),
        ("[192.0.2.1]:25", "NOTFOUND "),
        ("[IPv6:2001:db8::1]", "NOTFOUND "),
        ("[2001:db8::1]:25", "NOTFOUND "),
        ("2001:db8::1", "NOTFOUND "),
        ("[sts.test", "NOTFOUND "),
        ("sts.test:0", "NOTFOUND "),
        ("sts.test:+25", "NOTFOUND "),
        ("sts.test:x", "NOTFOUND "),
        ("sts .test", "NOTFOUND "),
        (" sts.test", "NOTFOUND "),
        ("sts.test\r\n", "NOTFOUND "),
        ("sts.test\0", "NOTFOUND "),
        ("sts..test", "NOTFOUND "),
        ("-sts.test", "NOTFOUND "),
        ("/var/run/lmtp", "NOTFOUND "),
    ] {
        ask(&mut stream, &format!("QUERY {key}"), reply).await;
    }
    assert_eq!(*server.table.looked_up.lock().unwrap(), Vec::<String>::new());
    ask(&mut stream, "QUERY unknown.test", "NOTFOUND ").await;
    ask(&mut stream, "QUERY Unknown.Test.", "NOTFOUND ").await;
    ask(&mut stream, "QUERY [unknown.test]", "NOTFOUND ").await;
    let expected = ["unknown.test", "unknown.test", "[unknown.test]"];
    assert_eq!(*server.table.looked_up.lock().unwrap(), expected);
    assert_eq!(server.counters.looked_up(), 3);
    assert_eq!(server.counted(ReplyKind::Level(Level::Secure)), 4);
}

#[tokio::test]
async fn keys_that_are_not_text() {
    let server = Server::start(patient());
    let mut stream = server.connect().await;
    for key in [b"\xff.test".as_slice(), b"sts.test\xc3", &[b'a'; 1_025], &[0; 9_994], b"\x80"] {
        let request = [b"QUERY ", key].concat();
        stream.write_all(&netstring(&request)).await.unwrap();
        expect(&mut stream, &["NOTFOUND "]).await;
    }
    assert_eq!(server.counters.looked_up(), 0);
}

#[tokio::test]
async fn maps() {
    let server = Server::start(patient());
    let mut stream = server.connect().await;
    let extended = format!(
        "{SECURE} policy_type=sts policy_domain=sts.test mx_host_pattern=mail.example.com \
         mx_host_pattern=*.example.net {{ policy_string = version: STSv1 }} \
         {{ policy_string = mode: enforce }} {{ policy_string = mx: mail.example.com }} \
         {{ policy_string = mx: *.example.net }} {{ policy_string = max_age: 604800 }}"
    );
    for (request, reply) in [
        ("QUERY sts.test", SECURE),
        ("QUERYwithTLSRPT sts.test", &extended),
        ("querywithtlsrpt sts.test", &extended),
        ("STS sts.test", SECURE),
        ("postfix sts.test", SECURE),
        (" sts.test", SECURE),
        ("\u{ff}\0 sts.test", SECURE),
        ("QUERYwithTLSRPT dane.test", "OK dane-only"),
        ("STS dane.test", "NOTFOUND "),
        ("STS a_b.test", "NOTFOUND "),
        ("STS later.test", "TEMP what must be known could not be found out"),
        ("", "PERM expected a map name, a space and a key"),
        ("QUERY", "PERM expected a map name, a space and a key"),
        ("PURGE", "PERM expected a map name, a space and a key"),
        ("DUMP .", "NOTFOUND "),
    ] {
        ask(&mut stream, request, reply).await;
    }
    assert_eq!(server.counted(ReplyKind::Permanent), 3);
}

// ---- order -----------------------------------------------------------------------------------

#[tokio::test]
async fn a_slow_key_does_not_reorder() {
    let server = Server::start(patient());
    let mut stream = server.connect().await;
    let requests = [
        "QUERY sts.test",
        "QUERY slow.test",
        "QUERY dane.test",
        "QUERY slower.test",
        "QUERY a_b.test",
    ];
    stream.write_all(&netstrings(&requests)).await.unwrap();
    // What is known goes out although the look-up has not begun to end.
    expect(&mut stream, &[SECURE]).await;
    let mut other = server.connect().await;
    ask(&mut other, "QUERY dane.test", "OK dane-only").await;
    server.table.gate.add_permits(1);
    expect(&mut stream, &["OK dane", "OK dane-only"]).await;
    server.table.gate.add_permits(1);
    expect(&mut stream, &["OK dane-only", "OK dane"]).await;
    assert_eq!(*server.table.looked_up.lock().unwrap(), ["slow.test", "slower.test"]);
}

#[tokio::test]
async fn many_at_once() {
    let server = Server::start(patient());
    let (mut reader, mut writer) = server.connect().await.into_split();
    let rounds = 20_000;
    let sending = tokio::spawn(async move {
        for _ in 0..rounds {
            writer.write_all(b"14:QUERY sts.test,15:QUERY dane.test,").await.unwrap();
        }
        writer
    });
    for _ in 0..rounds {
        expect(&mut reader, &[SECURE, "OK dane-only"]).await;
    }
    drop(sending.await.unwrap());
    assert_eq!(rest(&mut reader).await, "");
    assert_eq!(server.counted(ReplyKind::Level(Level::DaneOnly)), rounds);
}

#[tokio::test]
async fn octet_by_octet() {
    let server = Server::start(patient());
    let mut stream = server.connect().await;
    for octet in netstrings(&["QUERY sts.test", "QUERY dane.test"]) {
        stream.write_all(&[octet]).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    expect(&mut stream, &[SECURE, "OK dane-only"]).await;
}

#[tokio::test]
async fn a_long_request_in_pieces() {
    let server = Server::start(patient());
    let mut stream = server.connect().await;
    let request = netstring(format!("QUERY {}", "a".repeat(9_994)).as_bytes());
    let all = [request.clone(), request, netstrings(&["QUERY sts.test"])].concat();
    for chunk in all.chunks(3_000) {
        stream.write_all(chunk).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    expect(&mut stream, &["NOTFOUND ", "NOTFOUND ", SECURE]).await;
}

#[tokio::test]
async fn a_client_that_writes_no_more_still_reads() {
    let server = Server::start(patient());
    let mut stream = server.connect().await;
    stream.write_all(&netstrings(&["QUERY sts.test", "QUERY slow.test"])).await.unwrap();
    stream.shutdown().await.unwrap();
    server.table.gate.add_permits(1);
    expect(&mut stream, &[SECURE, "OK dane"]).await;
    assert_eq!(rest(&mut stream).await, "");
}

// ---- strangers -------------------------------------------------------------------------------

#[tokio::test]
async fn malformed_netstrings_end_the_connection() {
    let server = Server::start(patient());
    let garbage: [&[u8]; 13] = [
        b"00:,",
        b"014:QUERY sts.test,",
        b"+5:QUERY,",
        b"-1:,",
        b" 14:QUERY sts.test,",
        b":,",
        b"14:QUERY sts.test.",
        b"13:QUERY sts.test,",
        b"10001:QUERY ",
        b"99999999999999999999999999:",
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\n",
    ];
    for garbage in garbage {
        let mut stream = server.connect().await;
        let requests = netstrings(&["QUERY dane.test", "QUERY a_b.test"]);
        stream.write_all(&[&requests, garbage].concat()).await.unwrap();
        // The good requests before it are answered.
        expect(&mut stream, &["OK dane-only", "OK dane"]).await;
        assert_eq!(rest(&mut stream).await, "", "{}", garbage.escape_ascii());
    }
    until(|| server.counters.malformed() == 13 && server.counters.open() == 0).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "QUERY sts.test", SECURE).await;
}

#[tokio::test]
async fn half_a_request_ends_in_time() {
    let settings = SocketmapSettings { read_timeout: Duration::from_millis(200), ..patient() };
    let server = Server::start(settings);
    for half in ["1", "14:", "14:QUERY sts.test"] {
        let mut stream = server.connect().await;
        ask(&mut stream, "QUERY dane.test", "OK dane-only").await;
        stream.write_all(half.as_bytes()).await.unwrap();
        assert_eq!(rest(&mut stream).await, "", "{half}");
    }
    until(|| server.counters.timed_out() == 3).await;
}

/// Drop by drop is not faster: the time of a request counts from its first octet.
#[tokio::test]
async fn slow_loris() {
    let settings = SocketmapSettings { read_timeout: Duration::from_millis(200), ..patient() };
    let server = Server::start(settings);
    let (mut reader, mut writer) = server.connect().await.into_split();
    let dripping = tokio::spawn(async move {
        writer.write_all(b"9999:").await.unwrap();
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(rest(&mut reader).await, "");
    drop(reader);
    in_time(dripping).await.unwrap();
    until(|| server.counters.timed_out() == 1 && server.counters.open() == 0).await;
}

/// A busy client is not slow, wherever its octets are cut.
#[tokio::test]
async fn a_steady_client_is_not_cut_off() {
    let settings = SocketmapSettings {
        read_timeout: Duration::from_millis(400),
        idle_timeout: Duration::from_millis(400),
        ..patient()
    };
    let server = Server::start(settings);
    let mut stream = server.connect().await;
    stream.write_all(b"14:QUERY st").await.unwrap();
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(40)).await;
        stream.write_all(b"s.test,14:QUERY st").await.unwrap();
        expect(&mut stream, &[SECURE]).await;
    }
}

#[tokio::test]
async fn silence_ends_in_time_and_is_no_fault() {
    let settings = SocketmapSettings { idle_timeout: Duration::from_millis(100), ..patient() };
    let server = Server::start(settings);
    let mut silent = server.connect().await;
    assert_eq!(rest(&mut silent).await, "");
    let mut busy = server.connect().await;
    ask(&mut busy, "QUERY sts.test", SECURE).await;
    assert_eq!(rest(&mut busy).await, "");
    until(|| server.counters.open() == 0).await;
    assert_eq!(server.counters.timed_out(), 0);
}

#[tokio::test]
async fn a_client_that_never_reads() {
    let settings = SocketmapSettings { write_timeout: Duration::from_millis(200), ..patient() };
    let server = Server::start(settings);
    let (reader, mut writer) = server.connect().await.into_split();
    let requests = netstring(b"QUERYwithTLSRPT sts.test").repeat(1_000);
    // The server stops reading when its replies are not taken, and then ends the connection.
    in_time(async { while writer.write_all(&requests).await.is_ok() {} }).await;
    until(|| server.counters.timed_out() == 1 && server.counters.open() == 0).await;
    drop(reader);
}

#[tokio::test]
async fn no_more_connections_than_allowed() {
    let server = Server::start(SocketmapSettings { max_connections: 2, ..patient() });
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    ask(&mut first, "QUERY sts.test", SECURE).await;
    ask(&mut second, "QUERY sts.test", SECURE).await;
    let mut third = server.connect().await;
    assert_eq!(rest(&mut third).await, "");
    assert_eq!(server.counters.refused(), 1);
    assert_eq!(server.counters.open(), 2);
    drop(first);
    until(|| server.counters.open() == 1).await;
    let mut fourth = server.connect().await;
    ask(&mut fourth, "QUERY dane.test", "OK dane-only").await;
    assert_eq!(server.counters.accepted(), 3);
}

#[tokio::test]
async fn abrupt_ends() {
    let server = Server::start(patient());
    for sent in ["", "1", "14:QUERY st", "15:QUERY slow.test,", "14:QUERY sts.test,14:QUE"] {
        let mut stream = server.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        #[expect(deprecated, reason = "zero does not block; it makes the end a reset")]
        stream.set_linger(Some(Duration::ZERO)).unwrap();
    }
    server.table.gate.add_permits(1);
    until(|| server.counters.accepted() == 5 && server.counters.open() == 0).await;
    let mut stream = server.connect().await;
    ask(&mut stream, "QUERY sts.test", SECURE).await;
    assert_eq!(server.counters.malformed(), 0);
}

// ---- unix sockets, and the end ---------------------------------------------------------------

fn socket_in(folder: &Path) -> ListenAddress {
    ListenAddress::Unix(folder.join("socketmap"))
}

#[tokio::test]
async fn unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_at(&socket_in(folder.path()), patient());
    let mut stream = UnixStream::connect(folder.path().join("socketmap")).await.unwrap();
    ask(&mut stream, "QUERY sts.test", SECURE).await;
    stream.write_all(b"00:").await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    server.stop.send(true).unwrap();
    in_time(server.running).await.unwrap();
    assert!(!folder.path().join("socketmap").exists());
}

#[tokio::test]
async fn the_end_finishes_what_was_asked() {
    let server = Server::start(patient());
    let mut idle = server.connect().await;
    let mut waiting = server.connect().await;
    ask(&mut idle, "QUERY sts.test", SECURE).await;
    let requests = ["QUERY sts.test", "QUERY slow.test", "QUERY dane.test"];
    waiting.write_all(&netstrings(&requests)).await.unwrap();
    expect(&mut waiting, &[SECURE]).await;

    server.stop.send(true).unwrap();
    assert_eq!(rest(&mut idle).await, "");
    let ListenAddress::Tcp(address) = server.address else { panic!("not TCP") };
    until(|| std::net::TcpStream::connect(address).is_err()).await;
    server.table.gate.add_permits(1);
    expect(&mut waiting, &["OK dane", "OK dane-only"]).await;
    assert_eq!(rest(&mut waiting).await, "");
    in_time(server.running).await.unwrap();
    assert_eq!(server.counters.open(), 0);
}
