//! The door to whoever decides what becomes of messages: the role `gate`, or a table in tests.
//!
//! A message comes in parts. At MAIL, a [`Judge`] opens a [`MessageInProgress`], so that what hangs
//! on the envelope can be looked up while the rest arrives; this gets the header at once and the
//! body piece by piece, never twice and never all of it; at the end it says the [`Verdict`]. If the
//! message goes no further, it is dropped at any point of that: what it has started must end
//! with it.
//!
//! A panic in any of it, and a verdict that takes too long, is answered by
//! [`OnFault`](super::OnFault), and disturbs no other message.

use std::future::Future;

use sender_auth::Header;

use super::envelope::Envelope;
use super::refusal::Refusal;
use super::reply::Change;
use super::session::HeaderFault;

/// Whoever decides.
pub trait Judge: Send + Sync + 'static {
    /// A message of which a part is known.
    type Message: MessageInProgress;

    /// A message begins. Client, HELO, sender and macros up to those of MAIL are known. Must not
    /// block.
    fn begin(&self, envelope: &Envelope) -> Self::Message;
}

/// A message of which a part is known.
pub trait MessageInProgress: Send + 'static {
    /// The header is complete. Recipients and the queue id are known, too. Comes once, before all
    /// of the body. Must not block.
    fn header(&mut self, envelope: &Envelope, header: Result<Header, HeaderFault>);

    /// The next piece of the body. Lines end in CRLF, which may be cut in two. Must not block for
    /// longer than it takes to read the octets.
    fn body(&mut self, octets: &[u8]);

    /// The message is complete, and everything is known that will be.
    fn verdict(self, envelope: &Envelope) -> impl Future<Output = Verdict> + Send;
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The mail server takes it.
    Accept {
        /// What is changed of it.
        changes: Vec<Change>,
    },
    /// Its sender is told that it is not taken.
    Refuse(Refusal),
    /// Its sender is told that it was taken, and it is thrown away.
    Discard,
}
