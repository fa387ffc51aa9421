//! What the surroundings of the process say: only where state belongs.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::error::Place;
use super::origin::Origin;

/// What the surroundings say about where state belongs.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `$STATE_DIRECTORY`: the folders that systemd has made for us, separated by colons.
    pub state_directory: Option<String>,
    /// `$XDG_STATE_HOME`.
    pub xdg_state_home: Option<String>,
    /// `$HOME`.
    pub home: Option<String>,
    /// The effective user id, or `None` if it is not known.
    pub user_id: Option<u32>,
}

impl Environment {
    /// What is around this process.
    #[must_use]
    pub fn of_process() -> Self {
        let variable = |name| std::env::var(name).ok();
        Self {
            state_directory: variable("STATE_DIRECTORY"),
            xdg_state_home: variable("XDG_STATE_HOME"),
            home: variable("HOME"),
            user_id: std::fs::metadata("/proc/self").ok().map(|own| own.uid()),
        }
    }

    /// The state folder, and where that comes from.
    pub(super) fn state_dir(&self) -> Option<(PathBuf, Origin)> {
        let from = |variable| Origin::Environment(Place::Environment { variable });
        let absolute = |text: &Option<String>| {
            let first = text.as_ref()?.split(':').next()?;
            first.starts_with('/').then(|| PathBuf::from(first))
        };
        if let Some(folder) = absolute(&self.state_directory) {
            return Some((folder, from("STATE_DIRECTORY")));
        }
        if self.user_id == Some(0) {
            return None;
        }
        if let Some(folder) = absolute(&self.xdg_state_home) {
            return Some((folder.join("waxseal"), from("XDG_STATE_HOME")));
        }
        let home = absolute(&self.home)?;
        Some((home.join(".local/state/waxseal"), from("HOME")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_dir(variables: [&str; 3], user_id: u32) -> String {
        let [state_directory, xdg_state_home, home] =
            variables.map(|text| (!text.is_empty()).then(|| text.to_owned()));
        let environment =
            Environment { state_directory, xdg_state_home, home, user_id: Some(user_id) };
        environment
            .state_dir()
            .map_or("default".into(), |(path, origin)| format!("{} {origin}", path.display()))
    }

    #[test]
    fn systemd_then_root_then_home() {
        let systemd = "/var/lib/waxseal:/var/lib/other";
        let table = [
            ([systemd, "/x", "/h"], 0, "/var/lib/waxseal $STATE_DIRECTORY"),
            (["", "/x", "/h"], 0, "default"),
            (["", "/x", "/h"], 1000, "/x/waxseal $XDG_STATE_HOME"),
            (["", "relative", "/h"], 1000, "/h/.local/state/waxseal $HOME"),
            (["", "", ""], 1000, "default"),
        ];
        for (variables, user_id, expected) in table {
            assert_eq!(state_dir(variables, user_id), expected, "{variables:?}");
        }
    }
}
