//! Streams of a program whose user is attached, and exec.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::exec::{CreateExecOptions, ResizeExecOptions};
use ambo_engine_docker::{EngineError, RawStream};
use ambo_model::{Command, InstanceId};
use ambo_scheduler::{
    Attached, AttachedControl, AttachedInput, AttachedOutput, ExecSpec, SchedulerError, TerminalSize,
};
use bytes::{Buf, Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use tokio::io::{AsyncWrite, WriteHalf};
use tokio_util::codec::{BytesCodec, Decoder, FramedRead};
use tokio_util::sync::CancellationToken;

use crate::driver::Driver;
use crate::failure::{failed, failed_with};
use crate::shell::sized;

/// Output that is read at once, in bytes.
const READ_BYTES: usize = 32 * 1024;
/// The end of input on a terminal.
const CTRL_D: &[u8] = &[4];
/// What a program that is ended with SIGTERM exits with.
const TERMINATED: i32 = 128 + 15;
/// What a program that is killed with its instance exits with.
const KILLED: i32 = 128 + 9;
/// First and longest wait between two looks whether a program has ended.
const LOOK_INTERVALS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// Runs a program in an instance.
pub(crate) async fn exec(
    driver: &Arc<Driver>,
    instance: &InstanceId,
    exec: ExecSpec,
) -> Result<Attached, SchedulerError> {
    driver.container(instance).await?;
    let docker = driver.docker().await?;
    let terminal = exec.terminal.is_some();
    let options = CreateExecOptions {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(terminal),
        env: Some(exec.env.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        cmd: Some(words(exec.command, exec.terminal)?),
        ..CreateExecOptions::<String>::default()
    };
    let created = docker.create_exec(instance.as_str(), options).await.map_err(EngineError::from);
    let id = match created {
        Ok(created) => created.id,
        // It does not run.
        Err(EngineError::Conflict { .. }) => return Err(SchedulerError::InstanceGone(instance.clone())),
        Err(error) => return Err(failed_with("run a program in instance", instance)(error)),
    };
    let start = serde_json::json!({ "Detach": false, "Tty": terminal });
    let stream = driver.engine.hijack(&format!("/exec/{id}/start"), Some(&start)).await;
    let stream = stream.map_err(failed_with("run a program in instance", instance))?;
    let ended = CancellationToken::new();
    let (input, output) = streams(stream, terminal);
    let output = output.take_until(ended.clone().cancelled_owned()).boxed();
    let control = ExecControl { docker, id, terminal, ended };
    if let Some(size) = exec.terminal {
        control.resize(size).await?;
    }
    Ok(Attached { input, output, control: Box::new(control) })
}

fn words(command: Command, terminal: Option<TerminalSize>) -> Result<Vec<String>, SchedulerError> {
    let refused = |reason: &str| SchedulerError::Start { what: "exec".to_owned(), reason: reason.to_owned() };
    match command {
        Command::Shell(line) => Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), sized(line, terminal)]),
        Command::Argv(words) if words.is_empty() => Err(refused("the command is empty")),
        Command::Argv(words) => Ok(words),
        Command::Image => Err(refused("name a command to run in the instance")),
    }
}

struct ExecControl {
    docker: Docker,
    id: String,
    terminal: bool,
    ended: CancellationToken,
}

impl AttachedControl for ExecControl {
    fn resize(&self, size: TerminalSize) -> BoxFuture<'_, Result<(), SchedulerError>> {
        Box::pin(async move {
            if !self.terminal {
                return Ok(());
            }
            let options = ResizeExecOptions { height: size.rows, width: size.columns };
            resized(self.docker.resize_exec(&self.id, options).await.map_err(EngineError::from))
        })
    }

    fn exit_code(&self) -> BoxFuture<'_, Result<i32, SchedulerError>> {
        Box::pin(async {
            let (mut interval, interval_max) = LOOK_INTERVALS;
            loop {
                if self.ended.is_cancelled() {
                    return Ok(TERMINATED);
                }
                match self.docker.inspect_exec(&self.id).await.map_err(EngineError::from) {
                    Ok(exec) if exec.running == Some(false) => return Ok(exit_code(exec.exit_code.unwrap_or(0))),
                    Ok(_) => {}
                    Err(error) if error.is_not_found() => return Ok(KILLED),
                    Err(error) => return Err(failed("ask how a program has ended")(error)),
                }
                tokio::time::sleep(interval).await;
                interval = (interval * 2).min(interval_max);
            }
        })
    }

    fn terminate(&self) -> BoxFuture<'_, Result<(), SchedulerError>> {
        self.ended.cancel();
        Box::pin(std::future::ready(Ok(())))
    }
}

