//! A policy host for all domains of a test: it makes the certificate for whatever name it is asked
//! by, and what it says can be changed while it runs.

use std::collections::HashMap;
use std::fmt;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) struct PolicyHost {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    site: Mutex<Site>,
    changed: Condvar,
    authorities: [Authority; 2],
}

struct Site {
    /// By host name.
    pages: HashMap<String, Page>,
    requests: Vec<String>,
    /// Whether requests that come are held back.
    holding: bool,
    /// Whether those that were held back still are.
    held: bool,
    up: bool,
    certificate: Kind,
}

/// What the host says.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

/// What certificate it shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Good,
    OtherIssuer,
    Expired,
    OtherName,
}

impl PolicyHost {
    /// Writes the certificates of its two authorities to `ca`.
    pub(crate) fn start(ca: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let authorities = [Authority::new("First Authority"), Authority::new("Second Authority")];
        std::fs::write(ca, authorities.each_ref().map(|one| one.pem.clone()).concat()).unwrap();
        let site = Site {
            pages: HashMap::new(),
            requests: Vec::new(),
            holding: false,
            held: false,
            up: true,
            certificate: Kind::Good,
        };
        let state =
            Arc::new(State { site: Mutex::new(site), changed: Condvar::new(), authorities });
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Certificates(Arc::clone(&state))));
        let tls = Arc::new(tls);
        thread::spawn({
            let state = Arc::clone(&state);
            move || {
                for stream in listener.incoming() {
                    let (stream, state, tls) =
                        (stream.unwrap(), Arc::clone(&state), Arc::clone(&tls));
                    // A host that is down takes the connection and closes it.
                    if state.site.lock().unwrap().up {
                        thread::spawn(move || serve(stream, &state, tls));
                    }
                }
            }
        });
        Self { port, state }
    }

    fn change(&self, change: impl FnOnce(&mut Site)) {
        change(&mut self.state.site.lock().unwrap());
        self.state.changed.notify_all();
    }

    /// Serves a policy for a domain.
    pub(crate) fn serve(&self, domain: &str, policy: &str) {
        let page = Page { status: 200, content_type: "text/plain", body: policy.to_owned() };
        self.page(domain, page);
    }

    pub(crate) fn page(&self, domain: &str, page: Page) {
        self.change(|site| {
            site.pages.insert(format!("mta-sts.{domain}"), page);
        });
    }

    pub(crate) fn go_down(&self) {
        self.change(|site| site.up = false);
    }

    pub(crate) fn come_up(&self) {
        self.change(|site| site.up = true);
    }

    pub(crate) fn certificate(&self, kind: Kind) {
        self.change(|site| site.certificate = kind);
    }

    /// Takes requests, and answers none until released.
    pub(crate) fn hold(&self) {
        self.change(|site| (site.holding, site.held) = (true, true));
    }

    /// Answers new requests; those that are held back stay so.
    pub(crate) fn hold_no_more(&self) {
        self.change(|site| site.holding = false);
    }

    pub(crate) fn release(&self) {
        self.change(|site| (site.holding, site.held) = (false, false));
    }

    /// How many requests have come until now.
    pub(crate) fn requests(&self) -> usize {
        self.state.site.lock().unwrap().requests.len()
    }

    /// Waits until this many requests have come since the start.
    pub(crate) fn wait_for(&self, count: usize) {
        let site = self.state.site.lock().unwrap();
        let few = |site: &mut Site| site.requests.len() < count;
        let (site, timeout) =
            self.state.changed.wait_timeout_while(site, super::PATIENCE, few).unwrap();
        assert!(!timeout.timed_out(), "{} requests instead of {count}", site.requests.len());
    }
}

fn serve(stream: TcpStream, state: &State, tls: Arc<ServerConfig>) -> Option<()> {
    let mut stream = StreamOwned::new(ServerConnection::new(tls).ok()?, stream);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).ok()?;
        request.push(octet[0]);
    }
    let host = stream.conn.server_name().unwrap_or_default().to_owned();
    let mut site = state.site.lock().unwrap();
    site.requests.push(host.clone());
    state.changed.notify_all();
    // What a held request gets is what stood there when it came.
    let page = site.pages.get(&host).cloned();
    if site.holding {
        drop(state.changed.wait_while(site, |site| site.held).unwrap());
    } else {
        drop(site);
    }
    let Page { status, content_type, body } =
        page.unwrap_or(Page { status: 404, content_type: "text/plain", body: String::new() });
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}

/// Who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(organization: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::OrganizationName, organization);
        params.distinguished_name.push(DnType::CommonName, organization);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }
}

struct Certificates(Arc<State>);

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates")
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let kind = self.0.site.lock().unwrap().certificate;
        let name = match kind {
            Kind::OtherName => "other.test".to_owned(),
            _ => hello.server_name()?.to_owned(),
        };
        let mut params = CertificateParams::new([name]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        let end = if kind == Kind::Expired { 2021 } else { 2100 };
        params.not_after = date_time_ymd(end, 1, 1);
        let [first, second] = &self.0.authorities;
        let authority = if kind == Kind::OtherIssuer { second } else { first };
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &authority.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
        Some(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
    }
}
