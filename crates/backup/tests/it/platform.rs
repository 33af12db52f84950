//! A platform as a backup sees it: a state, a registry, repositories and keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ambo_backup::{
    Backup, Failure, Findings, GitDirectory, Held, Hold, ImagesNeeded, KeyFiles, Lock, Recipient, Repositories,
    RestoreError, Restored, Sources, Targets, Unlock, identity_generate, restore,
};
use ambo_model::{AppId, ImageDigest, Secret, Timestamp};
use ambo_registry::{Algorithm, BlobStore, Digest, DiskBlobStore, ObjectBlobStore};
use ambo_store::{Page, SqliteStore, Store, Transaction};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use rand::RngCore;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::RwLock;

pub(crate) const KEYS: [&str; 4] = ["master.key", "platform-id", "tls/ca.crt", "tls/ca.key"];
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// What keeps a platform's things.
pub(crate) struct TestPlatform {
    pub(crate) directory: TempDir,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn BlobStore>,
    pub(crate) repositories: Arc<dyn Repositories>,
    /// Held by backups for reading, by whoever removes something for writing.
    pub(crate) removals: Arc<RwLock<()>>,
    releases: AtomicU64,
}

impl TestPlatform {
    /// SQLite and a directory.
    pub(crate) fn of_one_machine() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&directory.path().join("state.db")).unwrap();
        let blobs = DiskBlobStore::open(directory.path().join("blobs")).unwrap();
        Self::with(directory, Arc::new(store), Arc::new(blobs))
    }

    /// Another store.
    pub(crate) fn with_store(store: Arc<dyn Store>) -> Self {
        Self::of_a_cluster(store, ambo_blobs::Bucket::in_memory())
    }

    /// Another store and a bucket.
    pub(crate) fn of_a_cluster(store: Arc<dyn Store>, bucket: ambo_blobs::Bucket) -> Self {
        Self::with(tempfile::tempdir().unwrap(), store, Arc::new(ObjectBlobStore::new(bucket)))
    }

    pub(crate) fn with(directory: TempDir, store: Arc<dyn Store>, blobs: Arc<dyn BlobStore>) -> Self {
        let repositories = Arc::new(GitDirectory::new(directory.path().join("repositories"), "git"));
        Self { directory, store, blobs, repositories, removals: Arc::default(), releases: AtomicU64::new(0) }
    }

    pub(crate) fn keys_make(&self) {
        for name in KEYS {
            let path = self.directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("the content of {name}")).unwrap();
        }
    }

    pub(crate) fn keys(&self) -> KeyFiles {
        KeyFiles::new(self.directory.path(), KEYS.map(str::to_owned))
    }

    pub(crate) fn sources(&self) -> Sources {
        let hold = TestHold { store: self.store.clone(), removals: self.removals.clone() };
        Sources {
            store: self.store.clone(),
            blobs: self.blobs.clone(),
            repositories: self.repositories.clone(),
            keys: Arc::new(self.keys()),
            hold: Arc::new(hold),
        }
    }

    pub(crate) fn targets(&self) -> Targets {
        Targets {
            store: self.store.clone(),
            blobs: self.blobs.clone(),
            staging: self.directory.path().join("staging"),
            repositories: self.repositories.clone(),
            keys: Arc::new(self.keys()),
        }
    }

    pub(crate) fn repository(&self, app: AppId) -> PathBuf {
        self.directory.path().join(format!("repositories/{app}.git"))
    }

    /// An app with everything: commits, images, releases. The last one serves.
    pub(crate) async fn app_make(&self, releases: u64, layer_bytes: usize) -> AppId {
        let app = AppId::new();
        let named = Transaction::new().put(format!("app-names/app-{app}"), json!(app).to_string());
        self.store.commit(named.put(format!("apps/{app}"), json!({ "id": app }).to_string())).await.unwrap();
        for _ in 0..releases {
            self.release(app, layer_bytes).await;
        }
        app
    }

    /// As the platform does it: source, image, release, each there before the next.
    pub(crate) async fn release(&self, app: AppId, layer_bytes: usize) {
        let number = self.releases.fetch_add(1, Ordering::Relaxed) + 1;
        let commit = commit_make(&self.repository(app), &format!("release {number}"));
        let mut layer = vec![0; layer_bytes];
        rand::rng().fill_bytes(&mut layer);
        let image = self.image_push(app, layer).await;
        let record = json!({ "number": number, "image": image, "commit": commit, "app": app });
        let transaction = Transaction::new()
            .put(format!("releases/{app}/{number:020}"), record.to_string())
            .put(format!("apps/{app}"), json!({ "id": app, "serving": number }).to_string());
        self.store.commit(transaction).await.unwrap();
    }

    /// As the registry does it: contents, then what points at them.
    pub(crate) async fn image_push(&self, app: AppId, layer: Vec<u8>) -> ImageDigest {
        let config = json!({ "app": app, "layer_bytes": layer.len() }).to_string().into_bytes();
        let described = |media: &str, content: &[u8]| {
            let digest = Digest::of(Algorithm::Sha256, content).to_string();
            json!({ "mediaType": media, "digest": digest, "size": content.len() })
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": described("application/vnd.oci.image.config.v1+json", &config),
            "layers": [described("application/vnd.oci.image.layer.v1.tar", &layer)],
        });
        for content in [layer, config] {
            let digest = self.content_put(content).await;
            self.put(&format!("apps/{app}/_blobs/sha256/{}", digest.hex()), "1").await;
        }
        let digest = self.content_put(manifest.to_string().into_bytes()).await;
        let link = json!({ "mediaType": IMAGE, "size": 1 }).to_string();
        self.put(&format!("apps/{app}/_manifests/sha256/{}", digest.hex()), &link).await;
        self.put(&format!("apps/{app}/_tags/v{}", &digest.hex()[..12]), &digest.to_string()).await;
        ImageDigest::parse(&digest.to_string()).unwrap()
    }

    async fn content_put(&self, content: Vec<u8>) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, &content);
        self.blobs.put(&content_key(&digest), content.into()).await.unwrap();
        digest
    }

    async fn put(&self, key: &str, content: &str) {
        self.blobs.put(key, Bytes::from(content.to_owned())).await.unwrap();
    }

    /// Makes an archive, to be opened with what is given besides.
    pub(crate) async fn backup(&self) -> (Vec<u8>, Findings, Unlock) {
        let (unlock, recipient) = lock();
        let mut archive = Vec::new();
        let findings = backup(self.sources(), recipient).write_to(&mut archive).await.unwrap();
        (archive, findings, unlock)
    }

    pub(crate) async fn restore(&self, archive: &[u8], unlock: &Unlock) -> Result<Restored, RestoreError> {
        restore(std::io::Cursor::new(archive.to_vec()), unlock.clone(), &self.targets()).await
    }

    /// Everything that is there, in a form that can be compared.
    pub(crate) async fn all(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (key, value) in state(&*self.store).await {
            all.insert(format!("state {key}"), value);
        }
        for prefix in ["apps", "blobs"] {
            let keys: Vec<_> = self.blobs.list(prefix).map_ok(|stat| stat.key).try_collect().await.unwrap();
            for key in keys {
                let content = self.blobs.get(&key).await.unwrap().unwrap();
                all.insert(format!("object {key}"), Digest::of(Algorithm::Sha256, &content).to_string());
            }
        }
        for app in self.repositories.list().await.unwrap() {
            all.insert(format!("repository {app}"), refs(&self.repository(app)));
        }
        for name in KEYS {
            if let Ok(key) = std::fs::read_to_string(self.directory.path().join(name)) {
                all.insert(format!("key {name}"), key);
            }
        }
        all
    }

    /// Says what a release of the state lacks, and which transaction is there in part.
    pub(crate) async fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let state: BTreeMap<String, Value> = state(&*self.store)
            .await
            .into_iter()
            .map(|(key, value)| (key, serde_json::from_str(&value).unwrap()))
            .collect();
        for (key, app) in state.iter().filter(|(key, _)| key.starts_with("apps/")) {
            let (id, Some(serving)) = (&key[5..], app["serving"].as_u64()) else { continue };
            if !state.contains_key(&format!("releases/{id}/{serving:020}")) {
                faults.push(format!("{key} serves {serving}, which is not there"));
            }
        }
        for (key, release) in state.iter().filter(|(key, _)| key.starts_with("releases/")) {
            let app: AppId = release["app"].as_str().unwrap().parse().unwrap();
            let serving = state[&format!("apps/{app}")]["serving"].as_u64().unwrap_or(0);
            if serving < release["number"].as_u64().unwrap() {
                faults.push(format!("{key} is there, and its app serves {serving}"));
            }
            let image: Digest = release["image"].as_str().unwrap().parse().unwrap();
            if !self.image_is_whole(app, &image).await {
                faults.push(format!("{key} lacks its image {image}"));
            }
            if !has_commit(&self.repository(app), release["commit"].as_str().unwrap()) {
                faults.push(format!("{key} lacks its commit"));
            }
        }
        faults
    }

    async fn image_is_whole(&self, app: AppId, image: &Digest) -> bool {
        let link = format!("apps/{app}/_manifests/sha256/{}", image.hex());
        if self.blobs.stat(&link).await.unwrap().is_none() {
            return false;
        }
        let Some(manifest) = self.blobs.get(&content_key(image)).await.unwrap() else { return false };
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let parts = [&manifest["config"], &manifest["layers"][0]];
        let digests = parts.map(|part| part["digest"].as_str().unwrap().parse::<Digest>().unwrap());
        futures::stream::iter(digests)
            .all(|digest| async move {
                let content = self.blobs.get(&content_key(&digest)).await.unwrap();
                content.is_some_and(|content| Digest::of(Algorithm::Sha256, &content) == digest)
            })
            .await
    }
}

