//! Asking one instance.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use ambo_model::{HealthCheck, Instance, Probe, Timestamp};
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;

use crate::ports::{Connection, DialError, Dialer};

/// Why an instance did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The second half of a sentence about the instance, for people.
    Instance(String),
    /// It could not be asked; that says nothing of it.
    Unasked(String),
}

impl Failure {
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Instance(text) | Self::Unasked(text) => text,
        }
    }
}

/// Asks an instance once.
///
/// # Errors
/// With what is wrong with it.
pub(crate) async fn probe(
    dialer: &dyn Dialer,
    instance: &Instance,
    check: &HealthCheck,
    now: Timestamp,
) -> Result<(), Failure> {
    if !instance.is_running() {
        return Err(Failure::Instance("is not running".to_owned()));
    }
    let timeout = Duration::from_secs(u64::from(check.timeout_seconds));
    match &check.probe {
        Probe::Uptime { seconds } => uptime(instance, *seconds, now),
        Probe::Tcp => within(timeout, tcp(dialer, endpoint(instance)?)).await.map(drop),
        Probe::Http { path } => within(timeout, http(dialer, endpoint(instance)?, path)).await,
    }
}

fn endpoint(instance: &Instance) -> Result<SocketAddr, Failure> {
    instance.endpoint.ok_or_else(|| Failure::Instance("has no address yet".to_owned()))
}

fn uptime(instance: &Instance, seconds: u32, now: Timestamp) -> Result<(), Failure> {
    let up = instance.started_at.map_or(0, |started| now.as_second() - started.as_second());
    if up >= i64::from(seconds) {
        Ok(())
    } else {
        Err(Failure::Instance(format!("has not been up for {seconds} s yet")))
    }
}

async fn within<T>(timeout: Duration, asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = || Failure::Instance(format!("did not answer its health check within {} s", timeout.as_secs()));
    tokio::time::timeout(timeout, asked).await.unwrap_or_else(|_| Err(late()))
}

async fn tcp(dialer: &dyn Dialer, endpoint: SocketAddr) -> Result<Box<dyn Connection>, Failure> {
    dialer.dial(endpoint).await.map_err(|error| match error {
        DialError::Instance(error) => {
            Failure::Instance(format!("does not listen on $PORT {} ({error})", endpoint.port()))
        }
        DialError::Way(error) => Failure::Unasked(format!("could not be asked ({error})")),
    })
}

async fn http(dialer: &dyn Dialer, endpoint: SocketAddr, path: &str) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Instance(format!("did not answer GET {path} ({error})"));
    let stream = tcp(dialer, endpoint).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.map_err(|e| failed(&e))?;
    let request = hyper::Request::get(path)
        .header(hyper::header::HOST, endpoint.to_string())
        .header(hyper::header::USER_AGENT, "ambo-health")
        .body(Empty::new())
        .map_err(|error| failed(&error))?;
    // The connection is driven no further than to the head: the body is of no interest, and may never end.
    let (mut answer, mut connection) = (pin!(sender.send_request(request)), pin!(connection));
    let answer = tokio::select! {
        biased;
        answer = answer.as_mut() => answer,
        _ = connection.as_mut() => answer.await,
    };
    let status = answer.map_err(|error| failed(&error))?.status();
    if status.as_u16() < 400 { Ok(()) } else { Err(Failure::Instance(format!("answered GET {path} with {status}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::DirectDialer;
    use ambo_model::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn instance(endpoint: Option<SocketAddr>) -> Instance {
        Instance { endpoint, ..crate::board::tests::instance() }
    }

    fn check(probe: Probe) -> HealthCheck {
        HealthCheck { probe, ..HealthCheck::default_for(&ProcessType::web()) }
    }

    async fn asked(instance: &Instance, check: &HealthCheck, now: Timestamp) -> Result<(), String> {
        probe(&DirectDialer, instance, check, now).await.map_err(Failure::into_text)
    }

    async fn answering(status: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::task::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream
                .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes())
                .await;
        });
        address
    }

    #[tokio::test]
    async fn http_is_healthy_below_400_only() {
        let path = || Probe::Http { path: "/up".into() };
        let good = answering("204 No Content").await;
        assert_eq!(asked(&instance(Some(good)), &check(path()), Timestamp::UNIX_EPOCH).await, Ok(()));
        let bad = answering("500 Oops").await;
        let error = asked(&instance(Some(bad)), &check(path()), Timestamp::UNIX_EPOCH).await.unwrap_err();
        assert!(error.contains("answered GET /up with 500"), "{error}");
    }

    #[tokio::test]
    async fn an_answer_whose_body_never_ends_is_an_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::task::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nand so on").await;
            std::future::pending::<()>().await;
        });
        let path = Probe::Http { path: "/".into() };
        assert_eq!(asked(&instance(Some(address)), &check(path), Timestamp::UNIX_EPOCH).await, Ok(()));
    }

    #[tokio::test]
    async fn a_closed_port_is_named() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = asked(&instance(Some(closed)), &check(Probe::Tcp), Timestamp::UNIX_EPOCH).await.unwrap_err();
        assert!(error.contains(&format!("does not listen on $PORT {}", closed.port())), "{error}");
    }

    #[tokio::test]
    async fn an_interrupted_way_says_nothing_of_the_instance() {
        struct Interrupted;
        #[async_trait::async_trait]
        impl Dialer for Interrupted {
            async fn dial(&self, _: SocketAddr) -> Result<Box<dyn Connection>, DialError> {
                Err(DialError::Way(std::io::ErrorKind::ConnectionRefused.into()))
            }
        }
        let instance = instance(Some(([127, 0, 0, 1], 1).into()));
        let failure = probe(&Interrupted, &instance, &check(Probe::Tcp), Timestamp::UNIX_EPOCH).await.unwrap_err();
        assert!(matches!(failure, Failure::Unasked(_)), "{failure:?}");
    }

    #[tokio::test]
    async fn a_worker_is_healthy_once_it_has_stayed_up() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let check = check(Probe::Uptime { seconds: 3 });
        assert!(asked(&instance(None), &check, at(2)).await.is_err());
        assert!(asked(&instance(None), &check, at(3)).await.is_ok());
    }
}
