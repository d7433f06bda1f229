//! `lmo engines`: the embedded engines for processes of their own.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::{
    config::{Credentials, SharedCredentialsProvider},
    primitives::Blob,
    types::AttributeValue,
};
use lmo_shared::{aws::Http, store::keys};

use crate::{
    cli::assert_one_line,
    support::{Setup, Value, json},
};

/// Running engines. Dropping them kills them.
pub struct Engines {
    child: Child,
    pub exported: HashMap<String, String>,
}

impl Engines {
    pub fn start(setup: &Setup, flags: &[&str]) -> Self {
        let mut command = setup.command();
        let mut child = command.args(["engines", "--port", "0"]).args(flags).stdout(Stdio::piped()).spawn().unwrap();
        let mut exported = HashMap::new();
        for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
            let line = line.unwrap();
            let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
            exported.insert(name.to_owned(), value.to_owned());
            if name == "KEY" {
                break;
            }
        }
        Self { child, exported }
    }

    /// Another `lmo`, in a shell that has what was printed.
    pub fn lmo(&self, setup: &Setup, arguments: &[&str]) -> Value {
        let output = setup.command().envs(&self.exported).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    async fn calls(&self) -> Vec<Value> {
        let url = format!("{}/_calls", self.exported["AWS_ENDPOINT_URL"]);
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// An SDK's configuration, as the environment would give it.
    pub fn sdk(&self) -> SdkConfig {
        let credentials = Credentials::new("me", "-", None, None, "-");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.exported["AWS_REGION"].clone()))
            .endpoint_url(&self.exported["AWS_ENDPOINT_URL"])
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(Http::new().unwrap())
            .build()
    }

    fn stop(mut self) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn what_it_prints_is_all_that_a_client_needs() {
    let setup = Setup::new();
    let engines = Engines::start(&setup, &[]);
    assert!(engines.exported["KEY"].starts_with("lmo_"));
    let made = engines.lmo(&setup, &["tenant", "create", "--name", "Acme"]);
    assert!(made["tenant"].as_str().unwrap().starts_with("tnt_"), "{made}");
    assert_eq!(engines.lmo(&setup, &["books"]), Value::Null);
}

#[tokio::test]
async fn calls_are_counted_by_caller_with_their_capacity() {
    let setup = Setup::new();
    let engines = Engines::start(&setup, &[]);
    let client = aws_sdk_dynamodb::Client::new(&engines.sdk());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = || client.put_item().table_name("lmo").item(keys::PK, text("a")).item(keys::SK, text("b"));
    put().item("fill", text(&"x".repeat(1500))).send().await.unwrap();
    put().condition_expression(format!("attribute_not_exists({})", keys::PK)).send().await.unwrap_err();
    let calls = engines.calls().await;
    let mine: Vec<_> = calls.iter().filter(|row| row["caller"] == "me").collect();
    let row = mine[0];
    assert_eq!((mine.len(), &row["service"], &row["operation"]), (1, &json!("dynamodb"), &json!("PutItem")));
    assert_eq!((&row["calls"], &row["failed"], &row["write_units"]), (&json!(2), &json!(1), &json!(2.0)), "{row}");
    assert!(row["request_bytes"].as_u64().unwrap() > 1500, "{row}");
}

#[tokio::test]
async fn it_aggregates_if_it_is_asked_to() {
    let setup = Setup::new();
    let engines = Engines::start(&setup, &["--aggregate"]);
    let kinesis = aws_sdk_kinesis::Client::new(&engines.sdk());
    let put = kinesis.put_record().stream_name("lmo-usage").partition_key("a").data(Blob::new("poison"));
    put.send().await.unwrap();
    // What can't be counted is put aside, which only somebody who counts does.
    let aside = setup.data_dir().join("failed-events.jsonl");
    crate::support::eventually(std::time::Duration::from_secs(30), "the poison record put aside", || {
        std::fs::metadata(&aside).is_ok_and(|file| file.len() > 0)
    })
    .await;
}

#[tokio::test]
async fn its_state_is_there_the_next_time() {
    let setup = Setup::new();
    let engines = Engines::start(&setup, &[]);
    let key = engines.exported["KEY"].clone();
    engines.stop();
    let engines = Engines::start(&setup, &[]);
    assert_eq!(engines.exported["KEY"], key);
    engines.stop();
    assert_eq!(setup.start().key, key);
}

#[test]
fn what_keeps_it_from_serving_is_told_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let setup = Setup::new();
    assert_one_line(&setup.output(&["engines", "--port", &port]), &["port", &port, "in use", "--port"]);
    assert_one_line(&setup.output(&["engines", "--aws"]), &["--aws"]);
    let engines = Engines::start(&setup, &[]);
    assert_one_line(&setup.output(&["engines", "--port", "0"]), &["data directory", "in use by another instance"]);
    engines.stop();
    setup.write_models("[providers.a]\nkind = \"none\"\n");
    assert_one_line(&setup.output(&["engines", "--port", "0"]), &["models.toml", "line 2"]);
}
