//! A server with one program that the test plays, and a client that sees TLS records.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use ambo_rendezvous::{Programs, RendezvousServer, RendezvousSettings, StartedProgram};
use ambo_scheduler::{Attached, AttachedControl, AttachedOutput, SchedulerError, TerminalSize};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use rustls::crypto::ring;
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

pub(crate) const SECRET: &str = "s3cret";
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// What the test does in the program's place.
pub(crate) struct Program {
    output: futures::channel::mpsc::Sender<Result<AttachedOutput, SchedulerError>>,
    pub(crate) input: DuplexStream,
    ended: watch::Receiver<bool>,
}

impl Program {
    pub(crate) async fn say(&mut self, text: impl Into<Vec<u8>>) {
        self.output.send(Ok(AttachedOutput::Stdout(Bytes::from(text.into())))).await.unwrap();
    }

    /// Ends it, from within.
    pub(crate) fn exit(self) {
        drop(self.output);
    }

    pub(crate) async fn is_ended(&mut self) {
        tokio::time::timeout(DEADLINE, self.ended.wait_for(|ended| *ended)).await.expect("it is ended").unwrap();
    }

    /// Its whole input.
    pub(crate) async fn read_all(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        tokio::time::timeout(DEADLINE, self.input.read_to_end(&mut all)).await.expect("input ends").unwrap();
        all
    }

    pub(crate) async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        tokio::time::timeout(DEADLINE, self.input.read_exact(&mut bytes)).await.expect("input comes").unwrap();
        bytes
    }
}

struct Control(watch::Sender<bool>);

impl AttachedControl for Control {
    fn resize(&self, _: TerminalSize) -> BoxFuture<'_, Result<(), SchedulerError>> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn exit_code(&self) -> BoxFuture<'_, Result<i32, SchedulerError>> {
        Box::pin(std::future::ready(Ok(0)))
    }
    fn terminate(&self) -> BoxFuture<'_, Result<(), SchedulerError>> {
        self.0.send_replace(true);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// One program behind one secret, good once.
struct OneProgram(Mutex<Option<Result<StartedProgram, String>>>);

#[async_trait]
impl Programs for OneProgram {
    async fn program_start(&self, secret: &str) -> Option<Result<StartedProgram, String>> {
        if secret != SECRET {
            return None;
        }
        self.0.lock().unwrap().take()
    }
}

pub(crate) struct Stage {
    address: SocketAddr,
    roots: RootCertStore,
    pub(crate) stop: CancellationToken,
    pub(crate) server: JoinHandle<()>,
}

impl Stage {
    pub(crate) async fn with_program(has_terminal: bool) -> (Self, Program) {
        Self::with_idle(has_terminal, Duration::from_secs(3600)).await
    }

    pub(crate) async fn with_idle(has_terminal: bool, idle_max: Duration) -> (Self, Program) {
        let (output, said) = futures::channel::mpsc::channel(16);
        let (input, reader) = tokio::io::duplex(1 << 20);
        let (control, ended) = watch::channel(false);
        let attached = Attached { input: Box::pin(input), output: said.boxed(), control: Box::new(Control(control)) };
        let started = Ok(StartedProgram { attached, has_terminal });
        (Self::start(started, idle_max).await, Program { output, input: reader, ended })
    }

    pub(crate) async fn start(program: Result<StartedProgram, String>, idle_max: Duration) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate: CertificateDer<'static> = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = RendezvousSettings { idle_max, ..RendezvousSettings::default() };
        let programs = Arc::new(OneProgram(Mutex::new(Some(program))));
        let server = RendezvousServer::new(listener, Arc::new(tls), programs, settings);
        let stop = CancellationToken::new();
        let server = tokio::spawn(server.run(stop.clone()));
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        Self { address, roots, stop, server }
    }

    pub(crate) async fn connect(&self, secret: &str) -> Client {
        self.connect_with(secret, &rustls::version::TLS13).await
    }

    /// Connects as Heroku's client does: to an address, without SNI.
    pub(crate) async fn connect_with(&self, secret: &str, version: &'static SupportedProtocolVersion) -> Client {
        let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        tls.enable_sni = false;
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let seen = Arc::default();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let tap = Tap { tcp, seen: Arc::clone(&seen) };
        let mut stream = TlsConnector::from(Arc::new(tls)).connect(name, tap).await.unwrap();
        stream.write_all(format!("{secret}\r\n").as_bytes()).await.unwrap();
        Client { stream, seen, said: Vec::new() }
    }
}

/// Remembers what came over the wire.
pub(crate) struct Tap {
    tcp: TcpStream,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Tap {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.tcp).poll_read(cx, buf);
        self.seen.lock().unwrap().extend_from_slice(&buf.filled()[before..]);
        polled
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, data)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// A client that has sent its secret.
pub(crate) struct Client {
    pub(crate) stream: TlsStream<Tap>,
    seen: Arc<Mutex<Vec<u8>>>,
    said: Vec<u8>,
}

/// Bytes that TLS 1.2 with AES-GCM adds to a record: an explicit nonce and a tag.
const RECORD_OVERHEAD: usize = 8 + 16;

impl Client {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads until the end says that all is read.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let reading = async {
            while !self.said.ends_with(end.as_bytes()) {
                assert_ne!(self.stream.read_buf(&mut self.said).await.unwrap(), 0, "closed after {:?}", self.text());
            }
        };
        tokio::time::timeout(DEADLINE, reading).await.expect("the end comes");
        self.text()
    }

    /// Reads to the end of the connection, which must be a clean one.
    pub(crate) async fn rest(&mut self) -> String {
        let reading = self.stream.read_to_end(&mut self.said);
        tokio::time::timeout(DEADLINE, reading).await.expect("the connection ends").expect("it ends cleanly");
        self.text()
    }

    fn text(&self) -> String {
        String::from_utf8(self.said.clone()).unwrap()
    }

    /// What was said, cut as the records were. For TLS 1.2, whose records say what they are.
    pub(crate) fn records(&self) -> Vec<String> {
        assert_eq!(self.stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_2));
        let seen = self.seen.lock().unwrap();
        let (mut wire, mut said, mut records) = (seen.as_slice(), self.said.as_slice(), Vec::new());
        while let [kind, _, _, high, low, rest @ ..] = wire {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            if *kind == 23 {
                let (record, after) = said.split_at(length - RECORD_OVERHEAD);
                records.push(String::from_utf8(record.to_vec()).unwrap());
                said = after;
            }
            wire = &rest[length..];
        }
        records
    }
}
