//! Looking into an archive without unpacking it.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tar::Archive;

use super::unpack::{ARCHIVE_ENTRIES_MAX, disk};
use crate::port::BuildError;

/// The first two bytes of gzip.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// One file at the root of an archive; `None` when it holds no such file. Blocks.
///
/// # Errors
/// When the archive cannot be read, or the file is larger than `bytes_max`.
pub fn file_peek(archive: &Path, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, BuildError> {
    let mut file = File::open(archive).map_err(|error| disk("open the source archive", error))?;
    let mut magic = [0; 2];
    let compressed = file.read_exact(&mut magic).is_ok() && magic == GZIP_MAGIC;
    let file = BufReader::new(File::open(archive).map_err(|error| disk("open the source archive", error))?);
    let found = if compressed { find(MultiGzDecoder::new(file), name, bytes_max) } else { find(file, name, bytes_max) };
    found.map_err(|error| BuildError::Archive(format!("it is no tar archive: {error}")))
}

fn find(from: impl Read, name: &str, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    for entry in Archive::new(from).entries()?.take(ARCHIVE_ENTRIES_MAX) {
        let entry = entry?;
        let path = entry.path()?;
        if path.strip_prefix(".").unwrap_or(&path) != Path::new(name) || !entry.header().entry_type().is_file() {
            continue;
        }
        let mut content = Vec::new();
        entry.take(bytes_max.saturating_add(1)).read_to_end(&mut content)?;
        let too_large = u64::try_from(content.len()).is_ok_and(|size| size > bytes_max);
        return if too_large { Err(io::Error::other(format!("`{name}` is too large"))) } else { Ok(Some(content)) };
    }
    Ok(None)
}
