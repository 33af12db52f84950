//! A program and its user, joined; the same for every door.

use std::pin::Pin;

use ambo_scheduler::{Attached, AttachedControl, AttachedInput, AttachedOutput, SchedulerError, TerminalSize};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

/// What a program ends with whose end could not be learned.
const EXIT_UNKNOWN: i32 = 255;

/// What a user sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserInput {
    /// Bytes for the program's standard input.
    Data(Bytes),
    /// The terminal has a new size.
    Resize(TerminalSize),
    /// There is no more input. The user is still there.
    End,
}

/// The user has gone, or takes nothing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// The user's side that is read.
pub trait FromUser: Send {
    /// What the user sends next; `None` once they are gone.
    fn next(&mut self) -> impl Future<Output = Option<UserInput>> + Send;
}

/// The user's side that is written.
pub trait ToUser: Send {
    /// Passes on what the program says.
    fn output(&mut self, output: AttachedOutput) -> impl Future<Output = Result<(), Gone>> + Send;
    /// Called while the program says nothing: the time to find out whether the user is still there. Cancel safe; ends only
    /// with the user.
    fn watch(&mut self) -> impl Future<Output = Gone> + Send;
    /// Passes on what went wrong on the platform's side.
    fn failure(&mut self, text: &str) -> impl Future<Output = Result<(), Gone>> + Send;
    /// The program has ended. The last that is said.
    fn exit(&mut self, code: i32) -> impl Future<Output = ()> + Send;
    /// Nothing more is said, to a user who has gone or is sent away.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

type Output = Pin<Box<dyn Stream<Item = Result<AttachedOutput, SchedulerError>> + Send>>;

/// Carries bytes both ways until the program has ended or the user has gone; then the other is ended too. `stop` sends the
/// user away. Not cancel safe: dropped, it drops the program's streams.
pub async fn carry(attached: Attached, to: &mut impl ToUser, from: &mut impl FromUser, stop: &CancellationToken) {
    let Attached { input, output, control } = attached;
    let ended = tokio::select! {
        ended = outgoing(output, to) => ended,
        // The end of input is no end of the session; this one returns when the user is gone.
        Gone = incoming(from, input, &*control) => Err(Gone),
        () = stop.cancelled() => Err(Gone),
    };
    if ended == Err(Gone) {
        if let Err(error) = control.terminate().await {
            tracing::warn!(error = %chain(&error), "cannot end a program whose user has left");
        }
        to.close().await;
        return;
    }
    let code = control.exit_code().await.unwrap_or_else(|error| {
        tracing::warn!(error = %chain(&error), "cannot learn how a program ended");
        EXIT_UNKNOWN
    });
    to.exit(code).await;
}

/// From the program to the user, until the program has said all.
async fn outgoing(mut output: Output, to: &mut impl ToUser) -> Result<(), Gone> {
    loop {
        let said = tokio::select! {
            said = output.next() => said,
            gone = to.watch() => return Err(gone),
        };
        match said {
            None => return Ok(()),
            Some(Ok(said)) => to.output(said).await?,
            Some(Err(error)) => {
                to.failure(&chain(&error)).await?;
                return Ok(());
            }
        }
    }
}

/// From the user to the program, until the user has gone.
async fn incoming(from: &mut impl FromUser, input: AttachedInput, control: &dyn AttachedControl) -> Gone {
    let mut input = Some(input);
    while let Some(sent) = from.next().await {
        match sent {
            UserInput::Data(data) => {
                // A program that reads no more is no reason to end: it may still have something to say.
                if let Some(open) = &mut input
                    && (open.write_all(&data).await.is_err() || open.flush().await.is_err())
                {
                    input = None;
                }
            }
            UserInput::Resize(size) => {
                if let Err(error) = control.resize(size).await {
                    tracing::debug!(error = %chain(&error), "a terminal was not resized");
                }
            }
            UserInput::End => {
                if let Some(mut open) = input.take() {
                    let _ = open.shutdown().await;
                }
            }
        }
    }
    Gone
}

/// An error with its causes, for people.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
