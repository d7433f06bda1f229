//! The passwords that nobody may choose, as `shared/src/auth/password/common.rs` searches them.

use std::{collections::BTreeSet, fs, path::Path};

use sha2::{Digest, Sha256};

/// Those that are shorter can't be chosen anyway.
const SHORTEST: usize = 12;

/// Writes the file from a list with one password a line, which may be of any encoding.
pub fn write(root: &Path, list: &Path) -> Result<(), String> {
    let list = fs::read(list).map_err(|error| format!("{}: {error}", list.display()))?;
    let list = String::from_utf8_lossy(&list);
    let numbers: BTreeSet<[u8; 4]> = list.lines().filter(|line| line.chars().count() >= SHORTEST).map(number).collect();
    let bytes: Vec<u8> = numbers.iter().flatten().copied().collect();
    let path = root.join("shared/src/auth/password/common.bin");
    fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("{} passwords", numbers.len());
    Ok(())
}

fn number(password: &str) -> [u8; 4] {
    let hash = Sha256::digest(password.to_lowercase());
    [hash[0], hash[1], hash[2], hash[3]]
}
