//! Unpacking. Nothing in the archive is believed: every name, link, size and count is checked before the disk is touched.
//!
//! Entries are taken raw from the tar reader and the long-name extensions are read here, so that an extension of a
//! terabyte costs no memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ambo_model::ByteSize;
use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType, PaxExtensions};

use super::tree::{Entry, EntryKind, SourceTree};
use crate::port::BuildError;

/// Most entries of an archive, extensions included.
pub const ARCHIVE_ENTRIES_MAX: usize = 200_000;
/// Longest extension header (a long name, or attributes), in bytes.
const EXTENSION_BYTES_MAX: u64 = 64 << 10;
/// Longest path, in bytes: what Linux takes.
const PATH_BYTES_MAX: usize = 4000;

/// Tells work on a blocking thread that nobody waits for it any more.
#[derive(Debug, Clone, Default)]
pub struct Cancelled(Arc<AtomicBool>);

impl Cancelled {
    /// Says so.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn check(&self) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }
}

/// Unpacks `archive` into the empty directory `root`. Blocks; `cancelled` is looked at often.
///
/// # Errors
/// [`BuildError::Archive`] names the entry at fault; [`BuildError::SourceTooLarge`] and [`BuildError::Empty`] as they say.
pub fn unpack(archive: &Path, root: &Path, limit: ByteSize, cancelled: &Cancelled) -> Result<SourceTree, BuildError> {
    let mut file = File::open(archive).map_err(|error| disk("open the source archive", error))?;
    let mut magic = [0; 6];
    let length = read_up_to(&mut file, &mut magic).map_err(|error| disk("read the source archive", error))?;
    let rest = io::Cursor::new(magic[..length].to_vec()).chain(file);
    let mut unpacker = Unpacker {
        root,
        limit,
        left: limit.as_u64(),
        cancelled,
        tree: SourceTree::default(),
        pending: Pending::default(),
    };
    match format(&magic[..length])? {
        Format::Tar => unpacker.run(BufReader::new(rest))?,
        Format::Gzip => unpacker.run(MultiGzDecoder::new(BufReader::new(rest)))?,
    }
    let mut tree = unpacker.tree;
    if tree.is_empty() {
        return Err(BuildError::Empty);
    }
    tree.texts_read(root).map_err(|error| disk("read the source", error))?;
    Ok(tree)
}

enum Format {
    Tar,
    Gzip,
}

fn format(magic: &[u8]) -> Result<Format, BuildError> {
    let other = match magic {
        [0x1f, 0x8b, ..] => return Ok(Format::Gzip),
        [b'B', b'Z', b'h', ..] => "bzip2",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "xz",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        [b'P', b'K', 3 | 5, ..] => "zip",
        _ => return Ok(Format::Tar),
    };
    Err(BuildError::Archive(format!("it is compressed with {other}: send a tar file, plain or with gzip")))
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}

/// What extension headers said about the entry that follows them.
#[derive(Default)]
struct Pending {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

struct Unpacker<'a> {
    root: &'a Path,
    limit: ByteSize,
    left: u64,
    cancelled: &'a Cancelled,
    tree: SourceTree,
    pending: Pending,
}

