//! The two halves of a rendezvous connection once the program runs.

use std::sync::Arc;
use std::time::Duration;

use ambo_scheduler::AttachedOutput;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::server::TlsStream;

use crate::carry::{FromUser, Gone, ToUser, UserInput};
use crate::sentinel::Sentinel;

/// Input that is read at once, in bytes.
const READ_BYTES: usize = 16 * 1024;
/// Longest time that a client may take in nothing.
const SEND_DURATION_MAX: Duration = Duration::from_secs(60);
/// How long a client may go on sending to a program that has ended, in bytes we throw away: a connection that is closed with
/// input unread is reset, and the client would lose the program's last words.
const LINGER: Duration = Duration::from_secs(2);
/// How long after the banner a connection stays open at least, unless the client's input has ended: the client crashes when
/// it says so on a connection that has been closed meanwhile, as it does where it has no input at all.
const SETTLE: Duration = Duration::from_millis(700);
/// What Heroku's client sends when its input has ended.
const END_OF_INPUT: u8 = 4;
/// How long it must be the last that was sent to count as that, and not as one of the bytes of a file.
const END_OF_INPUT_SILENCE: Duration = Duration::from_millis(100);

/// When a byte last went either way.
#[derive(Debug, Clone)]
pub(crate) struct Activity(Arc<watch::Sender<Instant>>);

impl Activity {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Instant::now())))
    }

    fn now(&self) {
        self.0.send_replace(Instant::now());
    }

    fn last(&self) -> Instant {
        *self.0.borrow()
    }
}

/// What the client sends.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) reader: ReadHalf<TlsStream<TcpStream>>,
    pub(crate) activity: Activity,
    pub(crate) idle_max: Duration,
    /// Whether the program has a terminal, which understands the end of input by itself.
    pub(crate) has_terminal: bool,
    /// The end of input was the last that was sent; it waits to be either.
    is_ending: bool,
    /// The client has said once that its input has ended.
    has_ended: bool,
}

impl Input {
    pub(crate) fn new(
        reader: ReadHalf<TlsStream<TcpStream>>,
        activity: Activity,
        idle_max: Duration,
        has_terminal: bool,
    ) -> Self {
        Self { reader, activity, idle_max, has_terminal, is_ending: false, has_ended: false }
    }

    /// The next bytes; `None` at the end of the connection.
    async fn read(&mut self) -> Option<BytesMut> {
        let mut buffer = BytesMut::with_capacity(READ_BYTES);
        match self.reader.read_buf(&mut buffer).await {
            Ok(1..) => {
                self.activity.now();
                self.has_ended |= buffer.last() == Some(&END_OF_INPUT);
                Some(buffer)
            }
            Ok(0) | Err(_) => None,
        }
    }

    /// The same, or `None` also when nothing has gone either way for too long.
    async fn read_until_idle(&mut self) -> Option<BytesMut> {
        loop {
            let deadline = self.activity.last() + self.idle_max;
            match timeout_at(deadline, self.read()).await {
                Ok(read) => return read,
                Err(_) if self.activity.last() + self.idle_max <= Instant::now() => return None,
                Err(_) => {}
            }
        }
    }

    /// Bytes without the end of input, if they end with it.
    fn judged(&mut self, mut data: BytesMut) -> Bytes {
        if !self.has_terminal && data.last() == Some(&END_OF_INPUT) {
            data.truncate(data.len() - 1);
            self.is_ending = true;
        }
        data.freeze()
    }

    /// Reads and throws away what comes until the client has said that its input has ended, or has had the time to.
    pub(crate) async fn settle(&mut self, greeted: Instant) {
        let settled = async { while !self.has_ended && self.read().await.is_some() {} };
        let _ = timeout_at(greeted + SETTLE, settled).await;
    }

    /// Reads and throws away what a client still sends that has been told the end.
    pub(crate) async fn drain(&mut self) {
        let _ = timeout(LINGER, async { while self.read().await.is_some() {} }).await;
    }
}

impl FromUser for Input {
    async fn next(&mut self) -> Option<UserInput> {
        if self.is_ending {
            self.is_ending = false;
            return match timeout(END_OF_INPUT_SILENCE, self.read()).await {
                Err(_) => Some(UserInput::End),
                Ok(None) => None,
                // It was one byte of many.
                Ok(Some(data)) => {
                    let mut all = BytesMut::from(&[END_OF_INPUT][..]);
                    all.extend_from_slice(&data);
                    Some(UserInput::Data(self.judged(all)))
                }
            };
        }
        let data = self.read_until_idle().await?;
        Some(UserInput::Data(self.judged(data)))
    }
}

/// What the client is sent.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) writer: WriteHalf<TlsStream<TcpStream>>,
    pub(crate) activity: Activity,
    pub(crate) sentinel: Sentinel,
}

impl Output {
    /// Writes a piece: one that fits is one TLS record, and nothing else is in it.
    pub(crate) async fn write(&mut self, piece: &[u8]) -> Result<(), Gone> {
        let written = timeout(SEND_DURATION_MAX, async {
            self.writer.write_all(piece).await?;
            self.writer.flush().await
        });
        match written.await {
            Ok(Ok(())) => {
                self.activity.now();
                Ok(())
            }
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    async fn rest(&mut self) -> Result<(), Gone> {
        match self.sentinel.rest() {
            Some(rest) => self.write(&rest).await,
            None => Ok(()),
        }
    }
}

impl ToUser for Output {
    async fn output(&mut self, output: AttachedOutput) -> Result<(), Gone> {
        match output {
            AttachedOutput::Stdout(data) => {
                for piece in self.sentinel.pieces(&data) {
                    self.write(&piece).await?;
                }
                Ok(())
            }
            AttachedOutput::Stderr(data) => self.write(&data).await,
        }
    }

    /// A client that vanishes without a word is noticed by the connection itself.
    async fn watch(&mut self) -> Gone {
        std::future::pending().await
    }

    async fn failure(&mut self, text: &str) -> Result<(), Gone> {
        self.rest().await?;
        self.write(format!("{text}\r\n").as_bytes()).await
    }

    /// The client knows no exit code but the one that its own command prints.
    async fn exit(&mut self, _: i32) {
        let _ = self.rest().await;
    }

    async fn close(&mut self) {
        let _ = timeout(SEND_DURATION_MAX, self.writer.shutdown()).await;
    }
}
