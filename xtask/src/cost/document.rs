//! The computed parts of a document: what is between `<!-- cost: name -->` and `<!-- end -->`.

use std::{collections::BTreeMap, fs, path::Path};

const BEGIN: &str = "<!-- cost: ";
const CLOSE: &str = " -->";
const END: &str = "<!-- end -->";

/// Puts `parts` into the document, or only says whether that would change it.
///
/// # Errors
/// A document that can't be read or written, lacks a part or has one that nobody computes, or is not up to date.
pub fn update(path: &Path, parts: &BTreeMap<&str, String>, check: bool) -> Result<(), String> {
    let shown = path.display();
    let old = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let new = fill(&old, parts).map_err(|error| format!("{shown}: {error}"))?;
    if old == new {
        return Ok(());
    }
    if check {
        return Err(format!("{shown} is not what its inputs say: run cargo xtask cost"));
    }
    fs::write(path, new).map_err(|error| format!("{shown}: {error}"))
}

fn fill(text: &str, parts: &BTreeMap<&str, String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut missing: Vec<&str> = parts.keys().copied().collect();
    let mut rest = text;
    while let Some((before, marked)) = rest.split_once(BEGIN) {
        let (name, body) = marked.split_once(CLOSE).ok_or("a part's name has no end")?;
        let (_, after) = body.split_once(END).ok_or_else(|| format!("the part `{name}` has no end"))?;
        let part = parts.get(name).ok_or_else(|| format!("nobody computes the part `{name}`"))?;
        missing.retain(|part| *part != name);
        filled.extend([before, BEGIN, name, CLOSE, "\n", part.trim_end(), "\n", END]);
        rest = after;
    }
    filled += rest;
    match missing.first() {
        Some(name) => Err(format!("the part `{name}` is missing")),
        None => Ok(filled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> BTreeMap<&'static str, String> {
        BTreeMap::from([("one", "| 1 |\n".to_owned())])
    }

    #[test]
    fn a_part_is_replaced_and_the_rest_stays() {
        let text = "a\n<!-- cost: one -->\nold\n<!-- end -->\nz\n";
        let filled = fill(text, &parts()).unwrap();
        assert_eq!(filled, "a\n<!-- cost: one -->\n| 1 |\n<!-- end -->\nz\n");
        assert_eq!(fill(&filled, &parts()).unwrap(), filled);
    }

    #[test]
    fn a_part_too_many_or_too_few_is_an_error() {
        assert_eq!(fill("", &parts()).unwrap_err(), "the part `one` is missing");
        let text = "<!-- cost: two -->\n<!-- end -->";
        assert_eq!(fill(text, &parts()).unwrap_err(), "nobody computes the part `two`");
    }

    #[test]
    fn a_stale_document_fails_the_check_and_stays_as_it_is() {
        let dir = std::env::temp_dir().join(format!("lmo-cost-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("cost.md");
        let stale = "<!-- cost: one -->\n<!-- end -->\n";
        fs::write(&path, stale).unwrap();
        assert!(update(&path, &parts(), true).unwrap_err().ends_with("run cargo xtask cost"));
        assert_eq!(fs::read_to_string(&path).unwrap(), stale);
        update(&path, &parts(), false).unwrap();
        update(&path, &parts(), true).unwrap();
        fs::remove_dir_all(dir).unwrap();
    }
}
