//! What Terraform would build, with every value known: the state after a test run on a mocked provider, which needs
//! neither an account nor credentials.

use std::collections::BTreeMap;

use serde_json::Value;

/// The resources of a configuration.
pub struct Infrastructure(Vec<Resource>);

/// A resource.
pub struct Resource {
    kind: String,
    name: String,
    /// Its key, if there is one of it for each of several.
    pub key: Option<String>,
    /// Its arguments and attributes.
    pub values: Value,
}

impl Infrastructure {
    /// From what `terraform test -json -verbose` prints.
    ///
    /// # Errors
    /// What Terraform found wrong, or that it printed no state.
    pub fn read(printed: &str) -> Result<Self, String> {
        let messages: Vec<Value> = printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let of = |kind: &str| messages.iter().filter(|message| message["type"] == kind).cloned().collect::<Vec<_>>();
        let problems: Vec<_> = of("diagnostic").iter().filter_map(|message| problem(&message["diagnostic"])).collect();
        if !problems.is_empty() {
            return Err(problems.join("\n"));
        }
        let state = of("test_state").pop();
        let state = state.ok_or_else(|| format!("terraform printed no state of a test run:\n{printed}"))?;
        let mut found = Vec::new();
        collect(&state["test_state"]["root_module"], &mut found);
        Ok(Self(found))
    }

    /// All resources of a type.
    pub fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.0.iter().filter(move |resource| resource.kind == kind)
    }

    /// The resources of a type and a name, by their keys.
    pub fn each<'a>(&'a self, kind: &'a str, name: &'a str) -> BTreeMap<&'a str, &'a Resource> {
        self.all(kind).filter(|it| it.name == name).filter_map(|it| Some((it.key.as_deref()?, it))).collect()
    }
}

impl Resource {
    /// A value that is text; empty if there is none.
    pub fn text(&self, field: &str) -> &str {
        self.values[field].as_str().unwrap_or_default()
    }
}

fn problem(diagnostic: &Value) -> Option<String> {
    let text = |field: &str| diagnostic[field].as_str().unwrap_or_default();
    (text("severity") == "error").then(|| format!("terraform: {}: {}", text("summary"), text("detail")))
}

fn collect(module: &Value, found: &mut Vec<Resource>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    found.extend(list(&module["resources"]).into_iter().filter(|it| it["mode"] == "managed").map(|it| Resource {
        kind: text(&it["type"]),
        name: text(&it["name"]),
        key: it["index"].as_str().map(str::to_owned),
        values: it["values"].clone(),
    }));
    for child in list(&module["child_modules"]) {
        collect(&child, found);
    }
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    /// What Terraform prints of these resources, each `(type, name, key, values)`.
    pub fn built(resources: &[(&str, &str, &str, Value)]) -> Infrastructure {
        let resource = |(kind, name, key, values): &(&str, &str, &str, Value)| json!({"mode": "managed", "type": kind, "name": name, "index": key, "values": values});
        let resources: Vec<_> = resources.iter().map(resource).collect();
        let state = json!({"type": "test_state", "test_state": {"root_module": {"resources": resources}}});
        Infrastructure::read(&format!("{{\"type\":\"version\"}}\n{state}\n")).unwrap()
    }

    #[test]
    fn a_resource_is_found_by_type_name_and_key() {
        let found = built(&[("aws_lambda_function", "this", "query", json!({"memory_size": 512}))]);
        assert_eq!(found.each("aws_lambda_function", "this")["query"].values["memory_size"], 512);
        assert!(found.each("aws_lambda_function", "that").is_empty());
    }

    #[test]
    fn resources_of_modules_count() {
        let printed = json!({"type": "test_state", "test_state": {"root_module": {"child_modules": [
            {"resources": [{"mode": "managed", "type": "aws_s3_bucket", "name": "this", "values": {"bucket": "b"}}]},
        ]}}});
        let found = Infrastructure::read(&printed.to_string()).unwrap();
        assert_eq!(found.all("aws_s3_bucket").map(|bucket| bucket.text("bucket")).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn what_terraform_finds_wrong_is_said() {
        let printed =
            r#"{"type":"diagnostic","diagnostic":{"severity":"error","summary":"Unknown variable","detail":"x"}}"#;
        assert_eq!(Infrastructure::read(printed).err().unwrap(), "terraform: Unknown variable: x");
    }

    #[test]
    fn a_run_without_a_state_is_an_error() {
        let problem = Infrastructure::read("broken pipe").err().unwrap();
        assert_eq!(problem, "terraform printed no state of a test run:\nbroken pipe");
    }
}
