//! `infra/rollout` against a stand-in for the AWS CLI, which notes what it is asked and answers as it is told.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const OPERATIONS: &str = r#"#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
"#;

/// A folder with an `aws` that answers by these cases of the shell, the first that matches.
struct Account(PathBuf);

impl Account {
    fn new(test: &str, cases: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let aws = folder.join("aws");
        fs::write(&aws, format!("{OPERATIONS}{cases}\nesac\n")).unwrap();
        fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn rollout(&self, arguments: &[&str], input: &str) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/rollout");
        let mut command = Command::new(script);
        let path = std::env::join_paths(
            [self.0.clone()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        command.args(arguments).env("PATH", path.unwrap()).env("CALLS", self.0.join("calls")).env("ROLLOUT_PAUSE", "0");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.0.join("calls")).unwrap_or_default()
    }
}

fn printed(output: &Output) -> (bool, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_versions_that_serve_are_put_down_and_functions_that_are_not_there_left_out() {
    let cases =
        "*lmo-query\\ *) echo 7;;\n*lmo-stream\\ *) echo 12;;\n*) echo 'ResourceNotFoundException' >&2; exit 254;;";
    let account = Account::new("save", cases);
    let (done, out, _) = printed(&account.rollout(&["save", "lmo"], ""));
    assert!(done);
    assert_eq!(out, "query 7\nstream 12\n");
}

#[test]
fn an_account_that_refuses_to_tell_is_not_an_empty_one() {
    let account = Account::new("refused", "*) echo 'AccessDeniedException' >&2; exit 254;;");
    let (done, out, problem) = printed(&account.rollout(&["save", "lmo"], ""));
    assert!(!done && out.is_empty());
    assert!(problem.contains("aggregate: AccessDeniedException"), "{problem}");
}

#[test]
fn what_terraform_is_told_is_json() {
    let account = Account::new("staged", "*) exit 1;;");
    let (done, out, _) = printed(&account.rollout(&["staged", "0.1"], "query 7\nstream 12\n"));
    assert!(done);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    let expected = serde_json::json!({"staged": {"versions": {"query": "7", "stream": "12"}, "weight": 0.1}});
    assert_eq!(told, expected);
    assert_eq!(account.calls(), "");
}

#[test]
fn the_first_deployment_keeps_nothing_back() {
    let (_, out, _) = printed(&Account::new("first", "*) exit 1;;").rollout(&["staged", "0.1"], ""));
    assert_eq!(out, "{\"staged\": {\"versions\": {}, \"weight\": 0.1}}\n");
}

#[test]
fn quiet_alarms_let_a_deployment_pass() {
    let account = Account::new("quiet", "*) ;;");
    assert!(printed(&account.rollout(&["watch", "lmo", "0"], "")).0);
    let expected = "cloudwatch describe-alarms --alarm-name-prefix lmo- --state-value ALARM \
                    --query MetricAlarms[].AlarmName --output text\n";
    assert_eq!(account.calls(), expected);
}

#[test]
fn an_alarm_that_begins_to_ring_ends_the_watch() {
    let cases = "*) [ \"$(wc -l < \"$CALLS\")\" -lt 3 ] || echo lmo-query-errors;;";
    let account = Account::new("rings", cases);
    let (done, _, problem) = printed(&account.rollout(&["watch", "lmo", "600"], ""));
    assert!(!done);
    assert_eq!(problem, "rollout: rings: lmo-query-errors\n");
    assert_eq!(account.calls().lines().count(), 3);
}

#[test]
fn alarms_that_can_not_be_read_end_the_watch() {
    let account = Account::new("blind", "*) exit 255;;");
    assert!(!printed(&account.rollout(&["watch", "lmo", "600"], "")).0);
}

#[test]
fn going_back_takes_all_requests_from_the_new_version() {
    let account = Account::new("back", "*) ;;");
    let (done, out, _) = printed(&account.rollout(&["back", "lmo"], "query 7\nstream 12\n"));
    assert!(done);
    assert_eq!(out, "query is at version 7\nstream is at version 12\n");
    let call = |function: &str, version: u8| {
        format!(
            "lambda update-alias --function-name lmo-{function} --name live --function-version {version} \
             --routing-config {{\"AdditionalVersionWeights\": {{}}}}\n"
        )
    };
    assert_eq!(account.calls(), call("query", 7) + &call("stream", 12));
}

#[test]
fn one_function_that_can_not_go_back_keeps_no_other_from_it() {
    let account = Account::new("stuck", "*lmo-query\\ *) exit 254;;\n*) ;;");
    let (done, out, problem) = printed(&account.rollout(&["back", "lmo"], "query 7\nstream 12\n"));
    assert!(!done);
    assert_eq!(out, "stream is at version 12\n");
    assert_eq!(problem, "rollout: query is not back at version 7\n");
}

#[test]
fn anything_else_says_how_it_is_used() {
    let account = Account::new("usage", "*) ;;");
    for arguments in [&[][..], &["back"], &["watch", "lmo"], &["forward", "lmo"]] {
        let (done, _, problem) = printed(&account.rollout(arguments, ""));
        assert!(!done && problem.contains("infra/rollout save NAME"), "{arguments:?}: {problem}");
    }
}

#[test]
fn what_is_no_number_is_neither_shared_nor_watched() {
    let account = Account::new("number", "*) echo None;;");
    for arguments in [["staged", "0}, \"domain\": \"x\""].as_slice(), &["watch", "lmo", "x[$(touch injected)]"]] {
        let (done, out, error) = printed(&account.rollout(arguments, "query 7\n"));
        assert!(!done && out.is_empty() && error.contains("no number"), "{arguments:?}: {out}{error}");
    }
    assert_eq!(account.calls(), "");
}
