//! What the control plane needs from stations that it does not own.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ambo_model::{AppId, Hostname, ImageDigest, InstanceId, RouteTable, Secret};
use ambo_scheduler::SchedulerError;
use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// The router, or all of them.
#[async_trait]
pub trait Routes: Send + Sync + 'static {
    /// Replaces the whole table. When this returns, no new request goes by the old one.
    async fn routes_publish(&self, table: RouteTable);
    /// Replaces all certificates of apps. New handshakes show them; connections that are open go on.
    async fn certificates_publish(&self, certificates: Vec<ServedCertificate>);
    /// Waits until no request is in flight to any of these, or the deadline has passed.
    async fn instances_drained(&self, instances: &[InstanceId], deadline: Duration);
}

/// What tags choose by: the labels of a cluster's nodes.
#[async_trait]
pub trait NodeLabels: Send + Sync + 'static {
    /// Those of each node, whether it is up or not.
    async fn labels_list(&self) -> Result<Vec<BTreeMap<String, String>>, SchedulerError>;
}

/// The way to instances: wherever the engine has put them, and whatever lies between.
#[async_trait]
pub trait Dialer: Send + Sync + 'static {
    /// Connects to an instance. To be dropped by whoever has waited long enough.
    async fn dial(&self, endpoint: SocketAddr) -> Result<Box<dyn Connection>, DialError>;
}

/// A connection to an instance.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The instance does not take it.
    #[error(transparent)]
    Instance(io::Error),
    /// The platform's own way to it is interrupted, which says nothing of the instance.
    #[error("the platform cannot reach instances now")]
    Way(#[source] io::Error),
}

/// Straight to the instance: one machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct DirectDialer;

#[async_trait]
impl Dialer for DirectDialer {
    async fn dial(&self, endpoint: SocketAddr) -> Result<Box<dyn Connection>, DialError> {
        Ok(Box::new(TcpStream::connect(endpoint).await.map_err(DialError::Instance)?))
    }
}

/// A certificate with the hosts that it is shown for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedCertificate {
    /// The hosts. Wildcards stand for the names one label below them.
    pub hosts: Vec<Hostname>,
    /// The chain, PEM.
    pub chain: String,
    /// Its key, PEM.
    pub key: Secret,
}

/// Where images and repositories of apps lie.
#[async_trait]
pub trait Artifacts: Send + Sync + 'static {
    /// Removes what an app leaves behind: images and the git repository. Idempotent.
    async fn app_remove(&self, app: AppId) -> Result<(), String>;
    /// Whether the app's image is there, whole. When it is, no collection takes it for a while: long enough to make a
    /// release of it, which keeps it from then on.
    async fn image_hold(&self, app: AppId, image: &ImageDigest) -> Result<bool, String>;
    /// Gives an image that the app `from` has to the app `to`, as it is; nothing is built or copied. `false`: `from` does not
    /// have it. When it is given, no collection takes it for a while, as in [`Artifacts::image_hold`]. Idempotent.
    async fn image_mount(&self, from: AppId, to: AppId, image: &ImageDigest) -> Result<bool, String>;
    /// The image that goes by this digest in the app's repository `<app>/<path>`, or in `<app>` when the path is empty: a
    /// manifest's digest, or that of the configuration it names (what Docker calls an image's id).
    async fn image_find(&self, app: AppId, path: &str, digest: &ImageDigest) -> Result<Option<ImageDigest>, String>;
    /// Frees what no kept release needs, and packs the git repositories. `keeping` is asked after the candidates were
    /// looked for, so that a release made meanwhile keeps its image.
    async fn images_collect(&self, keeping: &dyn KeptImagesSource) -> Result<CollectedImages, String>;
}

/// Says which images must stay, as things stand when it is asked.
#[async_trait]
pub trait KeptImagesSource: Send + Sync {
    /// Every app with its repository and the images to keep. An app that is missing is gone.
    async fn images_kept(&self) -> Result<Vec<KeptImages>, String>;
}

/// The images of one app that must stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptImages {
    /// Whose.
    pub app: AppId,
    /// As the engine names the app's repository.
    pub repository: String,
    /// Which.
    pub images: Vec<ImageDigest>,
}

/// What a collection kept and freed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectedImages {
    /// Manifests that stay.
    pub kept_count: u64,
    /// What the registry holds afterwards, in bytes.
    pub kept_bytes: u64,
    /// Manifests that went.
    pub freed_count: u64,
    /// What the disk got back, in bytes.
    pub freed_bytes: u64,
}
