//! A web server for tests: TLS on loopback, with a certificate for whatever name it is asked by, and
//! the answer that a test wants.

use std::fmt;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) struct WebServer {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    answer: Answer,
    posts: Vec<Post>,
    tries: usize,
}

/// What the server says to a POST.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These octets.
    Says(String),
    /// Nothing, as long as the client waits.
    Nothing,
    /// A body without end.
    Endless,
    /// It closes the connection before the handshake.
    Closed,
}

impl Answer {
    /// A status, and perhaps a field.
    pub(crate) fn status(status: u16, field: &str) -> Self {
        Self::Says(format!("HTTP/1.1 {status} X\r\n{field}Content-Length: 0\r\n\r\n"))
    }
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Post {
    /// The request line and the fields.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl WebServer {
    /// Writes the certificate of its authority to the folder.
    pub(crate) fn start(folder: &Path) -> (Self, PathBuf) {
        let ca = folder.join("web.pem");
        let authority = Authority::new();
        std::fs::write(&ca, &authority.pem).unwrap();
        let state = State { answer: Answer::status(201, ""), posts: Vec::new(), tries: 0 };
        let state = Arc::new(Mutex::new(state));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(authority));
        let tls = Arc::new(tls);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, tls, state) = (stream.unwrap(), Arc::clone(&tls), Arc::clone(&shared));
                thread::spawn(move || serve(stream, tls, &state));
            }
        });
        (Self { port, state }, ca)
    }

    /// From now on.
    pub(crate) fn say(&self, answer: Answer) {
        self.state.lock().unwrap().answer = answer;
    }

    /// All that was posted since the last call.
    pub(crate) fn posts(&self) -> Vec<Post> {
        std::mem::take(&mut self.state.lock().unwrap().posts)
    }

    /// How many connections there were.
    pub(crate) fn tries(&self) -> usize {
        self.state.lock().unwrap().tries
    }
}

fn serve(stream: TcpStream, tls: Arc<ServerConfig>, state: &Mutex<State>) -> Option<()> {
    state.lock().unwrap().tries += 1;
    let answer = state.lock().unwrap().answer.clone();
    if matches!(answer, Answer::Closed) {
        return None;
    }
    let mut stream = StreamOwned::new(ServerConnection::new(tls).ok()?, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).ok()?;
        head.push(octet[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.to_ascii_lowercase();
    let length = length.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    state.lock().unwrap().posts.push(Post { head, body });
    match answer {
        Answer::Says(octets) => stream.write_all(octets.as_bytes()).ok()?,
        Answer::Nothing => {
            // Until the client gives up.
            let _ = stream.read(&mut [0]);
            return None;
        }
        Answer::Endless => {
            stream.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 9999999999999\r\n\r\n").ok()?;
            loop {
                stream.write_all(&[b'x'; 65_536]).ok()?;
            }
        }
        Answer::Closed => return None,
    }
    stream.conn.send_close_notify();
    stream.flush().ok()
}

/// Who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Web Authority");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Asked for a name below `false.test`, it shows a certificate for another one.
        let name = hello.server_name()?;
        let name = if name.ends_with("false.test") { "other.test" } else { name };
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
        Some(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
    }
}
