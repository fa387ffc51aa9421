//! DKIM keys: made, announced, used, retired.

mod generation;
mod record;
mod rotation;
mod selector;

pub use generation::{DomainKeys, Generation, Key, KeysError, State};
pub use record::{
    Difference, DnsObservation, judge, observe, record_text, strings, zone_entry,
};
pub use rotation::{
    ActivateReason, AnnounceReason, Next, Observations, Plan, Schedule, Step, Task, Wanted, after,
    next, plan,
};
pub use selector::{FreshPair, Selector, SelectorError, SelectorPrefix};
