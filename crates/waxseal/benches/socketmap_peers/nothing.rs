//! A resolver that says of every name that it has no such record. It lets the real daemon come to a
//! decision for 10,000 domains without a world.

use std::error::Error;

use tokio::net::UdpSocket;

/// Of the root, TTL 3600, MINIMUM 3600: for how long an answer is kept.
const SOA: [u8; 33] = [
    0, 0, 6, 0, 1, 0, 0, 0x0e, 0x10, 0, 22, // owner, SOA, IN, TTL, length
    0, 0, // names
    0, 0, 0, 1, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10,
];

/// Serves until the process ends.
pub(crate) async fn serve() -> Result<(), Box<dyn Error>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    println!("{}", socket.local_addr()?);
    let mut query = [0; 1_024];
    loop {
        let (octets, peer) = socket.recv_from(&mut query).await?;
        if let Some(response) = response(&query[..octets]) {
            socket.send_to(&response, peer).await?;
        }
    }
}

/// The header and the question again, and the SOA record.
fn response(query: &[u8]) -> Option<Vec<u8>> {
    let (header, rest) = query.split_at_checked(12)?;
    let name = rest.iter().position(|&octet| octet == 0)?;
    let question = rest.get(..name + 5)?;
    // A response, recursion desired and available; one question, one record of authority.
    let counts = [0x81, 0x80, 0, 1, 0, 0, 0, 1, 0, 0];
    Some([&header[..2], &counts, question, &SOA].concat())
}
