//! The only client to addresses that tenants choose: webhook endpoints, issuers of identities. Whatever they write, and
//! whatever their name servers say, it reaches no machine that the public doesn't (OWASP API7:2023, server side request
//! forgery).
//!
//! * https only, and no port below 1024 but 443.
//! * What is looked at is what is connected to: a name is resolved once, addresses that are not public are taken out, and
//!   the connection is made to what is left. An address that is written out is looked at when the [`Target`] is made.
//! * No redirects, no proxies, no connection kept for the next call, no retries; a bound on time and on what is read.
//!
//! [`Reach::Laptop`] allows http, any port, and the machine's own addresses beside the public ones.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, Method, StatusCode,
    header::{DATE, RETRY_AFTER},
};
use reqwest::{
    Client, ClientBuilder, Response, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect, retry,
};
use serde::de::DeserializeOwned;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout_at},
};

use self::addresses::allows;
use crate::{
    config::Reach,
    error::{Error, Result},
};

mod addresses;
#[cfg(test)]
mod tests;

/// How long it may take to resolve a name, to connect, and to agree on keys.
const CONNECT: Duration = Duration::from_secs(5);
/// The longest address.
const LONGEST: usize = 2_048;

/// The client.
#[derive(Debug, Clone)]
pub struct Outbound {
    reach: Reach,
    names: Names,
    /// Made at the first call: it loads the machine's certificates, which most starts of a function need not wait for.
    client: Arc<OnceCell<Client>>,
}

/// An address that may be called, as far as it can be told from its text. Only [`Outbound::target`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Url);

/// A call that is to be made.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Whom it goes to.
    pub target: Target,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body; nothing if empty.
    pub body: Bytes,
}

/// How much a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The time from its start to the last byte of its answer.
    pub time: Duration,
    /// The bytes of the answer's body that are read.
    pub bytes: usize,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status. One of redirection is an answer like any other: nobody follows it.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// What was read of its body.
    pub body: Bytes,
    /// Whether that is all of it: it wasn't longer than it may be, came in time, and didn't break off.
    pub whole: bool,
}

/// Why there is no answer. The words are for the tenant whose address it is: nothing of where it led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The name is none, or its servers don't answer.
    #[error("the host's name can't be resolved")]
    Unresolved,
    /// All its addresses are private, reserved or the machine's own.
    #[error("the host has no public address")]
    NotPublic,
    /// Nobody listens there, or there is no agreement on keys and certificates.
    #[error("no connection, or no valid certificate")]
    Connect,
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke before the answer's head was there.
    #[error("the connection broke")]
    Cut,
    /// The answer isn't whole, or not what was asked for.
    #[error("the answer is too long, incomplete or of an unexpected form")]
    Malformed,
}

impl Outbound {
    /// A client that reaches so far.
    #[must_use]
    pub fn new(reach: Reach) -> Self {
        Self { reach, names: Names::System, client: Arc::default() }
    }

