//! Writing an archive. Hashing, compressing and encrypting is done on a thread of its own; a few pieces wait before and after
//! it, and whoever is slowest sets the pace.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use zstd::stream::write::Encoder;

use super::frame::FrameWriter;
use super::{Header, Kind};
use crate::findings::{Findings, Inspector};
use crate::lock::Lock;

/// How hard zstd tries: layers are compressed already, so that more is only slower.
const COMPRESSION_LEVEL: i32 = 3;
/// Pieces that wait on either side.
const PIECES_WAITING: usize = 8;
/// Size of the pieces that leave, in bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// An archive as it is made. An error in it means: there will be no archive, so remove what you have of it.
pub type ArchiveStream = ReceiverStream<io::Result<Bytes>>;

/// The archive is of no use to anybody any more: its reader has left, or it could not be written.
#[derive(Debug, thiserror::Error)]
#[error("write the archive")]
pub(crate) struct ArchiveClosed(#[source] Option<io::Error>);

enum Command {
    Begin(Kind, String),
    Data(Bytes),
    End,
    Finish,
}

/// Writes entries. Unless it is finished, the archive ends with an error.
pub(crate) struct ArchiveWriter {
    commands: mpsc::Sender<Command>,
    worker: JoinHandle<io::Result<Findings>>,
}

impl ArchiveWriter {
    /// Begins an archive.
    pub(crate) fn begin(lock: Lock, header: Header) -> (Self, ArchiveStream) {
        let (commands, coming) = mpsc::channel(PIECES_WAITING);
        let (pieces, stream) = mpsc::channel(PIECES_WAITING);
        let worker = tokio::task::spawn_blocking(move || {
            let written =
                write_all(&lock, &header, coming, ChannelWriter { pieces: pieces.clone(), full: BytesMut::new() });
            if let Err(error) = &written {
                // Whoever reads may have left; then nobody needs to know.
                let _ = pieces.blocking_send(Err(io::Error::new(error.kind(), "the backup was given up")));
            }
            written
        });
        (Self { commands, worker }, ReceiverStream::new(stream))
    }

    /// Begins an entry.
    pub(crate) async fn entry(&mut self, kind: Kind, name: &str) -> Result<(), ArchiveClosed> {
        self.send(Command::Begin(kind, name.to_owned())).await
    }

    /// Writes a piece of the entry's content.
    pub(crate) async fn data(&mut self, piece: Bytes) -> Result<(), ArchiveClosed> {
        self.send(Command::Data(piece)).await
    }

    /// Ends the entry.
    pub(crate) async fn end(&mut self) -> Result<(), ArchiveClosed> {
        self.send(Command::End).await
    }

    /// Writes an entry that is there as a whole.
    pub(crate) async fn whole(&mut self, kind: Kind, name: &str, content: Bytes) -> Result<(), ArchiveClosed> {
        self.entry(kind, name).await?;
        self.data(content).await?;
        self.end().await
    }

    /// Ends the archive, and says what is in it.
    pub(crate) async fn finish(mut self) -> Result<Findings, ArchiveClosed> {
        self.send(Command::Finish).await?;
        self.ended().await
    }

    async fn send(&mut self, command: Command) -> Result<(), ArchiveClosed> {
        match self.commands.send(command).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.ended().await.err().unwrap_or(ArchiveClosed(None))),
        }
    }

    async fn ended(&mut self) -> Result<Findings, ArchiveClosed> {
        let written = (&mut self.worker).await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        written.map_err(|error| ArchiveClosed(Some(error)))
    }
}

impl std::fmt::Debug for ArchiveWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ArchiveWriter")
    }
}

fn write_all(
    lock: &Lock,
    header: &Header,
    mut commands: mpsc::Receiver<Command>,
    out: ChannelWriter,
) -> io::Result<Findings> {
    let compressed = Encoder::new(lock.close(out)?, COMPRESSION_LEVEL)?;
    let mut frames = FrameWriter::new(compressed, header)?;
    let mut inspector = Inspector::default();
    while let Some(command) = commands.blocking_recv() {
        match command {
            Command::Begin(kind, name) => {
                inspector.begin(kind, &name);
                frames.begin(kind, name)?;
            }
            Command::Data(piece) => {
                inspector.data(&piece);
                frames.data(&piece)?;
            }
            Command::End => {
                let sha256 = frames.end()?;
                inspector.end(&sha256);
            }
            Command::Finish => {
                frames.finish()?.finish()?.finish()?.flush()?;
                return Ok(inspector.findings());
            }
        }
    }
    Err(io::Error::other("it was given up before its end"))
}

/// Passes on what is written, in pieces.
struct ChannelWriter {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    full: BytesMut,
}

impl Write for ChannelWriter {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        self.full.extend_from_slice(content);
        if self.full.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(content.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.full.is_empty() {
            return Ok(());
        }
        let piece = self.full.split().freeze();
        self.pieces.blocking_send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}
