//! The server around the router.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::world::{DEADLINE, World};

async fn served() -> (World, std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    served_with(None).await
}

async fn served_with(tls: Option<Arc<ServerConfig>>) -> (World, std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(ambo_api::serve(
        listener,
        ambo_api::Clients::Direct,
        world.router.clone(),
        tls,
        world.shutdown.clone(),
        DEADLINE,
    ));
    (world, address, server)
}

async fn exchange(address: std::net::SocketAddr, request: &str) -> String {
    exchange_over(TcpStream::connect(address).await.unwrap(), request).await
}

async fn exchange_over(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    // A server that refuses early may reset the connection; what it said before counts.
    let _ = tokio::time::timeout(DEADLINE, read).await.expect("the connection ends");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn long_headers_are_taken_and_giant_ones_refused() {
    let (_world, address, _server) = served().await;
    let request = |length: usize| {
        format!("GET /ambo/info HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRequest-Id: {}\r\n\r\n", "a".repeat(length))
    };
    assert!(exchange(address, &request(16_000)).await.starts_with("HTTP/1.1 200"));
    assert!(exchange(address, &request(200_000)).await.starts_with("HTTP/1.1 431"));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(200));
    assert!(exchange(address, &many).await.starts_with("HTTP/1.1 431"));
    assert!(exchange(address, "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let (world, address, server) = served().await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    let first = b"GET /ambo/info HTTP/1.1\r\nHost: x\r\n\r\n";
    idle.write_all(first).await.unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    world.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(10), server).await.expect("the server ends").unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

/// A server's end that shows a certificate for `localhost`, and a client's that trusts it.
fn tls() -> (Arc<ServerConfig>, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let server = server.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let client = client.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    (Arc::new(server), Arc::new(client.with_no_client_auth()).into())
}

#[tokio::test]
async fn tls_and_plain_http_share_a_port_and_the_urls_given_out_are_of_the_same_kind() {
    let (config, connector) = tls();
    let (world, address, server) = served_with(Some(config)).await;
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    let request = format!(
        "POST /apps/photos/log-sessions HTTP/1.1\r\nHost: localhost:7080\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}",
        ann.token
    );
    assert!(exchange(address, &request).await.contains("\"http://localhost:7080/ambo/logs/"));
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    assert!(exchange_over(stream, &request).await.contains("\"https://localhost:7080/ambo/logs/"));

    // Neither one that says nothing nor half a handshake holds up the end.
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(&[0x16, 3, 1]).await.unwrap();
    world.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(10), server).await.expect("the server ends").unwrap();
}
