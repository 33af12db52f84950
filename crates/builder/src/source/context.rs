//! The build context: the unpacked source as a tar stream for the engine.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use tar::{Builder, EntryType, Header};

use super::{Cancelled, EntryKind, Ignore, SourceTree};

/// Writes the source below `root` as a tar stream, in the paths' order, owned by root, with `extra` files added.
/// Only the executable bit of the modes is kept, as git does, so that equal sources give equal layers.
pub(crate) fn context_write(
    tree: &SourceTree,
    root: &Path,
    ignore: &Ignore,
    extra: &[(&str, &[u8])],
    cancelled: &Cancelled,
    to: impl Write,
) -> io::Result<()> {
    let mut tar = Builder::new(to);
    for (path, entry) in tree.iter() {
        cancelled.check()?;
        if ignore.excludes(path) || extra.iter().any(|(name, _)| Path::new(name) == path) {
            continue;
        }
        match &entry.kind {
            EntryKind::Directory => {
                tar.append_data(&mut header(EntryType::Directory, 0o755, entry.modified_s), path, io::empty())?
            }
            EntryKind::Link { target } => {
                tar.append_link(&mut header(EntryType::Symlink, 0o777, entry.modified_s), path, target)?;
            }
            EntryKind::File { executable } => {
                let file = File::open(root.join(path))?;
                let mut header = header(EntryType::Regular, if *executable { 0o755 } else { 0o644 }, entry.modified_s);
                header.set_size(file.metadata()?.len());
                tar.append_data(&mut header, path, file)?;
            }
        }
    }
    for (name, text) in extra {
        let mut header = header(EntryType::Regular, 0o644, 0);
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, name, *text)?;
    }
    tar.into_inner()?.flush()
}

fn header(kind: EntryType, mode: u32, modified_s: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(modified_s);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    header
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::source::{Entry, unpack};

    #[test]
    fn a_context_holds_the_source_without_what_is_ignored_and_with_what_is_added() {
        let dir = tempfile::tempdir().unwrap();
        let mut tar = Builder::new(Vec::new());
        for (path, mode) in [("keep/run", 0o770), ("drop/x", 0o600), ("Dockerfile", 0o600)] {
            let mut header = header(EntryType::Regular, mode, 7);
            header.set_size(2);
            tar.append_data(&mut header, path, &b"hi"[..]).unwrap();
        }
        let archive = dir.path().join("a.tar");
        std::fs::write(&archive, tar.into_inner().unwrap()).unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let tree = unpack(&archive, &root, ambo_model::ByteSize::mib(1), &Cancelled::default()).unwrap();
        assert_eq!(
            tree.entry(Path::new("keep/run")),
            Some(&Entry { kind: EntryKind::File { executable: true }, modified_s: 7 })
        );

        let mut context = Vec::new();
        let ignore = Ignore::parse("drop");
        context_write(&tree, &root, &ignore, &[(".x", b"new")], &Cancelled::default(), &mut context).unwrap();
        let mut seen = Vec::new();
        for entry in tar::Archive::new(context.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let mode = entry.header().mode().unwrap();
            seen.push(format!("{} {mode:o} {text}", entry.path().unwrap().display()));
        }
        assert_eq!(
            seen,
            ["Dockerfile 644 hi", "keep/ 755 ", "keep/run 755 hi", ".x 644 new"]
                .map(|line| { if line.starts_with("keep/ ") { "keep 755 ".to_owned() } else { line.to_owned() } })
        );
    }
}