pub(crate) fn content_key(digest: &Digest) -> String {
    format!("blobs/sha256/{}/{}", &digest.hex()[..2], digest.hex())
}

pub(crate) fn lock() -> (Unlock, Recipient) {
    let (identity, recipient) = identity_generate();
    (Unlock::Identities(identity), recipient)
}

pub(crate) fn backup(sources: Sources, recipient: Recipient) -> Backup {
    let made_at: Timestamp = "2026-11-23T15:00:00Z".parse().unwrap();
    let header = ambo_backup::Header { platform: "0a1b2c3d-4e5f".to_owned(), made_at, made_by: "test".to_owned() };
    Backup { sources, lock: Lock::Recipients(vec![recipient]), header }
}

pub(crate) fn passphrase(text: &str) -> Secret {
    Secret::new(text)
}

/// All keys with their values.
pub(crate) async fn state(store: &dyn Store) -> BTreeMap<String, String> {
    let (mut all, mut after) = (BTreeMap::new(), None);
    loop {
        let listing = store.list("", Page { after, ..Page::default() }).await.unwrap();
        after = listing.entries.last().map(|entry| entry.key.clone());
        for entry in listing.entries {
            all.insert(entry.key, String::from_utf8(entry.value.to_vec()).unwrap());
        }
        if !listing.more {
            return all;
        }
    }
}

