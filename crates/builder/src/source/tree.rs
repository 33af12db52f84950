//! What was unpacked: an index of entries, and the text of those files that decide how the source is built.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest file that is read as text to decide how the source is built, in bytes.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Files that are read while the source is unpacked; all others stay on disk.
const TEXT_FILES: [&str; 28] = [
    ".dockerignore",
    ".node-version",
    ".nvmrc",
    ".python-version",
    ".ruby-version",
    ".tool-versions",
    "Cargo.toml",
    "Dockerfile",
    "Dockerfile.dockerignore",
    "Gemfile",
    "Gemfile.lock",
    "Pipfile",
    "Procfile",
    "app.rb",
    "bin/rails",
    "config.ru",
    "config/application.rb",
    "go.mod",
    "main.py",
    "app.py",
    "package.json",
    "pyproject.toml",
    "requirements.txt",
    "runtime.txt",
    "rust-toolchain",
    "rust-toolchain.toml",
    "static.json",
    "wsgi.py",
];

/// What an entry of the source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Whether anybody may execute it.
        executable: bool,
    },
    /// A symbolic link that, read as text, stays in the source.
    Link {
        /// Where it points.
        target: PathBuf,
    },
}

/// An entry of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// When it was changed last, in seconds since 1970, as the archive says.
    pub modified_s: u64,
}

/// The source as an index. Paths are relative to its root.
#[derive(Debug, Clone, Default)]
pub struct SourceTree {
    entries: BTreeMap<PathBuf, Entry>,
    texts: BTreeMap<&'static str, Vec<u8>>,
}

impl SourceTree {
    /// All entries, in the paths' order: a directory comes before what it holds.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.entries.iter().map(|(path, entry)| (path.as_path(), entry))
    }

    /// Whether a file, or a link, is there.
    #[must_use]
    pub fn has_file(&self, path: &str) -> bool {
        self.entries.get(Path::new(path)).is_some_and(|entry| entry.kind != EntryKind::Directory)
    }

    /// Whether a directory is there.
    #[must_use]
    pub fn has_directory(&self, path: &str) -> bool {
        self.entries.get(Path::new(path)).is_some_and(|entry| entry.kind == EntryKind::Directory)
    }

    /// The bytes of a file that decides how the source is built.
    #[must_use]
    pub fn bytes(&self, path: &str) -> Option<&[u8]> {
        self.texts.get(path).map(Vec::as_slice)
    }

    /// The text of a file that decides how the source is built; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        let text = String::from_utf8_lossy(self.bytes(path)?);
        Some(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
    }

    /// Whether the source holds no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.entries.values().any(|entry| entry.kind != EntryKind::Directory)
    }

    pub(super) fn entry(&self, path: &Path) -> Option<&Entry> {
        self.entries.get(path)
    }

    pub(super) fn insert(&mut self, path: PathBuf, entry: Entry) {
        self.entries.insert(path, entry);
    }

    /// Drops an entry and, if it is a directory, all that it holds.
    pub(super) fn remove(&mut self, path: &Path) {
        self.entries.retain(|known, _| !known.starts_with(path));
    }

    /// Reads the deciding files. Links are followed only if they end within `root`.
    pub(super) fn texts_read(&mut self, root: &Path) -> std::io::Result<()> {
        let root = root.canonicalize()?;
        for name in TEXT_FILES {
            if !self.has_file(name) {
                continue;
            }
            let Ok(path) = root.join(name).canonicalize() else { continue };
            if !path.starts_with(&root) || !path.is_file() {
                continue;
            }
            let mut text = Vec::new();
            File::open(path)?.take(TEXT_BYTES_MAX).read_to_end(&mut text)?;
            self.texts.insert(name, text);
        }
        Ok(())
    }
}

#[cfg(test)]
impl SourceTree {
    /// A source in memory, for tests of what is pure.
    pub(crate) fn of(files: &[(&'static str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            for parent in Path::new(path).ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
                tree.insert(parent.to_owned(), Entry { kind: EntryKind::Directory, modified_s: 0 });
            }
            let kind = EntryKind::File { executable: false };
            tree.insert(PathBuf::from(path), Entry { kind, modified_s: 0 });
            tree.texts.insert(path, text.as_bytes().to_vec());
        }
        tree
    }
}
