//! A disk that is small enough to be filled.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::program::run;

/// Sizes of what the ballast is written in, so that at last not even a page is left.
const CHUNK_BYTES: [usize; 3] = [1 << 20, 16 << 10, 1];

/// A disk in memory. It goes when it is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// A disk of so many MiB.
    ///
    /// # Panics
    /// When it cannot be mounted, which takes root.
    #[must_use]
    pub fn mount(mib: usize) -> Self {
        assert!(geteuid().is_root(), "a disk is only mounted for root: `sudo -E make test`");
        let dir = tempfile::Builder::new().prefix("ambo-disk-").tempdir().expect("a temporary directory");
        let size = format!("size={mib}m,mode=0700");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "ambo-e2e"]).arg(dir.path())).ok();
        Self { dir }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Fills it to the last byte. May be called again when somebody has made room.
    ///
    /// # Panics
    /// When something else than lack of space stands in the way.
    pub fn fill(&self) {
        let mut ballast = File::options().create(true).append(true).open(self.ballast()).expect("the ballast");
        for bytes in CHUNK_BYTES {
            let chunk = vec![0; bytes];
            loop {
                match ballast.write(&chunk) {
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                    Err(error) => panic!("the ballast cannot be written: {error}"),
                }
            }
        }
    }

    /// Fills it but for so many MiB.
    ///
    /// # Panics
    /// As [`SmallDisk::fill`].
    pub fn fill_leaving(&self, mib: usize) {
        let spared = self.path().join("spared");
        fs::write(&spared, vec![0; mib << 20]).expect("there is that much");
        self.fill();
        fs::remove_file(spared).expect("it was written");
    }

    /// Gives the space back.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn relieve(&self) {
        fs::remove_file(self.ballast()).expect("the ballast");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}
