//! `postfix-mta-sts-resolver`, a peer in Python, in a virtual environment below `target/bench/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{program, run};
use crate::error::StepError;

/// What is compared with. Its newest release when this was written.
const PACKAGE: &str = "postfix-mta-sts-resolver[uvloop]==1.5.1";

/// The Python of an environment that has the package; made if it is not there.
pub(super) fn python(folder: &Path) -> Result<PathBuf, StepError> {
    let environment = folder.join("resolver");
    let python = environment.join("bin/python");
    let has_package = Command::new(&python)
        .args(["-c", "import postfix_mta_sts_resolver, uvloop"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !has_package {
        let environment = environment.display().to_string();
        run(program("python3", &["-m", "venv", &environment]))?;
        let arguments = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
        run(program(&python.display().to_string(), &arguments))?;
    }
    Ok(python)
}
