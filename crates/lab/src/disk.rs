//! A machine's own disk for the platform: a file with a file system, which can be full or slow.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::command::run;
use crate::engine::PLATFORM;
use crate::node::Node;
use crate::remains::directories;

/// What fills it.
const FILLING: &str = "filling";
/// What a slow disk writes in a second.
const SLOW_WRITES: u64 = 20;

/// Makes the disk of a machine with this directory.
pub(crate) fn make(directory: &Path, mib: u64) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    let image = directory.join(PLATFORM).with_extension("img");
    fs::File::create(&image)?.set_len(mib << 20)?;
    run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image))
        .context("make a disk: e2fsprogs has mkfs.ext4")?;
    Ok(())
}

impl Node {
    /// Fills its disk to the last byte.
    ///
    /// # Errors
    /// When it is off.
    pub fn disk_fill(&self) -> anyhow::Result<()> {
        let file = self.platform()?.join(FILLING);
        // It ends with an error; what was too little for a large piece takes small ones.
        for piece in ["bs=1M", "bs=1k"] {
            let mut fill = Command::new("dd");
            fill.arg("if=/dev/zero").arg(format!("of={}", file.display())).args([
                piece,
                "oflag=append",
                "conv=notrunc,fsync",
            ]);
            fill.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        }
        Ok(())
    }

    /// Makes room again.
    ///
    /// # Errors
    /// When it is off, or was not full.
    pub fn disk_free(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.platform()?.join(FILLING))?)
    }

    /// Lets its containers write 20 times a second only.
    ///
    /// # Errors
    /// When it is off.
    pub fn disk_slow(&self) -> anyhow::Result<()> {
        self.throttle(SLOW_WRITES)
    }

    /// Lets them write as fast as the disk does.
    ///
    /// # Errors
    /// When it is off.
    pub fn disk_hasten(&self) -> anyhow::Result<()> {
        self.throttle(0)
    }

    fn throttle(&self, writes: u64) -> anyhow::Result<()> {
        let device = fs::metadata(self.platform()?)?.dev();
        let limit = format!("{}:{} {writes}", rustix::fs::major(device), rustix::fs::minor(device));
        limit_below(&PathBuf::from("/sys/fs/cgroup/blkio").join(self.namespace()), &limit);
        Ok(())
    }

    /// The platform's directory, as the machine sees it.
    fn platform(&self) -> anyhow::Result<PathBuf> {
        let pid =
            fs::read_to_string(self.directory().join("pid")).with_context(|| format!("{} is off", self.name()))?;
        Ok(PathBuf::from(format!("/proc/{}/root/var/lib/ambo", pid.trim())))
    }
}

/// Limits of one cgroup do not hold for those below it.
fn limit_below(cgroup: &Path, limit: &str) {
    // A container that ends meanwhile takes its cgroup along.
    let _ = fs::write(cgroup.join("blkio.throttle.write_iops_device"), limit);
    directories(cgroup).for_each(|below| limit_below(&below, limit));
}
