//! The protocol: questions over UDP and TCP, EDNS, answers that do not fit.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ambo_model::Hostname;
use async_trait::async_trait;
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::ProtoError;
use hickory_server::proto::op::{Edns, Header, HeaderCounts, Message, Metadata, OpCode, ResponseCode};
use hickory_server::proto::rr::DNSClass;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::health::{Told, check};
use crate::probe::Probe;
use crate::router::ListedRouter;
use crate::zone::{ADDRESS_TTL, Reply, Zone};

/// Longest answer over UDP, in bytes, whatever is asked for: longer ones may be cut into fragments, which get lost (DNS flag day
/// 2020).
const UDP_BYTES_MAX: u16 = 1232;
/// Longest answer over UDP to those who do not say how much they take (RFC 1035, section 4.2.1).
const UDP_BYTES_DEFAULT: u16 = 512;
/// How long a TCP connection may be idle.
const TCP_IDLE_MAX: Duration = Duration::from_secs(10);
/// Answers that wait on a TCP connection.
const TCP_ANSWERS_MAX: usize = 16;

/// What is served.
#[derive(Debug, Clone)]
pub struct DnsSettings {
    /// The zone.
    pub domain: Hostname,
    /// How long resolvers may keep routers' addresses, in whole seconds.
    pub ttl: Duration,
}

impl DnsSettings {
    /// This domain, with the default life of addresses.
    #[must_use]
    pub fn new(domain: Hostname) -> Self {
        Self { domain, ttl: ADDRESS_TTL }
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The address cannot be had.
    #[error("listen on {address} for DNS")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The domain is no name of DNS with room below it.
    #[error("serve the zone {domain}")]
    Zone {
        /// Which.
        domain: Hostname,
        /// Why.
        #[source]
        source: ProtoError,
    },
    /// A socket broke.
    #[error("answer questions: {0}")]
    Serve(String),
}

/// Sockets that questions come to.
#[derive(Debug)]
pub struct DnsServer {
    udp: UdpSocket,
    tcp: TcpListener,
    address: SocketAddr,
}

impl DnsServer {
    /// Listens there, over UDP and TCP.
    ///
    /// # Errors
    /// When somebody else does, or the port needs a right that we do not have.
    pub async fn bind(address: SocketAddr) -> Result<Self, DnsError> {
        let failed = |source| DnsError::Bind { address, source };
        let tcp = TcpListener::bind(address).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        let udp = UdpSocket::bind(address).await.map_err(failed)?;
        Ok(Self { udp, tcp, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers, with the addresses of those of the routers that are well, until it is stopped.
    ///
    /// # Errors
    /// When the domain is none, or a socket breaks.
    pub async fn run(
        self,
        settings: DnsSettings,
        routers: watch::Receiver<Vec<ListedRouter>>,
        probe: Arc<dyn Probe>,
        stop: CancellationToken,
    ) -> Result<(), DnsError> {
        let zone = Zone::new(&settings.domain, settings.ttl)
            .map_err(|source| DnsError::Zone { domain: settings.domain.clone(), source })?;
        let (sender, told) = watch::channel(Arc::default());
        let mut server = Server::new(Answering { zone, told, turn: AtomicUsize::new(0) });
        server.register_socket(self.udp);
        server.register_listener(self.tcp, TCP_IDLE_MAX, TCP_ANSWERS_MAX);
        let ended = tokio::select! {
            () = check(routers, probe, sender) => Ok(()),
            ended = server.block_until_done() => ended,
            () = stop.cancelled() => server.shutdown_gracefully().await,
        };
        ended.map_err(|error| DnsError::Serve(error.to_string()))
    }
}

/// Answers one question at a time from what is told at that moment.
struct Answering {
    zone: Zone,
    told: watch::Receiver<Arc<Told>>,
    turn: AtomicUsize,
}

impl Answering {
    fn reply(&self, request: &Request) -> Reply {
        let with = |code| Reply { code, ..Reply::default() };
        if request.version() > 0 {
            return with(ResponseCode::BADVERS);
        }
        if request.metadata.op_code != OpCode::Query {
            return with(ResponseCode::NotImp);
        }
        let Ok(info) = request.request_info() else { return with(ResponseCode::FormErr) };
        if !matches!(info.query.query_class(), DNSClass::IN | DNSClass::ANY) {
            return with(ResponseCode::Refused);
        }
        let told = self.told.borrow().clone();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        // As it was written, capitals and all: resolvers tell by them that the answer is to their question.
        self.zone.reply(info.query.original().name(), info.query.query_type(), &told, turn)
    }
}

#[async_trait]
impl RequestHandler for Answering {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut handle: R) -> ResponseInfo {
        let edns = request.edns.as_ref().map(|asked| edns(asked.max_payload()));
        let mut reply = self.reply(request);
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.authoritative = reply.is_authoritative;
        metadata.response_code = reply.code;
        if request.protocol() == Protocol::Udp && !fits(request, &mut reply, edns.as_ref()) {
            // Nothing rather than some: whoever asks comes again over TCP.
            metadata.truncation = true;
            (reply.answers, reply.authority, reply.additional) = Default::default();
        }
        let response = MessageResponseBuilder::new(&request.queries, edns.as_ref()).build(
            metadata,
            &reply.answers,
            &reply.authority,
            [],
            &reply.additional,
        );
        match handle.send_response(response).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, client = %request.src(), "an answer was not sent");
                Header { metadata, counts: HeaderCounts::default() }.into()
            }
        }
    }
}

/// What is said of ourselves to those who speak EDNS, who take so many bytes.
fn edns(bytes_max: u16) -> Edns {
    let mut edns = Edns::new();
    edns.set_version(0).set_max_payload(bytes_max.clamp(UDP_BYTES_DEFAULT, UDP_BYTES_MAX));
    edns
}

/// Whether the answer fits into a datagram; what is merely helpful is left out before that is denied.
fn fits(request: &Request, reply: &mut Reply, edns: Option<&Edns>) -> bool {
    let bytes_max = usize::from(edns.map_or(UDP_BYTES_DEFAULT, Edns::max_payload));
    if length(request, reply, edns) > bytes_max {
        reply.additional.clear();
    }
    length(request, reply, edns) <= bytes_max
}

/// How long the answer is, in bytes.
fn length(request: &Request, reply: &Reply, edns: Option<&Edns>) -> usize {
    let mut message = Message::response(request.metadata.id, OpCode::Query);
    message.add_queries(request.queries.queries().iter().map(|query| query.original().clone()));
    message.add_answers(reply.answers.iter().cloned());
    message.add_authorities(reply.authority.iter().cloned());
    message.add_additionals(reply.additional.iter().cloned());
    if let Some(edns) = edns {
        message.set_edns(edns.clone());
    }
    message.to_vec().map_or(usize::MAX, |bytes| bytes.len())
}
