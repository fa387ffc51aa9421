//! Reads the case files, and gives each its number.

use crate::addresses::CaseNumber;
use crate::case::{Attack, Case, CaseError, Protection};
use crate::error::LabError;
use crate::zones::{Numbered, TLSRPT_RECORD};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the case files in the source tree.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// Reads all cases, in the order of the matrix: every protection with every attack.
pub fn all() -> Result<Vec<Numbered>, LabError> {
    let places = Protection::ALL
        .into_iter()
        .flat_map(|protection| Attack::ALL.into_iter().map(move |attack| (protection, attack)));
    let numbered = (1u8..).zip(places).map(|(number, (protection, attack))| {
        let case = read(protection, attack)?;
        Ok(Numbered { case, number: CaseNumber(number), tlsrpt: TLSRPT_RECORD.to_owned() })
    });
    numbered.collect()
}

fn read(protection: Protection, attack: Attack) -> Result<Case, LabError> {
    let file = folder().join(format!("{protection}/{attack}.case"));
    let text = fs::read_to_string(&file).map_err(LabError::io(file.display().to_string()))?;
    let in_file = |error| LabError::Case { file: file.clone(), error };
    let case = Case::parse(&text).map_err(in_file)?;
    if (case.protection, case.attack) == (protection, attack) {
        return Ok(case);
    }
    Err(in_file(CaseError {
        line: 0,
        found: case.name(),
        expected: format!("the protection and attack of its place, {protection}/{attack}"),
    }))
}
