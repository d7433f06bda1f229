//! The client against a server on this machine that says what it is told to.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// What names resolve to, in turn; afterwards nothing.
#[derive(Debug, Clone)]
pub(super) struct Script(Arc<Mutex<VecDeque<Vec<IpAddr>>>>);

impl Script {
    pub(super) fn next(&self) -> Result<Vec<SocketAddr>, Failure> {
        let addresses = self.0.lock().unwrap().pop_front().ok_or(Failure::Unresolved)?;
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

fn scripted(reach: Reach, answers: &[&[&str]]) -> (Outbound, Script) {
    let parse = |addresses: &&[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect();
    let script = Script(Arc::new(Mutex::new(answers.iter().map(parse).collect())));
    (Outbound { names: Names::Scripted(script.clone()), ..Outbound::new(reach) }, script)
}

/// A server that gives each connection the same bytes and holds it open for `hold`.
struct Server {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn answering(answer: &'static str, hold: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut request = [0; 4_096];
                    let _ = socket.read(&mut request).await;
                    let _ = socket.write_all(answer.as_bytes()).await;
                    tokio::time::sleep(hold).await;
                });
            }
        });
        Self { port, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

const LONG: Bounds = Bounds { time: Duration::from_mins(1), bytes: 1_000 };

async fn get(outbound: &Outbound, url: &str, bounds: Bounds) -> Result<Reply, Failure> {
    let target = outbound.target("url", url).unwrap();
    let call = Call { method: Method::GET, target, headers: HeaderMap::new(), body: Bytes::new() };
    outbound.send(call, bounds).await
}

fn refused(reach: Reach, text: &str) -> Option<String> {
    Outbound::new(reach).target("url", text).err().map(|error| error.to_string())
}

#[test]
fn a_deployment_calls_https_at_public_addresses_alone() {
    for good in ["https://example.com", "https://example.com:8443/a?b=c", "https://1.1.1.1/", "https://[2606:4700::1]/"]
    {
        assert_eq!(refused(Reach::Public, good), None, "{good}");
    }
    for (bad, why) in [
        ("", "a URL"),
        ("example.com", "a URL"),
        ("https://", "a URL"),
        ("http://example.com", "an https URL"),
        ("ftp://example.com", "an https URL"),
        ("file:///etc/passwd", "an https URL"),
        ("https://user@example.com", "no user name"),
        ("https://:pass@example.com", "no user name"),
        ("https://example.com:25", "port 443"),
        ("https://example.com:0", "port 443"),
        ("https://127.0.0.1/", "a public address"),
        // Other spellings of the same: what is connected to is what the URL's parser makes of them.
        ("https://2130706433/", "a public address"),
        ("https://0x7f.1/", "a public address"),
        ("https://0177.0.0.1/", "a public address"),
        ("https://169.254.169.254/latest/meta-data", "a public address"),
        ("https://[::1]/", "a public address"),
        ("https://[::ffff:169.254.169.254]/", "a public address"),
        ("https://[fd00:ec2::254]/", "a public address"),
        ("https://[64:ff9b::a9fe:a9fe]/", "a public address"),
    ] {
        let detail = refused(Reach::Public, bad).unwrap_or_default();
        assert!(detail.starts_with("url must ") && detail.contains(why), "{bad}: {detail}");
    }
    assert!(refused(Reach::Public, &format!("https://example.com/{}", "a".repeat(3_000))).is_some());
}

#[test]
fn a_laptop_calls_http_and_itself_too_and_no_private_address() {
    for good in ["http://127.0.0.1:80/hook", "http://localhost:9000", "https://example.com", "http://[::1]:1/"] {
        assert_eq!(refused(Reach::Laptop, good), None, "{good}");
    }
    for bad in ["http://10.0.0.1/", "http://169.254.169.254/", "gopher://127.0.0.1/", "http://u:p@127.0.0.1/"] {
        assert!(refused(Reach::Laptop, bad).is_some(), "{bad}");
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_connected_to() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Duration::ZERO).await;
    let (outbound, script) = scripted(Reach::Public, &[&["127.0.0.1"], &["::1", "10.0.0.1", "169.254.169.254"]]);
    let url = format!("https://hook.example:{}/", server.port);
    assert_eq!(get(&outbound, &url, LONG).await.unwrap_err(), Failure::NotPublic);
    assert_eq!(get(&outbound, &url, LONG).await.unwrap_err(), Failure::NotPublic);
    assert_eq!((script.left(), server.connections()), (0, 0));
}

#[tokio::test]
async fn the_name_localhost_leads_nowhere_in_a_deployment() {
    let outbound = Outbound::new(Reach::Public);
    assert_eq!(get(&outbound, "https://localhost/", LONG).await.unwrap_err(), Failure::NotPublic);
}

#[tokio::test]
async fn what_was_looked_at_is_what_is_connected_to() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Duration::ZERO).await;
    // Whoever asked a second time would be sent to a private address.
    let (outbound, script) = scripted(Reach::Laptop, &[&["10.0.0.1", "127.0.0.1"], &["10.0.0.1"]]);
    let url = format!("http://hook.example:{}/", server.port);
    let reply = get(&outbound, &url, LONG).await.unwrap();
    assert_eq!((reply.status.as_u16(), &reply.body[..], reply.whole), (200, &b"ok"[..], true));
    assert_eq!((script.left(), server.connections()), (1, 1));
    // No connection is kept: the next call asks again.
    assert_eq!(get(&outbound, &url, LONG).await.unwrap_err(), Failure::NotPublic);
    assert_eq!(get(&outbound, &url, LONG).await.unwrap_err(), Failure::Unresolved);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let inner = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Duration::ZERO).await;
    let location =
        format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{}/\r\ncontent-length: 0\r\n\r\n", inner.port);
    let outer = Server::answering(location.leak(), Duration::ZERO).await;
    let outbound = Outbound::new(Reach::Laptop);
    let reply = get(&outbound, &format!("http://127.0.0.1:{}/", outer.port), LONG).await.unwrap();
    assert_eq!((reply.status.as_u16(), inner.connections()), (302, 0));
}