    /// The address that a text is, if it may be called. A name is resolved when it is.
    ///
    /// # Errors
    /// `Invalid`, naming `param`.
    pub fn target(&self, param: &str, text: &str) -> Result<Target> {
        let bad = |detail: &str| Err(Error::invalid(param, format!("{param} {detail}")));
        if text.len() > LONGEST {
            return bad("must have at most 2,048 characters");
        }
        let Ok(url) = Url::parse(text) else { return bad("must be a URL, as in https://example.com/path") };
        let laptop = self.reach == Reach::Laptop;
        if !(url.scheme() == "https" || laptop && url.scheme() == "http") {
            return bad("must be an https URL");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return bad("must have no user name and no password");
        }
        let port = url.port_or_known_default();
        if !laptop && !port.is_some_and(|port| port == 443 || port >= 1024) {
            return bad("must have port 443, or one from 1024 on");
        }
        let host = url.host_str().unwrap_or_default();
        match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) if !allows(self.reach, address) => bad("must have a public address"),
            Err(_) if host.is_empty() => bad("must have a host"),
            Ok(_) | Err(_) => Ok(Target(url)),
        }
    }

    /// Makes a call, once.
    ///
    /// # Errors
    /// A `Failure` if no head of an answer comes.
    pub async fn send(&self, call: Call, bounds: Bounds) -> Result<Reply, Failure> {
        let deadline = Instant::now() + bounds.time;
        let client = self.client.get_or_try_init(async || self.build()).await.map_err(|_| Failure::Connect)?;
        let Call { method, target, headers, body } = call;
        let mut request = client.request(method, target.0).headers(headers);
        if !body.is_empty() {
            request = request.body(body);
        }
        let sent = timeout_at(deadline, request.send()).await.map_err(|_| Failure::Timeout)?;
        Ok(read(sent.map_err(|error| failure(&error))?, bounds.bytes, deadline).await)
    }

    /// A client for calls whose answers come in pieces, to targets as this one's and as far as it reaches. It keeps
    /// connections, and whoever calls sets the bounds.
    ///
    /// # Errors
    /// If TLS can't be set up.
    pub fn streaming(&self, connect: Duration) -> reqwest::Result<Client> {
        self.builder().connect_timeout(connect).tcp_nodelay(true).pool_idle_timeout(Duration::from_mins(1)).build()
    }

    fn build(&self) -> reqwest::Result<Client> {
        self.builder().pool_max_idle_per_host(0).connect_timeout(CONNECT).build()
    }

    fn builder(&self) -> ClientBuilder {
        Client::builder()
            .dns_resolver(Resolver { reach: self.reach, names: self.names.clone() })
            .https_only(self.reach == Reach::Public)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .user_agent(concat!("lmo/", env!("CARGO_PKG_VERSION")))
    }
}

impl Target {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl Reply {
    /// The body as JSON of a successful answer that is whole.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if !self.whole || !self.status.is_success() {
            return Err(Failure::Malformed);
        }
        serde_json::from_slice(&self.body).map_err(|_| Failure::Malformed)
    }
}

/// How long an answer says to wait: `Retry-After` (RFC 9110, section 10.2.3), in seconds or as a date, which is compared
/// with the answer's own `Date`.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let after = text(RETRY_AFTER)?;
    if let Ok(seconds) = after.parse() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = |text: &str| OffsetDateTime::parse(text, &Rfc2822).ok();
    let wait = date(after)? - date(text(DATE)?)?;
    Some(Duration::try_from(wait).unwrap_or_default())
}

async fn read(mut response: Response, most: usize, deadline: Instant) -> Reply {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let mut body = Vec::new();
    let whole = loop {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(piece))) => {
                let room = most - body.len();
                body.extend_from_slice(&piece[..piece.len().min(room)]);
                if piece.len() > room {
                    break false;
                }
            }
            Ok(Ok(None)) => break true,
            Ok(Err(_)) | Err(_) => break false,
        }
    };
    Reply { status, headers, body: body.into(), whole }
}

fn failure(error: &reqwest::Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return *failure;
        }
        cause = error.source();
    }
    match (error.is_connect(), error.is_timeout()) {
        (_, true) => Failure::Timeout,
        (true, false) => Failure::Connect,
        (false, false) => Failure::Cut,
    }
}

/// Who knows the addresses of names.
#[derive(Debug, Clone)]
enum Names {
    /// The machine's resolver.
    System,
    /// A test: the answer to each question in turn.
    #[cfg(test)]
    Scripted(tests::Script),
}

impl Names {
    async fn resolve(&self, name: &str) -> Result<Vec<SocketAddr>, Failure> {
        match self {
            Self::System => {
                let found = tokio::net::lookup_host((name, 0)).await.map_err(|_| Failure::Unresolved)?;
                Ok(found.collect())
            }
            #[cfg(test)]
            Self::Scripted(script) => script.next(),
        }
    }
}

/// Gives the client's connector only addresses that it may connect to. It is asked once for each connection, and what it
/// says is what is connected to.
struct Resolver {
    reach: Reach,
    names: Names,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, names) = (self.reach, self.names.clone());
        Box::pin(async move {
            let mut found = names.resolve(name.as_str()).await?;
            found.retain(|address| allows(reach, address.ip()));
            if found.is_empty() {
                return Err(Failure::NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
