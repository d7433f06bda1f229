//! The contract between the code and the infrastructure: what the built functions read, call and serve is held against
//! what Terraform would build. Both sides are read from what was made of the sources, so there is no list to keep. The
//! programs are those that aren't optimised: an optimizer turns short texts into numbers.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde_json::Value;

use crate::{
    cargo,
    command::{output, run},
    infra::Copy,
    package, target,
};
use edge::Edge;
use infrastructure::Infrastructure;
use literals::Literals;

mod actions;
mod edge;
mod infrastructure;
mod literals;
mod routes;
mod variables;

/// The test file whose state is compared: everything that can be left out is in it.
const EVERYTHING: &str = "tests/contract.tftest.hcl";

/// What a program can call, read and serve.
struct Program {
    asked: actions::Asked,
    variables: BTreeSet<String>,
    summaries: BTreeSet<String>,
}

/// Compares the functions with the infrastructure, of which Terraform has an initialised copy.
///
/// # Errors
/// What is missing, or every difference in a line.
pub fn check(root: &Path, copy: &Copy) -> Result<(), String> {
    run(cargo(root, &["build", "--workspace", "--bins"]))?;
    let built = target(root).join("debug");
    let document = output(Command::new(built.join("lmo")).arg("openapi"))?;
    let document: Value = serde_json::from_str(&document).map_err(|error| format!("lmo openapi: {error}"))?;
    let operations = routes::operations(&document);
    let named = variables::named(root)?;
    let mut programs = BTreeMap::new();
    for function in package::functions(root)? {
        let program = Program::read(&built.join(format!("lmo-{function}")), &named, &operations)?;
        programs.insert(function, program);
    }
    let infrastructure = terraform(copy)?;
    let problems = compare(&programs, &operations, &infrastructure)?;
    if problems.is_empty() {
        println!("contract: {} functions, {} operations", programs.len(), operations.len());
        return Ok(());
    }
    Err(format!("code and infrastructure differ:\n  {}", problems.join("\n  ")))
}

impl Program {
    fn read(path: &Path, named: &BTreeSet<String>, operations: &[routes::Operation]) -> Result<Self, String> {
        let literals = Literals::of(path)?;
        let find = |names: Vec<&str>| literals.find(&names).into_iter().map(str::to_owned).collect();
        Ok(Self {
            asked: actions::asked(&literals).map_err(|error| format!("{}: {error}", path.display()))?,
            variables: find(named.iter().map(String::as_str).collect()),
            summaries: find(operations.iter().map(|operation| operation.summary.as_str()).collect()),
        })
    }
}

fn compare(
    programs: &BTreeMap<String, Program>,
    operations: &[routes::Operation],
    infrastructure: &Infrastructure,
) -> Result<Vec<String>, String> {
    let functions = infrastructure.each("aws_lambda_function", "this");
    let allowed = actions::allowed(infrastructure)?;
    let mut problems = Vec::new();
    for (name, program) in programs {
        let Some(function) = functions.get(name.as_str()) else {
            problems.push(format!("{name}: there is no aws_lambda_function.this[\"{name}\"]"));
            continue;
        };
        let read = program.variables.iter().map(String::as_str).collect();
        let faces = !program.summaries.is_empty() || program.asked.actions.contains(actions::SEND);
        problems.extend(variables::compare(name, faces, &read, &variables::given(function)));
        let none = BTreeSet::new();
        problems.extend(actions::compare(name, &program.asked, allowed.get(name.as_str()).unwrap_or(&none)));
    }
    let serving = |operation: &routes::Operation| {
        let serving = programs.iter().filter(|(_, program)| program.summaries.contains(&operation.summary));
        serving.map(|(name, _)| name.clone()).collect()
    };
    let mut sockets = programs.iter().filter(|(_, program)| program.asked.actions.contains(actions::SEND));
    let socket = sockets.next().map(|(name, _)| name.as_str());
    problems.extend(routes::compare(&Edge::of(infrastructure)?, operations, serving, socket));
    Ok(problems)
}

/// What Terraform would build.
fn terraform(copy: &Copy) -> Result<Infrastructure, String> {
    let mut test = copy.terraform(".");
    test.args(["test", "-json", "-verbose", &format!("-filter={EVERYTHING}")]);
    let printed = output(test.args(copy.variables()));
    // If it failed, what it printed says why.
    Infrastructure::read(printed.as_ref().unwrap_or_else(|printed| printed))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{infrastructure::tests::built, *};

    fn found(infrastructure: &Infrastructure) -> Vec<String> {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let program = Program {
            asked: actions::Asked::of(set(&["dynamodb:Query"])),
            variables: set(&["LMO_ORIGIN_TOKEN", "LMO_TABLE"]),
            summaries: BTreeSet::new(),
        };
        compare(&[("aggregate".to_owned(), program)].into(), &[], infrastructure).unwrap()
    }

    fn distribution() -> (&'static str, &'static str, &'static str, Value) {
        ("aws_cloudfront_distribution", "this", "", json!({}))
    }

    #[test]
    fn a_function_that_is_built_as_it_is_written_has_no_problems() {
        let policy = json!({"Statement": [{"Effect": "Allow", "Action": "dynamodb:Query"}]}).to_string();
        let function = json!({"environment": [{"variables": {"LMO_TABLE": "lmo"}}]});
        let built = built(&[
            ("aws_lambda_function", "this", "aggregate", function),
            ("aws_iam_role_policy", "own", "aggregate", json!({"policy": policy})),
            distribution(),
        ]);
        assert_eq!(found(&built), [""; 0]);
    }

    #[test]
    fn a_function_without_a_policy_may_do_nothing() {
        let function = json!({"environment": [{"variables": {"LMO_TABLE": "lmo"}}]});
        let built = built(&[("aws_lambda_function", "this", "aggregate", function), distribution()]);
        assert_eq!(found(&built), ["aggregate: calls dynamodb:Query, which its role does not allow"]);
    }

    #[test]
    fn a_function_that_is_not_built_is_found() {
        let found = found(&built(&[distribution()]));
        assert_eq!(found, ["aggregate: there is no aws_lambda_function.this[\"aggregate\"]"]);
    }

    #[test]
    fn a_deployment_without_cloudfront_is_an_error() {
        assert!(compare(&BTreeMap::new(), &[], &built(&[])).is_err());
    }
}
