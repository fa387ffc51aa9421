//! What a mail server writes is what is read, wherever its octets are cut.

use std::net::IpAddr;

use proptest::prelude::*;
use waxseal::gate::milter::ClientAddress;
use waxseal::gate::milter::command::{Command, CommandCode};
use waxseal::gate::milter::negotiate::{Actions, Offer, Steps};
use waxseal::gate::milter::packet::{self, Decoded};

use crate::mail_server::written;

/// Octets without zero.
fn text() -> impl Strategy<Value = &'static [u8]> {
    prop::collection::vec(1_u8.., 0..40).prop_map(|octets| &*octets.leak())
}

fn octets() -> impl Strategy<Value = &'static [u8]> {
    prop::collection::vec(any::<u8>(), 0..40).prop_map(|octets| &*octets.leak())
}

fn address() -> impl Strategy<Value = ClientAddress> {
    let ip = any::<(IpAddr, u16)>()
        .prop_map(|(address, port)| ClientAddress::Ip { address: address.to_canonical(), port });
    let unix = text().prop_map(|path| ClientAddress::Unix { path: path.into() });
    prop_oneof![4 => ip, 1 => unix, 1 => Just(ClientAddress::Unknown)]
}

fn command() -> impl Strategy<Value = Command<'static>> {
    let parameters = || prop::collection::vec(text(), 0..4);
    prop_oneof![
        any::<(u32, u32, u32)>().prop_map(|(version, actions, steps)| Command::Negotiate(Offer {
            version,
            actions: Actions::new(actions),
            steps: Steps::new(steps),
        })),
        (prop::sample::select(CommandCode::ALL.to_vec()), prop::collection::vec(text(), 0..4))
            .prop_map(|(of, texts)| {
                let pairs: Vec<u8> =
                    texts.iter().flat_map(|text| [*text, b"\0", *text, b"\0"].concat()).collect();
                Command::Macros { of, pairs: pairs.leak() }
            }),
        (text(), address()).prop_map(|(hostname, address)| Command::Connect { hostname, address }),
        text().prop_map(|name| Command::Helo { name }),
        (text(), parameters()).prop_map(|(path, parameters)| Command::Mail { path, parameters }),
        (text(), parameters()).prop_map(|(path, parameters)| Command::Rcpt { path, parameters }),
        (text(), text()).prop_map(|(name, value)| Command::Header { name, value }),
        octets().prop_map(Command::Body),
        octets().prop_map(|body| Command::EndOfMessage { body }),
        text().prop_map(|line| Command::Unknown { line }),
        prop::sample::select(vec![
            Command::Data,
            Command::EndOfHeader,
            Command::Abort,
            Command::Quit,
            Command::QuitNewClient,
        ]),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(commands in prop::collection::vec(command(), 0..10)) {
        let octets: Vec<u8> = commands.iter().flat_map(written).collect();
        let mut rest = octets.as_slice();
        let mut read = Vec::new();
        while let Decoded::Packet { packet, octets } = packet::decode(rest, 10_000).unwrap() {
            read.push(Command::parse(packet).unwrap());
            rest = &rest[octets..];
        }
        prop_assert!(rest.is_empty());
        prop_assert_eq!(read, commands);
    }
}
