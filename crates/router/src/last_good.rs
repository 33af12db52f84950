//! The last good table on disk, so that the router serves before the control plane is up.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ambo_model::RouteTable;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long changes gather before they are written.
const GATHER: Duration = Duration::from_millis(200);
/// How long a failed write waits for the next try.
const RETRY: Duration = Duration::from_secs(5);
/// The form of the file.
const FORM: u32 = 1;
/// Its mode: there is no secret in it.
const FILE_MODE: u32 = 0o644;

#[derive(Serialize, Deserialize)]
struct Saved<T> {
    form: u32,
    table: T,
}

/// Reads the table. A file that is not there, or cannot be read, gives none: the control plane will publish one.
pub(crate) fn table_load(path: &Path) -> Option<RouteTable> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot read the last good route table; starting without");
            return None;
        }
    };
    match serde_json::from_slice::<Saved<RouteTable>>(&bytes) {
        Ok(saved) if saved.form == FORM => Some(saved.table),
        Ok(saved) => {
            tracing::warn!(path = %path.display(), form = saved.form, "the last good route table is of another form; starting without");
            None
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the last good route table is damaged; starting without");
            None
        }
    }
}

/// Writes each published table, the last one at the latest when stopped. Never fails: what cannot be written is tried again.
pub(crate) async fn tables_save(path: PathBuf, mut latest: watch::Receiver<Arc<RouteTable>>, stop: CancellationToken) {
    let mut unsaved = false;
    loop {
        if !unsaved {
            tokio::select! {
                changed = latest.changed() => if changed.is_err() { return },
                () = stop.cancelled() => if !latest.has_changed().unwrap_or(false) { return },
            }
        }
        let pause = if unsaved { RETRY } else { GATHER };
        let last = stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none();
        let table = Arc::clone(&latest.borrow_and_update());
        let target = path.clone();
        let saved = tokio::task::spawn_blocking(move || table_save(&target, &table)).await;
        unsaved = match saved {
            Ok(Ok(())) => false,
            Ok(Err(error)) => {
                tracing::warn!(path = %path.display(), %error, "cannot write the route table; trying again");
                true
            }
            Err(error) => {
                tracing::error!(%error, "writing the route table panicked");
                true
            }
        };
        if last {
            return;
        }
    }
}

/// Replaces the file in one step: a crash leaves the old one or the new one.
fn table_save(path: &Path, table: &RouteTable) -> io::Result<()> {
    let bytes = serde_json::to_vec(&Saved { form: FORM, table })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    ambo_atomic_file::write(path, &bytes, FILE_MODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_survives_and_a_damaged_file_does_not_stop_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/routes.json");
        assert_eq!(table_load(&path), None);
        table_save(&path, &RouteTable::default()).unwrap();
        assert_eq!(table_load(&path), Some(RouteTable::default()));
        fs::write(&path, b"{\"form\":1,\"table\":{\"rou").unwrap();
        assert_eq!(table_load(&path), None);
        fs::write(&path, b"{\"form\":9,\"table\":{\"routes\":[]}}").unwrap();
        assert_eq!(table_load(&path), None);
    }
}
