//! A platform of two accounts and two apps, with a registry that tests can restart.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{AccountId, AppId, AppName, Secret, Timestamp};
use ambo_registry::{
    Action, Algorithm, BlobStore, Credentials, Denied, Digest, Keep, Principal, Registry, RepositoryAccess,
    RepositoryOwner, Retained, Retention, Settings, TokenKey,
};
use async_trait::async_trait;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::backing::Backing;

pub(crate) const OWNER: &str = "owner@example.com";
pub(crate) const READER: &str = "reader@example.com";
pub(crate) const STRANGER: &str = "stranger@example.com";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const PLATFORM_PASSWORD: &str = "platform's own";
pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Everybody has the same password. The owner may do all to both apps, the reader may pull `myapp`.
pub(crate) struct Platform {
    pub(crate) accounts: BTreeMap<&'static str, AccountId>,
    pub(crate) apps: Mutex<BTreeMap<String, AppId>>,
    pub(crate) keep: Mutex<Retained>,
}

impl Platform {
    fn new() -> Self {
        let accounts = [OWNER, READER, STRANGER].map(|name| (name, AccountId::new())).into();
        let apps: BTreeMap<String, AppId> = ["myapp", "other"].map(|name| (name.to_owned(), AppId::new())).into();
        let keep = apps.values().map(|app| (*app, Keep::default())).collect();
        Self { accounts, apps: Mutex::new(apps), keep: Mutex::new(keep) }
    }

    pub(crate) fn app(&self, name: &str) -> AppId {
        self.apps.lock()[name]
    }
}

#[async_trait]
impl RepositoryAccess for Platform {
    async fn authenticate(&self, credentials: &Credentials) -> Result<AccountId, Denied> {
        let (name, secret) = match credentials {
            Credentials::Basic { username, password } => (username.as_str(), password.reveal()),
            Credentials::Bearer(token) => (OWNER, token.reveal().strip_prefix("api:").unwrap_or_default()),
        };
        match (name, secret) {
            ("throttled@example.com", _) => Err(Denied::Throttled { retry_after: Duration::from_secs(7) }),
            ("broken@example.com", _) => Err(Denied::Unavailable("the store is away".into())),
            (_, PASSWORD) => self.accounts.get(name).copied().ok_or(Denied::Unauthenticated),
            _ => Err(Denied::Unauthenticated),
        }
    }

    async fn authorize(&self, principal: &Principal, app: &AppName, action: Action) -> Result<RepositoryOwner, Denied> {
        let id = self.apps.lock().get(app.as_str()).copied().ok_or(Denied::NotFound)?;
        let is = |name: &str| *principal == Principal::Account(self.accounts[name]);
        match action {
            _ if *principal == Principal::Platform || is(OWNER) => Ok(RepositoryOwner(id)),
            Action::Pull if is(READER) && app.as_str() == "myapp" => Ok(RepositoryOwner(id)),
            Action::Push | Action::Delete if is(READER) && app.as_str() == "myapp" => Err(Denied::Forbidden),
            _ => Err(Denied::NotFound),
        }
    }
}

#[async_trait]
impl Retention for Platform {
    async fn retained(&self) -> Result<Retained, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.keep.lock().clone())
    }
}

pub(crate) struct TestRegistry {
    /// Where uploads are staged, and what is kept on the disk.
    pub(crate) directory: tempfile::TempDir,
    pub(crate) backing: Backing,
    pub(crate) platform: Arc<Platform>,
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl TestRegistry {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let backing = Backing::new(directory.path());
        Self::over(directory, backing, Arc::new(Platform::new()), change)
    }

    /// A registry of that platform over a store that may be another's as well; the directory is its own.
    pub(crate) fn over(
        directory: tempfile::TempDir,
        backing: Backing,
        platform: Arc<Platform>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = Settings::new(directory.path().join("uploads"));
        settings.platform_password = Some(Secret::new(PLATFORM_PASSWORD));
        settings.token_key = TokenKey::new([7; 32]);
        change(&mut settings);
        let registry = Registry::new(backing.store(), Arc::clone(&platform) as _, settings.clone()).unwrap();
        Self { directory, backing, platform, settings, registry }
    }

    pub(crate) fn use_store(&mut self, store: Arc<dyn BlobStore>) {
        self.registry = Registry::new(store, Arc::clone(&self.platform) as _, self.settings.clone()).unwrap();
    }

