//! A server on a port of its own, and questions to it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ambo_dns::{DnsServer, DnsSettings, ListedRouter, Probe};
use ambo_model::Hostname;
use hickory_server::proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_server::proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a port is tried that another test may have over UDP.
const BINDS_MAX: usize = 20;

/// A running server of the zone `example.com`.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) routers: watch::Sender<Vec<ListedRouter>>,
    _stop: DropGuard,
}

impl Stage {
    pub(crate) async fn with(routers: Vec<ListedRouter>, probe: impl Probe) -> Self {
        let server = bind().await;
        let (address, stop) = (server.address(), CancellationToken::new());
        let (sender, listed) = watch::channel(routers);
        let settings = DnsSettings::new(Hostname::parse("example.com").unwrap());
        let stopped = stop.clone();
        tokio::spawn(async move { server.run(settings, listed, Arc::new(probe), stopped).await.unwrap() });
        let stage = Self { address, routers: sender, _stop: stop.drop_guard() };
        let count = stage.routers.borrow().len();
        stage.whole(count).await;
        stage
    }

    /// Asks over UDP.
    pub(crate) async fn ask(&self, name: &str, kind: RecordType) -> Message {
        self.udp(&question(name, kind)).await
    }

    pub(crate) async fn udp(&self, question: &Message) -> Message {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(self.address).await.unwrap();
        socket.send(&question.to_vec().unwrap()).await.unwrap();
        let mut bytes = [0; 4096];
        let length = within(socket.recv(&mut bytes)).await.unwrap();
        let answer = Message::from_vec(&bytes[..length]).unwrap();
        assert_eq!((answer.metadata.id, answer.metadata.message_type), (question.metadata.id, MessageType::Response));
        answer
    }

    pub(crate) async fn tcp(&self, question: &Message) -> Message {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let bytes = question.to_vec().unwrap();
        stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let length = within(stream.read_u16()).await.unwrap();
        let mut bytes = vec![0; usize::from(length)];
        within(stream.read_exact(&mut bytes)).await.unwrap();
        Message::from_vec(&bytes).unwrap()
    }

    /// Waits until so many routers' addresses are told, over TCP, where any number fits.
    pub(crate) async fn whole(&self, count: usize) {
        let question = question("shop.example.com.", RecordType::A);
        let since = Instant::now();
        while addresses(&self.tcp(&question).await).len() != count {
            assert!(since.elapsed() < PATIENCE, "the test's deadline has passed");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Asks for the addresses of an app until they are so; gives how long that took.
    pub(crate) async fn until(&self, is_so: impl Fn(&[IpAddr]) -> bool) -> Duration {
        let since = Instant::now();
        loop {
            let answer = self.ask("shop.example.com.", RecordType::A).await;
            if is_so(&addresses(&answer)) {
                return since.elapsed();
            }
            assert!(since.elapsed() < PATIENCE, "the test's deadline has passed: {answer}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn bind() -> DnsServer {
    for _ in 0..BINDS_MAX {
        if let Ok(server) = DnsServer::bind("127.0.0.1:0".parse().unwrap()).await {
            return server;
        }
    }
    panic!("no port is free over both UDP and TCP");
}

pub(crate) fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

pub(crate) fn with_edns(mut question: Message, bytes_max: u16, version: u8) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(bytes_max).set_version(version);
    question.set_edns(edns);
    question
}

/// The addresses of an answer, sorted: their order is another each time.
pub(crate) fn addresses(answer: &Message) -> Vec<IpAddr> {
    let address = |data: &RData| match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    };
    let mut addresses: Vec<IpAddr> = answer.answers.iter().filter_map(|record| address(&record.data)).collect();
    addresses.sort();
    addresses
}

pub(crate) fn router(number: u8, probe: SocketAddr) -> ListedRouter {
    ListedRouter {
        label: format!("n{number}"),
        probe,
        addresses: vec![public(number)],
        is_name_server: true,
        is_leaving: false,
    }
}

pub(crate) fn public(number: u8) -> IpAddr {
    IpAddr::from([203, 0, 113, number])
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("the test's deadline has passed")
}
