//! Reading an archive. Decrypting, decompressing and checking is done on a thread of its own; nothing leaves it that was not
//! authenticated, and an entry's end leaves it only when the entry is what was written.

use std::io::{self, BufReader, Read};

use age::DecryptError;
use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;
use tokio_util::io::SyncIoBridge;
use zstd::stream::read::Decoder;

use super::parse::{Fault, Frame, FrameReader};
use super::{Header, Kind};
use crate::findings::{Findings, Inspector};
use crate::lock::Unlock;

/// Frames that wait to be taken.
const FRAMES_WAITING: usize = 8;
/// How much is read at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// Why an archive could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Another passphrase or identity, or the archive's beginning is damaged.
    #[error("this passphrase or identity does not open the archive, or its very beginning is damaged")]
    Closed,
    /// Something else than an archive.
    #[error("this is no archive of a backup")]
    NoArchive,
    /// Made by a later version.
    #[error("the archive is of version {0} of the format: restore it with a newer Ambo")]
    Version(u16),
    /// Not what was written.
    #[error("the archive is damaged or cut off in {place}: nothing from there on can be used")]
    Damaged {
        /// The first entry that is not whole.
        place: String,
        /// How that shows.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Whatever keeps the archive failed. A retry may help.
    #[error("read the archive")]
    Source(#[source] io::Error),
}

/// What an archive holds, in its order.
#[derive(Debug)]
pub(crate) enum Event {
    /// First of all.
    Header(Header),
    /// An entry begins.
    Begin(Kind, String),
    /// A piece of its content.
    Data(Bytes),
    /// It is whole. `is_sound`: it also is what its name says.
    End { is_sound: bool },
    /// Last of all: everything is whole.
    Finished(Findings),
}

/// Reads an archive. Dropped, it stops.
#[derive(Debug)]
pub(crate) struct ArchiveReader {
    events: mpsc::Receiver<Result<Event, ReadError>>,
}

impl ArchiveReader {
    /// Begins to read.
    pub(crate) fn open(archive: impl AsyncRead + Send + Unpin + 'static, unlock: Unlock) -> Self {
        let (events, receiver) = mpsc::channel(FRAMES_WAITING);
        let source = SourceReader(SyncIoBridge::new(archive));
        tokio::task::spawn_blocking(move || {
            if let Err(Some(error)) = read_all(source, &unlock, &events) {
                let _ = events.blocking_send(Err(error)); // Whoever reads may have left.
            }
        });
        Self { events: receiver }
    }

    /// What comes next. After [`Event::Finished`] or an error nothing does.
    pub(crate) async fn next(&mut self) -> Result<Event, ReadError> {
        let ended = || Err(ReadError::Source(io::Error::other("the thread that reads has ended")));
        self.events.recv().await.unwrap_or_else(ended)
    }
}

/// An error of `None`: nobody reads any more.
fn read_all(
    source: impl Read,
    unlock: &Unlock,
    events: &mpsc::Sender<Result<Event, ReadError>>,
) -> Result<(), Option<ReadError>> {
    let send = |event| events.blocking_send(Ok(event)).map_err(|_| None);
    let open = unlock.open(BufReader::with_capacity(READ_BYTES, source)).map_err(opening)?;
    let unpacked = Decoder::new(open).map_err(|error| begun(Fault::Below(error)))?;
    let (mut frames, header) = FrameReader::new(unpacked).map_err(begun)?;
    send(Event::Header(header))?;
    let mut inspector = Inspector::default();
    loop {
        let frame = frames.next().map_err(|fault| fault_error(fault, || frames.place()))?;
        match frame {
            Frame::Begin { kind, name } => {
                inspector.begin(kind, &name);
                send(Event::Begin(kind, name))?;
            }
            Frame::Data(piece) => {
                inspector.data(&piece);
                send(Event::Data(piece))?;
            }
            Frame::End { sha256 } => {
                let is_sound = inspector.end(&sha256);
                send(Event::End { is_sound })?;
            }
            Frame::Trailer => return send(Event::Finished(inspector.findings())),
        }
    }
}

fn opening(error: DecryptError) -> ReadError {
    match error {
        DecryptError::Io(error) => match transport(error) {
            Ok(error) => ReadError::Source(error),
            Err(error) => ReadError::Damaged { place: "its beginning".to_owned(), source: error.into() },
        },
        DecryptError::InvalidHeader | DecryptError::UnknownFormat => ReadError::NoArchive,
        DecryptError::DecryptionFailed
        | DecryptError::ExcessiveWork { .. }
        | DecryptError::InvalidMac
        | DecryptError::KeyDecryptionFailed
        | DecryptError::NoMatchingKeys => ReadError::Closed,
    }
}

fn begun(fault: Fault) -> ReadError {
    fault_error(fault, || "its beginning".to_owned())
}

fn fault_error(fault: Fault, place: impl FnOnce() -> String) -> ReadError {
    match fault {
        Fault::NoArchive => ReadError::NoArchive,
        Fault::Version(version) => ReadError::Version(version),
        Fault::Shape(_) => ReadError::Damaged { place: place(), source: fault.into() },
        Fault::Below(error) => match transport(error) {
            Ok(error) => ReadError::Source(error),
            Err(error) => ReadError::Damaged { place: place(), source: error.into() },
        },
    }
}

/// An error of whatever keeps the archive, told from those of its content.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Transport(io::Error);

fn transport(error: io::Error) -> Result<io::Error, io::Error> {
    match error.downcast::<Transport>() {
        Ok(Transport(error)) => Ok(error),
        Err(error) => Err(error),
    }
}

struct SourceReader<R>(R);

impl<R: Read> Read for SourceReader<R> {
    fn read(&mut self, content: &mut [u8]) -> io::Result<usize> {
        self.0.read(content).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, Transport(error)),
        })
    }
}
