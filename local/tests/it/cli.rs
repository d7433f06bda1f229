//! The program as it is started by a person.

use std::{
    net::TcpListener,
    process::{Command, Output},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use lmo_bench::standin::{Standin, StandinOptions};

use crate::support::{Lmo, Setup, json, standin};

/// Fails unless the program ended with exit code 2 and one line on standard error that has all of `words`.
pub fn assert_one_line(output: &Output, words: &[&str]) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

#[test]
fn help_names_every_command_and_setting() {
    let output = Setup::new().output(&["--help"]);
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    for word in
        ["models", "tenant", "books", "sweep", "engines", "openapi", "--port", "LMO_PORT", "LMO_DATA_DIR", "LMO_MODELS"]
    {
        assert!(help.contains(word), "{word} is not in {help}");
    }
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert_one_line(&Setup::new().output(&["--port", &port]), &["port", &port, "in use", "--port"]);
}

#[test]
fn a_machine_without_certificates_is_told() {
    let setup = Setup::new().env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_REGION", "us-east-1");
    let setup = setup.env("SSL_CERT_FILE", "/nonexistent").env("SSL_CERT_DIR", "/nonexistent");
    assert_one_line(&setup.output(&["books"]), &["no certificates"]);
}

#[test]
fn a_data_directory_that_another_instance_uses_is_told() {
    let setup = Setup::new();
    let _lmo = setup.start();
    assert_one_line(&setup.output(&["--port", "0"]), &["data directory", "in use by another instance"]);
    assert_one_line(&setup.output(&["sweep"]), &["data directory", "in use by another instance"]);
}

#[test]
fn a_data_directory_that_is_a_file_is_told() {
    let setup = Setup::new();
    std::fs::write(setup.data_dir(), "").unwrap();
    assert_one_line(&setup.output(&["--port", "0"]), &["data directory", "cannot be used"]);
}

#[test]
fn a_broken_models_file_is_told_by_line_and_key() {
    let setup = Setup::new();
    setup.write_models(
        "[providers.a]\nkind = \"echo\"\n\n[models.\"a/b\"]\nprovider = \"a\"\ncontext_window = \"big\"\n",
    );
    for arguments in [&["--port", "0"][..], &["models", "apply"]] {
        assert_one_line(&setup.output(arguments), &["models.toml", "line 6", "context_window"]);
    }
}

#[test]
fn a_models_file_that_is_not_there_is_told() {
    let setup = Setup::new();
    std::fs::remove_file(setup.models()).unwrap();
    assert_one_line(&setup.output(&["--port", "0"]), &["models.toml"]);
}

#[test]
fn a_bad_setting_is_told_by_name() {
    for (name, value) in [("LMO_REQUEST_DEADLINE_SECONDS", "soon"), ("LMO_REQUEST_DEADLINE_SECONDS", "0")] {
        let setup = Setup::new().env(name, value);
        assert_one_line(&setup.output(&["--port", "0"]), &[name, value]);
    }
}

#[test]
fn a_bad_flag_is_told_by_name() {
    for (name, arguments) in [("LMO_PORT", ["--port", "http"]), ("LMO_PATIENCE_SECONDS", ["--patience", "long"])] {
        let output = Setup::new().output(&arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        assert!(error.lines().next().unwrap().contains(name), "{error}");
    }
}

/// The program as on a laptop: no catalogue is named.
fn on_a_laptop(setup: &Setup, environment: &[(&str, &str)]) -> Command {
    let mut command = setup.command();
    command.env_remove("LMO_MODELS").envs(environment.iter().copied());
    command
}

#[tokio::test]
async fn an_openai_key_is_all_that_a_real_model_needs() {
    let standin = Standin::start(StandinOptions { require_key: true, ..StandinOptions::default() }).unwrap();
    let setup = Setup::new();
    std::fs::remove_file(setup.models()).unwrap();
    let lmo =
        Lmo::start(on_a_laptop(&setup, &[("OPENAI_API_KEY", "sk-test"), ("OPENAI_BASE_URL", &standin.base_url())]));
    let answer = lmo.post("/api/mcp/query", &json!({"query": "hi"})).await.json();
    assert_eq!(answer["model"], "openai/gpt-5-mini", "{answer}");
    let seen = &standin.stats().recent[0];
    assert_eq!(
        (&seen.body["model"], &seen.headers["authorization"]),
        (&json!("gpt-5-mini"), &"Bearer sk-test".parse().unwrap())
    );
    assert!(seen.body["max_completion_tokens"].is_u64());
}

#[tokio::test]
async fn anthropics_key_and_address_are_taken_as_its_own_tools_take_them() {
    let standin = Standin::start(StandinOptions { require_key: true, ..StandinOptions::default() }).unwrap();
    let setup = Setup::new();
    std::fs::remove_file(setup.models()).unwrap();
    let address = format!("http://{}", standin.addr());
    let lmo = Lmo::start(on_a_laptop(&setup, &[("ANTHROPIC_API_KEY", "sk-test"), ("ANTHROPIC_BASE_URL", &address)]));
    let answer = lmo.post("/api/mcp/query", &json!({"query": "hi", "max_tokens": 20})).await.json();
    assert_eq!(answer["model"], "anthropic/claude-haiku-4-5", "{answer}");
    let seen = &standin.stats().recent[0];
    assert_eq!((seen.path(), &seen.headers["x-api-key"]), ("/v1/messages", &"sk-test".parse().unwrap()));
}

#[test]
fn a_base_url_that_is_none_is_told() {
    let setup = Setup::new();
    std::fs::remove_file(setup.models()).unwrap();
    let mut command = on_a_laptop(&setup, &[("OPENAI_API_KEY", "sk-test"), ("OPENAI_BASE_URL", "api.openai.com")]);
    assert_one_line(&command.args(["--port", "0"]).output().unwrap(), &["OPENAI_BASE_URL", "api.openai.com"]);
}

#[tokio::test]
async fn an_ollama_is_found_by_itself() {
    let standin = standin();
    let setup = Setup::new();
    std::fs::remove_file(setup.models()).unwrap();
    let lmo = Lmo::start(on_a_laptop(&setup, &[("OLLAMA_HOST", &standin.addr().to_string())]));
    let answer = lmo.post("/api/mcp/query", &json!({"query": "hi", "max_tokens": 20})).await.json();
    assert_eq!((&answer["model"], &answer["cost"]["nano_usd"]), (&json!("ollama/large"), &json!(0)), "{answer}");
}

#[tokio::test]
async fn without_any_provider_there_is_the_echo() {
    let setup = Setup::new();
    std::fs::remove_file(setup.models()).unwrap();
    let lmo = Lmo::start(on_a_laptop(&setup, &[]));
    let answer = lmo.post("/api/mcp/query", &json!({"query": "hi"})).await.json();
    assert_eq!((&answer["model"], &answer["content"]), (&json!("lmo/echo"), &json!("lmo/echo heard: hi")));
    let printed = lmo.output.lock().unwrap().clone();
    for name in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK", "Ollama"] {
        assert!(printed.contains(name), "{printed}");
    }
}

#[tokio::test]
async fn a_key_of_few_tokens_a_minute_is_answered_without_naming_a_most() {
    let setup = Setup::new();
    std::fs::remove_file(setup.models()).unwrap();
    let lmo = Lmo::start(on_a_laptop(&setup, &[]));
    let wanted = json!({"name": "intern", "scopes": ["query"], "limits": {"tokens_per_minute": 10_000}});
    let short = json!({"query": "hi"});
    let key = lmo.post("/api/tenant/keys", &wanted).await.json()["api_key"].as_str().unwrap().to_owned();
    // Also several at once.
    for answer in join_all((0..3).map(|_| lmo.send("POST", "/api/mcp/query", &key, Some(&short)))).await {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let long = json!({"query": "hi", "max_tokens": 10_000});
    lmo.send("POST", "/api/mcp/query", &key, Some(&long)).await.assert_error(400, "exceeds_rate_limit");
}

#[test]
fn who_has_heard_enough_of_a_command_is_no_error() {
    let (heard, said) = std::io::pipe().unwrap();
    drop(heard);
    let output = Command::new(env!("CARGO_BIN_EXE_lmo")).arg("permissions").stdout(said).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_models_file_in_the_current_folder_is_used() {
    let standin = standin();
    let setup = Setup::with_standin(&standin.base_url());
    let lmo = Lmo::start(on_a_laptop(&setup, &[]));
    assert_eq!(lmo.post("/api/mcp/query", &json!({"query": "hi"})).await.json()["model"], "standin/small");
}

#[test]
fn it_starts_in_well_under_a_second() {
    let setup = Setup::new();
    let start = || {
        let began = Instant::now();
        setup.start().stop();
        began.elapsed()
    };
    // The fastest of several, as the machine may be busy.
    let fastest = (0..5).map(|_| start()).min().unwrap();
    assert!(fastest < Duration::from_millis(900), "{fastest:?}");
}

#[tokio::test]
async fn the_curl_line_that_it_prints_works_as_it_stands() {
    let setup = Setup::new();
    std::fs::remove_file(setup.models()).unwrap();
    let lmo = Lmo::start(on_a_laptop(&setup, &[]));
    let printed =
        || lmo.output.lock().unwrap().lines().find(|line| line.trim().starts_with("curl ")).map(str::to_owned);
    crate::support::eventually(Duration::from_secs(1), "the curl line", || printed().is_some()).await;
    let output = Command::new("sh").args(["-c", &printed().unwrap()]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("lmo/echo heard: Say hello"), "{output:?}");
}
