//! `/ambo/attach/{secret}`: a program's streams over a WebSocket.
//!
//! The program starts when somebody attaches, so that none of its output is lost, and ends when they leave.

use std::time::Duration;

use ambo_api_types::attach::ATTACH_DATA_BYTES_MAX;
use ambo_api_types::{AttachInput, AttachOutput};
use ambo_controller::attach::AttachTarget;
use ambo_controller::{ControllerError, chain};
use ambo_rendezvous::{FromUser, Gone, ToUser, UserInput, carry};
use ambo_scheduler::{AttachedOutput, TerminalSize};
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::time::{Interval, MissedTickBehavior};

use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;

/// Largest message from a client, in bytes.
const MESSAGE_BYTES_MAX: usize = 4 * ATTACH_DATA_BYTES_MAX;
/// How often a silent connection is tried, so that one whose client has vanished does not stay.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Longest time that a client may take in nothing.
const SEND_DURATION_MAX: Duration = Duration::from_secs(60);
/// Longest time that a client may take to close once it has been told the end.
const GOODBYE_DURATION_MAX: Duration = Duration::from_secs(5);
/// What a shell answers for a program that cannot be started.
const EXIT_CANNOT_START: i32 = 126;

pub(crate) async fn attach(
    State(api): State<Api>,
    Path(secret): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    // Before the session is taken: a request that is no WebSocket must not use it up.
    let upgrade = upgrade.map_err(|_| ApiError::bad_request("this address takes WebSockets only"))?;
    let gone = || ApiError::not_found("there is no such session: each can be attached to once, within a minute");
    let target = api.controller.attach.take(&secret).ok_or_else(gone)?;
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| session(api, target, socket)))
}

async fn session(api: Api, target: AttachTarget, socket: WebSocket) {
    let (sink, stream) = socket.split();
    let mut pings = tokio::time::interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut to, mut from) = (ToWebSocket { sink, pings }, FromWebSocket { stream });
    match api.controller.attach_start(target).await {
        Ok(attached) => carry(attached, &mut to, &mut from, &api.shutdown).await,
        Err(error) => to.refuse(&error).await,
    }
    // A connection that is closed with something unread is reset, and what was said last may never be heard.
    let unread = async { while let Some(Ok(_)) = from.stream.next().await {} };
    let _ = tokio::time::timeout(GOODBYE_DURATION_MAX, unread).await;
}

/// The user's end that is written.
struct ToWebSocket {
    sink: SplitSink<WebSocket, Message>,
    pings: Interval,
}

impl ToWebSocket {
    async fn send(&mut self, frame: &AttachOutput<'_>) -> Result<(), Gone> {
        self.message(Message::Binary(frame.encode().into())).await
    }

    async fn message(&mut self, message: Message) -> Result<(), Gone> {
        match tokio::time::timeout(SEND_DURATION_MAX, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    async fn refuse(&mut self, error: &ControllerError) {
        if self.failure(&chain(error)).await.is_ok() {
            self.exit(EXIT_CANNOT_START).await;
        }
    }
}

impl ToUser for ToWebSocket {
    async fn output(&mut self, output: AttachedOutput) -> Result<(), Gone> {
        let (data, is_stderr) = match output {
            AttachedOutput::Stdout(data) => (data, false),
            AttachedOutput::Stderr(data) => (data, true),
        };
        for piece in data.chunks(ATTACH_DATA_BYTES_MAX) {
            let frame = if is_stderr { AttachOutput::Stderr(piece) } else { AttachOutput::Stdout(piece) };
            self.send(&frame).await?;
        }
        Ok(())
    }

    async fn watch(&mut self) -> Gone {
        loop {
            self.pings.tick().await;
            if self.message(Message::Ping(Bytes::new())).await.is_err() {
                return Gone;
            }
        }
    }

    async fn failure(&mut self, text: &str) -> Result<(), Gone> {
        self.send(&AttachOutput::Stderr(format!("{text}\r\n").as_bytes())).await
    }

    async fn exit(&mut self, code: i32) {
        if self.send(&AttachOutput::Exit(code)).await.is_ok() {
            self.close().await;
        }
    }

    async fn close(&mut self) {
        let _ = tokio::time::timeout(SEND_DURATION_MAX, self.sink.close()).await;
    }
}

/// The user's end that is read.
struct FromWebSocket {
    stream: SplitStream<WebSocket>,
}

impl FromUser for FromWebSocket {
    async fn next(&mut self) -> Option<UserInput> {
        loop {
            let frame = match self.stream.next().await? {
                Ok(Message::Binary(frame)) => frame,
                Ok(Message::Text(_) | Message::Ping(_) | Message::Pong(_)) => continue,
                Ok(Message::Close(_)) | Err(_) => return None,
            };
            return match AttachInput::decode(&frame) {
                Ok(AttachInput::Data(data)) => Some(UserInput::Data(frame.slice_ref(data))),
                Ok(AttachInput::Resize(size)) => {
                    Some(UserInput::Resize(TerminalSize { columns: size.columns.max(1), rows: size.rows.max(1) }))
                }
                Ok(AttachInput::End) => Some(UserInput::End),
                Err(error) => {
                    tracing::debug!(%error, "a client sent nonsense");
                    None
                }
            };
        }
    }
}
