//! A name server for tests: UDP and TCP on one port of loopback, the answers from a closure.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::opt::exterr::ExtendedError;
use domain::base::{Message, MessageBuilder, Name, Record, Ttl, UnknownRecordData};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

use crate::observe::{Resolver, ResolverSettings};

/// What came in.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) name: String,
    pub(super) record_type: Rtype,
    pub(super) client: SocketAddr,
    pub(super) tcp: bool,
    pub(super) recursion_desired: bool,
    pub(super) authentic_data: bool,
    pub(super) checking_disabled: bool,
    pub(super) udp_payload_size: Option<u16>,
    pub(super) message: Message<Vec<u8>>,
}

impl Query {
    fn read(octets: &[u8], client: SocketAddr, tcp: bool) -> Self {
        let message = Message::from_octets(octets.to_vec()).unwrap();
        let question = message.sole_question().unwrap();
        let header = message.header();
        Self {
            name: match question.qname().to_string() {
                root if root.is_empty() => ".".into(),
                name => name,
            },
            record_type: question.qtype(),
            client,
            tcp,
            recursion_desired: header.rd(),
            authentic_data: header.ad(),
            checking_disabled: header.cd(),
            udp_payload_size: message.opt().map(|opt| opt.udp_payload_size()),
            message,
        }
    }
}

type Rr = Record<Name<Vec<u8>>, UnknownRecordData<Vec<u8>>>;

/// A record from its wire form.
pub(super) fn record(owner: &str, ttl: u32, record_type: Rtype, data: &[u8]) -> Rr {
    let data = UnknownRecordData::from_octets(record_type, data.to_vec()).unwrap();
    Record::new(wire(owner), Class::IN, Ttl::from_secs(ttl), data)
}

pub(super) fn a(owner: &str, ttl: u32, address: [u8; 4]) -> Rr {
    record(owner, ttl, Rtype::A, &address)
}

pub(super) fn cname(owner: &str, ttl: u32, target: &str) -> Rr {
    record(owner, ttl, Rtype::CNAME, wire(target).as_slice())
}

pub(super) fn mx(owner: &str, ttl: u32, preference: u16, exchange: &str) -> Rr {
    let data = [&preference.to_be_bytes(), wire(exchange).as_slice()].concat();
    record(owner, ttl, Rtype::MX, &data)
}

pub(super) fn txt(owner: &str, ttl: u32, strings: &[&str]) -> Rr {
    let mut data = Vec::new();
    for string in strings {
        data.push(u8::try_from(string.len()).unwrap());
        data.extend_from_slice(string.as_bytes());
    }
    record(owner, ttl, Rtype::TXT, &data)
}

pub(super) fn soa(owner: &str, ttl: u32, minimum: u32) -> Rr {
    let mut data = [wire("ns.test").as_slice(), wire("root.test").as_slice()].concat();
    for field in [1, 2, 3, 4, minimum] {
        data.extend_from_slice(&u32::to_be_bytes(field));
    }
    record(owner, ttl, Rtype::SOA, &data)
}

fn wire(name: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(name).unwrap()
}

/// A response as a recursive resolver gives it; change what a test needs otherwise.
#[derive(Clone)]
pub(super) struct Response {
    pub(super) code: Rcode,
    pub(super) authentic_data: bool,
    pub(super) authoritative: bool,
    pub(super) truncated: bool,
    pub(super) recursion_available: bool,
    pub(super) answer: Vec<Rr>,
    pub(super) authority: Vec<Rr>,
    pub(super) extended_error: Option<(u16, &'static str)>,
}

impl Response {
    pub(super) fn records(answer: Vec<Rr>) -> Self {
        Self {
            code: Rcode::NOERROR,
            authentic_data: false,
            authoritative: false,
            truncated: false,
            recursion_available: true,
            answer,
            authority: Vec::new(),
            extended_error: None,
        }
    }

    pub(super) fn code(code: Rcode) -> Self {
        Self { code, ..Self::records(Vec::new()) }
    }

