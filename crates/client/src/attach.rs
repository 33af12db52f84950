//! A session with a command that runs on the platform, over a WebSocket.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use http::{Method, StatusCode, header};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};

use crate::error::ClientError;
use crate::transport::Client;
use crate::types::{AttachInput, AttachOutput};

/// Longest frame of output, in bytes.
pub const FRAME_BYTES_MAX: usize = 4 << 20;
/// How often an idle session should be kept alive with [`InputSink::keep_alive`].
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// What comes from the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Bytes of its standard output; with a terminal, everything.
    Stdout(Bytes),
    /// Bytes of its standard error output.
    Stderr(Bytes),
    /// It ended, with this status. The last.
    Exit(i32),
}

type Socket = WebSocketStream<reqwest::Upgraded>;

/// The way to the command.
#[derive(Debug)]
pub struct InputSink {
    host: String,
    sink: SplitSink<Socket, Message>,
}

/// The way from the command.
#[derive(Debug)]
pub struct OutputStream {
    host: String,
    stream: SplitStream<Socket>,
}

impl Client {
    /// Opens the session at an `attach_url` that the server gave out.
    ///
    /// # Errors
    /// When the session is refused, taken already, or the connection fails.
    pub async fn attach(&self, attach_url: &str) -> Result<(InputSink, OutputStream), ClientError> {
        let url = self.as_http(attach_url)?;
        let key = generate_key();
        let request = self
            .request_given(Method::GET, &url)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key);
        let response = self.send(request).await?;
        let accepted = response.status() == StatusCode::SWITCHING_PROTOCOLS
            && response
                .headers()
                .get(header::SEC_WEBSOCKET_ACCEPT)
                .is_some_and(|accept| accept.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes());
        if !accepted {
            return Err(self.protocol_error("it does not open the session's WebSocket"));
        }
        let upgraded = response.upgrade().await.map_err(|source| self.transport_error(source))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX))
            .max_write_buffer_size(FRAME_BYTES_MAX);
        let socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await;
        let (sink, stream) = socket.split();
        let host = self.host().to_string();
        Ok((InputSink { host: host.clone(), sink }, OutputStream { host, stream }))
    }

    /// `ws` as `http`: the upgrade begins as an ordinary request, through the same connections and certificates.
    fn as_http(&self, attach_url: &str) -> Result<String, ClientError> {
        match attach_url.split_once("://") {
            Some(("ws" | "http", rest)) => Ok(format!("http://{rest}")),
            Some(("wss" | "https", rest)) => Ok(format!("https://{rest}")),
            _ => Err(self.protocol_error(format!("`{attach_url}` is no address of a session"))),
        }
    }
}

impl InputSink {
    /// Sends. Cancel safe only in that a dropped call may or may not have sent.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn send(&mut self, input: &AttachInput<'_>) -> Result<(), ClientError> {
        self.message(Message::Binary(input.encode().into())).await
    }

    /// Keeps the connection from being taken for dead by what lies between.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn keep_alive(&mut self) -> Result<(), ClientError> {
        self.message(Message::Ping(Bytes::new())).await
    }

    async fn message(&mut self, message: Message) -> Result<(), ClientError> {
        self.sink.send(message).await.map_err(|source| session_error(&self.host, source))
    }
}

impl OutputStream {
    /// What the command says next; `None` when the session ended without an exit status. Cancel safe.
    ///
    /// # Errors
    /// When the connection broke, or a frame makes no sense.
    pub async fn next(&mut self) -> Result<Option<Output>, ClientError> {
        loop {
            match self.stream.next().await {
                None | Some(Err(WebSocketError::ConnectionClosed | WebSocketError::AlreadyClosed)) => return Ok(None),
                Some(Err(source)) => return Err(session_error(&self.host, source)),
                Some(Ok(Message::Binary(frame))) => {
                    return owned(&frame)
                        .map(Some)
                        .map_err(|what| ClientError::Protocol { host: self.host.clone(), what });
                }
                Some(Ok(Message::Close(_))) => return Ok(None),
                Some(Ok(Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            }
        }
    }
}

/// The frame's content without copying it.
fn owned(frame: &Bytes) -> Result<Output, String> {
    match AttachOutput::decode(frame).map_err(|error| error.to_string())? {
        AttachOutput::Stdout(data) => Ok(Output::Stdout(frame.slice_ref(data))),
        AttachOutput::Stderr(data) => Ok(Output::Stderr(frame.slice_ref(data))),
        AttachOutput::Exit(status) => Ok(Output::Exit(status)),
    }
}

fn session_error(host: &str, source: WebSocketError) -> ClientError {
    ClientError::Session { host: host.to_owned(), source: Box::new(source) }
}
