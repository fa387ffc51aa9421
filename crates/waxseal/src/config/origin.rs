//! Where a value comes from: what `config show` says, and whom an error blames.

use std::fmt;

use super::error::Place;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has said anything.
    Default,
    /// From the environment.
    Environment(Place),
    /// From the file.
    File(Place),
    /// From the command line.
    CommandLine(Place),
}

impl Origin {
    /// The place that an error about the value names.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Default => Place::Default,
            Self::Environment(place) | Self::File(place) | Self::CommandLine(place) => {
                place.clone()
            }
        }
    }

    /// Later origins win over earlier ones, and are to blame when two values do not fit.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Environment(_) => 1,
            Self::File(_) => 2,
            Self::CommandLine(_) => 3,
        }
    }
}

/// `default`, `$VARIABLE`, `FILE:LINE` or `--flag`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Place::InFile { file, position, .. } => write!(f, "{file}:{}", position.line),
            place => place.fmt(f),
        }
    }
}
