//! A function's process in an execution environment of its own.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::host::{Host, Invoke};
use super::invocation::Invocation;
use crate::process::{Memory, cpu_time, memory};

/// How long the end of a process is waited for; Lambda kills after 2 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Launch {
    binary: PathBuf,
    environment: Vec<(OsString, OsString)>,
}

impl Launch {
    /// A binary, with the environment that Lambda gives to each function and nothing of this process's own.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let binary = binary.into();
        let launch = Self { binary, environment: Vec::new() };
        // "Defined runtime environment variables", AWS Lambda Developer Guide.
        launch
            .env("AWS_LAMBDA_FUNCTION_NAME", "lmo")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/lmo")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/25/[$LATEST]0123456789abcdef0123456789abcdef")
            .env("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "lmo")
            .env("AWS_SECRET_ACCESS_KEY", "embedded")
            .env("AWS_SESSION_TOKEN", "embedded")
            .env("LAMBDA_TASK_ROOT", "/var/task")
            .env("LAMBDA_RUNTIME_DIR", "/var/runtime")
            .env("LANG", "en_US.UTF-8")
            .env("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin")
            .env("TZ", ":UTC")
            .env("_HANDLER", "bootstrap")
    }

    /// With this variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let name = name.into();
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.into()));
        self
    }

    /// Without this variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// The binary can't be run, or the operating system gives no socket or thread.
    pub fn start(&self) -> io::Result<Function> {
        let host = Host::start()?;
        let mut command = Command::new(&self.binary);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("AWS_LAMBDA_RUNTIME_API", host.addr().to_string());
        let started = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let output = Output::of(child.stdout.take());
        let log = Output::of(child.stderr.take());
        Ok(Function { host, child, started, output, log })
    }
}

/// A running function. It is killed when dropped.
#[derive(Debug)]
pub struct Function {
    host: Host,
    child: Child,
    started: Instant,
    output: Output,
    log: Output,
}

/// How a function ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// From the signal, or from the wait, to its end.
    pub took: Duration,
    /// Everything that it wrote to standard output.
    pub output: String,
    /// Everything that it wrote to standard error.
    pub log: String,
}

impl Function {
    /// The Runtime API that it polls.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// When the process was started.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Gives it an event; the answer comes piece by piece.
    pub fn open(&self, invoke: impl Into<Invoke>) -> Invocation {
        self.host.invoke(invoke)
    }

    /// Gives it an event and waits for the whole answer, as far as there is one: a function that ends before is waited
    /// for no longer.
    ///
    /// # Errors
    /// The process ended without an answer; the message has what it wrote to standard error.
    pub async fn invoke(&mut self, invoke: impl Into<Invoke>) -> io::Result<Answer> {
        let answer = self.open(invoke).answer();
        tokio::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return Ok(answer),
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            if let Some(status) = self.child.try_wait()? {
                // Its last words may be on their way.
                let last = tokio::time::timeout(Duration::from_millis(200), &mut answer).await;
                return last.map_err(|_| io::Error::other(format!("the function ended: {status}\n{}", self.log())));
            }
        }
    }

    /// Its memory so far.
    ///
    /// # Errors
    /// It is gone, or there is no `/proc`.
    pub fn memory(&self) -> io::Result<Memory> {
        memory(self.child.id())
    }

    /// Its CPU time so far, to 10 ms.
    ///
    /// # Errors
    /// It is gone, or there is no `/proc`.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        cpu_time(self.child.id())
    }

    /// What it wrote to standard output so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.so_far()
    }

    /// What it wrote to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.so_far()
    }

    /// Sends it a signal by name (`TERM`, `KILL`, `STOP`, `CONT`).
    ///
    /// # Errors
    /// There is no `kill`, or no such process.
    pub fn signal(&self, name: &str) -> io::Result<()> {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status()?;
        if sent.success() { Ok(()) } else { Err(io::Error::other(format!("kill -{name}: {sent}"))) }
    }

    /// Ends it as Lambda's shutdown phase does, with SIGTERM.
    ///
    /// # Errors
    /// It doesn't end within half a minute.
    pub async fn stop(self) -> io::Result<Ended> {
        self.signal("TERM")?;
        self.ended().await
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It doesn't end within half a minute.
    pub async fn ended(mut self) -> io::Result<Ended> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                let took = began.elapsed();
                return Ok(Ended { status, took, output: self.output.whole(), log: self.log.whole() });
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("the function did not end\n{}", self.log())))
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process writes, read as it comes so that it never blocks on a full pipe.
#[derive(Debug)]
struct Output {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Output {
    fn of(source: Option<impl Read + Send + 'static>) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let into = Arc::clone(&text);
        let reader = source.map(|mut source| {
            thread::spawn(move || {
                let mut buffer = [0; 8192];
                while let Ok(length @ 1..) = source.read(&mut buffer) {
                    into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..length]);
                }
            })
        });
        Self { text, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// After the process has ended.
    fn whole(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.so_far()
    }
}
