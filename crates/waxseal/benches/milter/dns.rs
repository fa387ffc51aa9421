//! The DNS of the senders: the TXT records of a folder, an SPF record for every domain that a
//! return path may have, a name for every address, and nothing else. Answers come at once.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use tokio::net::UdpSocket;

const A: u16 = 1;
const PTR: u16 = 12;
const TXT: u16 = 16;

/// Serves until the process ends.
pub(crate) async fn serve(folder: &str) -> Result<(), Box<dyn Error>> {
    let texts = std::fs::read_to_string(Path::new(folder).join("txt.tsv"))?;
    let texts: HashMap<&str, &str> =
        texts.lines().filter_map(|line| line.split_once('\t')).collect();
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    println!("{}", socket.local_addr()?);
    let mut query = [0; 1_024];
    loop {
        let (octets, peer) = socket.recv_from(&mut query).await?;
        if let Some(response) = response(&query[..octets], &texts) {
            socket.send_to(&response, peer).await?;
        }
    }
}

fn response(query: &[u8], texts: &HashMap<&str, &str>) -> Option<Vec<u8>> {
    let (header, rest) = query.split_at_checked(12)?;
    let (name, end) = name(rest)?;
    let record_type = u16::from_be_bytes([*rest.get(end)?, *rest.get(end + 1)?]);
    let data = match record_type {
        TXT => texts.get(name.as_str()).map(|text| strings(text)).or_else(|| {
            let is_return_path = name.ends_with(".bounces.example");
            is_return_path.then(|| strings("v=spf1 ip4:10.0.0.0/8 -all"))
        }),
        PTR if name.ends_with(".10.in-addr.arpa") => {
            let labels: Vec<&str> = name.split('.').take(3).collect();
            Some(encoded(&format!("{}.hosts.example", labels.join("-"))))
        }
        A => name.strip_suffix(".hosts.example").and_then(|labels| {
            let octets: Vec<u8> = labels.split('-').filter_map(|one| one.parse().ok()).collect();
            let [third, second, first] = octets[..] else { return None };
            Some(vec![10, first, second, third])
        }),
        _ => None,
    };
    let mut reply = header.get(..2)?.to_vec();
    // A response to a recursive query, recursion available, no error; one question.
    reply.extend([0x81, 0x80, 0, 1, 0, u8::from(data.is_some())]);
    reply.extend([0, u8::from(data.is_none()), 0, 0]);
    reply.extend(rest.get(..end + 4)?);
    match data {
        Some(data) => {
            reply.extend([0xc0, 12]);
            reply.extend(record_type.to_be_bytes());
            // IN, TTL 3600
            reply.extend([0, 1, 0, 0, 0x0e, 0x10]);
            reply.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
            reply.extend(data);
        }
        None => reply.extend(SOA),
    }
    Some(reply)
}

/// Of the root, TTL 3600, MINIMUM 3600: for how long an answer is kept.
const SOA: [u8; 33] = [
    0, 0, 6, 0, 1, 0, 0, 0x0e, 0x10, 0, 22, // owner, SOA, IN, TTL, length
    0, 0, // names
    0, 0, 0, 1, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10,
];

/// The name that a question begins with, in lower case, and where it ends.
fn name(question: &[u8]) -> Option<(String, usize)> {
    let (mut name, mut at) = (String::new(), 0);
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            return Some((name.to_ascii_lowercase(), at));
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(std::str::from_utf8(question.get(at..at + length)?).ok()?);
        at += length;
    }
}

fn encoded(name: &str) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| {
        let length = u8::try_from(label.len()).unwrap_or_default();
        std::iter::once(length).chain(label.bytes())
    });
    labels.chain([0]).collect()
}

/// A text in strings of at most 255 octets.
fn strings(text: &str) -> Vec<u8> {
    let strings = text.as_bytes().chunks(255).flat_map(|string| {
        let length = u8::try_from(string.len()).unwrap_or_default();
        std::iter::once(length).chain(string.iter().copied())
    });
    strings.collect()
}
