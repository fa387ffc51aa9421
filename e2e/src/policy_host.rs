//! Web servers that hand out MTA-STS policies: the honest ones, and the attacker's.
//!
//! One thread listens on port 443 of all addresses of its namespace; the address that a client
//! connected to says which case it asks for, and so which certificate and which document it gets.

use crate::addresses::CaseNumber;
use crate::case::HttpsAnswer;
use crate::error::LabError;
use crate::namespace::Namespace;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST_REQUEST: u64 = 16 * 1024;

/// What the hosts of one namespace show and say.
#[derive(Debug)]
pub struct PolicyHosts {
    /// The certificate for clients of each case; a case without one is not served.
    certificates: HashMap<CaseNumber, Arc<ServerConfig>>,
    /// The document of each case, exchanged while clients come and go.
    documents: RwLock<HashMap<CaseNumber, HttpsAnswer>>,
}

impl PolicyHosts {
    /// Serves on port 443 of all addresses of `namespace`, until the process ends.
    pub fn start(
        namespace: &Namespace,
        certificates: HashMap<CaseNumber, Arc<ServerConfig>>,
        documents: HashMap<CaseNumber, HttpsAnswer>,
    ) -> Result<Arc<Self>, LabError> {
        let listener = namespace.within(|| {
            let any = (Ipv4Addr::UNSPECIFIED, 443);
            TcpListener::bind(any).map_err(LabError::io("binding port 443"))
        })?;
        let hosts = Arc::new(Self { certificates, documents: RwLock::new(documents) });
        let server = Arc::clone(&hosts);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = Arc::clone(&server);
                // A client that breaks off is no concern of the server's.
                thread::spawn(move || drop(server.answer(stream)));
            }
        });
        Ok(hosts)
    }

    /// From now on says something else.
    pub fn exchange(&self, documents: HashMap<CaseNumber, HttpsAnswer>) {
        *self.documents.write().unwrap_or_else(PoisonError::into_inner) = documents;
    }

    fn answer(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let Some(number) = CaseNumber::of(stream.local_addr()?.ip()) else {
            return Ok(());
        };
        let Some(config) = self.certificates.get(&number) else {
            return Ok(());
        };
        let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        let mut tls = StreamOwned::new(connection, stream);
        let request = request_line(&mut tls)?;
        let response = match self.document(number) {
            Some(HttpsAnswer { status, media_type, body, .. })
                if request.starts_with("GET /.well-known/mta-sts.txt ") =>
            {
                format!(
                    "HTTP/1.1 {status} Lab\r\nContent-Type: {media_type}\r\n\
                     Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                )
            }
            _ => {
                let head = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n";
                format!("{head}Connection: close\r\n\r\n")
            }
        };
        tls.write_all(response.as_bytes())?;
        tls.conn.send_close_notify();
        tls.flush()
    }

    fn document(&self, number: CaseNumber) -> Option<HttpsAnswer> {
        let documents = self.documents.read().unwrap_or_else(PoisonError::into_inner);
        documents.get(&number).cloned()
    }
}

/// Reads the head of the request and hands back its first line.
fn request_line(stream: impl Read) -> io::Result<String> {
    let mut head = BufReader::new(stream.take(LONGEST_REQUEST)).lines();
    let first = head.next().transpose()?.unwrap_or_default();
    for line in head {
        if line?.is_empty() {
            break;
        }
    }
    Ok(first)
}
