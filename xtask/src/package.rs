//! The functions as AWS Lambda wants them: one zip each, with a `bootstrap` built for Amazon Linux.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use object::{Object, ObjectSection};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use crate::{command::run, python::environment};

/// Zopfli, five times over: a twentieth smaller than zlib's best, in seconds.
const LEVEL: i64 = 14;

/// Where an ELF file keeps its tables for unwinding.
const TABLES: [&str; 3] = [".eh_frame", ".eh_frame_hdr", ".gcc_except_table"];

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
    build.args(["lambda", "build", "--release", "--locked", "--output-format", "binary"]);
    build.arg(if arm64 { "--arm64" } else { "--x86-64" });
    for name in chosen {
        build.args(["--package", &format!("lmo-{name}")]);
    }
    run(&mut build)?;
    for name in chosen {
        let zip = zip(root, name);
        let program = zip.with_file_name("bootstrap");
        strip(&program).map_err(|error| format!("{}: {error}", program.display()))?;
        let size = compress(&program, &zip).map_err(|error| format!("{}: {error}", zip.display()))?;
        println!("{:>6.2} MB  {}", megabytes(size), zip.strip_prefix(root).unwrap_or(&zip).display());
    }
    write_document(root)
}

/// Puts the whole API's description beside the packages, because each function has only its own. The tests hold the
/// snapshot against the code.
fn write_document(root: &Path) -> Result<(), String> {
    let snapshot = root.join("local/tests/it/snapshots/it__openapi__openapi.snap");
    let text = fs::read_to_string(&snapshot).map_err(|error| format!("{}: {error}", snapshot.display()))?;
    let document = text.splitn(3, "---\n").nth(2).ok_or_else(|| format!("{}: no document", snapshot.display()))?;
    let path = crate::target(root).join("lambda/openapi.json");
    fs::write(&path, document).map_err(|error| format!("{}: {error}", path.display()))
}

/// Fills a program's tables for unwinding with zeros: a tenth of it, and panics abort. `-C force-unwind-tables=no` leaves
/// them where the standard library is linked in with `lto = "fat"`.
fn strip(program: &Path) -> io::Result<()> {
    let mut bytes = fs::read(program)?;
    let file = object::File::parse(&*bytes).map_err(io::Error::other)?;
    let tables: Vec<_> = TABLES.iter().filter_map(|name| file.section_by_name(name)?.file_range()).collect();
    for (start, length) in tables {
        let start = usize::try_from(start).map_err(io::Error::other)?;
        bytes[start..][..usize::try_from(length).map_err(io::Error::other)?].fill(0);
    }
    fs::write(program, bytes)
}

/// Makes the zip of a program; returns its bytes. It has no times, so that the same program is the same package, and
/// Terraform leaves what did not change.
fn compress(program: &Path, zip: &Path) -> io::Result<u64> {
    let program = fs::read(program)?;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut archive = ZipWriter::new(File::create(zip)?);
    archive.start_file("bootstrap", options)?;
    archive.write_all(&program)?;
    archive.finish()?.metadata().map(|file| file.len())
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_stripped_program_runs_and_has_no_tables() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bootstrap");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        strip(&program).unwrap();
        let listed = Command::new(&program).arg("--list").output().unwrap();
        assert!(listed.status.success() && listed.stdout.starts_with(b"contract"), "{listed:?}");
        let bytes = fs::read(&program).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let table = file.section_by_name(".eh_frame").unwrap();
        assert!(table.size() > 0 && table.data().unwrap().iter().all(|byte| *byte == 0));
    }
}
