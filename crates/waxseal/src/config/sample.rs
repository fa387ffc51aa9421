//! `waxseal config sample`: a file with every key at its default, all of them commented out.

use std::fmt::Write as _;

use super::keys::KEYS;

/// How wide a line of the file may be.
pub(super) const WIDTH: usize = 78;

const HEAD: &str = "\
# Settings of waxseal. None is needed. Each key stands here at its default; take
# away the # in front of it to change it. After that, `waxseal config check`
# tells what is wrong, and `waxseal config show` what is in force.
";

/// The sample file.
#[must_use]
pub fn sample() -> String {
    let mut text = HEAD.to_owned();
    let mut current = "";
    for key in KEYS {
        let (table, name) = key.table_and_name();
        if table != current {
            let _ = write!(text, "\n[{table}]\n");
            current = table;
        }
        text.push('\n');
        for line in wrap(&key.text_without_default(), WIDTH - 2) {
            let _ = writeln!(text, "# {line}");
        }
        let _ = writeln!(text, "#{name} = {}", key.default_text());
    }
    text
}

/// Breaks `text` at spaces into lines of at most `width` characters, where its words allow it.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::environment::Environment;
    use super::super::load::Loaded;
    use super::super::settings::Config;
    use super::*;

    fn read(text: &str) -> Loaded {
        let mut loaded = Loaded::new(&Environment::default());
        assert_eq!(loaded.read_file("sample", text.as_bytes()), []);
        loaded
    }

    #[test]
    fn every_key_stands_in_it() {
        let text = sample();
        for key in KEYS {
            let line = format!("\n#{} = ", key.table_and_name().1);
            assert!(text.contains(&line), "{}", key.name);
        }
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn as_it_is_it_sets_nothing() {
        let loaded = read(&sample());
        assert_eq!(loaded.config, Config::default());
        assert!(loaded.origins.is_empty());
    }

    #[test]
    fn with_every_key_taken_in_it_sets_the_defaults() {
        let text = sample();
        let uncommented: Vec<_> = { text.lines() }
            .map(|line| match line.strip_prefix('#') {
                Some(key) if !key.starts_with(' ') => key,
                _ => line,
            })
            .collect();
        let loaded = read(&uncommented.join("\n"));
        assert_eq!(loaded.config, Config::default());
        assert_eq!(loaded.origins.len(), KEYS.len());
    }
}