#[tokio::test]
async fn of_a_long_body_only_its_beginning_is_read() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789", Duration::ZERO).await;
    let outbound = Outbound::new(Reach::Laptop);
    let url = format!("http://127.0.0.1:{}/", server.port);
    let reply = get(&outbound, &url, Bounds { bytes: 4, ..LONG }).await.unwrap();
    assert_eq!((&reply.body[..], reply.whole), (&b"0123"[..], false));
    assert_eq!(reply.json::<u64>().unwrap_err(), Failure::Malformed);
    let reply = get(&outbound, &url, Bounds { bytes: 10, ..LONG }).await.unwrap();
    assert_eq!((reply.json::<u64>().is_err(), reply.whole), (true, true));
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_stops_is_not_whole() {
    const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234";
    let outbound = Outbound::new(Reach::Laptop);
    for hold in [Duration::ZERO, Duration::from_mins(10)] {
        let server = Server::answering(HALF, hold).await;
        let url = format!("http://127.0.0.1:{}/", server.port);
        let reply = get(&outbound, &url, Bounds { time: Duration::from_millis(500), bytes: 100 }).await.unwrap();
        assert_eq!((&reply.body[..], reply.whole), (&b"01234"[..], false));
    }
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    let server = Server::answering("", Duration::from_mins(10)).await;
    let outbound = Outbound::new(Reach::Laptop);
    let url = format!("http://127.0.0.1:{}/", server.port);
    let short = Bounds { time: Duration::from_millis(200), bytes: 100 };
    assert_eq!(get(&outbound, &url, short).await.unwrap_err(), Failure::Timeout);
    let closing = Server::answering("", Duration::ZERO).await;
    let url = format!("http://127.0.0.1:{}/", closing.port);
    assert_eq!(get(&outbound, &url, LONG).await.unwrap_err(), Failure::Cut);
}

#[tokio::test]
async fn a_server_without_a_valid_certificate_is_not_spoken_to() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Duration::ZERO).await;
    let outbound = Outbound::new(Reach::Laptop);
    let url = format!("https://127.0.0.1:{}/", server.port);
    assert_eq!(get(&outbound, &url, LONG).await.unwrap_err(), Failure::Connect);
}
