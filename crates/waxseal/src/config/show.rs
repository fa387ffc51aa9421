//! `waxseal config show`: every setting that is in force, and where it comes from.
//!
//! What is shown is a file of settings itself, so it can be kept, compared and read in again.

use std::fmt::Write as _;

use anstyle::Style;

use super::keys::KEYS;
use super::kind::Printed;
use super::load::{DEFAULT_FILE, Loaded};

/// The column at which origins begin, if the value leaves room.
const ORIGIN_COLUMN: usize = 44;

const DIM: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// Every key with its value and its origin, in color. Print it by `anstream`, which drops the
/// color where it is not wanted.
#[must_use]
pub fn show(loaded: &Loaded) -> String {
    let mut text = match &loaded.file {
        Some(file) => format!("{DIM}# {file}, the environment and the command line{DIM:#}\n"),
        None => format!("{DIM}# no file; {DEFAULT_FILE} is not there{DIM:#}\n"),
    };
    let mut current = "";
    for key in KEYS {
        let (table, name) = key.table_and_name();
        if table != current {
            let _ = write!(text, "\n{STRONG}[{table}]{STRONG:#}\n");
            current = table;
        }
        let origin = loaded.origin(key.name);
        let (first, rest) = match key.kind.print(&loaded.config) {
            Printed::List(items) if name.len() + 5 + items.join(", ").len() > ORIGIN_COLUMN => {
                let items: String = items.iter().map(|item| format!("    {item},\n")).collect();
                (format!("{name} = ["), format!("{items}]\n"))
            }
            printed => (format!("{name} = {}", printed.line()), String::new()),
        };
        let _ = writeln!(text, "{first:ORIGIN_COLUMN$} {DIM}# {origin}{DIM:#}");
        text.push_str(&rest);
    }
    text
}

/// The same for machines: `{"version": 1, "file": …, "settings": {KEY: {"value", "origin"}}}`.
#[must_use]
pub fn show_json(loaded: &Loaded) -> serde_json::Value {
    let settings = KEYS.iter().map(|key| {
        // Our TOML values are written as JSON writes them.
        let text = key.value_text(&loaded.config);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let origin = loaded.origin(key.name).to_string();
        (key.name.to_owned(), serde_json::json!({ "value": value, "origin": origin }))
    });
    serde_json::json!({
        "version": 1,
        "file": loaded.file,
        "settings": serde_json::Value::Object(settings.collect()),
    })
}
