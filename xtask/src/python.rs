//! Programs from PyPI, in virtual environments of the project's own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::command::run;

/// A virtual environment called `name` with what a file of requirements lists, built with these variables; returns its
/// Python, beside which the programs are.
///
/// # Errors
/// The command that failed.
pub fn environment(
    root: &Path,
    name: &str,
    requirements: &Path,
    variables: &[(&str, &str)],
) -> Result<PathBuf, String> {
    let environment = root.join(".venv").join(name);
    let python = environment.join("bin/python");
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    }
    let mut install = Command::new(&python);
    install.envs(variables.iter().copied());
    run(install.args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r"]).arg(requirements))?;
    Ok(python)
}