impl Unpacker<'_> {
    fn run(&mut self, reader: impl Read) -> Result<(), BuildError> {
        let mut archive = Archive::new(reader);
        let entries = archive.entries().map_err(unreadable)?.raw(true);
        for (at, entry) in entries.enumerate() {
            self.cancelled.check().map_err(|error| disk("unpack the source", error))?;
            if at >= ARCHIVE_ENTRIES_MAX {
                return Err(BuildError::Archive(format!("it has more than {ARCHIVE_ENTRIES_MAX} entries")));
            }
            self.entry(entry.map_err(unreadable)?)?;
        }
        Ok(())
    }

    fn entry(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<(), BuildError> {
        match entry.header().entry_type() {
            EntryType::XGlobalHeader => self.extension(&mut entry).map(drop),
            EntryType::XHeader => {
                let bytes = self.extension(&mut entry)?;
                self.attributes(&bytes)
            }
            EntryType::GNULongName => {
                self.pending.path = Some(until_nul(self.extension(&mut entry)?));
                Ok(())
            }
            EntryType::GNULongLink => {
                self.pending.link = Some(until_nul(self.extension(&mut entry)?));
                Ok(())
            }
            _ => self.member(entry),
        }
    }

    /// Reads an extension header into memory, within bounds.
    fn extension(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> Result<Vec<u8>, BuildError> {
        let mut bytes = Vec::new();
        entry.take(EXTENSION_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > EXTENSION_BYTES_MAX {
            return Err(BuildError::Archive(format!("a name in it is longer than {EXTENSION_BYTES_MAX} bytes")));
        }
        self.spend(bytes.len() as u64)?;
        Ok(bytes)
    }

    fn attributes(&mut self, bytes: &[u8]) -> Result<(), BuildError> {
        for attribute in PaxExtensions::new(bytes) {
            let attribute = attribute.map_err(unreadable)?;
            match attribute.key_bytes() {
                b"path" => self.pending.path = Some(attribute.value_bytes().to_vec()),
                b"linkpath" => self.pending.link = Some(attribute.value_bytes().to_vec()),
                b"size" => self.pending.size = attribute.value().ok().and_then(|size| size.parse().ok()),
                key if key.starts_with(b"GNU.sparse") => {
                    return Err(BuildError::Archive(
                        "it holds a sparse file: make the archive without `--sparse`".into(),
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn member(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<(), BuildError> {
        let pending = std::mem::take(&mut self.pending);
        let header = entry.header().clone();
        let name = pending.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let shown = shown(&name);
        let Some(path) = clean(&name).map_err(|fault| refused(&shown, fault))? else { return Ok(()) };
        let size = header.size().map_err(unreadable)?;
        if pending.size.is_some_and(|said| said != size) {
            return Err(BuildError::SourceTooLarge(self.limit));
        }
        let modified_s = header.mtime().unwrap_or(0);
        let link = || {
            pending.link.clone().or_else(|| header.link_name_bytes().map(|link| link.into_owned())).unwrap_or_default()
        };
        let kind = match header.entry_type() {
            EntryType::Directory => self.directory(&path, &shown)?,
            EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => self.directory(&path, &shown)?,
            EntryType::Regular | EntryType::Continuous => {
                let executable = header.mode().unwrap_or(0) & 0o111 != 0;
                self.file(&path, &shown, size, executable, &mut entry)?
            }
            EntryType::Symlink => self.symlink(&path, &shown, &link())?,
            EntryType::Link => self.hard_link(&path, &shown, &link())?,
            EntryType::Char | EntryType::Block => return Err(refused(&shown, "is a device")),
            EntryType::Fifo => return Err(refused(&shown, "is a fifo")),
            EntryType::GNUSparse => {
                return Err(refused(&shown, "is a sparse file: make the archive without `--sparse`"));
            }
            _ => return Err(refused(&shown, "is neither a file nor a directory nor a link")),
        };
        self.tree.insert(path, Entry { kind, modified_s });
        Ok(())
    }

    fn directory(&mut self, path: &Path, shown: &str) -> Result<EntryKind, BuildError> {
        self.parents(path, shown)?;
        match self.tree.entry(path).map(|entry| &entry.kind) {
            Some(EntryKind::Directory) => {}
            Some(_) => return Err(refused(shown, "is there twice, once as a directory and once not")),
            None => fs::create_dir(self.root.join(path)).map_err(|error| write_error(shown, error))?,
        }
        Ok(EntryKind::Directory)
    }

    fn file(
        &mut self,
        path: &Path,
        shown: &str,
        size: u64,
        executable: bool,
        from: &mut impl Read,
    ) -> Result<EntryKind, BuildError> {
        if size > self.left {
            return Err(BuildError::SourceTooLarge(self.limit));
        }
        self.vacate(path, shown)?;
        let mode = if executable { 0o755 } else { 0o644 };
        let mut to = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(self.root.join(path))
            .map_err(|error| write_error(shown, error))?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            self.cancelled.check().map_err(|error| disk("unpack the source", error))?;
            let count = from.read(&mut buffer).map_err(unreadable)?;
            if count == 0 {
                return Ok(EntryKind::File { executable });
            }
            self.spend(count as u64)?;
            to.write_all(&buffer[..count]).map_err(|error| write_error(shown, error))?;
        }
    }

    /// A link whose text stays in the source. Links through links are not resolved: nothing of ours follows them, and
    /// the engine resolves them within the build's own root.
    fn symlink(&mut self, path: &Path, shown: &str, target: &[u8]) -> Result<EntryKind, BuildError> {
        let target = bytes_path(target);
        if target.as_os_str().is_empty() {
            return Err(refused(shown, "is a link to nothing"));
        }
        let mut depth = path.components().count() - 1;
        for component in target.components() {
            match component {
                Component::CurDir => {}
                Component::Normal(_) => depth += 1,
                Component::ParentDir if depth > 0 => depth -= 1,
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(refused(shown, &format!("is a link out of the source, to `{}`", target.display())));
                }
            }
        }
        self.vacate(path, shown)?;
        std::os::unix::fs::symlink(&target, self.root.join(path)).map_err(|error| write_error(shown, error))?;
        Ok(EntryKind::Link { target })
    }

    fn hard_link(&mut self, path: &Path, shown: &str, target: &[u8]) -> Result<EntryKind, BuildError> {
        let name = super::unpack::shown(target);
        let target = clean(target).ok().flatten();
        let target = target.ok_or_else(|| refused(shown, &format!("is a hard link out of the source, to `{name}`")))?;
        let Some(EntryKind::File { executable }) = self.tree.entry(&target).map(|entry| entry.kind.clone()) else {
            return Err(refused(
                shown,
                &format!("is a hard link to `{name}`, which is no file before it in the archive"),
            ));
        };
        if target == path {
            return Ok(EntryKind::File { executable });
        }
        let size = fs::metadata(self.root.join(&target)).map_err(|error| write_error(shown, error))?.len();
        self.spend(size)?;
        self.vacate(path, shown)?;
        fs::hard_link(self.root.join(&target), self.root.join(path)).map_err(|error| write_error(shown, error))?;
        Ok(EntryKind::File { executable })
    }

    /// Makes sure that `path` can be made: its parents are directories, and what an earlier entry left there is gone.
    fn vacate(&mut self, path: &Path, shown: &str) -> Result<(), BuildError> {
        self.parents(path, shown)?;
        match self.tree.entry(path).map(|entry| &entry.kind) {
            None => Ok(()),
            Some(EntryKind::Directory) => Err(refused(shown, "is there twice, once as a directory and once not")),
            Some(_) => {
                fs::remove_file(self.root.join(path)).map_err(|error| write_error(shown, error))?;
                self.tree.remove(path);
                Ok(())
            }
        }
    }

    fn parents(&mut self, path: &Path, shown: &str) -> Result<(), BuildError> {
        let mut parents: Vec<&Path> = path.ancestors().skip(1).collect();
        parents.retain(|parent| !parent.as_os_str().is_empty());
        for parent in parents.into_iter().rev() {
            match self.tree.entry(parent).map(|entry| &entry.kind) {
                Some(EntryKind::Directory) => {}
                Some(_) => {
                    return Err(refused(shown, &format!("lies below `{}`, which is no directory", parent.display())));
                }
                None => {
                    fs::create_dir(self.root.join(parent)).map_err(|error| write_error(shown, error))?;
                    self.tree.insert(parent.to_owned(), Entry { kind: EntryKind::Directory, modified_s: 0 });
                }
            }
        }
        Ok(())
    }

    fn spend(&mut self, bytes: u64) -> Result<(), BuildError> {
        self.left = self.left.checked_sub(bytes).ok_or(BuildError::SourceTooLarge(self.limit))?;
        Ok(())
    }
}

/// The path below the root that a name means; `None` for the root itself.
fn clean(name: &[u8]) -> Result<Option<PathBuf>, &'static str> {
    if name.len() > PATH_BYTES_MAX {
        return Err("has too long a name");
    }
    if name.contains(&0) {
        return Err("has a NUL byte in its name");
    }
    let mut path = PathBuf::new();
    for component in bytes_path(name).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir => return Err("has `..` in its name"),
            Component::RootDir | Component::Prefix(_) => return Err("has an absolute name"),
        }
    }
    Ok(Some(path).filter(|path| !path.as_os_str().is_empty()))
}

fn bytes_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

/// A name as messages show it: cut, without control characters.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().filter(|c| !c.is_control()).take(200).collect()
}

fn refused(shown: &str, fault: &str) -> BuildError {
    BuildError::Archive(format!("`{shown}` {fault}"))
}

fn unreadable(error: io::Error) -> BuildError {
    BuildError::Archive(format!("it is no complete tar file, plain or with gzip ({error})"))
}

fn write_error(shown: &str, error: io::Error) -> BuildError {
    match error.kind() {
        io::ErrorKind::InvalidFilename => refused(shown, "has too long a name"),
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => refused(shown, "is there twice"),
        _ => disk("unpack the source", error),
    }
}

/// A fault of this machine's disk.
pub(crate) fn disk(doing: &str, error: io::Error) -> BuildError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BuildError::DiskFull,
        _ => BuildError::Platform { doing: doing.to_owned(), source: Box::new(error) },
    }
}

#[cfg(test)]
#[path = "unpack_tests.rs"]
mod tests;
