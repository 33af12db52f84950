//! The stations as the control plane's ports want them.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ambo_builder::{ImageBuilder, ImagesKept};
use ambo_controller::ports::{Artifacts, CollectedImages, KeptImages, KeptImagesSource, Routes, ServedCertificate};
use ambo_controller::{Controller, chain};
use ambo_gitreceive::GitServer;
use ambo_model::{AppId, ImageDigest, ImageReference, InstanceId, RouteTable, Secret, Timestamp};
use ambo_registry::{Keep, KeepTags, Registry, Retained, Retention};
use ambo_rendezvous::{Programs, StartedProgram};
use ambo_router::{Certificate, RouterHandle};
use ambo_scheduler_docker::{RegistryLogin, RegistryLogins};
use async_trait::async_trait;

use crate::backup::Removals;

/// The router of this process.
#[derive(Debug)]
pub(crate) struct LocalRoutes(pub(crate) RouterHandle);

#[async_trait]
impl Routes for LocalRoutes {
    async fn routes_publish(&self, table: RouteTable) {
        self.0.publish(table);
    }

    async fn certificates_publish(&self, certificates: Vec<ServedCertificate>) {
        let readable = certificates.into_iter().filter_map(|served| {
            let key = served.key.reveal().as_bytes();
            match Certificate::from_pem(served.hosts, served.chain.as_bytes(), key) {
                Ok(certificate) => Some(certificate),
                // It was checked when it was added, by another version perhaps. The others are served all the same.
                Err(error) => {
                    tracing::error!(error = %chain(&error), "a certificate is not served");
                    None
                }
            }
        });
        self.0.certificates_publish(readable.collect());
    }

    async fn instances_drained(&self, instances: &[InstanceId], deadline: Duration) {
        self.0.drained(instances, deadline).await;
    }
}

/// What those who attach at the rendezvous find.
pub(crate) struct AttachedPrograms(pub(crate) Arc<Controller>);

#[async_trait]
impl Programs for AttachedPrograms {
    async fn program_start(&self, secret: &str) -> Option<Result<StartedProgram, String>> {
        let target = self.0.attach.take(secret)?;
        let has_terminal = target.has_terminal();
        let started = self.0.attach_start(target).await;
        Some(started.map(|attached| StartedProgram { attached, has_terminal }).map_err(|error| chain(&error)))
    }
}

/// The registry, the git server and the engine's own copies of images. The first two know the control plane, and so are
/// given only once it is there.
#[derive(Clone)]
pub(crate) struct LocalArtifacts {
    pub(crate) builder: Arc<dyn ImageBuilder>,
    pub(crate) registry: Arc<OnceLock<Registry>>,
    pub(crate) git: Arc<OnceLock<GitServer>>,
    /// Where the API keeps what clients upload.
    pub(crate) uploads: PathBuf,
    pub(crate) removals: Removals,
}

#[async_trait]
impl Artifacts for LocalArtifacts {
    async fn app_remove(&self, app: AppId) -> Result<(), String> {
        let _begun = self.removals.begin().await;
        if let Some(git) = self.git.get() {
            git.repositories().remove(app).await.map_err(|error| chain(&error))?;
        }
        if let Some(registry) = self.registry.get() {
            registry.repository_remove(app).await.map_err(|error| chain(&error))?;
        }
        Ok(())
    }

    async fn image_hold(&self, app: AppId, image: &ImageDigest) -> Result<bool, String> {
        let Some(registry) = self.registry.get() else { return Err("the registry is not there yet".to_owned()) };
        registry.manifest_exists(app, image).await.map_err(|error| chain(&error))
    }

    async fn image_mount(&self, from: AppId, to: AppId, image: &ImageDigest) -> Result<bool, String> {
        let Some(registry) = self.registry.get() else { return Err("the registry is not there yet".to_owned()) };
        registry.manifest_mount(from, to, image).await.map_err(|error| chain(&error))
    }

    async fn image_find(&self, app: AppId, path: &str, digest: &ImageDigest) -> Result<Option<ImageDigest>, String> {
        let Some(registry) = self.registry.get() else { return Err("the registry is not there yet".to_owned()) };
        registry.manifest_by_digest_or_config(app, path, digest).await.map_err(|error| chain(&error))
    }

    async fn images_collect(&self, keeping: &dyn KeptImagesSource) -> Result<CollectedImages, String> {
        let _begun = self.removals.begin().await;
        let uploads = self.uploads.clone();
        let expired =
            tokio::task::spawn_blocking(move || ambo_api::uploads_expire(&uploads, Timestamp::now().into())).await;
        if let Ok(Err(error)) = expired {
            tracing::warn!(%error, "cannot remove old uploads");
        }
        let kept = &keeping.images_kept().await?;
        let images: Vec<ImagesKept<'_>> =
            kept.iter().map(|app| ImagesKept { repository: &app.repository, digests: &app.images }).collect();
        self.builder.images_prune(&images).await.map_err(|error| chain(&error))?;
        if let Some(git) = self.git.get() {
            for app in kept {
                git.repositories().maintain(app.app).await.map_err(|error| chain(&error))?;
            }
            git.repositories().tidy().await.map_err(|error| chain(&error))?;
        }
        self.builder.cache_prune().await.map_err(|error| chain(&error))?;
        let Some(registry) = self.registry.get() else { return Ok(CollectedImages::default()) };
        let collected =
            registry.collect(&KeptByReleases(keeping), Timestamp::now()).await.map_err(|error| chain(&error))?;
        Ok(CollectedImages {
            kept_count: collected.manifests_kept,
            kept_bytes: collected.bytes_kept,
            freed_count: collected.manifests,
            freed_bytes: collected.freed,
        })
    }
}

/// Asks the control plane each time, not once.
struct KeptByReleases<'a>(&'a dyn KeptImagesSource);

#[async_trait]
impl Retention for KeptByReleases<'_> {
    async fn retained(&self) -> Result<Retained, Box<dyn std::error::Error + Send + Sync>> {
        let keep = |app: &KeptImages| Keep {
            digests: app.images.iter().cloned().collect(),
            tags: KeepTags::AllBut(ambo_controller::push::BUILD_TAG_PREFIX.to_owned()),
        };
        let kept = self.0.images_kept().await?;
        Ok(kept.iter().map(|app| (app.app, keep(app))).collect())
    }
}

/// Logs the engine in at our registry, and nowhere else.
#[derive(Debug)]
pub(crate) struct OwnRegistryLogin {
    pub(crate) registry: String,
    pub(crate) username: String,
    pub(crate) password: Secret,
}

#[async_trait]
impl RegistryLogins for OwnRegistryLogin {
    async fn login(&self, image: &ImageReference) -> Option<RegistryLogin> {
        let ours = image.as_str().strip_prefix(&self.registry).is_some_and(|rest| rest.starts_with('/'));
        ours.then(|| RegistryLogin { username: self.username.clone(), password: self.password.clone() })
    }
}
