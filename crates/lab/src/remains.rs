//! What a machine leaves when its processes have ended: what memory would have forgotten.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{UnmountFlags, unmount};

/// Unmounts what lies below, the innermost first.
pub(crate) fn mounts_remove(directory: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let prefix = format!("{}/", directory.display());
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|point| point.starts_with(&prefix));
    for point in points.collect::<Vec<_>>().into_iter().rev() {
        let _ = unmount(point, UnmountFlags::DETACH);
    }
}

/// Lets containers that were paused go on: in the freezer's cgroups, or with the one hierarchy of cgroup v2.
pub(crate) fn cgroups_thaw(name: &str) {
    for (root, file, word) in
        [("/sys/fs/cgroup/freezer", "freezer.state", "THAWED"), ("/sys/fs/cgroup", "cgroup.freeze", "0")]
    {
        thaw(&Path::new(root).join(name), file, word);
    }
}

fn thaw(directory: &Path, file: &str, word: &str) {
    // The root of a hierarchy, or one that has no such file, is not frozen.
    if directory.join(file).exists() {
        let _ = fs::write(directory.join(file), word);
    }
    directories(directory).for_each(|below| thaw(&below, file, word));
}

/// Removes a machine's cgroups. Their directories can only be removed from within outwards, and only by `rmdir`.
pub(crate) fn cgroups_remove(name: &str) {
    let roots = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
    for root in roots.chain([PathBuf::from("/sys/fs/cgroup")]) {
        directories_remove(&root.join(name));
    }
}

fn directories_remove(directory: &Path) {
    directories(directory).for_each(|below| directories_remove(&below));
    let _ = fs::remove_dir(directory);
}

/// The directories in this one.
pub(crate) fn directories(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}
