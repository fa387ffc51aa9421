//! The world of the benchmark: a DNS server and a policy host on loopback, as far away as wanted.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio_rustls::TlsAcceptor;

/// How long an answer takes on its way.
#[derive(Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) dns: Duration,
    pub(crate) https: Duration,
}

/// Where the world is.
pub(crate) struct World {
    pub(crate) dns: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) authority: PathBuf,
    _folder: TempDir,
}

impl World {
    /// A world with these domains. Those whose names begin with `policy` have one.
    pub(crate) async fn start(latency: Latency, names: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(&authority, issuer.pem()).unwrap();

        let one_more = [String::from("policyx.test")];
        let certificates = names.iter().chain(&one_more).map(|name| {
            let host = format!("mta-sts.{name}");
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new([host.clone()]).unwrap();
            let certificate = params.signed_by(&key, &issuer).unwrap();
            let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
            let key = any_supported_type(&key).unwrap();
            (host, Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
        });
        let certificates = Certificates(certificates.collect());

        let dns = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let https = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (dns_address, https_address) = (dns.local_addr().unwrap(), https.local_addr().unwrap());
        tokio::spawn(serve_dns(dns, latency.dns));
        tokio::spawn(serve_policies(https, certificates, latency.https));
        Self { dns: dns_address, https: https_address, authority, _folder: folder }
    }
}

#[derive(Debug)]
struct Certificates(HashMap<String, Arc<CertifiedKey>>);

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.get(hello.server_name()?).cloned()
    }
}

async fn serve_policies(listener: TcpListener, certificates: Certificates, latency: Duration) {
    let mut config =
        ServerConfig::builder().with_no_client_auth().with_cert_resolver(Arc::new(certificates));
    config.send_tls13_tickets = 0;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            stream.set_nodelay(true).unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            let host = stream.get_ref().1.server_name().unwrap().to_owned();
            let mut request = [0; 2048];
            let _ = stream.read(&mut request).await;
            tokio::time::sleep(latency).await;
            let domain = host.strip_prefix("mta-sts.").unwrap();
            let body = format!("version: STSv1\nmode: enforce\nmx: mx.{domain}\nmax_age: 604800\n");
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
            );
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            let _ = stream.shutdown().await;
        });
    }
}

async fn serve_dns(socket: UdpSocket, latency: Duration) {
    let socket = Arc::new(socket);
    let mut packet = [0; 1500];
    while let Ok((length, peer)) = socket.recv_from(&mut packet).await {
        let reply = dns_reply(&packet[..length]);
        let socket = Arc::clone(&socket);
        tokio::spawn(async move {
            tokio::time::sleep(latency).await;
            let _ = socket.send_to(&reply, peer).await;
        });
    }
}

/// Answers MX, TXT and A as a policy domain or one without a policy has them, and nothing else.
fn dns_reply(query: &[u8]) -> Vec<u8> {
    let mut labels = Vec::new();
    let mut at = 12;
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..=at + length]).to_lowercase());
        at += length + 1;
    }
    let question = &query[12..at + 5];
    let record_type = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let domain = labels.iter().rev().take(2).rev().cloned().collect::<Vec<_>>();
    let data: Option<Vec<u8>> = match record_type {
        1 if labels.len() == 3 => Some(vec![127, 0, 0, 1]),
        15 if labels.len() == 2 => {
            let mut data = vec![0, 10, 2, b'm', b'x'];
            for label in &domain {
                data.push(u8::try_from(label.len()).unwrap());
                data.extend(label.bytes());
            }
            data.push(0);
            Some(data)
        }
        16 if domain[0].starts_with("policy") => {
            let text = b"v=STSv1; id=20260101000000;";
            Some([&[u8::try_from(text.len()).unwrap()], &text[..]].concat())
        }
        _ => None,
    };
    let mut reply = query[..2].to_vec();
    // A response to a recursive query, recursion available, no error.
    reply.extend([0x81, 0x80, 0, 1, 0, u8::from(data.is_some()), 0, 0, 0, 0]);
    reply.extend(question);
    if let Some(data) = data {
        reply.extend([0xc0, 12]);
        reply.extend(record_type.to_be_bytes());
        reply.extend([0, 1, 0, 0, 1, 44]);
        reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        reply.extend(data);
    }
    reply
}
