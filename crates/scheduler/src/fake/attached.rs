//! A script whose streams somebody holds: it goes on as its output is read.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::InstanceId;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, DuplexStream};

use super::Shared;
use super::script::{Script, Step};
use super::state::Kind;
use crate::attached::{Attached, AttachedControl, AttachedOutput, TerminalSize};
use crate::port::SchedulerError;

/// Input that is written and not read yet, in bytes.
const INPUT_BYTES_MAX: usize = 64 * 1024;
/// How often a waiting script looks whether it has been ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// SIGTERM's exit code.
const TERMINATED: i32 = 128 + 15;
/// SIGKILL's exit code.
const KILLED: i32 = 128 + 9;

/// Attaches to a script that runs in `instance`, or as `instance` when that is a one-off.
pub(super) fn attach(
    shared: &Arc<Shared>,
    instance: InstanceId,
    script: Script,
    size: Option<TerminalSize>,
) -> Attached {
    let (input, reader) = tokio::io::duplex(INPUT_BYTES_MAX);
    let program =
        Arc::new(Program { shared: Arc::clone(shared), instance, size: Mutex::new(size), exit_code: Mutex::new(None) });
    let player = Player { program: Arc::clone(&program), steps: script.0.into(), input: reader };
    let output =
        stream::unfold(player, |mut player| async move { player.next().await.map(|output| (Ok(output), player)) });
    Attached { input: Box::pin(input), output: output.boxed(), control: Box::new(FakeControl { program }) }
}

struct Program {
    shared: Arc<Shared>,
    instance: InstanceId,
    size: Mutex<Option<TerminalSize>>,
    exit_code: Mutex<Option<i32>>,
}

impl Program {
    fn end(&self, exit_code: i32) {
        self.exit_code.lock().get_or_insert(exit_code);
        let mut state = self.shared.state();
        if state.instances.get(&self.instance).is_some_and(|instance| instance.kind == Kind::AttachedRun) {
            state.remove(&self.instance);
        }
    }

    /// Whether somebody has ended it, or what it runs in.
    fn look(&self) -> Option<i32> {
        let gone = !self.shared.state().instances.get(&self.instance).is_some_and(super::state::FakeInstance::is_up);
        if gone {
            self.exit_code.lock().get_or_insert(KILLED);
        }
        *self.exit_code.lock()
    }
}

struct Player {
    program: Arc<Program>,
    steps: VecDeque<Step>,
    input: DuplexStream,
}

impl Player {
    /// The next piece of output; plays what lies before it.
    async fn next(&mut self) -> Option<AttachedOutput> {
        let mut exit_code = 0;
        while self.program.look().is_none() {
            match self.steps.pop_front() {
                None => break,
                Some(Step::Echo { text, to_stderr }) => return Some(output(format!("{text}\n"), to_stderr)),
                Some(Step::Sleep(duration)) => self.sleep(duration).await,
                Some(Step::Exit(code)) => {
                    exit_code = code;
                    break;
                }
                Some(Step::Cat) => {
                    let mut buffer = vec![0; INPUT_BYTES_MAX];
                    let count = self.wait(|input| Box::pin(input.read(&mut buffer))).await;
                    if count > 0 {
                        buffer.truncate(count);
                        self.steps.push_front(Step::Cat);
                        return Some(AttachedOutput::Stdout(Bytes::from(buffer)));
                    }
                }
                Some(Step::Read) => {
                    let mut byte = [0; 1];
                    while self.wait(|input| Box::pin(input.read(&mut byte))).await > 0 && byte != *b"\n" {}
                }
                Some(Step::TerminalSize) => {
                    if let Some(size) = *self.program.size.lock() {
                        return Some(output(format!("{} {}\n", size.rows, size.columns), false));
                    }
                }
            }
        }
        self.program.end(exit_code);
        None
    }

    async fn sleep(&self, duration: Option<Duration>) {
        let mut left = duration.unwrap_or(Duration::MAX);
        while !left.is_zero() && self.program.look().is_none() {
            let step = left.min(LOOK_INTERVAL);
            tokio::time::sleep(step).await;
            left -= step;
        }
    }

    /// Waits for input until there is some or the program has been ended; an end of either kind counts nothing.
    async fn wait<'a, F>(&'a mut self, read: F) -> usize
    where
        F: FnOnce(&'a mut DuplexStream) -> BoxFuture<'a, std::io::Result<usize>>,
    {
        let program = &self.program;
        let ended = async {
            while program.look().is_none() {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        tokio::select! {
            biased;
            count = read(&mut self.input) => count.unwrap_or(0),
            () = ended => 0,
        }
    }
}

fn output(text: String, to_stderr: bool) -> AttachedOutput {
    let text = Bytes::from(text);
    if to_stderr { AttachedOutput::Stderr(text) } else { AttachedOutput::Stdout(text) }
}

struct FakeControl {
    program: Arc<Program>,
}

impl AttachedControl for FakeControl {
    fn resize(&self, size: TerminalSize) -> BoxFuture<'_, Result<(), SchedulerError>> {
        if let Some(current) = self.program.size.lock().as_mut() {
            *current = size;
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn exit_code(&self) -> BoxFuture<'_, Result<i32, SchedulerError>> {
        Box::pin(async {
            loop {
                if let Some(code) = self.program.look() {
                    return Ok(code);
                }
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        })
    }

    fn terminate(&self) -> BoxFuture<'_, Result<(), SchedulerError>> {
        self.program.end(TERMINATED);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Drop for FakeControl {
    fn drop(&mut self) {
        self.program.end(TERMINATED);
    }
}
