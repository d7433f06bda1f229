//! What text a program was linked with. The linker drops what no path reaches, so the text that is left tells what a
//! program can do: which operations of AWS it can ask for, which variables it can read, which routes it can serve.

use std::{collections::BTreeSet, fs, path::Path};

use memchr::memmem;
use object::{Object, ObjectSection, SectionKind};

/// The read-only data of a program.
pub struct Literals(Vec<u8>);

impl Literals {
    /// Of the program in a file.
    ///
    /// # Errors
    /// The file, and why it can't be read or is no program.
    pub fn of(program: &Path) -> Result<Self, String> {
        let shown = program.display();
        let bytes = fs::read(program).map_err(|error| format!("{shown}: {error}"))?;
        let object = object::File::parse(&*bytes).map_err(|error| format!("{shown}: {error}"))?;
        let constant = |kind| matches!(kind, SectionKind::ReadOnlyData | SectionKind::ReadOnlyString);
        let sections = object.sections().filter(|section| constant(section.kind()));
        let data: Result<Vec<_>, _> = sections.map(|section| section.data()).collect();
        Ok(Self(data.map_err(|error| format!("{shown}: {error}"))?.concat()))
    }

    /// Those of the names that are in it. Texts stand beside each other without a mark between them, so where one name
    /// begins with another the longer one counts.
    pub fn find<'a>(&self, names: &[&'a str]) -> BTreeSet<&'a str> {
        let longer = |name: &str, at: usize| {
            names.iter().any(|other| other.len() > name.len() && self.0[at..].starts_with(other.as_bytes()))
        };
        let there = |name: &&str| !name.is_empty() && memmem::find_iter(&self.0, name).any(|at| !longer(name, at));
        names.iter().copied().filter(there).collect()
    }

    /// The words that follow a prefix, each with whatever letters happen to come after it.
    pub fn after(&self, prefix: &str) -> BTreeSet<String> {
        let word = |at: usize| {
            let word = self.0[at + prefix.len()..].iter().take_while(|byte| byte.is_ascii_alphanumeric());
            let word: String = word.copied().map(char::from).take(60).collect();
            word.starts_with(|first: char| first.is_ascii_uppercase()).then_some(word)
        };
        memmem::find_iter(&self.0, prefix).filter_map(word).collect()
    }
}

impl From<&str> for Literals {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_between_other_text() {
        assert_eq!(
            Literals::from("lmoLMO_TABLELMO_STREAMmust").find(&["LMO_TABLE", "LMO_STREAM", "LMO_PORT"]).len(),
            2
        );
    }

    #[test]
    fn a_name_is_not_found_in_a_longer_one() {
        let found = Literals::from("/v1/messages/count").find(&["/v1/messages", "/v1/messages/count"]);
        assert_eq!(Vec::from_iter(found), ["/v1/messages/count"]);
    }

    #[test]
    fn no_name_is_nowhere() {
        assert!(Literals::from("LMO_TABLE").find(&[""]).is_empty());
    }

    #[test]
    fn words_after_a_prefix_begin_in_upper_case() {
        let found = Literals::from("DynamoDB.GetItemrpc.methodDynamoDB. Or not; DynamoDB.json").after("DynamoDB.");
        assert_eq!(Vec::from_iter(found), ["GetItemrpc"]);
    }

    #[test]
    fn this_program_has_its_own_text() {
        let own = Literals::of(&std::env::current_exe().unwrap()).unwrap();
        let there = "a sentence that only this test has";
        assert_eq!(own.find(&[there]).len(), 1);
    }

    #[test]
    fn a_text_is_no_program() {
        let problem = Literals::of(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml").as_path()).err().unwrap();
        assert!(problem.contains("Cargo.toml: "), "{problem}");
    }
}
