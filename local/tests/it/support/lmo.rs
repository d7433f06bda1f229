//! A running `lmo` on a data directory of its own.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{Response, Value};

/// What to start.
pub struct Setup {
    dir: Arc<TempDir>,
    env: Vec<(String, String)>,
}

impl Setup {
    /// An empty data directory and a catalogue with nothing but echo.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let models = "[providers.lmo]\nkind = \"echo\"\n".to_owned();
        std::fs::write(dir.path().join("models.toml"), models).unwrap();
        Self { dir: Arc::new(dir), env: Vec::new() }
    }

    /// An empty data directory and a catalogue with the stand-in's `standin/small` (the default), `standin/plain`
    /// (no tools), `standin/tiny` (a window of 64 tokens), and `lmo/echo`.
    pub fn with_standin(base_url: &str) -> Self {
        let setup = Self::new();
        setup.write_models(&models(base_url, "0.15"));
        setup
    }

    /// Replaces the catalogue's file.
    pub fn write_models(&self, text: &str) {
        std::fs::write(self.models(), text).unwrap();
    }

    /// The catalogue's file.
    pub fn models(&self) -> PathBuf {
        self.dir.path().join("models.toml")
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Sets an environment variable of the program.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The program with this setup's directory and environment, and nothing else of the machine's.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lmo"));
        command.current_dir(self.dir.path()).env_clear().envs(self.env.iter().cloned());
        command.env("LMO_DATA_DIR", self.data_dir()).env("LMO_MODELS", self.models());
        // No real Ollama of the machine.
        command.env("OLLAMA_HOST", "127.0.0.1:9");
        command
    }

    /// Runs a command to its end while nothing is being served; fails unless it exits with 0.
    pub fn run(&self, arguments: &[&str]) -> Value {
        let output = self.output(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        last_json(&output)
    }

    /// Runs a command to its end.
    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Creates a tenant with these limits, as command-line flags; returns its id and its key.
    pub fn tenant(&self, flags: &[&str]) -> (String, String) {
        let arguments = [&["tenant", "create", "--name", "test"], flags].concat();
        let made = self.run(&arguments);
        (made["tenant"].as_str().unwrap().to_owned(), made["api_key"].as_str().unwrap().to_owned())
    }

    /// Both books of all tenants of this month, after a sweep. The platform must not be running.
    pub fn books(&self) -> Vec<Value> {
        self.run(&["sweep"]);
        let output = self.output(&["books"]);
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Fails unless the books of all tenants agree, with no hold left; returns them.
    pub fn assert_books_agree(&self) -> Vec<Value> {
        let books = self.books();
        for book in &books {
            assert_eq!(book["agree"], true, "{book:#}");
        }
        books
    }

    /// Starts the platform on a free port and waits until it serves.
    pub fn start(&self) -> Lmo {
        Lmo::start(self.command())
    }
}

fn last_json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null)
}

/// A catalogue with a key of the operator's for the stand-in: only then it may be asked with a tenant's own. It is in the
/// variable `OPERATORS_KEY`.
pub fn with_a_key(catalogue: &str) -> String {
    let key = "kind = \"openai\"\napi_key = { env = \"OPERATORS_KEY\" }";
    catalogue.replacen("kind = \"openai\"", key, 1)
}

/// The catalogue of the tests, with the price of `standin/small`'s input in USD per million.
pub fn models(base_url: &str, input_price: &str) -> String {
    format!(
        r#"
[providers.lmo]
kind = "echo"
[providers.standin]
kind = "openai"
base_url = "{base_url}"
first_byte_timeout_ms = 3000
idle_timeout_ms = 3000
[models."lmo/echo"]
provider = "lmo"
context_window = 100000
price = {{ input = 0, output = 0 }}
[models."standin/small"]
provider = "standin"
upstream = "small"
context_window = 128000
max_output_tokens = 4096
capabilities = ["chat", "stream", "tools", "json", "images"]
price = {{ input = {input_price}, cached_input = 0.075, output = 0.6 }}
overhead_tokens = 8
[models."standin/plain"]
provider = "standin"
upstream = "plain"
context_window = 128000
price = {{ input = 1, output = 2 }}
overhead_tokens = 8
[models."standin/tiny"]
provider = "standin"
upstream = "tiny"
context_window = 64
max_output_tokens = 32
price = {{ input = 1, output = 2 }}
overhead_tokens = 8
[aliases]
default = "standin/small"
fast = "standin/small"
"#
    )
}