    pub(super) fn secure(self) -> Self {
        Self { authentic_data: true, ..self }
    }

    pub(super) fn to(&self, query: &Query) -> Vec<u8> {
        let builder = MessageBuilder::new_vec();
        let mut builder = builder.start_answer(&query.message, self.code).unwrap();
        let header = builder.header_mut();
        header.set_ad(self.authentic_data);
        header.set_aa(self.authoritative);
        header.set_tc(self.truncated);
        header.set_ra(self.recursion_available);
        header.set_cd(query.checking_disabled);
        for record in &self.answer {
            builder.push(record).unwrap();
        }
        let mut builder = builder.authority();
        for record in &self.authority {
            builder.push(record).unwrap();
        }
        let mut builder = builder.additional();
        if query.udp_payload_size.is_some() {
            builder
                .opt(|opt| {
                    if let Some((code, text)) = self.extended_error {
                        let error = ExtendedError::<Vec<u8>>::new_with_str(code.into(), text);
                        opt.push(&error.unwrap()).unwrap();
                    }
                    Ok(())
                })
                .unwrap();
        }
        builder.finish()
    }
}

/// Runs until it is dropped.
pub(super) struct DnsServer {
    pub(super) address: SocketAddr,
    queries: Arc<Mutex<Vec<Query>>>,
    tasks: [JoinHandle<()>; 2],
}

impl DnsServer {
    /// `answer` gives the octets to send back, or None for silence.
    pub(super) async fn start(
        answer: impl Fn(&Query) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let (udp, tcp) = sockets().await;
        let address = udp.local_addr().unwrap();
        let queries = Arc::new(Mutex::new(Vec::new()));
        let answer = {
            let queries = queries.clone();
            Arc::new(move |query: Query| {
                queries.lock().unwrap().push(query.clone());
                answer(&query)
            })
        };
        let tasks =
            [tokio::spawn(serve_udp(udp, answer.clone())), tokio::spawn(serve_tcp(tcp, answer))];
        Self { address, queries, tasks }
    }

    /// Answers every query with the same response.
    pub(super) async fn always(response: Response) -> Self {
        Self::start(move |query| Some(response.to(query))).await
    }

    pub(super) fn queries(&self) -> Vec<Query> {
        self.queries.lock().unwrap().clone()
    }

    /// A resolver that asks this server.
    pub(super) fn resolver(&self) -> Resolver {
        Resolver::new(self.settings())
    }

    /// A resolver for tests in which it is told nothing that counts.
    pub(super) fn impatient_resolver(&self) -> Resolver {
        let timeout = Duration::from_millis(200);
        Resolver::new(ResolverSettings { timeout, ..self.settings() })
    }

    pub(super) fn settings(&self) -> ResolverSettings {
        ResolverSettings { address: self.address, ..ResolverSettings::default() }
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// The same port for both.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn serve_udp(socket: UdpSocket, answer: Arc<impl Fn(Query) -> Option<Vec<u8>>>) {
    let mut octets = [0; 4096];
    loop {
        let (length, client) = socket.recv_from(&mut octets).await.unwrap();
        if let Some(response) = answer(Query::read(&octets[..length], client, false)) {
            socket.send_to(&response, client).await.unwrap();
        }
    }
}

async fn serve_tcp(listener: TcpListener, answer: Arc<impl Fn(Query) -> Option<Vec<u8>>>) {
    // A client that is told nothing must find its connection open.
    let mut silent: Vec<TcpStream> = Vec::new();
    loop {
        let (mut stream, client) = listener.accept().await.unwrap();
        let mut octets = vec![0; stream.read_u16().await.unwrap().into()];
        stream.read_exact(&mut octets).await.unwrap();
        match answer(Query::read(&octets, client, true)) {
            Some(response) => {
                let length = u16::try_from(response.len()).unwrap();
                stream.write_u16(length).await.unwrap();
                stream.write_all(&response).await.unwrap();
            }
            None => silent.push(stream),
        }
    }
}
