//! The output of builds that nobody waits for: written to a file as it comes, read from there by whoever knows its URL, during
//! the build and afterwards.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ambo_controller::progress::Progress;
use ambo_model::BuildId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{Stream, stream};
use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use crate::sources::remove_older;

/// How long an output is kept.
const OUTPUT_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Largest output. The rest is dropped: a build says so itself, at a lower limit.
const OUTPUT_BYTES_MAX: u64 = 64 << 20;
/// Lines that wait to be written.
const LINES_QUEUED_MAX: usize = 256;
/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// Below the directory of uploads.
const DIRECTORY: &str = "outputs";
/// Bytes of the key.
const KEY_BYTES: usize = 32;

/// The outputs of a directory.
#[derive(Clone)]
pub(crate) struct BuildOutputs {
    directory: PathBuf,
    /// Signs the ids in URLs.
    key: Zeroizing<[u8; KEY_BYTES]>,
    /// Builds that still write. Their readers are told of each write, and of the end by the sender's drop.
    running: Arc<Mutex<HashMap<BuildId, watch::Receiver<()>>>>,
}

impl std::fmt::Debug for BuildOutputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuildOutputs").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl BuildOutputs {
    /// The outputs below a directory of uploads. URLs are good for as long as the key is the same.
    pub(crate) fn new(uploads: &Path, key: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self { directory: uploads.join(DIRECTORY), key, running: Arc::default() }
    }

    /// The secret that leads to a build's output.
    pub(crate) fn secret(&self, build: BuildId) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(build).finalize().into_bytes())
    }

    #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn mac(&self, build: BuildId) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.key).expect("HMAC takes keys of any length");
        mac.update(build.uuid().as_bytes());
        mac
    }

    /// Where a build's lines go, and what writes them down; that ends with the last line.
    pub(crate) fn record(&self, build: BuildId) -> (Progress, BoxFuture<'static, ()>) {
        let (sender, lines) = mpsc::channel(LINES_QUEUED_MAX);
        let (written, watched) = watch::channel(());
        self.running.lock().insert(build, watched);
        let (outputs, path) = (self.clone(), self.path(build));
        let recording = async move {
            if let Err(error) = write(&path, lines, &written).await {
                tracing::warn!(%build, %error, "the output of a build is lost");
            }
            outputs.running.lock().remove(&build);
        };
        (Progress::to(sender), Box::pin(recording))
    }

    /// Whether the build, or the rollout of what it gave, goes on.
    pub(crate) fn is_running(&self, build: BuildId) -> bool {
        self.running.lock().contains_key(&build)
    }

    /// A build's output from its beginning, and what follows until the build ends. `None`: no such output, or the wrong
    /// secret.
    pub(crate) async fn follow(&self, build: BuildId, secret: &str) -> Option<impl Stream<Item = Bytes> + use<>> {
        let secret = URL_SAFE_NO_PAD.decode(secret).ok()?;
        self.mac(build).verify_slice(&secret).ok()?;
        let running = self.running.lock().get(&build).cloned();
        let file = match tokio::fs::File::open(self.path(build)).await {
            Ok(file) => Some(file),
            // Not a word yet.
            Err(_) if running.is_some() => None,
            Err(_) => return None,
        };
        let reader = Reader { path: self.path(build), file, running };
        Some(stream::unfold(reader, |mut reader| async move { reader.next().await.map(|chunk| (chunk, reader)) }))
    }

    /// Removes outputs that are too old.
    pub(crate) fn expire(uploads: &Path, now: SystemTime) -> io::Result<()> {
        remove_older(&uploads.join(DIRECTORY), "build-", OUTPUT_LIFETIME, now)
    }

    fn path(&self, build: BuildId) -> PathBuf {
        self.directory.join(format!("build-{build}"))
    }
}

struct Reader {
    path: PathBuf,
    file: Option<tokio::fs::File>,
    running: Option<watch::Receiver<()>>,
}

impl Reader {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.file.is_none() {
                self.file = tokio::fs::File::open(&self.path).await.ok();
            }
            if let Some(file) = &mut self.file {
                let mut chunk = vec![0; CHUNK_BYTES];
                let read = file.read(&mut chunk).await.unwrap_or(0);
                if read > 0 {
                    chunk.truncate(read);
                    return Some(chunk.into());
                }
            }
            // What was written before the end is read in one more round.
            if self.running.as_mut()?.changed().await.is_err() {
                self.running = None;
            }
        }
    }
}

/// Writes lines until there are no more. They are taken even when they cannot be written: no build waits for its output.
async fn write(path: &Path, mut lines: mpsc::Receiver<String>, written: &watch::Sender<()>) -> io::Result<()> {
    let mut file = create(path).await;
    let (mut left, mut batch) = (OUTPUT_BYTES_MAX, Vec::new());
    while lines.recv_many(&mut batch, LINES_QUEUED_MAX).await > 0 {
        let text: String = batch.drain(..).flat_map(|line| [line, "\n".to_owned()]).collect();
        let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if let Ok(open) = &mut file
            && size <= left
        {
            left -= size;
            let put = async {
                open.write_all(text.as_bytes()).await?;
                open.flush().await
            };
            if let Err(error) = put.await {
                file = Err(error);
            }
        }
        written.send_replace(());
    }
    file.map(drop)
}

async fn create(path: &Path) -> io::Result<tokio::fs::File> {
    if let Some(directory) = path.parent() {
        tokio::fs::create_dir_all(directory).await?;
    }
    tokio::fs::File::create(path).await
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn an_output_is_followed_to_its_end_and_read_again_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let key = |byte| Zeroizing::new([byte; KEY_BYTES]);
        let (outputs, build) = (BuildOutputs::new(dir.path(), key(1)), BuildId::new());
        let (progress, recording) = outputs.record(build);
        let secret = outputs.secret(build);
        let reading = outputs.follow(build, &secret).await.unwrap();
        let writing = async move {
            progress.line("one".to_owned()).await;
            tokio::task::yield_now().await;
            progress.line("two".to_owned()).await;
        };
        let read = |stream: Vec<Bytes>| String::from_utf8(stream.concat()).unwrap();
        let ((), (), followed) = tokio::join!(writing, recording, reading.collect());
        assert_eq!(read(followed), "one\ntwo\n");
        // A later process has the same key.
        let later = BuildOutputs::new(dir.path(), key(1));
        assert_eq!(read(later.follow(build, &secret).await.unwrap().collect().await), "one\ntwo\n");
        assert!(later.follow(build, "guessed").await.is_none());
        assert!(later.follow(BuildId::new(), &secret).await.is_none());
        assert!(BuildOutputs::new(dir.path(), key(2)).follow(build, &secret).await.is_none());
    }
}
