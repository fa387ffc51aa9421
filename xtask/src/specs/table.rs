//! Reading the table: tab-separated, a header line, one rule on each line.

use std::fmt;

/// The first line.
pub(crate) const HEADER: &str = "RFC\tsection\trule\tfunction\ttest\tstatus\tnote";

/// Whether a rule is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// By a function, and a test says so.
    Yes,
    /// Not in every case, or not by us alone; the note says more.
    Partly,
    /// Not yet, or by somebody else; the note says who and when.
    No,
}

impl Status {
    /// `yes`, `partly` or `no`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Partly => "partly",
            Self::No => "no",
        }
    }
}

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The line in the table, from 1.
    pub(crate) line: usize,
    /// The number of the RFC.
    pub(crate) rfc: u32,
    /// The section, without `§`, for example `3.2`.
    pub(crate) section: String,
    /// The rule in a few words.
    pub(crate) rule: String,
    /// Paths such as `mta_sts::Policy::parse`, separated by `, ` in the table.
    pub(crate) functions: Vec<String>,
    /// Names of test functions or paths of case files, separated by `, ` in the table.
    pub(crate) tests: Vec<String>,
    /// Whether the rule is kept.
    pub(crate) status: Status,
    /// What else there is to say.
    pub(crate) note: String,
}

/// Reads the table.
///
/// # Errors
/// Every line that is not a row.
pub(crate) fn parse(text: &str) -> Result<Vec<Row>, Vec<TableError>> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    if lines.next().is_none_or(|(_, line)| line != HEADER) {
        return Err(vec![TableError { line: 1, fault: Fault::Header }]);
    }
    let mut rows = Vec::new();
    let mut errors = Vec::new();
    for (line, text) in lines {
        match parse_row(line, text) {
            Ok(row) => rows.push(row),
            Err(fault) => errors.push(TableError { line, fault }),
        }
    }
    if errors.is_empty() { Ok(rows) } else { Err(errors) }
}

fn parse_row(line: usize, text: &str) -> Result<Row, Fault> {
    let cells: Vec<&str> = text.split('\t').collect();
    let &[rfc, section, rule, functions, tests, status, note] = cells.as_slice() else {
        return Err(Fault::Columns { found: cells.len() });
    };
    let is_section = section.split('.').all(|part| {
        !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit())
            || matches!(part.as_bytes(), [b'A'..=b'Z'])
    });
    if !is_section {
        return Err(Fault::Section { found: section.to_owned() });
    }
    if rule.is_empty() {
        return Err(Fault::NoRule);
    }
    Ok(Row {
        line,
        rfc: rfc.parse().map_err(|_| Fault::Rfc { found: rfc.to_owned() })?,
        section: section.to_owned(),
        rule: rule.to_owned(),
        functions: list(functions),
        tests: list(tests),
        status: match status {
            "yes" => Status::Yes,
            "partly" => Status::Partly,
            "no" => Status::No,
            other => return Err(Fault::Status { found: other.to_owned() }),
        },
        note: note.to_owned(),
    })
}

fn list(cell: &str) -> Vec<String> {
    cell.split(", ").filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// Why a line is not a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TableError {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong with it.
    pub(crate) fault: Fault,
}

/// What can be wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The first line is not the header.
    Header,
    /// Not seven columns.
    Columns {
        /// How many there are.
        found: usize,
    },
    /// Not a number.
    Rfc {
        /// The cell.
        found: String,
    },
    /// Not numbers, or one letter for an appendix, with dots between.
    Section {
        /// The cell.
        found: String,
    },
    /// No rule.
    NoRule,
    /// Neither `yes` nor `partly` nor `no`.
    Status {
        /// The cell.
        found: String,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.fault {
            Fault::Header => write!(f, "expected the header {HEADER:?}"),
            Fault::Columns { found } => {
                write!(f, "expected 7 columns with tabs between them, found {found}")
            }
            Fault::Rfc { found } => write!(f, "RFC: expected a number, found {found:?}"),
            Fault::Section { found } => {
                write!(f, "section: expected numbers with dots, found {found:?}")
            }
            Fault::NoRule => write!(f, "rule: expected a few words, found nothing"),
            Fault::Status { found } => {
                write!(f, "status: expected yes, partly or no, found {found:?}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(row: &str) -> Fault {
        let mut errors = parse(&format!("{HEADER}\n{row}\n")).unwrap_err();
        assert_eq!((errors.len(), errors[0].line), (1, 2));
        errors.remove(0).fault
    }

    #[test]
    fn rows() {
        let text = format!(
            "{HEADER}\n8461\t3.1\tone record\ta::b, a::T::c\tt_1\tyes\t\n1\tA\tx\t\t\tno\ty"
        );
        let rows = parse(&text).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].functions, ["a::b", "a::T::c"]);
        assert_eq!(rows[0].tests, ["t_1"]);
        assert_eq!((rows[0].rfc, rows[0].section.as_str()), (8461, "3.1"));
        assert_eq!((rows[1].line, rows[1].status), (3, Status::No));
    }

    #[test]
    fn faults() {
        assert_eq!(parse("").unwrap_err()[0].fault, Fault::Header);
        assert_eq!(fault("8461\t3.1"), Fault::Columns { found: 2 });
        assert_eq!(fault("x\t3\ta\t\t\tyes\t"), Fault::Rfc { found: "x".into() });
        assert_eq!(fault("1\t3.\ta\t\t\tyes\t"), Fault::Section { found: "3.".into() });
        assert_eq!(fault("1\t§3\ta\t\t\tyes\t"), Fault::Section { found: "§3".into() });
        assert_eq!(fault("1\t3\t\t\t\tyes\t"), Fault::NoRule);
        assert_eq!(fault("1\t3\ta\t\t\tYes\t"), Fault::Status { found: "Yes".into() });
    }
}
