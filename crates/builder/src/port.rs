//! The port: what every image builder does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ambo_model::{Artifact, ByteSize, ImageDigest, ImageReference, ProcfileError, Secret};
use async_trait::async_trait;
use tokio::sync::mpsc;

/// Builds images.
#[async_trait]
pub trait ImageBuilder: Send + Sync + 'static {
    /// Builds the source, pushes the image to the repository and describes it.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the build on the engine.
    async fn build(&self, request: BuildRequest, output: BuildOutput) -> Result<Artifact, BuildError>;

    /// Takes an existing image into the repository: pulls it (or uses the engine's own copy when it cannot be pulled),
    /// pushes it, and describes it.
    ///
    /// # Cancel safety
    /// As [`ImageBuilder::build`].
    async fn import(&self, import: ImageImport, output: BuildOutput) -> Result<Artifact, BuildError>;

    /// Removes the builder's own copies of these repositories' images, but those to keep and those in use. The registry's
    /// stay. Idempotent. Builds of the same repositories may run meanwhile.
    async fn images_prune(&self, kept: &[ImagesKept<'_>]) -> Result<ImagesPruned, BuildError> {
        let _ = kept;
        Ok(ImagesPruned::default())
    }

    /// Prunes the build cache to its settled size, the longest unused first; gives what was freed. Idempotent.
    async fn cache_prune(&self) -> Result<ByteSize, BuildError> {
        Ok(ByteSize::bytes(0))
    }
}

/// What pruning leaves of a repository.
#[derive(Debug, Clone, Copy)]
pub struct ImagesKept<'a> {
    /// The repository.
    pub repository: &'a str,
    /// Its images that stay.
    pub digests: &'a [ImageDigest],
}

/// What pruning removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImagesPruned {
    /// Images.
    pub removed: usize,
}

/// Where a build's lines go, without line ends. A closed receiver does not end the build; dropping the build's future does.
pub type BuildOutput = mpsc::Sender<String>;

/// A build to do.
#[derive(Debug)]
pub struct BuildRequest {
    /// A tar file with the source, uncompressed or gzip; not trusted.
    pub archive: PathBuf,
    /// Where the image goes: `127.0.0.1:7050/<app>`.
    pub repository: String,
    /// The tag it gets there, beside its digest.
    pub tag: String,
    /// How to log in there.
    pub login: RegistryLogin,
    /// The app's config, and `SOURCE_VERSION`: offered as build arguments to Dockerfiles that declare them with `ARG`.
    /// Values are hidden in the output. The engine keeps those that a step of the last stage sees in the image's history.
    pub build_args: BTreeMap<String, Secret>,
    /// Bounds.
    pub limits: BuildLimits,
}

/// An image to take in.
#[derive(Debug)]
pub struct ImageImport {
    /// As the user names it.
    pub reference: ImageReference,
    /// Where it goes.
    pub repository: String,
    /// The tag it gets there.
    pub tag: String,
    /// How to log in there.
    pub login: RegistryLogin,
}

/// A name and password for our registry, short-lived.
#[derive(Debug, Clone)]
pub struct RegistryLogin {
    /// User name.
    pub username: String,
    /// Password or token.
    pub password: Secret,
}

/// Bounds of a build.
#[derive(Debug, Clone)]
pub struct BuildLimits {
    /// Longest build.
    pub duration: Duration,
    /// Memory of build steps, where the engine has such a limit (Docker's BuildKit has none).
    pub memory: Option<ByteSize>,
    /// Most output that is passed on, in bytes; the rest is dropped with a note.
    pub output_bytes: u64,
    /// Largest source when unpacked.
    pub source: ByteSize,
}

/// What an engine does for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Builds an image.
    Build,
    /// Takes in an image that there is.
    Import,
}

impl Work {
    fn broke_off_on(self, node: &str) -> String {
        match self {
            Self::Build => format!("the build on {node} broke off: push again, and another node builds it"),
            Self::Import => {
                format!("taking in the image on {node} broke off: deploy it again, and another node does it")
            }
        }
    }
}

fn of(node: Option<&str>) -> String {
    node.map(|node| format!(" of {node}")).unwrap_or_default()
}

/// Why a build gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The archive is no tar file, or holds what a source must not: `..`, absolute paths, links out of it, devices.
    #[error("the source archive cannot be used: {0}")]
    Archive(String),
    /// The source is larger than allowed.
    #[error("the source is larger than {0} when unpacked")]
    SourceTooLarge(ByteSize),
    /// Nothing in it.
    #[error("the source is empty: commit some files first")]
    Empty,
    /// The Procfile is wrong.
    #[error(transparent)]
    Procfile(#[from] ProcfileError),
    /// No Dockerfile and no known language.
    #[error("no Dockerfile and no language that Ambo knows ({known})")]
    Undetected {
        /// What would have been recognised: `Node.js (package.json), Python (requirements.txt), …`.
        known: String,
    },
    /// A build step failed: the user's Dockerfile or code.
    #[error("{0}")]
    Step(String),
    /// Longer than allowed.
    #[error("the build took longer than {} minutes", .0.as_secs() / 60)]
    Timeout(Duration),
    /// The image to take in is not there.
    #[error("image `{image}` can neither be pulled nor found on the engine{}: {reason}", of(.node.as_deref()))]
    ImageNotFound {
        /// Which.
        image: ImageReference,
        /// The machine that looked, one of several.
        node: Option<String>,
        /// In the engine's words.
        reason: String,
    },
    /// The machine that worked, one of several, is gone, or its engine failed or hangs: a retry goes to another.
    #[error("{} if this one is gone", .work.broke_off_on(.node))]
    BrokeOff {
        /// What was under way.
        work: Work,
        /// Which.
        node: String,
        /// What we did there, and why it failed.
        #[source]
        source: Box<BuildError>,
    },
    /// The machine has no space left.
    #[error("the platform's disk is full: free some space on its machine and try again")]
    DiskFull,
    /// The engine or the registry failed: not the user's fault, a retry may help.
    #[error("{doing}")]
    Platform {
        /// What we did.
        doing: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
