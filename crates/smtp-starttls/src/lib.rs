//! The dialogue of a mail client with a server, up to TLS and one letter (RFC 5321, 3207, 8689),
//! without IO.
//!
//! SMTP begins in clear. The server greets, the client says `EHLO`, the server names what it can
//! do, and only if `STARTTLS` is among it the client asks for TLS. Whoever sits on the way hears
//! all of it, and may change all of it: take the offer out, refuse in the server's name, or send
//! octets ahead that shall count as said within TLS. So this crate:
//!
//! - forgets at the handshake all that was said before ([`Handshake::established`]);
//! - ends with a typed [`Failure`] where anything stands between the reply to STARTTLS and the
//!   handshake ([`Failure::Injected`]);
//! - never falls back to clear text: there is a [`Session`] within TLS, or there is none.
//!
//! It reads no certificates. Whoever does the handshake has the chain, and `smtp-dane` or WebPKI
//! says whose it is, before a letter goes.
//!
//! A dialogue is a machine with one state for each awaited reply. It is driven by steps: octets
//! in, the next [`Step`] out. The driver owns the socket, the clock and the handshake.
//!
//! ```
//! use smtp_starttls::{ClientName, Dialogue, Extension, Failure, Step};
//! use smtp_types::DomainName;
//!
//! let name = ClientName::Domain(DomainName::parse("mail.example.com").unwrap());
//! let dialogue = Dialogue::open(name);
//! let Step::Send { octets, then } = dialogue.receive(b"220 mx.example.org ESMTP\r\n")? else {
//!     panic!("after the greeting it is the client's turn");
//! };
//! assert_eq!(octets, b"EHLO mail.example.com\r\n");
//! let Step::Send { octets, then } = then.receive(b"250-mx.example.org\r\n250 STARTTLS\r\n")? else {
//!     panic!("TLS is offered, and asked for");
//! };
//! assert_eq!(octets, b"STARTTLS\r\n");
//!
//! // Somebody has put a reply in clear behind that of the server.
//! let failure = then.clone().receive(b"220 go ahead\r\n250 PWNED\r\n").unwrap_err();
//! assert_eq!(failure, Failure::Injected { octets: 11 });
//!
//! let Step::StartTls(handshake) = then.receive(b"220 go ahead\r\n")? else {
//!     panic!("the server waits for the handshake");
//! };
//! let Step::Send { then, .. } = handshake.established() else {
//!     panic!("within TLS all begins anew");
//! };
//! let Step::Ready(session) = then.receive(b"250-mx.example.org\r\n250 REQUIRETLS\r\n")? else {
//!     panic!("this is the goal");
//! };
//! assert!(session.capabilities().offer(Extension::RequireTls));
//! # Ok::<(), Failure>(())
//! ```
//!
//! | RFC | here |
//! |---|---|
//! | 5321 §4.2 replies | [`ReplyReader`], [`Reply`] |
//! | 5321 §3.1, §3.2 greeting, EHLO, HELO | [`Dialogue`] |
//! | 5321 §4.1.1.1 extensions | [`Capabilities`] |
//! | 3207 §4 STARTTLS, §4.2 after the handshake | [`Step::StartTls`], [`Handshake`] |
//! | 5321 §3.3, §4.5.2 a letter | [`Letter`], [`Session::deliver`] |
//! | 8689 §2, §4.2.1 REQUIRETLS | [`RequireTls`] |
//! | 8689 §3 `TLS-Required: No` | [`TlsRequired`] |
//!
//! What is not here: pipelining (RFC 2920), authentication, and letters in clear.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod capabilities;
mod client_name;
mod delivery;
mod dialogue;
mod expect;
mod failure;
mod letter;
mod reader;
mod reply;
mod tls_required;

pub use capabilities::{Capabilities, Extension};
pub use client_name::ClientName;
pub use delivery::{Delivery, Outcome, RefusedRecipient};
pub use dialogue::{Dialogue, Handshake, InClear, QUIT, Session, Step};
pub use failure::{Failure, Stage};
pub use letter::{Letter, LetterError, MAX_RECIPIENTS, MAX_TEXT_LINE, RequireTls};
pub use reader::{MAX_LINE, MAX_LINES, MAX_REPLY, ReplyError, ReplyFault, ReplyReader};
pub use reply::{Reply, ReplyClass, ReplyCode};
pub use tls_required::TlsRequired;