/// The tests' catalogue with a model that embeds, `lmo/hash-embed`, and the alias `embed` for it.
pub fn with_embeddings(catalogue: &str) -> String {
    let model = "[models.\"lmo/hash-embed\"]\nprovider = \"lmo\"\ncontext_window = 8192\ncapabilities = [\"embed\"]\n\
                 dimensions = 512\nprice = { input = 0.02 }\n";
    catalogue.replace("[aliases]", &format!("{model}[aliases]\nembed = \"lmo/hash-embed\""))
}

/// A running platform. Dropping it kills it.
pub struct Lmo {
    child: Child,
    /// Everything that it printed so far.
    pub output: Arc<Mutex<String>>,
    /// `http://127.0.0.1:<port>`.
    pub base: String,
    /// The demo tenant's key.
    pub key: String,
    /// Sends requests; connections are kept.
    pub client: reqwest::Client,
}

impl Lmo {
    /// Starts this command on a free port and waits until it serves and has printed the demo tenant's key.
    pub fn start(command: Command) -> Self {
        Self::start_until(command, |text| word(text, "lmo_"))
    }

    /// The same where the state is elsewhere, so that no key is printed.
    pub fn start_with_key(command: Command, key: &str) -> Self {
        Self::start_until(command, |_| Some(key.to_owned()))
    }

    fn start_until(mut command: Command, key: impl Fn(&str) -> Option<String>) -> Self {
        let mut child = command.args(["--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().unwrap(), &output);
        collect(child.stderr.take().unwrap(), &output);
        let began = Instant::now();
        loop {
            let text = output.lock().unwrap().clone();
            if let (Some(base), Some(key)) = (word(&text, "http://"), key(&text)) {
                return Self { child, output, base, key, client: reqwest::Client::new() };
            }
            assert!(began.elapsed() < Duration::from_secs(30), "lmo did not start: {text}");
            assert!(child.try_wait().unwrap().is_none(), "lmo ended: {text}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A request with a key, sent and read to its end.
    pub async fn send(&self, method: &str, path: &str, key: &str, body: Option<&Value>) -> Response {
        Response::read(self.open(method, path, key, body).await).await
    }

    /// A request with a key; the body of the response is still to be read.
    pub async fn open(&self, method: &str, path: &str, key: &str, body: Option<&Value>) -> reqwest::Response {
        let mut request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.base));
        if !key.is_empty() {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        request.send().await.unwrap()
    }

    /// `POST` with the demo tenant's key.
    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.send("POST", path, &self.key, Some(body)).await
    }

    /// `GET` with the demo tenant's key.
    pub async fn get(&self, path: &str) -> Response {
        self.send("GET", path, &self.key, None).await
    }

    /// The tenant's usage of this month, once it counts `requests` of them; fails after ten seconds.
    pub async fn usage_of(&self, key: &str, requests: u64) -> Value {
        let began = Instant::now();
        loop {
            let report = self.send("GET", "/api/tenant/usage?granularity=month", key, None).await.json();
            if report["total"]["requests"] == requests {
                return report["total"].clone();
            }
            assert!(began.elapsed() < Duration::from_secs(10), "usage is {report:#}, not {requests} requests");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends a signal by name (`TERM`, `KILL`, `INT`).
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the process to end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends it as an operator would, and fails unless it exits with 0.
    pub fn stop(mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "{status}: {}", self.output.lock().unwrap());
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.signal("KILL");
        self.wait();
    }
}

impl Drop for Lmo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(source: impl std::io::Read + Send + 'static, into: &Arc<Mutex<String>>) {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            let mut into = into.lock().unwrap();
            into.push_str(&line);
            into.push('\n');
        }
    });
}

fn word(text: &str, start: &str) -> Option<String> {
    let found = text.split_whitespace().find(|word| word.starts_with(start))?;
    Some(found.to_owned())
}
