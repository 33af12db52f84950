//! What is repeated when a connection breaks, and what is not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ambo_client::types::AppCreate;
use ambo_client::{Client, ClientError, Credentials};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A server that hangs up on the first requests and answers those behind them, and a client for it.
struct Flaky {
    client: Client,
    listener: TcpListener,
}

impl Flaky {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string().parse().unwrap();
        Self { client: Client::new(host, Credentials::None).unwrap(), listener }
    }

    /// Serves requests: the first `broken` get no answer. Never ends.
    async fn serve(
        listener: TcpListener,
        broken: usize,
        requests: &std::cell::Cell<usize>,
    ) -> std::convert::Infallible {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            requests.set(requests.get() + 1);
            if requests.get() > broken {
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]";
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_question_is_asked_again_when_the_connection_breaks() {
    let Flaky { client, listener } = Flaky::start().await;
    let requests = std::cell::Cell::new(0);
    let apps = tokio::select! {
        apps = client.app_list() => apps,
        never = Flaky::serve(listener, 2, &requests) => match never {},
    };
    assert_eq!(apps.unwrap(), []);
    assert_eq!(requests.get(), 3);
}

#[tokio::test]
async fn a_question_is_not_asked_for_ever() {
    let Flaky { client, listener } = Flaky::start().await;
    let requests = std::cell::Cell::new(0);
    let apps = tokio::select! {
        apps = client.app_list() => apps,
        never = Flaky::serve(listener, 99, &requests) => match never {},
    };
    assert!(matches!(apps, Err(ClientError::Transport { .. })));
    assert_eq!(requests.get(), 3);
}

#[tokio::test]
async fn a_change_is_never_sent_twice() {
    let shop = AppCreate { name: Some("shop".into()), ..AppCreate::default() };
    let Flaky { client, listener } = Flaky::start().await;
    let requests = std::cell::Cell::new(0);
    let app = tokio::select! {
        app = client.app_create(&shop) => app.map(|app| app.name),
        never = Flaky::serve(listener, 99, &requests) => match never {},
    };
    assert!(matches!(app, Err(ClientError::Transport { .. })));
    assert_eq!(requests.get(), 1);
}
