//! Input to the remote command, its output back, until it ends.

use std::io::{self, Read as _};

use ambo_client::ClientError;
use ambo_client::attach::{InputSink, KEEP_ALIVE_INTERVAL, Output, OutputStream};
use ambo_client::types::AttachInput;
use bytes::Bytes;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::terminal::{self, RawMode};
use crate::exit::{Exit, Failure, Outcome};

/// Bytes that are read from standard input at a time.
const INPUT_BYTES: usize = 16 * 1024;
/// Pieces of input that wait to be sent.
const INPUT_PIECES_MAX: usize = 8;

/// A session with a remote command.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) input: InputSink,
    pub(super) output: OutputStream,
    /// Whether the local terminal is handed over.
    pub(super) terminal: bool,
}

impl Session {
    /// Runs until the command ends, and gives its exit code.
    pub(super) async fn run(self) -> Outcome<Exit> {
        let cannot = |error: &io::Error| Failure::io("cannot hand over the terminal", error);
        let raw = if self.terminal { Some(RawMode::enter().map_err(|error| cannot(&error))?) } else { None };
        let resized = signal(SignalKind::window_change()).map_err(|error| cannot(&error))?;
        let mut ended = signal(SignalKind::terminate()).map_err(|error| cannot(&error))?;
        let mut hung_up = signal(SignalKind::hangup()).map_err(|error| cannot(&error))?;
        // Both ways at once: a command that says much before it listens must not block on either.
        let outcome = tokio::select! {
            outcome = show(self.output) => outcome,
            never = pass_on(self.input, read_input(), resized, self.terminal) => match never {},
            _ = ended.recv() => Ok(Exit::Remote(143)),
            _ = hung_up.recv() => Ok(Exit::Remote(129)),
        };
        drop(raw);
        outcome
    }
}

/// Shows output until the command ends.
async fn show(mut output: OutputStream) -> Outcome<Exit> {
    loop {
        match output.next().await? {
            Some(Output::Stdout(data)) => write(&mut io::stdout().lock(), &data)?,
            Some(Output::Stderr(data)) => write(&mut io::stderr().lock(), &data)?,
            Some(Output::Exit(status)) => return Ok(Exit::Remote(exit_code(status))),
            None => return Err(Failure::with(Exit::Unavailable, "the session ended before the command did")),
        }
    }
}

fn write(to: &mut impl io::Write, data: &[u8]) -> Outcome {
    to.write_all(data).and_then(|()| to.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::quiet(Exit::Ok),
        _ => Failure::io("cannot write the output", &error),
    })
}

/// What a shell would say of such a status.
fn exit_code(status: i32) -> u8 {
    u8::try_from(status & 0xFF).unwrap_or(1)
}

/// Passes input on for ever. Once nothing can be sent any more, the output side knows how the command ended.
async fn pass_on(
    mut input: InputSink,
    mut pieces: mpsc::Receiver<Bytes>,
    mut resized: Signal,
    is_terminal: bool,
) -> std::convert::Infallible {
    let mut keep_alive = tokio::time::interval(KEEP_ALIVE_INTERVAL);
    let mut open = true;
    loop {
        let sent = tokio::select! {
            piece = pieces.recv(), if open => match piece {
                Some(piece) => input.send(&AttachInput::Data(&piece)).await,
                None => {
                    open = false;
                    input.send(&AttachInput::End).await
                }
            },
            Some(()) = resized.recv(), if is_terminal => resize(&mut input).await,
            _ = keep_alive.tick() => input.keep_alive().await,
        };
        if sent.is_err() {
            return std::future::pending().await;
        }
    }
}

async fn resize(input: &mut InputSink) -> Result<(), ClientError> {
    match terminal::size() {
        Some(size) => input.send(&AttachInput::Resize(size)).await,
        None => Ok(()),
    }
}

/// Reads standard input on a thread of its own, which the end of the program ends: a read cannot be called off.
fn read_input() -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(INPUT_PIECES_MAX);
    std::thread::spawn(move || {
        let mut piece = vec![0; INPUT_BYTES];
        loop {
            let read = io::stdin().lock().read(&mut piece);
            match read {
                Ok(0) => return,
                Ok(count) => {
                    if sender.blocking_send(Bytes::copy_from_slice(&piece[..count])).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    receiver
}
