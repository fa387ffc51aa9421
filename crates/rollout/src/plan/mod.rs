//! `dns plan`: the records that a domain should have, beside those that it has.
//!
//! 1. [`Declared`] says what the operator runs: mail hosts, policy host, report address, services.
//! 2. [`questions`] says what to ask the authoritative servers; [`Existing`] holds what they said.
//! 3. [`plan`] gives an [`Entry`] for each record: add, change, remove, keep, or "could not be seen",
//!    with the reason and with what must come before.
//!
//! An entry prints as lines of a zone file (RFC 1035 §5.1), and as name, type and value for those who
//! paste into a panel. Nothing of somebody else's is touched: of the texts at a name only those count
//! that begin with the version of the record in question, and suggestions never replace anything.

mod declared;
mod diff;
mod rdata;
mod wanted;

pub use declared::{Declared, Endpoint, HostTlsa, Issuer, PolicyHost, ReportUris, Service};
pub use diff::{Change, Entry, Existing, plan};
pub use rdata::{Kind, MAX_STRING, PanelValue, Rdata, ZoneRecord, strings};
pub use wanted::{Weight, When, Why, questions};
