//! The functions as AWS Lambda wants them: one zip each, with a `bootstrap` built for Amazon Linux.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{command::run, python::environment};

/// Builds the zips of these functions, of all if none is named, and prints their sizes.
///
/// # Errors
/// What is missing, or the command that failed.
pub fn package(root: &Path, arm64: bool, only: &[String]) -> Result<(), String> {
    let functions = functions(root)?;
    if let Some(unknown) = only.iter().find(|name| !functions.contains(name)) {
        return Err(format!("there is no function `{unknown}`; there are {}", functions.join(", ")));
    }
    let chosen = if only.is_empty() { &functions[..] } else { only };
    let tools = environment(root, "package", &root.join("xtask/package.txt"), &[])?;
    let mut build = Command::new("cargo");
    build.current_dir(root).env("PATH", with_tools(&tools)?);
    // Nothing unwinds: panics abort, and the tables are a twelfth of a binary.
    build.env("RUSTFLAGS", "-C force-unwind-tables=no");
    build.args(["lambda", "build", "--release", "--locked", "--output-format", "zip"]);
    build.arg(if arm64 { "--arm64" } else { "--x86-64" });
    for name in chosen {
        build.args(["--package", &format!("lmo-{name}")]);
    }
    run(&mut build)?;
    for name in chosen {
        let zip = zip(root, name);
        let size = fs::metadata(&zip).map_err(|error| format!("{}: {error}", zip.display()))?.len();
        println!("{:>6.2} MB  {}", megabytes(size), zip.strip_prefix(root).unwrap_or(&zip).display());
    }
    Ok(())
}

/// The functions, by the names of their folders.
pub fn functions(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("functions");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names)
}

/// Where a function's zip is.
pub fn zip(root: &Path, function: &str) -> PathBuf {
    crate::target(root).join("lambda").join(format!("lmo-{function}")).join("bootstrap.zip")
}

#[expect(clippy::cast_precision_loss, reason = "for a person's eyes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// `PATH` with the tools of an environment in front.
fn with_tools(python: &Path) -> Result<std::ffi::OsString, String> {
    let bin = python.parent().map(Path::to_path_buf);
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(bin.into_iter().chain(std::env::split_paths(&path))).map_err(|error| error.to_string())
}
