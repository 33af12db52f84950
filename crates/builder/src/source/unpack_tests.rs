use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{Builder, Header};

use super::*;

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size);
    header
}

/// Appends an entry whose name is written raw, as an attacker would.
fn append(tar: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, link: &str, content: &[u8]) {
    let mut header = header(kind, content.len() as u64);
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    tar.append(&header, content).unwrap();
}

fn archive(entries: &[(EntryType, &str, &str, &[u8])]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (kind, name, link, content) in entries {
        append(&mut tar, *kind, name, link, content);
    }
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unpacked(bytes: &[u8], limit: ByteSize) -> (Result<SourceTree, BuildError>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("archive");
    fs::write(&file, bytes).unwrap();
    let root = dir.path().join("root");
    fs::create_dir(&root).unwrap();
    (unpack(&file, &root, limit, &Cancelled::default()), dir)
}

fn fault(bytes: &[u8]) -> String {
    unpacked(bytes, ByteSize::mib(1)).0.unwrap_err().to_string()
}

const FILE: EntryType = EntryType::Regular;

#[test]
fn plain_and_gzip_archives_unpack_with_their_executable_bits_and_links() {
    let mut tar = Builder::new(Vec::new());
    let mut run = header(FILE, 2);
    run.set_mode(0o755);
    tar.append_data(&mut run, "top/bin/run", &b"hi"[..]).unwrap();
    append(&mut tar, FILE, "./Procfile", "", b"web: x");
    append(&mut tar, EntryType::Symlink, "top/link", "../Procfile", b"");
    append(&mut tar, EntryType::Link, "hard", "Procfile", b"");
    let tar = tar.into_inner().unwrap();
    for bytes in [tar.clone(), gzip(&tar)] {
        let (tree, dir) = unpacked(&bytes, ByteSize::mib(1));
        let tree = tree.unwrap();
        assert_eq!(tree.text("Procfile").unwrap(), "web: x");
        let kind = |path: &str| tree.entry(Path::new(path)).unwrap().kind.clone();
        assert_eq!(kind("top/bin/run"), EntryKind::File { executable: true });
        assert_eq!(kind("top/link"), EntryKind::Link { target: "../Procfile".into() });
        assert_eq!(fs::read(dir.path().join("root/hard")).unwrap(), b"web: x");
        assert!(tree.has_directory("top/bin") && !tree.has_file("bin/run"), "the top directory stays");
    }
}

#[test]
fn long_names_of_gnu_and_pax_are_understood() {
    let long = format!("{}/{}", "d".repeat(150), "f".repeat(200));
    let mut gnu = Builder::new(Vec::new());
    gnu.append_data(&mut header(FILE, 1), &long, &b"x"[..]).unwrap();
    let mut pax = Builder::new(Vec::new());
    pax.append_pax_extensions([("path", long.as_bytes()), ("mtime", b"1.5")]).unwrap();
    append(&mut pax, FILE, "cut", "", b"x");
    for bytes in [gnu.into_inner().unwrap(), pax.into_inner().unwrap()] {
        assert!(unpacked(&bytes, ByteSize::mib(1)).0.unwrap().has_file(&long));
    }
}

#[test]
fn what_leaves_the_source_is_refused_by_name() {
    let refusals = [
        fault(&archive(&[(FILE, "../evil", "", b"x")])),
        fault(&archive(&[(FILE, "a/../../evil", "", b"x")])),
        fault(&archive(&[(FILE, "/etc/evil", "", b"x")])),
        fault(&archive(&[(EntryType::Symlink, "out", "/etc", b"")])),
        fault(&archive(&[(EntryType::Symlink, "a/out", "../../etc", b"")])),
        fault(&archive(&[(EntryType::Symlink, "empty", "", b"")])),
        fault(&archive(&[(EntryType::Link, "hard", "/etc/passwd", b"")])),
        fault(&archive(&[(EntryType::Link, "hard", "../x", b"")])),
        fault(&archive(&[(EntryType::Link, "hard", "missing", b"")])),
        fault(&archive(&[(EntryType::Symlink, "d", "e", b""), (FILE, "d/x", "", b"x")])),
        fault(&archive(&[(FILE, "d", "", b""), (FILE, "d/x", "", b"x")])),
        fault(&archive(&[(EntryType::Block, "sda", "", b"")])),
        fault(&archive(&[(EntryType::Char, "tty", "", b"")])),
        fault(&archive(&[(EntryType::Fifo, "pipe", "", b"")])),
        fault(&archive(&[(EntryType::Directory, "d/", "", b""), (FILE, "d", "", b"x")])),
    ];
    insta::assert_snapshot!(refusals.join("\n"), @r"
    the source archive cannot be used: `../evil` has `..` in its name
    the source archive cannot be used: `a/../../evil` has `..` in its name
    the source archive cannot be used: `/etc/evil` has an absolute name
    the source archive cannot be used: `out` is a link out of the source, to `/etc`
    the source archive cannot be used: `a/out` is a link out of the source, to `../../etc`
    the source archive cannot be used: `empty` is a link to nothing
    the source archive cannot be used: `hard` is a hard link out of the source, to `/etc/passwd`
    the source archive cannot be used: `hard` is a hard link out of the source, to `../x`
    the source archive cannot be used: `hard` is a hard link to `missing`, which is no file before it in the archive
    the source archive cannot be used: `d/x` lies below `d`, which is no directory
    the source archive cannot be used: `d/x` lies below `d`, which is no directory
    the source archive cannot be used: `sda` is a device
    the source archive cannot be used: `tty` is a device
    the source archive cannot be used: `pipe` is a fifo
    the source archive cannot be used: `d` is there twice, once as a directory and once not
    ");
}

#[test]
fn a_later_file_replaces_an_earlier_link_instead_of_writing_through_it() {
    let bytes = archive(&[(FILE, "a", "", b"old"), (EntryType::Symlink, "l", "a", b""), (FILE, "l", "", b"new")]);
    let (tree, dir) = unpacked(&bytes, ByteSize::mib(1));
    assert_eq!(tree.unwrap().entry(Path::new("l")).unwrap().kind, EntryKind::File { executable: false });
    assert_eq!(fs::read(dir.path().join("root/a")).unwrap(), b"old");
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let bomb = gzip(&archive(&[(FILE, "zeros", "", &vec![0; 8 << 20])]));
    assert!(bomb.len() < 64 << 10);
    assert!(matches!(unpacked(&bomb, ByteSize::mib(1)).0, Err(BuildError::SourceTooLarge(_))));
    let links: Vec<_> = (0..40).map(|at| format!("l{at}")).collect();
    let mut entries = vec![(FILE, "zeros", "", [0; 60 << 10].as_slice())];
    entries.extend(links.iter().map(|name| (EntryType::Link, name.as_str(), "zeros", [].as_slice())));
    let bytes = archive(&entries);
    assert!(matches!(unpacked(&bytes, ByteSize::mib(1)).0, Err(BuildError::SourceTooLarge(_))));
}

#[test]
fn an_endless_name_costs_no_memory() {
    let mut tar = Builder::new(Vec::new());
    append(&mut tar, EntryType::GNULongName, "././@LongLink", "", &vec![b'a'; 200 << 10]);
    append(&mut tar, FILE, "x", "", b"x");
    assert!(fault(&tar.into_inner().unwrap()).contains("longer than 65536 bytes"));
}

#[test]
fn what_is_no_archive_or_only_half_of_one_is_said_so() {
    let whole = archive(&[(FILE, "a", "", &[1; 4000])]);
    assert!(fault(&whole[..2000]).contains("no complete tar file"));
    let packed = gzip(&whole);
    assert!(fault(&packed[..packed.len() / 2]).contains("no complete tar file"));
    assert!(fault(&[b'x'; 3000]).contains("no complete tar file"));
    assert!(fault(b"PK\x03\x04rest").contains("compressed with zip"));
}

#[test]
fn a_source_without_files_is_empty() {
    for bytes in [vec![], vec![0; 10240], archive(&[(EntryType::Directory, "d/", "", b"")])] {
        assert!(matches!(unpacked(&bytes, ByteSize::mib(1)).0, Err(BuildError::Empty)));
    }
}

proptest! {
    #[test]
    fn no_name_leaves_the_root(name in "[a./]{1,40}", link in "[a./]{0,20}") {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("archive");
        fs::write(&file, archive(&[(EntryType::Symlink, &format!("{name}l"), &link, b""), (FILE, &name, "", b"x")])).unwrap();
        let root = dir.path().join("deep/root");
        fs::create_dir_all(&root).unwrap();
        let _ = unpack(&file, &root, ByteSize::mib(1), &Cancelled::default());
        let outside: Vec<_> = fs::read_dir(dir.path()).unwrap().chain(fs::read_dir(dir.path().join("deep")).unwrap())
            .map(|entry| entry.unwrap().file_name()).collect();
        prop_assert_eq!(outside.len(), 3);
    }

    #[test]
    fn no_bytes_make_unpacking_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = unpacked(&bytes, ByteSize::kib(64));
    }
}
