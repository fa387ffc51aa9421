//! The floor: a milter that reads all there is and looks at none of it.

use std::error::Error;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use waxseal::gate::milter::packet::{self, Decoded};

/// Serves until the process ends.
pub(crate) async fn serve() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A mail server that goes without a word ends its connection and no other.
        tokio::spawn(async move { converse(stream).await.is_ok() });
    }
}

async fn converse(mut stream: TcpStream) -> std::io::Result<()> {
    let (mut input, mut filled) = (vec![0; 256 * 1024], 0);
    loop {
        let octets = stream.read(&mut input[filled..]).await?;
        if octets == 0 {
            return Ok(());
        }
        filled += octets;
        let mut at = 0;
        while let Ok(Decoded::Packet { packet, octets }) =
            packet::decode(&input[at..filled], input.len())
        {
            let mut reply = Vec::new();
            match packet.code {
                // Agrees to all that is offered: no answer but the last.
                b'O' => packet::encode(b'O', &[packet.payload], &mut reply),
                b'E' => packet::encode(b'a', &[], &mut reply),
                _ => {}
            }
            at += octets;
            stream.write_all(&reply).await?;
        }
        input.copy_within(at..filled, 0);
        filled -= at;
    }
}