/// Knows what the state's releases need, and keeps it.
struct TestHold {
    store: Arc<dyn Store>,
    removals: Arc<RwLock<()>>,
}

#[async_trait]
impl Hold for TestHold {
    async fn hold(&self) -> Result<Held, Failure> {
        Ok(Held::new(self.removals.clone().read_owned().await))
    }

    async fn images_needed(&self) -> Result<ImagesNeeded, Failure> {
        let mut needed = ImagesNeeded::new();
        for (_, release) in state(&*self.store).await.iter().filter(|(key, _)| key.starts_with("releases/")) {
            let release: Value = serde_json::from_str(release)?;
            let app = release["app"].as_str().ok_or("no app")?.parse()?;
            needed.entry(app).or_default().insert(ImageDigest::parse(release["image"].as_str().ok_or("no image")?)?);
        }
        Ok(needed)
    }

    async fn deploys_settle(&self) -> Result<(), Failure> {
        Ok(())
    }
}

pub(crate) fn git(repository: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(repository).args(arguments).stdin(Stdio::null()).stderr(Stdio::piped());
    for (name, value) in [("NAME", "somebody"), ("EMAIL", "somebody@example.com"), ("DATE", "2026-11-23T15:00:00Z")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A commit on the branch `main`; makes the repository if need be.
pub(crate) fn commit_make(repository: &Path, message: &str) -> String {
    if !repository.join("HEAD").exists() {
        std::fs::create_dir_all(repository).unwrap();
        git(repository, &["init", "--quiet", "--bare", "--initial-branch=main", "--template="]);
    }
    let tree = git(repository, &["mktree"]);
    let before = git(repository, &["for-each-ref", "--format=%(objectname)", "refs/heads/main"]);
    let parent = if before.is_empty() { vec![] } else { vec!["-p", before.as_str()] };
    let commit = git(repository, &[&["commit-tree", &tree, "-m", message][..], &parent].concat());
    git(repository, &["update-ref", "refs/heads/main", &commit]);
    commit
}

pub(crate) fn refs(repository: &Path) -> String {
    let refs = git(repository, &["for-each-ref", "--format=%(refname) %(objectname) %(HEAD)"]);
    git(repository, &["fsck", "--strict"]);
    refs
}

fn has_commit(repository: &Path, commit: &str) -> bool {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(repository).args(["merge-base", "--is-ancestor", commit, "refs/heads/main"]);
    command.stderr(Stdio::null()).status().unwrap().success()
}
