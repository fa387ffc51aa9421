//! A resolver for tests: UDP and TCP on one port of loopback. What it says can be changed while it
//! runs, and an answer can be held back until the test lets it go.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::opt::exterr::ExtendedError;
use domain::base::{Message, MessageBuilder, Name, Record, Ttl, UnknownRecordData};

/// A name with false signatures; the resolver refuses it, as one that validates does.
const BOGUS: &str = "dnssec-failed.org";

/// EDE code 6 of RFC 8914.
const EDE_BOGUS: u16 = 6;

pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    zone: Mutex<Zone>,
    changed: Condvar,
}

#[derive(Default)]
struct Zone {
    records: HashMap<(String, Rtype), Vec<Vec<u8>>>,
    failing: HashSet<(String, Rtype)>,
    /// Zones whose answers carry the AD bit; `.` is the root alone.
    signed: HashSet<String>,
    held: HashSet<String>,
    silent: bool,
    truncating: bool,
    ttl: u32,
    asked: Vec<Asked>,
}

/// A question that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) record_type: String,
    pub(crate) tcp: bool,
}

impl Dns {
    /// A resolver that validates, and knows no names.
    pub(crate) fn start() -> Self {
        let (udp, tcp) = sockets();
        let address = udp.local_addr().unwrap();
        let state = Arc::new(State::default());
        let dns = Self { address, state: Arc::clone(&state) };
        dns.change(|zone| {
            zone.ttl = 300;
            zone.signed.insert(".".to_owned());
        });
        thread::spawn({
            let state = Arc::clone(&state);
            move || serve_udp(&udp, &state)
        });
        thread::spawn(move || serve_tcp(&tcp, &state));
        dns
    }

    fn change(&self, change: impl FnOnce(&mut Zone)) {
        change(&mut self.state.zone.lock().unwrap());
        self.state.changed.notify_all();
    }

    /// Replaces the record sets of all names and types in `lines`, each `NAME TYPE DATA`.
    pub(crate) fn say(&self, lines: &[&str]) {
        self.change(|zone| {
            let sets = lines.iter().map(|line| parse(line)).collect::<Vec<_>>();
            for (key, _) in &sets {
                zone.records.remove(key);
                zone.failing.remove(key);
            }
            for (key, data) in sets {
                zone.records.entry(key).or_default().push(data);
            }
        });
    }

    /// Removes a record set: `NAME TYPE`.
    pub(crate) fn remove(&self, set: &str) {
        let key = key(set);
        self.change(|zone| {
            zone.records.remove(&key);
            zone.failing.remove(&key);
        });
    }

    /// Answers SERVFAIL for `NAME TYPE`.
    pub(crate) fn fail(&self, set: &str) {
        let key = key(set);
        self.change(|zone| {
            zone.failing.insert(key);
        });
    }

    /// Sets the AD bit on all answers about this name and names below it; `.` is the root alone.
    pub(crate) fn sign(&self, zone_name: &str) {
        self.change(|zone| {
            zone.signed.insert(zone_name.to_owned());
        });
    }

    /// From now on the root comes without the AD bit.
    pub(crate) fn stop_validating(&self) {
        self.change(|zone| {
            zone.signed.remove(".");
        });
    }

    pub(crate) fn validate(&self) {
        self.sign(".");
    }

    /// Answers nothing at all any more.
    pub(crate) fn fall_silent(&self) {
        self.change(|zone| zone.silent = true);
    }

    pub(crate) fn speak_again(&self) {
        self.change(|zone| zone.silent = false);
    }

    /// Says over UDP only that there is more.
    pub(crate) fn truncate(&self) {
        self.change(|zone| zone.truncating = true);
    }

    pub(crate) fn ttl(&self, seconds: u32) {
        self.change(|zone| zone.ttl = seconds);
    }

    /// Holds the answers for a name back.
    pub(crate) fn hold(&self, name: &str) {
        self.change(|zone| {
            zone.held.insert(name.to_owned());
        });
    }

    pub(crate) fn release(&self, name: &str) {
        self.change(|zone| {
            zone.held.remove(name);
        });
    }

    /// Every question until now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.zone.lock().unwrap().asked.clone()
    }

    /// Waits until a question for a name has come.
    pub(crate) fn wait_for(&self, name: &str) {
        let zone = self.state.zone.lock().unwrap();
        let missing = |zone: &mut Zone| zone.asked.iter().all(|asked| asked.name != name);
        let (_zone, timeout) =
            self.state.changed.wait_timeout_while(zone, super::PATIENCE, missing).unwrap();
        assert!(!timeout.timed_out(), "nobody asked for {name}");
    }
}

fn key(set: &str) -> (String, Rtype) {
    let (name, record_type) = set.split_once(' ').unwrap();
    (name.to_owned(), record_type.parse().unwrap())
}

