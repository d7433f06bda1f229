//! Where the functions' binaries are: beside each other as Cargo builds them, or in folders as they are packaged.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder of functions.
#[derive(Debug)]
pub struct Binaries {
    folder: PathBuf,
    unpacked: TempDir,
}

impl Binaries {
    /// The functions in `folder`: `lmo-<name>`, `lmo-<name>/bootstrap`, or `lmo-<name>/bootstrap.zip`.
    ///
    /// # Errors
    /// The operating system gives no temporary directory.
    pub fn of(folder: impl Into<PathBuf>) -> io::Result<Self> {
        Ok(Self { folder: folder.into(), unpacked: TempDir::new()? })
    }

    /// A function's binary, by the function's name, as in `query`. A package is unpacked the first time.
    ///
    /// # Errors
    /// There is none, or its package can't be unpacked.
    pub fn path(&self, function: &str) -> io::Result<PathBuf> {
        let place = self.folder.join(format!("lmo-{function}"));
        if place.is_file() {
            return Ok(place);
        }
        if let Some(zip) = self.package(function) {
            let binary = self.unpacked.path().join(function);
            if !binary.exists() {
                unpack(&zip, &binary)?;
            }
            return Ok(binary);
        }
        let binary = place.join("bootstrap");
        if binary.is_file() {
            return Ok(binary);
        }
        Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no function in {}", place.display())))
    }

    /// A function's package, if there is one.
    #[must_use]
    pub fn package(&self, function: &str) -> Option<PathBuf> {
        let zip = self.folder.join(format!("lmo-{function}")).join("bootstrap.zip");
        zip.is_file().then_some(zip)
    }
}

/// Takes `bootstrap` out of a package.
fn unpack(zip: &Path, to: &Path) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(File::open(zip)?).map_err(io::Error::other)?;
    let mut entry = archive.by_name("bootstrap").map_err(io::Error::other)?;
    // Under another name first: whoever looks at the same time must not run half of it.
    let partial = to.with_extension(format!("{:?}", std::thread::current().id()));
    io::copy(&mut entry, &mut File::create(&partial)?)?;
    fs::set_permissions(&partial, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    fs::rename(partial, to)
}
