//! A program in an instance, attached to a user's terminal or pipe.

use std::pin::Pin;

use bytes::Bytes;
use futures::Stream;
use futures::future::BoxFuture;
use tokio::io::AsyncWrite;

use crate::port::SchedulerError;

/// Columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// What an attached program writes. With a terminal everything is `Stdout`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachedOutput {
    /// Standard output.
    Stdout(Bytes),
    /// Standard error.
    Stderr(Bytes),
}

/// The program's standard input. Shutting it down is the end of input.
pub type AttachedInput = Pin<Box<dyn AsyncWrite + Send>>;

/// A running program with its streams.
pub struct Attached {
    /// Standard input.
    pub input: AttachedInput,
    /// Standard output and error, until the program ends.
    pub output: Pin<Box<dyn Stream<Item = Result<AttachedOutput, SchedulerError>> + Send>>,
    /// Control of the program while its streams are used elsewhere. Dropping it ends the program, unless that is detached.
    pub control: Box<dyn AttachedControl>,
}

impl std::fmt::Debug for Attached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attached").finish_non_exhaustive()
    }
}

/// What can be done to an attached program besides reading and writing.
pub trait AttachedControl: Send + Sync {
    /// Tells the terminal its new size. Without a terminal nothing happens.
    fn resize(&self, size: TerminalSize) -> BoxFuture<'_, Result<(), SchedulerError>>;
    /// Waits for the end; gives the exit code (128 + signal when killed). Read `output` to its end first.
    fn exit_code(&self) -> BoxFuture<'_, Result<i32, SchedulerError>>;
    /// Ends the program: SIGTERM, then SIGKILL. For an exec this closes its streams.
    fn terminate(&self) -> BoxFuture<'_, Result<(), SchedulerError>>;
}
