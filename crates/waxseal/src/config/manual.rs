//! The manual page `waxseal.toml(5)`, in roff.

use std::fmt::Write as _;

use super::keys::KEYS;
use super::load::DEFAULT_FILE;

/// The page, made from the table of keys.
#[must_use]
pub fn manual() -> String {
    let mut page = format!(
        ".TH WAXSEAL.TOML 5 \"\" \"waxseal {}\" \"File formats\"\n\
         .SH NAME\n\
         waxseal.toml \\- settings of waxseal\n\
         .SH SYNOPSIS\n\
         .I {}\n\
         .SH DESCRIPTION\n",
        env!("CARGO_PKG_VERSION"),
        escape(DEFAULT_FILE),
    );
    for paragraph in [
        "The file is TOML. No key is needed, and neither is the file. A key that is unknown, of \
         the wrong type or out of range keeps the program from starting; `waxseal config check` \
         tells all that is wrong, `waxseal config show` what is in force and where it comes from, \
         and `waxseal config sample` prints a file with every key at its default.",
        "A flag of the command line wins over the file. A duration is a whole number and one of \
         the units ms, s, m, h and d, such as \"10s\". In tables, `dns.timeout` is the key \
         `timeout` below the line `[dns]`.",
    ] {
        let _ = write!(page, "{}\n.PP\n", escape(paragraph));
    }
    page.push_str(".SH KEYS\n");
    for key in KEYS {
        let _ = write!(page, ".TP\n.B {}\n{}\n", escape(key.name), escape(&key.text()));
        if let Some(flag) = &key.flag {
            let typed = format!("--{} {}", flag.name, flag.value);
            let _ = write!(page, "On the command line:\n.BR \"{}\" .\n", escape(typed.trim_end()));
        }
    }
    page.push_str(
        ".SH EXIT STATUS\n\
         A command that is given a wrong setting exits with 64 and has done nothing.\n\
         .SH SEE ALSO\n\
         .BR waxseal (1),\n\
         .BR postconf (5),\n\
         .BR socketmap_table (5)\n",
    );
    page
}

/// What roff would take for a command, as text. A new sentence begins a new line, as roff wants.
fn escape(text: &str) -> String {
    { text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq") }
        .replace(". ", ".\n")
        .lines()
        .map(|line| match line.chars().next() {
            Some('.' | '\'') => format!("\\&{line}"),
            _ => line.into(),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_in_it_and_no_line_is_taken_for_a_command() {
        let page = manual();
        for key in KEYS {
            let line = format!("\n.B {}\n", key.name);
            assert!(page.contains(&line), "{}", key.name);
        }
        let commands = [".TH", ".SH", ".I ", ".PP", ".TP", ".B ", ".BR"];
        for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
            assert!(commands.iter().any(|c| line.starts_with(c)), "{line}");
        }
    }
}
