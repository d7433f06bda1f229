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

/// Runs a command until it ends, and returns what it printed on standard output.
///
/// # Errors
/// The command, how it failed, and all that it printed.
pub fn output(command: &mut Command) -> Result<String, String> {
    let shown = format!("{command:?}");
    let done = command.output().map_err(|error| format!("{shown}: {error}"))?;
    let printed = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        return Ok(printed);
    }
    Err(format!("{shown}: {}\n{printed}{}", done.status, String::from_utf8_lossy(&done.stderr)))
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
