//! A way to an object store on which some requests can be stopped.

use std::sync::Arc;

use ambo_blobs::{BlobSettings, Bucket, Variables};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::servers::ObjectServer;

/// Passes bytes on. Gone with the value, and every connection with it.
pub(crate) struct Relay {
    address: String,
    state: Arc<Mutex<State>>,
    _passing: JoinSet<()>,
}

#[derive(Default)]
struct State {
    /// What the address of a write holds that is stopped.
    stopped: Option<&'static str>,
    held: usize,
}

impl Relay {
    /// A way to a server.
    pub(crate) async fn to(server: &ObjectServer) -> Self {
        let server = address_of(server).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::<Mutex<State>>::default();
        let mut passing = JoinSet::new();
        let shared = state.clone();
        passing.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                connections.spawn(pass(client, server.clone(), shared.clone()));
            }
        });
        Self { address, state, _passing: passing }
    }

    /// The server's bucket, by this way.
    pub(crate) fn bucket(&self, server: &ObjectServer) -> Bucket {
        let settings = server.settings.replace(address_of(server), &self.address);
        let settings = BlobSettings::parse(&settings).unwrap();
        Bucket::open(&settings, &Variables::from_pairs(server.variables.clone())).unwrap()
    }

    /// From now on writes of addresses that hold `part` do not arrive, nor what comes after them.
    pub(crate) fn hold(&self, part: &'static str) {
        self.state.lock().stopped = Some(part);
    }

    /// How many did not arrive.
    pub(crate) fn held(&self) -> usize {
        self.state.lock().held
    }
}

fn address_of(server: &ObjectServer) -> &str {
    let (_, rest) = server.settings.split_once("endpoint=http://").unwrap();
    rest.split('&').next().unwrap()
}

async fn pass(client: TcpStream, server: String, state: Arc<Mutex<State>>) {
    let server = TcpStream::connect(server).await.unwrap();
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let up = async {
        let mut piece = vec![0; 64 << 10];
        loop {
            let count = from_client.read(&mut piece).await.unwrap_or(0);
            if count == 0 {
                return;
            }
            if state.lock().stops(&piece[..count]) {
                std::future::pending::<()>().await;
            }
            to_server.write_all(&piece[..count]).await.unwrap();
        }
    };
    let down = async {
        // A connection that ends is as good as any other end of it.
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
    };
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

impl State {
    /// Requests on a connection come one at a time, so each begins a piece.
    fn stops(&mut self, piece: &[u8]) -> bool {
        let line = piece.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let stops = line.starts_with("PUT ") && self.stopped.is_some_and(|part| line.contains(part));
        self.held += usize::from(stops);
        stops
    }
}
