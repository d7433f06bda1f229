//! Running other programs.

use std::{
    borrow::BorrowMut,
    process::{Command, Stdio},
};

/// Runs a command until it ends.
///
/// # Errors
/// The command, and how it failed.
pub fn run(mut command: impl BorrowMut<Command>) -> Result<(), String> {
    let command = command.borrow_mut();
    let shown = format!("{command:?}");
    let status = command.status().map_err(|error| format!("{shown}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{shown}: {status}")) }
}

/// Whether a program is installed and tells its version.
///
/// # Errors
/// What to install if it isn't.
pub fn version(program: &str, install: &str) -> Result<(), String> {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    let found = command.status().is_ok_and(|status| status.success());
    if found { Ok(()) } else { Err(format!("`{program}` is missing: install {install}")) }
}
