//! A working tree as a compressed archive, without what its ignore files leave out.

mod dockerignore;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use ignore::WalkBuilder;
use tar::{Builder, EntryType, Header};

use self::dockerignore::Dockerignore;
use crate::exit::{Failure, Outcome};

/// An archive in a file that has no name and vanishes with its last user.
#[derive(Debug)]
pub(super) struct Packed {
    /// The file, at its start.
    pub(super) file: fs::File,
    /// Its length.
    pub(super) bytes: u64,
    /// What cannot be in an archive: sockets, pipes, devices.
    pub(super) skipped: Vec<String>,
}

/// Packs a directory.
pub(super) fn pack(directory: &Path) -> Outcome<Packed> {
    let failure = |error: &io::Error| Failure::io("cannot pack the directory", error);
    if !directory.is_dir() {
        return Err(Failure::usage(format!("`{}` is no directory", directory.display())));
    }
    let file = tempfile::tempfile().map_err(|error| failure(&error))?;
    let mut archive = Builder::new(GzEncoder::new(file, Compression::fast()));
    archive.follow_symlinks(false);
    let mut skipped = Vec::new();
    let mut count = 0_u64;
    for path in files(directory)? {
        match append(&mut archive, directory, &path) {
            Ok(true) => count += 1,
            Ok(false) => skipped.push(path.display().to_string()),
            Err(error) => return Err(Failure::io(format!("cannot pack `{}`", path.display()), &error)),
        }
    }
    if count == 0 {
        return Err(Failure::failed(format!("there is nothing to deploy in `{}`", directory.display()))
            .hint("are all files left out by .gitignore or .dockerignore?"));
    }
    let mut file = archive.into_inner().and_then(GzEncoder::finish).map_err(|error| failure(&error))?;
    let bytes = file.metadata().map_err(|error| failure(&error))?.len();
    io::Seek::rewind(&mut file).map_err(|error| failure(&error))?;
    Ok(Packed { file, bytes, skipped })
}

/// Paths below `directory` that belong into the archive, in a stable order.
fn files(directory: &Path) -> Outcome<Vec<PathBuf>> {
    let dockerignore =
        Dockerignore::of(directory).map_err(|error| Failure::usage(format!("cannot read .dockerignore: {error}")))?;
    let walk = WalkBuilder::new(directory)
        .hidden(false)
        .ignore(false)
        .require_git(false)
        .follow_links(false)
        .sort_by_file_name(std::ffi::OsStr::cmp)
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git")
        .build();
    let mut paths = Vec::new();
    for entry in walk {
        let entry = entry.map_err(|error| Failure::failed(format!("cannot walk the directory: {error}")))?;
        let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
        let below = entry.path().strip_prefix(directory).unwrap_or(entry.path()).to_owned();
        if !is_directory && !dockerignore.leaves_out(&below) {
            paths.push(below);
        }
    }
    Ok(paths)
}

/// Appends one entry; `false` when it is of no kind that an archive holds.
fn append(archive: &mut Builder<impl io::Write>, directory: &Path, path: &Path) -> io::Result<bool> {
    let full = directory.join(path);
    let metadata = fs::symlink_metadata(&full)?;
    let mut header = Header::new_gnu();
    header.set_metadata_in_mode(&metadata, tar::HeaderMode::Deterministic);
    if metadata.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        archive.append_link(&mut header, path, fs::read_link(&full)?)?;
    } else if metadata.is_file() {
        // The file may grow meanwhile; what goes in is as long as the header says.
        archive.append_data(&mut header, path, io::Read::take(fs::File::open(&full)?, metadata.len()))?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed_names(directory: &Path) -> Vec<String> {
        let packed = pack(directory).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed.file));
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
    }

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    #[test]
    fn ignored_files_stay_at_home() {
        let directory = tree(&[
            (".gitignore", "target\n*.log\n"),
            (".dockerignore", "docs\nProcfile\n!docs/keep.md\n"),
            (".git/config", "x"),
            (".env.example", "x"),
            ("Procfile", "web: x"),
            ("app.log", "x"),
            ("docs/a.md", "x"),
            ("docs/keep.md", "x"),
            ("src/docs/b.md", "x"),
            ("src/main.rs", "x"),
            ("target/debug/x", "x"),
        ]);
        std::os::unix::fs::symlink("src/main.rs", directory.path().join("link")).unwrap();
        assert_eq!(
            packed_names(directory.path()),
            [
                ".dockerignore",
                ".env.example",
                ".gitignore",
                "Procfile",
                "docs/keep.md",
                "link",
                "src/docs/b.md",
                "src/main.rs"
            ]
        );
    }

    #[test]
    fn the_same_tree_gives_the_same_archive() {
        let directory = tree(&[("a", "1"), ("b/c", "2")]);
        let bytes = || {
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut pack(directory.path()).unwrap().file, &mut bytes).unwrap();
            bytes
        };
        assert_eq!(bytes(), bytes());
    }

    #[test]
    fn an_empty_directory_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(pack(directory.path()).unwrap_err().message.starts_with("there is nothing to deploy"));
        assert!(pack(&directory.path().join("none")).unwrap_err().message.ends_with("is no directory"));
    }
}