fn parse(line: &str) -> ((String, Rtype), Vec<u8>) {
    let mut words = line.splitn(3, ' ');
    let mut word = || words.next().unwrap();
    let (name, record_type, data) = (word().to_owned(), word().parse().unwrap(), word());
    let data = match record_type {
        Rtype::A => data.parse::<Ipv4Addr>().unwrap().octets().to_vec(),
        Rtype::AAAA => data.parse::<Ipv6Addr>().unwrap().octets().to_vec(),
        Rtype::MX => {
            let (preference, host) = data.split_once(' ').unwrap();
            let preference = preference.parse::<u16>().unwrap().to_be_bytes();
            [&preference, wire(host).as_slice()].concat()
        }
        Rtype::TXT => {
            let strings = data.as_bytes().chunks(255);
            strings.flat_map(|one| [&[u8::try_from(one.len()).unwrap()], one].concat()).collect()
        }
        Rtype::CNAME => wire(data).as_slice().to_vec(),
        Rtype::TLSA => {
            let mut words = data.split(' ');
            let mut numbers: Vec<u8> =
                words.by_ref().take(3).map(|word| word.parse().unwrap()).collect();
            let hex = words.next().unwrap();
            let octets = (0..hex.len()).step_by(2);
            numbers.extend(octets.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()));
            numbers
        }
        other => panic!("{other} in {line:?}"),
    };
    ((name, record_type), data)
}

fn wire(name: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(name).unwrap()
}

/// The same port for both.
fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
}

fn serve_udp(socket: &UdpSocket, state: &Arc<State>) {
    let mut octets = [0; 4096];
    while let Ok((length, client)) = socket.recv_from(&mut octets) {
        let (query, state) = (octets[..length].to_vec(), Arc::clone(state));
        let socket = socket.try_clone().unwrap();
        thread::spawn(move || {
            if let Some(response) = respond(query, &state, false) {
                let _ = socket.send_to(&response, client);
            }
        });
    }
}

fn serve_tcp(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming() {
        let (mut stream, state) = (stream.unwrap(), Arc::clone(state));
        thread::spawn(move || -> std::io::Result<()> {
            loop {
                let mut length = [0; 2];
                stream.read_exact(&mut length)?;
                let mut query = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut query)?;
                if let Some(response) = respond(query, &state, true) {
                    let length = u16::try_from(response.len()).unwrap().to_be_bytes();
                    stream.write_all(&[&length[..], &response].concat())?;
                }
            }
        });
    }
}

fn respond(query: Vec<u8>, state: &State, tcp: bool) -> Option<Vec<u8>> {
    let query = Message::from_octets(query).ok()?;
    let question = query.sole_question().ok()?;
    let record_type = question.qtype();
    let name = match question.qname().to_string() {
        root if root.is_empty() => ".".to_owned(),
        name => name,
    };
    let mut zone = state.zone.lock().unwrap();
    zone.asked.push(Asked { name: name.clone(), record_type: record_type.to_string(), tcp });
    state.changed.notify_all();
    let zone = state.changed.wait_while(zone, |zone| zone.held.contains(&name)).unwrap();
    if zone.silent {
        return None;
    }
    Some(zone.response(&query, &name, record_type, tcp))
}

impl Zone {
    fn response(
        &self,
        query: &Message<Vec<u8>>,
        name: &str,
        record_type: Rtype,
        tcp: bool,
    ) -> Vec<u8> {
        let is_bogus = name == BOGUS;
        let key = (name.to_owned(), record_type);
        let exists = name == "." || self.records.keys().any(|(known, _)| known == name);
        let code = match () {
            () if is_bogus || self.failing.contains(&key) => Rcode::SERVFAIL,
            () if exists => Rcode::NOERROR,
            () => Rcode::NXDOMAIN,
        };
        let truncated = self.truncating && !tcp;
        let mut builder = MessageBuilder::new_vec().start_answer(query, code).unwrap();
        builder.header_mut().set_ra(true);
        builder.header_mut().set_tc(truncated);
        builder.header_mut().set_ad(code != Rcode::SERVFAIL && self.is_signed(name));
        builder.header_mut().set_cd(query.header().cd());
        let record = |owner: &str, record_type, data: &[u8]| {
            let data = UnknownRecordData::from_octets(record_type, data.to_vec()).unwrap();
            Record::new(wire(owner), Class::IN, Ttl::from_secs(self.ttl), data)
        };
        if (name, record_type) == (".", Rtype::SOA) {
            builder.push(record(".", Rtype::SOA, &soa(60))).unwrap();
        }
        let found = self.records.get(&key).filter(|_| code == Rcode::NOERROR && !truncated);
        for data in found.into_iter().flatten() {
            builder.push(record(name, record_type, data)).unwrap();
        }
        let mut builder = builder.authority();
        if found.is_none() && code != Rcode::SERVFAIL {
            builder.push(record(".", Rtype::SOA, &soa(self.ttl))).unwrap();
        }
        let mut builder = builder.additional();
        builder
            .opt(|opt| {
                if is_bogus {
                    opt.push(
                        &ExtendedError::<Vec<u8>>::new_with_str(EDE_BOGUS.into(), "bogus").unwrap(),
                    )?;
                }
                Ok(())
            })
            .unwrap();
        builder.finish()
    }

    fn is_signed(&self, name: &str) -> bool {
        let below = |zone: &String| name.strip_suffix(zone.as_str()).is_some_and(is_label_end);
        self.signed.contains(name) || self.signed.iter().any(below)
    }
}

fn is_label_end(rest: &str) -> bool {
    rest.ends_with('.')
}

fn soa(minimum: u32) -> Vec<u8> {
    let mut data = [wire("ns.test").as_slice(), wire("root.test").as_slice()].concat();
    [1, 2, 3, 4, minimum].iter().for_each(|field: &u32| data.extend(field.to_be_bytes()));
    data
}
