//! DKIM keys: made, announced, used, retired.
//!
//! Mail is signed with private keys whose public halves stand in the DNS. The private halves are
//! ours, the DNS is often somebody else's, and a letter may be verified days after it was signed. So
//! a key is changed in four steps, with the DNS looked at before each: the next keys are made and
//! announced; they sign when the DNS has shown them for a while; the old ones stay published for
//! mail on its way; then they are deleted. BSI TR-03182 (03-M) asks for that every six months, for
//! RSA and Ed25519 side by side, and for keys of its own for each domain.
//!
//! In reading order:
//! - [`DomainKeys`] (`generation`, `selector`): what is known of the keys of a domain;
//! - [`plan`] (`rotation`): the one step that is due, by what the DNS shows. No IO, no clock;
//! - [`judge`], [`record_text`] (`record`): what the DNS must show, and whether it does;
//! - [`KeyStore`] (`store`, over `file` and `folder`): the files, which are the truth;
//! - [`Rotation`] (`watch`): the hourly round of look-ups, steps and log lines;
//! - [`Signers`]: the active private keys in memory, for whoever signs.
//!
//! Private keys are in files with the mode 0600 and in [`Signers`], and nowhere else: no error, log
//! line, JSON document or `Debug` has anything of them, and there is no way to ask for one over the
//! network. How a message is signed is said in `sender-auth`; who may send as which domain is not a
//! matter of keys.

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
pub use selector::{FreshPair, SelectorPrefix};
pub use signers::{DomainSigner, Reloaded, SignerSet, Signers, Subdomains};
pub use store::{FreshKeys, KeyStore, KeyStoreError, Oddity, PrivateKey, Rules, Target, Visit};
pub use watch::{Rotation, Round, look_up};
