//! The functions' binaries: those of `LMO_FUNCTIONS`, a folder as `cargo xtask package` makes it, or built here.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use lmo_bench::lambda::Binaries;

/// The folder that the program under test was built into: `<target>/<profile>`.
fn built() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_lmo")).parent().unwrap()
}

/// A function's binary, by the function's name.
pub fn binary(function: &str) -> PathBuf {
    static BINARIES: OnceLock<Binaries> = OnceLock::new();
    BINARIES.get_or_init(|| Binaries::of(folder()).unwrap()).path(function).unwrap()
}

fn folder() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    if let Ok(packaged) = std::env::var("LMO_FUNCTIONS") {
        return packaged.into();
    }
    build();
    built().to_owned()
}

/// Cargo builds the binaries of other packages for nobody's tests. The whole workspace, so that nothing below is built
/// again with other features.
fn build() {
    let profile = match built().file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--workspace", "--bins", "--quiet", "--profile", profile, "--target-dir"]);
    let done = cargo.arg(built().parent().unwrap()).current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
    assert!(done.success(), "the functions can't be built: {done}");
}
