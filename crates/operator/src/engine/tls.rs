//! Through TCP with TLS, both sides with certificates: what Docker's own client takes from `DOCKER_CERT_PATH`.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ambo_engine_docker::{Connector, EngineStream};
use async_trait::async_trait;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::ConnectError;

/// An engine that listens with TLS.
pub(super) struct Tls {
    /// `host:port`.
    authority: String,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl Tls {
    pub(super) fn to(authority: &str, directory: &Path) -> Result<Self, ConnectError> {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| ConnectError::ServerName(host))?;
        Ok(Self { authority: authority.to_owned(), name, config: Arc::new(config(directory)?) })
    }
}

fn config(directory: &Path) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    let authority = directory.join("ca.pem");
    for root in certificates(&authority)? {
        roots.add(root).map_err(|error| unusable(&authority, &error))?;
    }
    let (chain, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let certificates = certificates(&chain)?;
    let secret = PrivateKeyDer::from_pem_file(&key).map_err(|error| unusable(&key, &error))?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(directory, &error))?;
    let builder = builder.with_root_certificates(roots);
    builder.with_client_auth_cert(certificates, secret).map_err(|error| unusable(&chain, &error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read.map_err(|error| unusable(path, &error))? {
        none if none.is_empty() => Err(unusable(path, &"it holds no certificate")),
        some => Ok(some),
    }
}

fn unusable(path: &Path, reason: &dyn fmt::Display) -> ConnectError {
    ConnectError::Certificates { path: path.to_owned(), reason: reason.to_string() }
}

#[async_trait]
impl Connector for Tls {
    async fn connect(&self) -> io::Result<Box<dyn EngineStream>> {
        let away = |source: io::Error| {
            io::Error::new(source.kind(), format!("connect to tcp://{} with TLS: {source}", self.authority))
        };
        let stream = TcpStream::connect(&self.authority).await.map_err(away)?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(self.config.clone());
        let stream = connector.connect(self.name.clone(), stream).await.map_err(away)?;
        Ok(Box::new(stream))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use ambo_link::Authority;
    use ambo_model::Timestamp;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// An authority with a directory of certificates, as an operator of Docker's makes them.
    fn directory(authority: &Authority) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        let names = ["client.example.com".to_owned()];
        let issued = authority.issue(&names, true, Timestamp::now(), Duration::from_secs(60)).expect("issues");
        fs::write(directory.path().join("ca.pem"), authority.root()).expect("writes");
        fs::write(directory.path().join("cert.pem"), &issued.chain).expect("writes");
        fs::write(directory.path().join("key.pem"), issued.key.reveal()).expect("writes");
        directory
    }

    /// An engine that says a word to whom it believes.
    async fn engine(authority: &Authority) -> String {
        let names = ["localhost".to_owned()];
        let issued = authority.issue(&names, true, Timestamp::now(), Duration::from_secs(60)).expect("issues");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.root().as_bytes()).expect("a root")).expect("takes it");
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::new(ring::default_provider()),
        );
        let chain = CertificateDer::pem_slice_iter(issued.chain.as_bytes()).collect::<Result<Vec<_>, _>>();
        let key = PrivateKeyDer::from_pem_slice(issued.key.reveal().as_bytes()).expect("a key");
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(chain.expect("a chain"), key)
            .expect("takes them");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.write_all(b"docker").await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        format!("localhost:{port}")
    }

    #[tokio::test]
    async fn an_engine_and_its_client_believe_whom_their_authority_signed_and_nobody_else() {
        let (ours, theirs) =
            (Authority::generate("ours").expect("one"), Authority::generate("theirs").expect("another"));
        let (authority, certificates) = (engine(&ours).await, directory(&ours));
        let mut stream = Tls::to(&authority, certificates.path()).expect("reads").connect().await.expect("connects");
        let mut said = String::new();
        stream.read_to_string(&mut said).await.expect("reads");
        assert_eq!(said, "docker");
        let stranger = engine(&theirs).await;
        let refused = Tls::to(&stranger, certificates.path()).expect("reads").connect().await.map(drop);
        assert!(refused.expect_err("another authority").to_string().contains("with TLS"));
        // By name, and not by whatever is there.
        let elsewhere = authority.replace("localhost", "127.0.0.1");
        assert!(Tls::to(&elsewhere, certificates.path()).expect("reads").connect().await.is_err());
    }

    #[test]
    fn what_is_missing_is_named() {
        let directory = directory(&Authority::generate("ours").expect("an authority"));
        fs::remove_file(directory.path().join("key.pem")).expect("removes");
        let error = Tls::to("localhost:2376", directory.path()).expect_err("there is no key").to_string();
        assert!(error.contains("key.pem"), "{error}");
        fs::write(directory.path().join("ca.pem"), "none").expect("writes");
        let error = Tls::to("localhost:2376", directory.path()).expect_err("there is no root").to_string();
        assert!(error.contains("ca.pem") && error.contains("no certificate"), "{error}");
    }
}
