//! TLS in front of a server that has none, so that what is measured opens its connections as it does in the cloud.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// Where Linux distributions keep the certificates that they trust.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A port of 127.0.0.1 that speaks TLS and passes on to another one. Its thread lives as long as the process.
#[derive(Debug)]
pub struct TlsFront {
    addr: SocketAddr,
    bundle: PathBuf,
    _directory: TempDir,
}

impl TlsFront {
    /// Puts TLS in front of `server`, with a certificate that an authority of its own has signed.
    ///
    /// # Errors
    /// The operating system gives no socket, thread or file, or no certificate can be made.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let (config, authority) = certify().map_err(io::Error::other)?;
        let directory = TempDir::new()?;
        let bundle = directory.path().join("bundle.pem");
        let system = BUNDLES.iter().map(Path::new).find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        fs::write(&bundle, format!("{system}\n{authority}"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("tls".into()).spawn(move || {
            // Only a listener that fails ends it.
            let _ = runtime.block_on(serve(listener, TlsAcceptor::from(Arc::new(config)), server));
        })?;
        Ok(Self { addr, bundle, _directory: directory })
    }

    /// `https://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.addr)
    }

    /// The certificates that the machine trusts, and this front's authority, for `SSL_CERT_FILE`.
    #[must_use]
    pub fn bundle(&self) -> &Path {
        &self.bundle
    }
}

/// A server's configuration, and the certificate of the authority that stands behind it, as PEM.
fn certify() -> Result<(ServerConfig, String), Box<dyn std::error::Error + Send + Sync>> {
    let mut authority = CertificateParams::new([])?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate()?;
    let trusted = authority.self_signed(&authority_key)?.pem();
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    let certificate = certificate.signed_by(&key, &Issuer::new(authority, authority_key))?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder().with_no_client_auth();
    Ok((config.with_single_cert(vec![certificate.into()], key.into())?, trusted))
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, server: SocketAddr) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let tls = tls.clone();
        // Clients and servers leave as they like.
        tokio::spawn(async move { drop(pass_on(stream, tls, server).await) });
    }
}

async fn pass_on(stream: TcpStream, tls: TlsAcceptor, server: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (client, server) = tokio::join!(tls.accept(stream), TcpStream::connect(server));
    let (mut client, mut server) = (client?, server?);
    server.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}