    /// As after `kill -9`: nothing that was in memory is left.
    pub(crate) fn restart(&mut self) {
        self.use_store(self.backing.store());
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.registry.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Reply { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    /// A request by the owner.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        self.send(request(OWNER, method, path, headers, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(Method::GET, path, &[], Body::empty()).await
    }

    pub(crate) async fn head(&self, path: &str) -> Reply {
        self.ask(Method::HEAD, path, &[], Body::empty()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.ask(Method::DELETE, path, &[], Body::empty()).await
    }

    /// Pushes a blob in one request.
    pub(crate) async fn push_blob(&self, name: &str, content: &[u8]) -> Digest {
        let digest = sha256(content);
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let reply = self.ask(Method::POST, &path, &[], content.to_vec()).await;
        reply.expect(StatusCode::CREATED);
        digest
    }

    pub(crate) async fn put_manifest(&self, name: &str, reference: &str, manifest: &Value) -> Reply {
        let media_type = manifest["mediaType"].as_str().unwrap().to_owned();
        let path = format!("/v2/{name}/manifests/{reference}");
        self.ask(Method::PUT, &path, &[("content-type", &media_type)], manifest.to_string()).await
    }

    /// Pushes an image of one layer under a tag. Gives its digest.
    pub(crate) async fn push_image(&self, name: &str, tag: &str, layer: &[u8]) -> Digest {
        let manifest = self.image(name, layer).await;
        self.put_manifest(name, tag, &manifest).await.expect(StatusCode::CREATED);
        sha256(manifest.to_string().as_bytes())
    }

    /// Pushes an image's blobs. Gives its manifest.
    pub(crate) async fn image(&self, name: &str, layer: &[u8]) -> Value {
        self.push_blob(name, layer).await;
        self.push_blob(name, b"{}").await;
        image(layer)
    }

    /// Starts an upload. Gives its path.
    pub(crate) async fn start_upload(&self, name: &str) -> String {
        let reply = self.ask(Method::POST, &format!("/v2/{name}/blobs/uploads/"), &[], Body::empty()).await;
        reply.expect(StatusCode::ACCEPTED);
        reply.header("location").to_owned()
    }

    /// A moment when all that was made so far is older than the grace period.
    pub(crate) fn later(&self) -> Timestamp {
        Timestamp::now().checked_add(self.settings.grace + Duration::from_secs(1)).unwrap()
    }

    /// What there is whose name holds `part`: `store/<key>` of objects, `uploads/…` of staged files.
    pub(crate) async fn files(&self, part: &str) -> BTreeSet<String> {
        let keys = self.backing.keys().await.into_iter().map(|key| format!("store/{key}"));
        let staged = files_under(&self.settings.uploads_directory).into_iter().map(|path| format!("uploads/{path}"));
        keys.chain(staged).filter(|name| name.contains(part)).collect()
    }

    /// Serves over TCP until the guard is dropped.
    pub(crate) async fn serve(&self) -> Server {
        serve(self.registry.router()).await
    }
}

/// Serves over TCP until the guard is dropped.
pub(crate) async fn serve(router: axum::Router) -> Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut task = tokio::task::JoinSet::new();
    task.spawn(async move { axum::serve(listener, router).await });
    Server { address, _task: task }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _task: tokio::task::JoinSet<std::io::Result<()>>,
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect(&self, status: StatusCode) -> &Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("docker-distribution-api-version"), "registry/2.0");
        self
    }

    /// Expects an error body with that code.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: StatusCode, code: &str) -> &Self {
        self.expect(status);
        assert_eq!(self.json()["errors"][0]["code"], code, "{}", String::from_utf8_lossy(&self.body));
        assert!(!self.json()["errors"][0]["message"].as_str().unwrap().is_empty());
        self
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header `{name}` in {:?}", self.headers)).to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) fn sha256(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, content)
}

pub(crate) fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": sha256(content), "size": content.len()})
}

/// The manifest of an image with an empty config and one layer.
pub(crate) fn image(layer: &[u8]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": descriptor("application/vnd.oci.image.config.v1+json", b"{}"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    })
}

pub(crate) fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

pub(crate) fn request(
    username: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:7050");
    request = request.header("authorization", basic(username, PASSWORD));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

fn files_under(root: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        // What is gone by now is no file.
        for entry in std::fs::read_dir(directory).into_iter().flatten().map(Result::unwrap) {
            match entry.file_type().map(|kind| kind.is_dir()) {
                Err(_) => {}
                Ok(true) => directories.push(entry.path()),
                Ok(false) => found.push(entry.path().strip_prefix(root).unwrap().display().to_string()),
            }
        }
    }
    found
}
