//! The floor: one thread, one map from question to reply, no bounds in time or number, no checks.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use ::waxseal::answer::{MapName, netstring};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::table::{Mix, domain, replies};

type Table = HashMap<Vec<u8>, Vec<u8>>;

/// Serves until the process ends.
pub(crate) async fn serve(domains: usize) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new();
    for index in 0..domains {
        let mut reply = Vec::new();
        let text = replies(index, Mix::Secure)?;
        netstring::encode(text.reply(MapName::Query).as_bytes(), &mut reply);
        table.insert(domain(index).into_bytes(), reply);
    }
    let table = Arc::new(table);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let table = Arc::clone(&table);
        tokio::spawn(async move { answer(stream, &table).await });
    }
}

async fn answer(mut stream: TcpStream, table: &Table) -> std::io::Result<()> {
    let (mut input, mut output) = (vec![0; 16_384], Vec::new());
    let mut filled = 0;
    loop {
        let octets = stream.read(&mut input[filled..]).await?;
        if octets == 0 {
            return Ok(());
        }
        filled += octets;
        let mut start = 0;
        while let Some((request, end)) = frame(&input[start..filled]) {
            let key = request.split(|&octet| octet == b' ').nth(1).unwrap_or_default();
            match table.get(key) {
                Some(reply) => output.extend_from_slice(reply),
                None => output.extend_from_slice(b"9:NOTFOUND ,"),
            }
            start += end;
        }
        input.copy_within(start..filled, 0);
        filled -= start;
        stream.write_all(&output).await?;
        output.clear();
    }
}

/// The first netstring, and where it ends.
fn frame(octets: &[u8]) -> Option<(&[u8], usize)> {
    let colon = octets.iter().position(|&octet| octet == b':')?;
    let digits = octets[..colon].iter();
    let length = digits.fold(0, |sum, &digit| sum * 10 + usize::from(digit - b'0'));
    let payload = octets.get(colon + 1..colon + 1 + length)?;
    octets.get(colon + 1 + length)?;
    Some((payload, colon + 2 + length))
}
