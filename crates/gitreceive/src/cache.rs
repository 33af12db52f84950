//! A bare repository on this machine's disk that follows one in the bucket.
//!
//! What it holds is written down in it, in the file [`NOTE`], after it is there; so a kill in between costs a second download
//! and nothing else. Whoever changes a cache does so under the app's gate, one at a time.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ambo_model::{AppId, CommitId};
use bytes::Bytes;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::fs;
use uuid::Uuid;

use crate::git::{Git, GitError};
use crate::manifest::{Manifest, Refs};
use crate::origin::{Origin, OriginFault};
use crate::repository::RepositoryFault;

/// The file in which a cache says what it holds. A repository without it is no cache: its truth was this disk.
const NOTE: &str = "ambo-cache.json";
/// How long one pack may take to arrive. The bucket's own limit is on silence.
const PACK_DURATION_MAX: Duration = Duration::from_secs(3600);
/// How long refs may take to be set.
const REFS_DURATION_MAX: Duration = Duration::from_secs(60);

/// What a cache holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// The writing of the manifest that the refs are of; `None` before the first.
    pub(crate) at: Option<Uuid>,
    packs: BTreeSet<Uuid>,
}

impl Held {
    /// All that a manifest names.
    pub(crate) fn all(manifest: &Manifest) -> Self {
        Self { at: Some(manifest.written), packs: manifest.packs.iter().map(|pack| pack.name).collect() }
    }
}

/// The repository at a path.
#[derive(Debug)]
pub(crate) struct Cache<'a> {
    pub(crate) git: &'a Git,
    pub(crate) path: &'a Path,
}

impl Cache<'_> {
    /// What it holds; `None` when it is no cache, or not there.
    pub(crate) async fn held(&self) -> io::Result<Option<Held>> {
        match fs::read(self.path.join(NOTE)).await {
            // One that cannot be read is of a cache that holds nothing for certain.
            Ok(content) => Ok(Some(serde_json::from_slice(&content).unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes down what it holds.
    ///
    /// # Cancel safety
    /// Dropping the future may not stop the writing.
    pub(crate) async fn note(&self, held: &Held) -> io::Result<()> {
        let (fresh, note) = (self.path.join(format!("{NOTE}.{}.lock", Uuid::new_v4().simple())), self.path.join(NOTE));
        let content = serde_json::to_vec(held)?;
        let written = tokio::task::spawn_blocking(move || {
            let mut file = std::fs::File::create(&fresh)?;
            file.write_all(&content)?;
            file.sync_all()?;
            std::fs::rename(&fresh, note)
        });
        written.await.map_err(io::Error::other)?
    }

    /// Makes it what the manifest says, from where it is by now.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a cache that holds some of the packs, and knows which.
    pub(crate) async fn follow(&self, origin: &Origin, app: AppId, manifest: &Manifest) -> Result<(), RepositoryFault> {
        let mut held = self.held().await.map_err(|source| self.fault(source))?.unwrap_or_default();
        for pack in &manifest.packs {
            if !held.packs.contains(&pack.name) {
                let content = origin.pack_read(app, pack).await?;
                self.pack_take(content).await?;
                held.packs.insert(pack.name);
                self.note(&held).await.map_err(|source| self.fault(source))?;
            }
        }
        self.refs_set(&manifest.refs).await?;
        self.note(&Held::all(manifest)).await.map_err(|source| self.fault(source))
    }

    fn fault(&self, source: io::Error) -> RepositoryFault {
        RepositoryFault::Write { path: self.path.to_owned(), source }
    }

    /// Git writes the pack, its index made anew, which looks at every object of it.
    async fn pack_take(&self, content: ambo_blobs::ByteStream) -> Result<(), RepositoryFault> {
        let mut broken = None;
        let content = content.map_err(|error| {
            broken = Some(error);
            io::Error::other("the bucket broke off")
        });
        let taken = self.git.feed(PACK_DURATION_MAX, self.path, &["index-pack", "--stdin"], content).await;
        match (taken, broken) {
            (Err(_), Some(error)) => Err(OriginFault::from(error).into()),
            (taken, _) => Ok(taken.map(drop)?),
        }
    }

    /// The refs as they are here.
    pub(crate) async fn refs_observe(&self) -> Result<Refs, GitError> {
        let arguments = ["for-each-ref", "--format=%(objectname) %(refname)"];
        let listed = self.git.output(self.path, None, &arguments).await?;
        let names = listed.lines().filter_map(|line| line.split_once(' '));
        let names = names.filter_map(|(object, name)| Some((name.to_owned(), CommitId::parse(object)?))).collect();
        let head = self.git.output(self.path, None, &["symbolic-ref", "HEAD"]).await?;
        Ok(Refs { head: head.trim().to_owned(), names })
    }

    /// Sets all refs in one step, and `HEAD` after them.
    async fn refs_set(&self, refs: &Refs) -> Result<(), GitError> {
        let now = self.refs_observe().await?;
        let gone = now.names.keys().filter(|name| !refs.names.contains_key(*name));
        let moved = refs.names.iter().filter(|(name, object)| now.names.get(*name) != Some(*object));
        let mut steps: String = gone.map(|name| format!("delete {name}\n")).collect();
        steps.extend(moved.map(|(name, object)| format!("update {name} {object}\n")));
        if !steps.is_empty() {
            let steps = stream::iter([Ok(Bytes::from(steps))]);
            self.git.feed(REFS_DURATION_MAX, self.path, &["update-ref", "--stdin"], steps).await?;
        }
        if now.head != refs.head {
            self.git.output(self.path, None, &["symbolic-ref", "HEAD", &refs.head]).await?;
        }
        Ok(())
    }

    /// The packs that lie here.
    pub(crate) async fn packs(&self) -> io::Result<Vec<PathBuf>> {
        packs_in(&self.path.join("objects")).await
    }
}

/// The packs in a directory of objects. Anything else than packs there would be lost to who stores packs alone, and is an
/// error.
pub(crate) async fn packs_in(objects: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(objects).await?;
    while let Some(entry) = entries.next_entry().await? {
        let is_fan_out = entry.file_name().len() == 2;
        if is_fan_out && fs::read_dir(entry.path()).await?.next_entry().await?.is_some() {
            return Err(io::Error::other(format!("`{}` has objects outside of packs", objects.display())));
        }
    }
    let mut packs = Vec::new();
    let mut entries = match fs::read_dir(objects.join("pack")).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(packs),
        entries => entries?,
    };
    while let Some(entry) = entries.next_entry().await? {
        let path = entry.path();
        if path.extension() == Some(OsStr::new("pack")) {
            packs.push(path);
        }
    }
    Ok(packs)
}
