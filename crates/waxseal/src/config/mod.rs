//! What the operator wants: read, checked, shown and explained.
//!
//! A setting has a default, and may be given in a file and on the command line; the last wins.
//! [`Loaded`] is the sum of the three, with the origin of each value, and [`Config`] is what the
//! rest of the program sees of it: plain typed values that need no further check.
//!
//! One table, [`KEYS`], says what settings there are. A line of it names a key, its kind and
//! limits, its place in [`Config`], its flag, and its text for people. All else is made from that
//! table: the reader of `waxseal.toml`, the [`args`] of the command line, the [`sample`] file,
//! [`show`], and the [`manual`] page. To add a setting, add a field to [`Config`] and a line to
//! the table.
//!
//! Whatever is wrong is told with its place and what was expected there ([`ConfigError`]), all of
//! it at once, and then the program does not start: a mail server that runs with half of its
//! settings protects half of the mail.
//!
//! This module decides nothing about mail, and opens nothing but the files that it reads.

mod arguments;
mod by_domain;
mod choice;
mod date;
mod document;
mod duration;
mod entry;
mod environment;
mod error;
mod keys;
mod kind;
mod load;
mod manual;
mod nearest;
mod origin;
mod overrides;
mod sample;
mod settings;
mod show;
mod together;
mod verdicts;
mod watched;

pub use arguments::{all_args, apply, args, config_file_arg};
pub use by_domain::{ByDomain, Scope, Scoped};
pub use choice::{Choice, Words};
pub use environment::Environment;
pub use error::{ConfigError, Fault, Place};
pub use keys::{Flag, KEYS, Key};
pub use load::{DEFAULT_FILE, Loaded, load};
pub use manual::manual;
pub use origin::Origin;
pub use overrides::{MatchName, Override, OverrideLevel, OverridePolicy, Overrides};
pub use sample::sample;
pub use settings::{
    Collect, Config, DaneUse, Dkim, Dns, Fetch, Gate, HostPort, Http, ImapAfter, ImapTls, Intake,
    Line, Log, LogFormat, LogLevel, OnDeadline, ProbeName, Profile, Reports, Resolver, Sender,
    Socketmap, Trust, Verdict,
};
pub use show::{show, show_json};
pub use verdicts::{Forwarder, LocalVerdict, LocalVerdicts};
pub use watched::{FileContent, FileHealth, WatchedFile};
