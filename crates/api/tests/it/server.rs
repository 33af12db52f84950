//! The server around the router.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{DEADLINE, World};

async fn served() -> (World, std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(ambo_api::serve(listener, world.router.clone(), world.shutdown.clone(), DEADLINE));
    (world, address, server)
}

async fn exchange(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
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
