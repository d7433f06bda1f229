//! The official clients against the built programs: Python in an environment for each folder of tests, and TypeScript.

use std::{path::Path, process::Command};

use crate::{
    command::{run, version},
    python::environment,
};

/// Folders of `tests/`, each with clients that can't share an environment with the others'.
const PYTHON: [&str; 5] = ["python", "schema", "llamaindex", "llama", "stripe"];

/// What of llama.cpp is built: nothing that a model of half a megabyte doesn't need, and without optimization, because
/// that takes longer than it saves.
const LLAMA_BUILD: &str = "-DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DGGML_LLAMAFILE=OFF -DLLAVA_BUILD=OFF \
    -DLLAMA_OPENSSL=OFF -DCMAKE_C_FLAGS_RELEASE=-O0 -DCMAKE_CXX_FLAGS_RELEASE=-O0";

/// Runs the functions behind ministack's Lambda and Kinesis: the programs in the folder `built`, and the package of
/// `aggregate`.
///
/// # Errors
/// The first command that failed.
pub fn ministack(root: &Path, built: &Path) -> Result<(), String> {
    python_tests(root, built, "ministack")
}

/// Whether everything is there that can't be installed into the project's own folders.
///
/// # Errors
/// What is missing, and how to install it.
pub fn prerequisites() -> Result<(), String> {
    version("python3", "Python 3.11 or later (Debian: apt-get install python3-venv)")?;
    version("c++", "a C++ compiler (Debian: apt-get install g++)")?;
    version("npm", "Node.js 18 or later with npm (Debian: apt-get install nodejs npm)")
}

/// Runs all of them against the programs in the folder `built`.
///
/// # Errors
/// The first command that failed.
pub fn test(root: &Path, built: &Path) -> Result<(), String> {
    for folder in PYTHON {
        python_tests(root, built, folder)?;
    }
    let folder = root.join("tests/typescript");
    run(Command::new("npm").current_dir(&folder).arg("ci"))?;
    run(Command::new("npm").current_dir(&folder).env("LMO_TARGET_DIR", built).arg("test"))
}

/// Runs a folder of tests in an environment of its own.
fn python_tests(root: &Path, built: &Path, folder: &str) -> Result<(), String> {
    let requirements = root.join("tests").join(folder).join("requirements.txt");
    let mut tests = Command::new(environment(root, folder, &requirements, &[("CMAKE_ARGS", LLAMA_BUILD)])?);
    tests.current_dir(root.join("tests")).env("LMO_TARGET_DIR", built);
    run(tests.args(["-m", "pytest", "-q", folder]))
}
