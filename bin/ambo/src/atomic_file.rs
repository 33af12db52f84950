//! Files that are written whole or not at all, and readable by their owner only. Two terminals may write one at once, so each
//! begins it under a name of its own, which the server's `ambo-atomic-file` need not.

use std::io::{self, Write as _};
use std::path::Path;

/// Writes `text` into a new file of mode 0600 beside `path` and moves it there.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Named files of `tempfile` are made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
