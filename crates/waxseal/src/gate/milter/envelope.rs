//! What is known of a message before its content: who brings it, from whom, to whom.

use std::net::IpAddr;

use super::macros::Macros;

/// Everything that the mail server has said so far, the content apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The SMTP client.
    pub client: Client,
    /// The reverse-path of MAIL as it came; see [`sender`](Self::sender). It has angle brackets,
    /// but not if the mail came into Postfix otherwise than by SMTP.
    pub reverse_path: Box<[u8]>,
    /// The ESMTP parameters of MAIL, such as `SIZE=1024` and `SMTPUTF8`.
    pub parameters: Vec<Box<[u8]>>,
    /// The forward-paths of RCPT as they came, without parameters: the first ones, see
    /// [`MilterLimits::recipients`](super::MilterLimits::recipients).
    pub recipients: Vec<Box<[u8]>>,
    /// How many recipients there are.
    pub recipient_count: u64,
    /// What the mail server knows besides. The queue id is `i`; sendmail has one at MAIL, Postfix
    /// when it has accepted a recipient.
    pub macros: Macros,
}

impl Envelope {
    /// The address of the sender: the reverse-path without its angle brackets. Empty for a bounce.
    /// It is not checked, and quoting is not removed.
    #[must_use]
    pub fn sender(&self) -> &[u8] {
        address_of(&self.reverse_path)
    }

    /// The addresses of the recipients that are kept, like [`sender`](Self::sender).
    pub fn recipient_addresses(&self) -> impl Iterator<Item = &[u8]> {
        self.recipients.iter().map(|path| address_of(path))
    }

    /// Begins a message of the same client.
    pub(super) fn begin(&mut self, reverse_path: &[u8], parameters: &[&[u8]]) {
        self.reverse_path = reverse_path.into();
        self.parameters = parameters.iter().map(|parameter| (*parameter).into()).collect();
        self.recipients.clear();
        self.recipient_count = 0;
    }
}

fn address_of(path: &[u8]) -> &[u8] {
    let path = path.trim_ascii();
    path.strip_prefix(b"<").and_then(|path| path.strip_suffix(b">")).unwrap_or(path)
}

/// The SMTP client, as the mail server sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its name, if the mail server has found one that leads back to its address, or the address in
    /// brackets, or the mail server's word for "I do not know".
    pub hostname: Box<[u8]>,
    /// Its address.
    pub address: ClientAddress,
    /// The name that it gave itself with HELO or EHLO, the last time. `None` if it gave none.
    pub helo: Option<Box<[u8]>>,
}

/// The address of an SMTP client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientAddress {
    /// An IP address. One of IPv4 is never written as one of IPv6. Postfix says 127.0.0.1 for mail
    /// that came in otherwise than by SMTP (`non_smtpd_milters`).
    Ip {
        /// The address.
        address: IpAddr,
        /// The port; 0 if it is unknown.
        port: u16,
    },
    /// A unix socket.
    Unix {
        /// Its path.
        path: Box<[u8]>,
    },
    /// The mail server does not know it.
    #[default]
    Unknown,
}

impl ClientAddress {
    /// The IP address, if it is one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip { address, .. } => Some(*address),
            Self::Unix { .. } | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (path, address) in [
            ("<a@b.test>", "a@b.test"),
            ("a@b.test", "a@b.test"),
            (" <a@b.test> ", "a@b.test"),
            ("<>", ""),
            ("", ""),
            ("<\"a>b\"@c.test>", "\"a>b\"@c.test"),
            ("<a@b.test", "<a@b.test"),
        ] {
            let mut envelope = Envelope::default();
            envelope.begin(path.as_bytes(), &[]);
            envelope.recipients.push(path.as_bytes().into());
            assert_eq!(envelope.sender(), address.as_bytes(), "{path}");
            assert_eq!(envelope.recipient_addresses().next(), Some(address.as_bytes()));
        }
    }
}