impl Drop for ExecControl {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

pub(crate) fn exit_code(code: i64) -> i32 {
    i32::try_from(code).unwrap_or(KILLED)
}

/// A terminal whose program has ended cannot be resized, which is no error.
pub(crate) fn resized(result: Result<(), EngineError>) -> Result<(), SchedulerError> {
    match result {
        Err(error) if error.is_down() => Err(failed("resize a terminal")(error)),
        Err(error) => {
            tracing::debug!(%error, "a terminal was not resized");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// A taken-over connection as the program's streams.
pub(crate) fn streams(
    stream: RawStream,
    terminal: bool,
) -> (AttachedInput, BoxStream<'static, Result<AttachedOutput, SchedulerError>>) {
    let (reader, writer) = tokio::io::split(stream);
    let lost = |error: io::Error| failed("read a program's output")(EngineError::down(error));
    if terminal {
        let output = FramedRead::with_capacity(reader, BytesCodec::new(), READ_BYTES);
        let output = output.map_ok(|bytes| AttachedOutput::Stdout(bytes.freeze())).map_err(lost);
        return (Box::pin(TerminalInput { writer, has_ended: false }), output.boxed());
    }
    let output = FramedRead::with_capacity(reader, OutputDecoder::default(), READ_BYTES).map_err(lost);
    (Box::pin(writer), output.boxed())
}

/// Input of a terminal. Its end is a control character: a closed connection would take the output with it.
struct TerminalInput {
    writer: WriteHalf<RawStream>,
    has_ended: bool,
}

impl AsyncWrite for TerminalInput {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.has_ended {
            ready!(Pin::new(&mut self.writer).poll_write(cx, CTRL_D))?;
            self.has_ended = true;
        }
        Pin::new(&mut self.writer).poll_flush(cx)
    }
}

/// Tells standard output from standard error: a header of eight bytes goes before each piece, the first says which it is, the
/// last four how long it is. Pieces are passed on as they come, however long they are.
#[derive(Debug, Default)]
struct OutputDecoder {
    is_stderr: bool,
    left: usize,
}

const HEADER_BYTES: usize = 8;

impl Decoder for OutputDecoder {
    type Item = AttachedOutput;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<AttachedOutput>> {
        while self.left == 0 {
            let Some(header) = source.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
            let [kind, _, _, _, length @ ..] = *header;
            if kind > 2 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the engine's output is out of step"));
            }
            self.is_stderr = kind == 2;
            self.left = u32::from_be_bytes(length) as usize;
            source.advance(HEADER_BYTES);
        }
        if source.is_empty() {
            return Ok(None);
        }
        let piece: Bytes = source.split_to(self.left.min(source.len())).freeze();
        self.left -= piece.len();
        Ok(Some(if self.is_stderr { AttachedOutput::Stderr(piece) } else { AttachedOutput::Stdout(piece) }))
    }

    fn decode_eof(&mut self, source: &mut BytesMut) -> io::Result<Option<AttachedOutput>> {
        let output = self.decode(source)?;
        if output.is_none() {
            // The connection broke within a header; there is nothing more to say.
            source.clear();
        }
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_told_apart_however_it_is_cut() {
        let mut wire = BytesMut::from(&b"\x01\0\0\0\0\0\0\x03abc\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\x02er"[..]);
        for cut in 0..wire.len() {
            let mut decoder = OutputDecoder::default();
            let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
            let mut source = BytesMut::new();
            for part in [&wire[..cut], &wire[cut..]] {
                source.extend_from_slice(part);
                while let Some(output) = decoder.decode(&mut source).unwrap() {
                    match output {
                        AttachedOutput::Stdout(bytes) => stdout.extend_from_slice(&bytes),
                        AttachedOutput::Stderr(bytes) => stderr.extend_from_slice(&bytes),
                    }
                }
            }
            assert_eq!((stdout.as_slice(), stderr.as_slice()), (&b"abc"[..], &b"er"[..]), "cut at {cut}");
        }
        wire[0] = 9;
        assert!(OutputDecoder::default().decode(&mut wire).is_err());
    }
}
