//! DKIM keys: made, announced, used, retired.

mod file;
mod folder;
mod generation;
mod record;
mod rotation;
mod selector;
mod signers;
mod store;
mod watch;

pub use file::KeysFileError;
pub use generation::{DomainKeys, Generation, Key, KeysError, State};
pub use record::{Difference, DnsObservation, judge, observe, record_text, strings, zone_entry};
pub use rotation::{
    ActivateReason, AnnounceReason, Next, Observations, Plan, Schedule, Step, Task, Wanted, after,
    next, plan,
};
pub use selector::{FreshPair, Selector, SelectorError, SelectorPrefix};
pub use signers::{DomainSigner, Reloaded, SignerSet, Signers, Subdomains};
pub use store::{FreshKeys, KeyStore, KeyStoreError, Oddity, PrivateKey, Rules, Target, Visit};
pub use watch::{Rotation, Round, look_up};
