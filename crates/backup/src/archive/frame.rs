//! Writing frames: what an archive holds before it is compressed and encrypted.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::{HEADER_BYTES_MAX, Header, Kind, MAGIC, NAME_BYTES_MAX, PIECE_BYTES_MAX, VERSION};

/// An entry begins.
pub(super) const BEGIN: u8 = 1;
/// A piece of its content.
pub(super) const DATA: u8 = 2;
/// It ends.
pub(super) const END: u8 = 3;
/// The archive ends.
pub(super) const TRAILER: u8 = 4;

/// What adds up over an archive's entries: both sides count, the reader compares.
#[derive(Clone)]
pub(super) struct Manifest {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    hash: Sha256,
}

impl Manifest {
    pub(super) fn new(header: &[u8]) -> Self {
        Self { entries: 0, bytes: 0, hash: Sha256::new().chain_update(header) }
    }

    pub(super) fn add(&mut self, entry: &OpenEntry, sha256: &[u8; 32]) {
        self.entries += 1;
        self.bytes += entry.bytes;
        self.hash.update([entry.kind.code()]);
        self.hash.update((entry.name.len() as u64).to_be_bytes());
        self.hash.update(entry.name.as_bytes());
        self.hash.update(entry.bytes.to_be_bytes());
        self.hash.update(sha256);
    }

    pub(super) fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

/// An entry that has begun.
pub(super) struct OpenEntry {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) bytes: u64,
    hash: Sha256,
}

impl OpenEntry {
    pub(super) fn new(kind: Kind, name: String) -> Self {
        Self { kind, name, bytes: 0, hash: Sha256::new() }
    }

    pub(super) fn add(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        self.hash.update(piece);
    }

    pub(super) fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

/// Writes frames.
pub(super) struct FrameWriter<W> {
    out: W,
    manifest: Manifest,
    open: Option<OpenEntry>,
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what.to_owned())
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn new(mut out: W, header: &Header) -> io::Result<Self> {
        let header = serde_json::to_vec(header)?;
        let header_bytes = u32::try_from(header.len()).ok().filter(|_| header.len() <= HEADER_BYTES_MAX);
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_be_bytes())?;
        out.write_all(&header_bytes.ok_or_else(|| wrong("the header is too long"))?.to_be_bytes())?;
        out.write_all(&header)?;
        Ok(Self { out, manifest: Manifest::new(&header), open: None })
    }

    pub(super) fn begin(&mut self, kind: Kind, name: String) -> io::Result<()> {
        let name_bytes = u16::try_from(name.len()).ok().filter(|_| name.len() <= NAME_BYTES_MAX);
        let name_bytes = name_bytes.ok_or_else(|| wrong("the name of an entry is too long"))?;
        self.out.write_all(&[BEGIN, kind.code()])?;
        self.out.write_all(&name_bytes.to_be_bytes())?;
        self.out.write_all(name.as_bytes())?;
        self.open = Some(OpenEntry::new(kind, name));
        Ok(())
    }

    pub(super) fn data(&mut self, content: &[u8]) -> io::Result<()> {
        let open = self.open.as_mut().ok_or_else(|| wrong("content without an entry"))?;
        for piece in content.chunks(PIECE_BYTES_MAX) {
            open.add(piece);
            self.out.write_all(&[DATA])?;
            self.out.write_all(&u32::try_from(piece.len()).unwrap_or(u32::MAX).to_be_bytes())?;
            self.out.write_all(piece)?;
        }
        Ok(())
    }

    /// Gives the SHA-256 of the entry's content.
    pub(super) fn end(&mut self) -> io::Result<[u8; 32]> {
        let entry = self.open.take().ok_or_else(|| wrong("the end of no entry"))?;
        let sha256 = entry.sha256();
        self.manifest.add(&entry, &sha256);
        self.out.write_all(&[END])?;
        self.out.write_all(&entry.bytes.to_be_bytes())?;
        self.out.write_all(&sha256)?;
        Ok(sha256)
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[TRAILER])?;
        self.out.write_all(&self.manifest.entries.to_be_bytes())?;
        self.out.write_all(&self.manifest.bytes.to_be_bytes())?;
        self.out.write_all(&self.manifest.sha256())?;
        Ok(self.out)
    }
}
