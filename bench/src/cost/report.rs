//! Tables of strings and numbers as TOML, whose strings are written as JSON writes them.

use serde_json::{Map, Value};

/// A document of tables, outermost first.
#[must_use]
pub fn toml(tables: &Map<String, Value>) -> String {
    let mut text = String::new();
    section(&mut text, "", tables);
    text.trim_start().to_owned()
}

fn section(text: &mut String, path: &str, table: &Map<String, Value>) {
    let (tables, values): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| value.is_object());
    if !values.is_empty() {
        text.extend(["\n[", path, "]\n"]);
    }
    for (name, value) in values {
        text.extend([name, " = ", &value.to_string(), "\n"]);
    }
    for (name, value) in tables {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        section(text, &path, value.as_object().unwrap_or(&Map::new()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_are_sections_and_strings_are_quoted() {
        let tables =
            json!({"run": {"machine": "2 \"cores\"", "requests": 5}, "requests": {"query": {"cpu_ms": "0.5"}}});
        let expected = "[run]\nmachine = \"2 \\\"cores\\\"\"\nrequests = 5\n\n[requests.query]\ncpu_ms = \"0.5\"\n";
        assert_eq!(toml(tables.as_object().unwrap()), expected);
    }
}
