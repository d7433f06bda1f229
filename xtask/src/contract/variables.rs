//! Which environment variables a function reads, and which it is given: both must be the same.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::infrastructure::Resource;

/// The one file that reads the environment, and the function of it that others ask for a variable.
const READER: &str = "shared/src/config.rs";
const ASK: &str = "variable(\"";

/// Every function reads it, because all are configured alike; only those that clients reach heed it.
const FACING: &str = "LMO_ORIGIN_TOKEN";

/// The variables that the sources name.
///
/// # Errors
/// A file that can't be read.
pub fn named(root: &Path) -> Result<BTreeSet<String>, String> {
    let mut named = names(&read(&root.join(READER))?);
    for folder in ["shared/src", "functions"] {
        for source in sources(&root.join(folder))? {
            named.extend(asked_for(&read(&source)?));
        }
    }
    Ok(named)
}

/// The variables that are named in a source's strings, not counting its tests.
fn names(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let strings = code.split('"').skip(1).step_by(2);
    strings.filter(|text| is_name(text)).map(str::to_owned).collect()
}

/// Names that begin with `AWS_` are Lambda's to set.
fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let shouted = text.starts_with(|first: char| first.is_ascii_uppercase()) && text.bytes().all(letter);
    shouted && text.contains('_') && !text.starts_with("AWS_")
}

fn asked_for(source: &str) -> impl Iterator<Item = String> {
    let asked = source.split(ASK).skip(1).filter_map(|rest| rest.split('"').next());
    asked.filter(|text| is_name(text)).map(str::to_owned)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

/// The variables that a function is given.
pub fn given(function: &Resource) -> BTreeSet<&str> {
    let variables = function.values.pointer("/environment/0/variables").and_then(|given| given.as_object());
    variables.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

/// What a function reads and is not given, and what it is given and never reads.
pub fn compare(function: &str, faces_clients: bool, read: &BTreeSet<&str>, given: &BTreeSet<&str>) -> Vec<String> {
    let heeded = |variable: &&&str| faces_clients || **variable != FACING;
    let missing = read.difference(given).filter(heeded).map(|it| format!("{function}: reads {it}, which is not set"));
    let surplus = given.difference(read).map(|it| format!("{function}: {it} is set, which it never reads"));
    missing.chain(surplus).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::infrastructure::tests::built, *};

    #[test]
    fn variables_are_named_in_strings_outside_of_comments_and_tests() {
        let source = "// \"LMO_NOT\"\nname(\"LMO_TABLE\", \"lmo\")?, \"must be A_B\"\n#[cfg(test)]\nf(\"LMO_TEST\")";
        assert_eq!(Vec::from_iter(names(source)), ["LMO_TABLE"]);
    }

    #[test]
    fn variables_that_others_ask_for_count() {
        let source = "crate::config::variable(\"RUST_LOG\").or(variable(name)).or(variable(\"AWS_REGION\"))";
        assert_eq!(asked_for(source).collect::<Vec<_>>(), ["RUST_LOG"]);
    }

    #[test]
    fn the_sources_name_the_table_and_the_log_filter() {
        let named = named(&crate::root()).unwrap();
        assert!(named.contains("LMO_TABLE") && named.contains("RUST_LOG"), "{named:?}");
    }

    #[test]
    fn what_is_given_is_read_from_the_function() {
        let values = json!({"environment": [{"variables": {"LMO_TABLE": "lmo"}}]});
        let found = built(&[("aws_lambda_function", "this", "query", values)]);
        assert_eq!(Vec::from_iter(given(found.each("aws_lambda_function", "this")["query"])), ["LMO_TABLE"]);
    }

    #[test]
    fn a_variable_that_is_not_set_is_found() {
        let problems = compare("query", true, &["LMO_STREAM", "LMO_TABLE"].into(), &["LMO_TABLE"].into());
        assert_eq!(problems, ["query: reads LMO_STREAM, which is not set"]);
    }

    #[test]
    fn a_variable_that_is_never_read_is_found() {
        let problems = compare("query", true, &["LMO_TABLE"].into(), &["LMO_TABEL", "LMO_TABLE"].into());
        assert_eq!(problems, ["query: LMO_TABEL is set, which it never reads"]);
    }

    #[test]
    fn only_functions_that_face_clients_need_the_origin_token() {
        assert!(compare("aggregate", false, &[FACING].into(), &BTreeSet::new()).is_empty());
        let problems = compare("query", true, &[FACING].into(), &BTreeSet::new());
        assert_eq!(problems, ["query: reads LMO_ORIGIN_TOKEN, which is not set"]);
    }
}
