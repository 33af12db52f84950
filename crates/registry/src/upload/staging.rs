//! An upload's file. All of this blocks.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::digest::{Algorithm, Digest, Hasher};
use crate::layout::Repository;

const CONTENT: &str = "content";
const NOTE: &str = "upload.json";
/// Size of the pieces in which a staged file is read again, in bytes.
const PIECE_BYTES: usize = 256 * 1024;

/// What is remembered of an upload beside its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) repository: Repository,
    /// What the client announced; the final digest decides.
    pub(super) algorithm: Algorithm,
}

/// An upload's content so far. `offset` and `hasher` always speak of the same bytes.
#[derive(Debug)]
pub(super) struct Staging {
    pub(super) path: PathBuf,
    pub(super) note: Note,
    pub(super) offset: u64,
    hasher: Hasher,
}

impl Staging {
    pub(super) fn create(directory: &Path, note: &Note) -> io::Result<Self> {
        fs::create_dir(directory)?;
        let path = directory.join(CONTENT);
        File::create_new(&path)?;
        // Last, so that an upload with a note is whole.
        fs::write(directory.join(NOTE), serde_json::to_vec(note)?)?;
        Ok(Self { path, note: note.clone(), offset: 0, hasher: Hasher::new(note.algorithm) })
    }

    /// Takes up an upload of an earlier process: what is in the file counts, and is hashed again.
    pub(super) fn restore(directory: &Path) -> io::Result<Self> {
        let note = read_note(directory)?;
        let path = directory.join(CONTENT);
        let (hasher, offset) = hash(&path, note.algorithm)?;
        Ok(Self { path, note, offset, hasher })
    }

    pub(super) fn expect(&mut self, algorithm: Algorithm) {
        if self.offset == 0 {
            self.hasher = Hasher::new(algorithm);
        }
    }

    /// Adds to the content: all of it, or nothing.
    pub(super) fn append(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        let mut file = File::options().write(true).open(&self.path)?;
        let end = file.seek(SeekFrom::End(0))?;
        if end != self.offset {
            file.set_len(self.offset)?;
            file.seek(SeekFrom::Start(self.offset))?;
        }
        if let Err(error) = pieces.iter().try_for_each(|piece| file.write_all(piece)) {
            // What was written of it is cut off by the next append, should this fail too.
            let _ = file.set_len(self.offset);
            return Err(error);
        }
        for piece in pieces {
            self.hasher.update(piece);
            self.offset += piece.len() as u64;
        }
        Ok(())
    }

    pub(super) fn truncate(&mut self, offset: u64) -> io::Result<()> {
        if offset < self.offset {
            File::options().write(true).open(&self.path)?.set_len(offset)?;
            (self.hasher, self.offset) = hash(&self.path, self.hasher.algorithm())?;
        }
        Ok(())
    }

    /// The content's digest; reads the file again only when another algorithm was hashed along.
    pub(super) fn digest(&mut self, algorithm: Algorithm) -> io::Result<Digest> {
        let file = File::options().write(true).open(&self.path)?;
        if file.metadata()?.len() != self.offset {
            file.set_len(self.offset)?;
        }
        if self.hasher.algorithm() != algorithm {
            (self.hasher, self.offset) = hash(&self.path, algorithm)?;
        }
        Ok(self.hasher.clone().finish())
    }
}

fn hash(path: &Path, algorithm: Algorithm) -> io::Result<(Hasher, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new(algorithm);
    let mut piece = vec![0; PIECE_BYTES];
    let mut size = 0;
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok((hasher, size)),
            Ok(count) => {
                hasher.update(&piece[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn read_note(directory: &Path) -> io::Result<Note> {
    Ok(serde_json::from_slice(&fs::read(directory.join(NOTE))?)?)
}

/// When the upload was last written to.
pub(super) fn modified(directory: &Path) -> io::Result<SystemTime> {
    fs::metadata(directory.join(CONTENT))?.modified()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambo_model::AppId;
    use proptest::prelude::*;

    fn note() -> Note {
        Note { repository: Repository { app: AppId::new(), path: String::new() }, algorithm: Algorithm::Sha256 }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn however_content_is_cut_into_chunks_and_interrupted_its_digest_is_the_same(
            content in proptest::collection::vec(any::<u8>(), 0..5000),
            cuts in proptest::collection::vec((0usize..5000, 0u8..4), 0..12),
        ) {
            let scratch = tempfile::tempdir().unwrap();
            let directory = scratch.path().join("upload");
            let mut staging = Staging::create(&directory, &note()).unwrap();
            for (length, event) in cuts {
                let start = usize::try_from(staging.offset).unwrap();
                let end = (start + length).min(content.len());
                let (head, tail) = content[start..end].split_at((end - start) / 2);
                staging.append(&[Bytes::copy_from_slice(head), Bytes::copy_from_slice(tail)]).unwrap();
                match event {
                    0 => staging = Staging::restore(&directory).unwrap(),
                    1 => staging.truncate(staging.offset / 2).unwrap(),
                    // A write that a crash cut short leaves bytes that nobody counted.
                    2 => File::options().append(true).open(&staging.path).unwrap().write_all(b"stray").unwrap(),
                    _ => {}
                }
            }
            let start = usize::try_from(staging.offset).unwrap();
            staging.append(&[Bytes::copy_from_slice(&content[start..])]).unwrap();
            for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
                prop_assert_eq!(staging.digest(algorithm).unwrap(), Digest::of(algorithm, &content));
            }
            prop_assert_eq!(fs::read(&staging.path).unwrap(), content);
        }
    }
}
