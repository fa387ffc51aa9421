//! A policy host for tests: certificates of an own authority, and a web server that sends the
//! octets that it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use domain::base::iana::Rtype;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use smtp_types::{HttpsQuestion, HttpsReply};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::dns_server::{DnsServer, Query, Response, a, record};
use super::name;
use crate::observe::{Authorities, FetchSettings, PolicyFetcher, Resolver};

pub(super) const HOST: &str = "mta-sts.example.test";
pub(super) const PATH: &str = "/.well-known/mta-sts.txt";

/// An authority, with its certificate in a file.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) file: NamedTempFile,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::OrganizationName, "Test Authority");
        params.distinguished_name.push(DnType::CommonName, "Root 1");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), certificate.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// A server's certificate; `change` spoils it.
    pub(super) fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity { certificate, key }
    }
}

/// A certificate with its key.
pub(super) struct Identity {
    certificate: Certificate,
    key: KeyPair,
}

impl Identity {
    pub(super) fn self_signed(is_ca: IsCa) -> Self {
        let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
        params.is_ca = is_ca;
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, key }
    }

    pub(super) fn server(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> ServerConfig {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.der().clone()], PrivateKeyDer::Pkcs8(key))
            .unwrap()
    }
}

pub(super) fn valid_from_to(params: &mut CertificateParams, from: i32, to: i32) {
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
}

/// What the server does after the request.
#[derive(Clone)]
pub(super) enum Deed {
    /// Sends, and closes as TLS wants it.
    Send(Vec<u8>),
    /// Sends, and cuts the connection without TLS's close.
    SendAndCut(Vec<u8>),
    /// Sends the first, and then the second again and again, with a pause between.
    Endless(Vec<u8>, Vec<u8>, Duration),
}

pub(super) fn ok(fields: &str, body: &[u8]) -> Deed {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{fields}\r\n",
        body.len()
    );
    Deed::Send([head.as_bytes(), body].concat())
}

/// A web server that runs until it is dropped.
pub(super) struct HttpsServer {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl HttpsServer {
    pub(super) async fn start(at: &str, tls: ServerConfig, deed: Deed) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let task = tokio::spawn({
            let requests = requests.clone();
            async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let serve = serve(acceptor.clone(), stream, deed.clone(), requests.clone());
                    tokio::spawn(serve);
                }
            }
        });
        Self { address, requests, task }
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for HttpsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: tokio::net::TcpStream,
    deed: Deed,
    requests: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut stream = acceptor.accept(stream).await.ok()?;
    let sni = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    let request = String::from_utf8(request).unwrap();
    requests.lock().unwrap().push(format!("SNI {sni}\r\n{request}"));
    match deed {
        Deed::Send(octets) => {
            stream.write_all(&octets).await.ok()?;
            stream.shutdown().await.ok()?;
        }
        Deed::SendAndCut(octets) => {
            stream.write_all(&octets).await.ok()?;
            stream.flush().await.ok()?;
            let (tcp, _) = stream.get_mut();
            tcp.shutdown().await.ok()?;
        }
        Deed::Endless(first, again, pause) => {
            stream.write_all(&first).await.ok()?;
            loop {
                stream.write_all(&again).await.ok()?;
                stream.flush().await.ok()?;
                tokio::time::sleep(pause).await;
            }
        }
    }
    Some(())
}

/// The addresses of the policy host, for the name server.
pub(super) fn addresses(v4: Vec<[u8; 4]>, v6: Vec<[u16; 8]>) -> impl Fn(&Query) -> Option<Vec<u8>> {
    move |query| {
        let records = match query.record_type {
            Rtype::A => v4.iter().map(|v4| a(HOST, 60, *v4)).collect(),
            _ => v6
                .iter()
                .map(|v6| record(HOST, 60, Rtype::AAAA, &std::net::Ipv6Addr::from(*v6).octets()))
                .collect(),
        };
        Some(Response::records(records).to(query))
    }
}

pub(super) const LOCALHOST_V4: [u8; 4] = [127, 0, 0, 1];
pub(super) const LOCALHOST_V6: [u16; 8] = [0, 0, 0, 0, 0, 0, 0, 1];

/// Settings that reach a server of a test.
pub(super) fn settings(authority: &Authority, port: u16) -> FetchSettings {
    FetchSettings {
        authorities: Authorities::File(authority.file.path().into()),
        port,
        allow_private: true,
        timeout: Duration::from_secs(5),
        ..FetchSettings::default()
    }
}

/// Gets the policy with addresses from `dns`.
pub(super) async fn fetch(dns: &DnsServer, settings: FetchSettings) -> HttpsReply {
    let resolver: Arc<Resolver> = dns.resolver().into();
    let question = HttpsQuestion { host: name(HOST), path: PATH };
    PolicyFetcher::new(resolver, settings).unwrap().get(&question).await
}

/// Gets the policy from one server at 127.0.0.1.
pub(super) async fn fetch_from(
    authority: &Authority,
    identity: &Identity,
    deed: Deed,
    change: impl FnOnce(FetchSettings) -> FetchSettings,
) -> HttpsReply {
    let tls = identity.server(rustls::ALL_VERSIONS);
    let server = HttpsServer::start("127.0.0.1:0", tls, deed).await;
    let dns = DnsServer::start(addresses(vec![LOCALHOST_V4], vec![])).await;
    fetch(&dns, change(settings(authority, server.address.port()))).await
}
