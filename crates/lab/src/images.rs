//! Images of the host's engine, written down once for all machines and labs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use rustix::fs::{FlockOperation, flock};

use crate::command::words;
use crate::record;

/// Begins with a dot, as no lab's name does.
const DIRECTORY: &str = ".images";

/// The image as an archive: made when the host's engine has another image of this name than the last time. One archive is kept
/// for each name.
pub(crate) fn archive(image: &str) -> anyhow::Result<File> {
    let id = words("docker", &format!("image inspect --format {{{{.Id}}}} {image}"));
    let id = id.with_context(|| format!("`{image}` is missing: `dev/bases.sh` makes the bases"))?;
    let directory = Path::new(record::DIRECTORY).join(DIRECTORY);
    fs::create_dir_all(&directory)?;
    let lock = File::create(directory.join("lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let path = directory.join(file_name(image, id.trim()));
    if !path.exists() {
        write(image, &path)?;
        others_remove(&path, image)?;
    }
    File::open(&path).with_context(|| format!("open {}", path.display()))
}

/// Never half of one: a file of this name is whole.
fn write(image: &str, path: &Path) -> anyhow::Result<()> {
    let partial = path.with_extension("partial");
    let file = File::create(&partial).with_context(|| format!("write {}", partial.display()))?;
    let saved = Command::new("docker").args(["save", image]).stdin(Stdio::null()).stdout(file).status()?;
    ensure!(saved.success(), "`docker save {image}` failed with {saved}");
    fs::rename(&partial, path)?;
    Ok(())
}

/// Removes what other images of this name have left.
fn others_remove(path: &Path, image: &str) -> anyhow::Result<()> {
    let files = fs::read_dir(path.parent().unwrap_or(path))?.flatten().map(|entry| entry.path());
    let is_other = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix(image)) && file != path
    };
    files.filter(is_other).try_for_each(fs::remove_file)?;
    Ok(())
}

fn file_name(image: &str, id: &str) -> String {
    format!("{}{}.tar", prefix(image), id.trim_start_matches("sha256:"))
}

fn prefix(image: &str) -> String {
    format!("{}@", image.replace(['/', ':'], "_"))
}
