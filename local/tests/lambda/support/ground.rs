//! What functions under test stand on: the engines, and a model provider's stand-in.

use std::{
    path::Path,
    process::{Command, Output},
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use lmo_bench::{
    lambda::{Answer, Engines, Function, HttpAnswer, Invoke, Launch},
    standin::{Standin, StandinOptions},
};
use lmo_shared::{
    aws::Http,
    clock::Clock,
    config::{Config, Flush, Reach},
    platform::Platform,
};

use super::{Value, binaries::binary, json, kinesis_event};

const LMO: &str = env!("CARGO_BIN_EXE_lmo");

/// Engines with a demo tenant and a catalogue over the stand-in. They end when it is dropped.
pub struct Ground {
    pub engines: Engines,
    pub standin: Standin,
}

impl Ground {
    pub fn new() -> Self {
        let standin = Standin::start(StandinOptions::default()).unwrap();
        let engines = Engines::start(Path::new(LMO), &models(&standin.base_url())).unwrap();
        Self { engines, standin }
    }

    /// The demo tenant's API key.
    pub fn key(&self) -> &str {
        self.engines.key()
    }

    /// A function on these engines, to be changed before it is started.
    pub fn launch(&self, function: &str) -> Launch {
        self.engines.launch(binary(function), function)
    }

    /// A running function on these engines.
    pub fn function(&self, function: &str) -> Function {
        self.launch(function).start().unwrap()
    }

    /// Runs one of the operator's commands on these engines while they serve.
    pub fn lmo(&self, arguments: &[&str]) -> Output {
        Command::new(LMO).env_clear().envs(self.engines.environment()).args(arguments).output().unwrap()
    }

    /// Has the `aggregate` binary count what is on the stream; then fails unless both books of all tenants agree, with
    /// no hold left; returns them.
    pub async fn assert_books_agree(&self) -> Vec<Value> {
        let batch = kinesis_event(&self.platform()).await;
        let answer = self.function("aggregate").invoke(&batch).await.unwrap();
        assert_eq!(answer.json()["batchItemFailures"], json!([]));
        agreeing(&self.lmo(&["books"]))
    }

    /// Ends the engines and lets the sweep settle every hold, as nobody can be answering any more; then as above.
    pub fn assert_books_agree_at_last(self) -> Vec<Value> {
        let place = self.engines.stop().unwrap();
        let data = place.path().join("data");
        let lmo = |command| Command::new(LMO).env_clear().arg(command).arg("--data-dir").arg(&data).output().unwrap();
        let swept = lmo("sweep");
        assert!(swept.status.success(), "{swept:?}");
        agreeing(&lmo("books"))
    }

    /// The platform on these engines, to look at them and to put things into them.
    pub fn platform(&self) -> Platform {
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .endpoint_url(self.engines.url())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "-", None, None, "-")))
            .http_client(Http::new().unwrap())
            .build();
        let config = Config {
            table: "lmo".to_owned(),
            stream: "lmo-usage".to_owned(),
            request_deadline: std::time::Duration::from_mins(5),
            issuer: "https://lmo.example".to_owned(),
            secrets: "lmo".to_owned(),
            origin_token: None,
            flush: Flush::BeforeReturning,
            reach: Reach::Laptop,
            function: None,
        };
        Platform::new(sdk, config, Clock::System)
    }
}

fn agreeing(output: &Output) -> Vec<Value> {
    let books = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{books}{}", String::from_utf8_lossy(&output.stderr));
    let books: Vec<Value> = books.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(books.iter().all(|book| book["books"]["holds"] == 0), "{books:?}");
    books
}

/// Gives an HTTP event to a function; returns what the caller gets.
pub async fn ask(function: &mut Function, event: impl Into<Invoke>) -> HttpAnswer {
    let answer: Answer = function.invoke(event).await.unwrap();
    answer.http().unwrap_or_else(|| panic!("no HTTP response: {answer:?}\n{}", function.log()))
}

fn models(base_url: &str) -> String {
    format!(
        r#"
[providers.lmo]
kind = "echo"
[providers.standin]
kind = "openai"
base_url = "{base_url}"
first_byte_timeout_ms = 10000
idle_timeout_ms = 10000
[models."standin/small"]
provider = "standin"
upstream = "small"
context_window = 128000
max_output_tokens = 4096
capabilities = ["chat", "stream", "tools"]
price = {{ input = 0.15, output = 0.6 }}
overhead_tokens = 8
[models."lmo/hash-embed"]
provider = "lmo"
context_window = 8192
capabilities = ["embed"]
dimensions = 512
price = {{ input = 0.02 }}
[aliases]
default = "standin/small"
embed = "lmo/hash-embed"
"#
    )
}
