//! The floor: the least work for one domain, done as plainly as can be.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;

use super::world::World;

#[derive(Clone)]
pub(crate) struct Floor {
    dns: SocketAddr,
    https: SocketAddr,
    tls: TlsConnector,
}

impl Floor {
    pub(crate) fn new(world: &World) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&world.authority).unwrap()).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let tls = TlsConnector::from(Arc::new(config));
        Self { dns: world.dns, https: world.https, tls }
    }

    /// Record, address, policy; without a record only that.
    pub(crate) async fn look_up(&self, name: &str) {
        let record = self.ask(&format!("_mta-sts.{name}"), 16).await;
        if !record.windows(8).any(|window| window == b"v=STSv1;") {
            return;
        }
        let host = format!("mta-sts.{name}");
        self.ask(&host, 1).await;
        let stream = TcpStream::connect(self.https).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let server = ServerName::try_from(host.clone()).unwrap();
        let mut stream = self.tls.connect(server, stream).await.unwrap();
        let request = format!("GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response).await;
        let body = response.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        mta_sts::Policy::parse(&response[body..]).unwrap();
    }

    async fn ask(&self, name: &str, record_type: u16) -> Vec<u8> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).unwrap());
            query.extend(label.bytes());
        }
        query.push(0);
        query.extend(record_type.to_be_bytes());
        query.extend([0, 1]);
        socket.send_to(&query, self.dns).await.unwrap();
        let mut reply = vec![0; 1500];
        let length = socket.recv(&mut reply).await.unwrap();
        reply.truncate(length);
        reply
    }
}
