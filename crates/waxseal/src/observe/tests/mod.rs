//! The module against real sockets: a name server, a web server and a mail host on loopback, which
//! do as a test tells them. Nothing is replaced inside of the module.

mod dns;
mod dns_server;
mod evaluate;
mod https;
mod https_bodies;
mod https_server;
mod smtp_server;
mod starttls;
mod testing_mode;
mod validation;

use smtp_types::{DnsQuestion, DomainName, RecordType};

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn question(text: &str, record_type: RecordType) -> DnsQuestion {
    DnsQuestion::new(name(text), record_type)
}
