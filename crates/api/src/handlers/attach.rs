//! `/ambo/attach/{secret}`: a program's streams over a WebSocket.
//!
//! The program starts when somebody attaches, so that none of its output is lost, and ends when they leave.

use std::time::Duration;

use ambo_api_types::attach::ATTACH_DATA_BYTES_MAX;
use ambo_api_types::{AttachInput, AttachOutput};
use ambo_controller::attach::AttachTarget;
use ambo_controller::{ControllerError, chain};
use ambo_scheduler::{Attached, AttachedControl, AttachedInput, AttachedOutput, TerminalSize};
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;

use crate::error::ApiError;
use crate::path::Path;
use crate::state::Api;

/// Largest message from a client, in bytes.
const MESSAGE_BYTES_MAX: usize = 4 * ATTACH_DATA_BYTES_MAX;
/// How often a silent connection is tried, so that one whose client has vanished does not stay.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Longest time that a client may take in nothing.
const SEND_DURATION_MAX: Duration = Duration::from_secs(60);
/// What a shell answers for a program that cannot be started.
const EXIT_CANNOT_START: i32 = 126;
/// What a program ends with whose end could not be learned.
const EXIT_UNKNOWN: i32 = 255;

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
    let (mut sink, stream) = socket.split();
    let started = match target {
        AttachTarget::Run(spec) => api.controller.run_start(*spec).await,
        AttachTarget::Exec(instance, exec) => api.controller.exec_start(&instance, exec).await,
    };
    match started {
        Ok(attached) => joined(&api, attached, sink, stream).await,
        Err(error) => refused(&mut sink, &error).await,
    }
}

async fn refused(sink: &mut SplitSink<WebSocket, Message>, error: &ControllerError) {
    let text = format!("{}\r\n", chain(error));
    for frame in [AttachOutput::Stderr(text.as_bytes()), AttachOutput::Exit(EXIT_CANNOT_START)] {
        if send(sink, &frame).await.is_err() {
            return;
        }
    }
    let _ = sink.close().await;
}

/// The client has gone, or takes nothing in.
struct Gone;

async fn send(sink: &mut SplitSink<WebSocket, Message>, frame: &AttachOutput<'_>) -> Result<(), Gone> {
    message(sink, Message::Binary(frame.encode().into())).await
}

async fn message(sink: &mut SplitSink<WebSocket, Message>, message: Message) -> Result<(), Gone> {
    match tokio::time::timeout(SEND_DURATION_MAX, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Gone),
    }
}

async fn joined(
    api: &Api,
    attached: Attached,
    mut sink: SplitSink<WebSocket, Message>,
    stream: SplitStream<WebSocket>,
) {
    let Attached { input, output, control } = attached;
    let ended = tokio::select! {
        ended = outgoing(output, &mut sink) => ended,
        // The client's end of input is no end of the session; this one returns when the client is gone.
        Gone = incoming(stream, input, &*control) => Err(Gone),
        () = api.shutdown.cancelled() => Err(Gone),
    };
    if ended.is_err() {
        if let Err(error) = control.terminate().await {
            tracing::warn!(error = %chain(&error), "cannot end a program whose user has left");
        }
        let _ = tokio::time::timeout(SEND_DURATION_MAX, sink.close()).await;
        return;
    }
    let code = control.exit_code().await.unwrap_or_else(|error| {
        tracing::warn!(error = %chain(&error), "cannot learn how a program ended");
        EXIT_UNKNOWN
    });
    if send(&mut sink, &AttachOutput::Exit(code)).await.is_ok() {
        let _ = tokio::time::timeout(SEND_DURATION_MAX, sink.close()).await;
    }
}

/// From the program to the client, until the program has said all.
async fn outgoing(
    mut output: std::pin::Pin<
        Box<dyn futures::Stream<Item = Result<AttachedOutput, ambo_scheduler::SchedulerError>> + Send>,
    >,
    sink: &mut SplitSink<WebSocket, Message>,
) -> Result<(), Gone> {
    let mut pings = tokio::time::interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let said = tokio::select! {
            said = output.next() => said,
            _ = pings.tick() => {
                message(sink, Message::Ping(Bytes::new())).await?;
                continue;
            }
        };
        let (data, is_stderr) = match said {
            None => return Ok(()),
            Some(Ok(AttachedOutput::Stdout(data))) => (data, false),
            Some(Ok(AttachedOutput::Stderr(data))) => (data, true),
            Some(Err(error)) => {
                let text = format!("{}\r\n", chain(&error));
                send(sink, &AttachOutput::Stderr(text.as_bytes())).await?;
                return Ok(());
            }
        };
        for piece in data.chunks(ATTACH_DATA_BYTES_MAX) {
            let frame = if is_stderr { AttachOutput::Stderr(piece) } else { AttachOutput::Stdout(piece) };
            send(sink, &frame).await?;
        }
    }
}

/// From the client to the program, until the client has gone.
async fn incoming(mut stream: SplitStream<WebSocket>, input: AttachedInput, control: &dyn AttachedControl) -> Gone {
    let mut input = Some(input);
    while let Some(Ok(message)) = stream.next().await {
        let frame = match message {
            Message::Binary(frame) => frame,
            Message::Close(_) => return Gone,
            Message::Text(_) | Message::Ping(_) | Message::Pong(_) => continue,
        };
        match AttachInput::decode(&frame) {
            Ok(AttachInput::Data(data)) => {
                // A program that reads no more is no reason to end: it may still have something to say.
                if let Some(open) = &mut input
                    && (open.write_all(data).await.is_err() || open.flush().await.is_err())
                {
                    input = None;
                }
            }
            Ok(AttachInput::Resize(size)) => {
                let size = TerminalSize { columns: size.columns.max(1), rows: size.rows.max(1) };
                if let Err(error) = control.resize(size).await {
                    tracing::debug!(error = %chain(&error), "a terminal was not resized");
                }
            }
            Ok(AttachInput::End) => {
                if let Some(mut open) = input.take() {
                    let _ = open.shutdown().await;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "a client sent nonsense");
                return Gone;
            }
        }
    }
    Gone
}
