//! Images that exist already: to be released again, and to be found where they were pushed to.

use std::collections::BTreeMap;

use ambo_model::{App, Artifact, BuildStatus, ImageDigest, ImageReference, ProcessType, Release, Timestamp};
use ambo_release::Change;

use crate::accounts::{Caller, Permission};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::releases::{ReleaseSummary, release_summary};

impl Controller {
    /// Makes sure that the images of an artifact are there, and stay until a release of it is made.
    pub(crate) async fn artifact_hold(&self, app: &App, artifact: &Artifact) -> Result<bool, ControllerError> {
        for image in artifact.images() {
            if !self.artifacts.image_hold(app.id, image).await.map_err(ControllerError::Conflict)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes a release of a build that succeeded earlier, with the config of now; it is rolled out in the background.
    ///
    /// # Errors
    /// `NotFound` when there is no such build; `Invalid` when it has failed, or its image is gone; `Conflict` while
    /// somebody deploys.
    pub async fn release_of_build(
        &self,
        caller: &Caller,
        app: &str,
        build: &str,
        now: Timestamp,
    ) -> Result<(App, ReleaseSummary), ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let (_, build) = self.build_find(caller, &app.id.to_string(), build).await?;
        let BuildStatus::Succeeded { artifact } = &build.status else {
            return Err(ControllerError::Invalid(format!("the build {} has no image: it has not succeeded", build.id)));
        };
        let _turn = self.deploy_turn(app.id, &format!("a release by {}", caller.email)).await?;
        if !self.artifact_hold(&app, artifact).await? {
            return Err(ControllerError::Invalid(format!(
                "the image of the build {} is no longer kept, as newer releases have taken its place: build its source again",
                build.id
            )));
        }
        let release = self.release_create(app.id, caller, &Change::Chosen(&build), now).await?;
        Ok((app, release_summary(&release)))
    }

    /// Makes sure that the image of a release that is wanted again is there, and stays until the new release keeps it.
    pub(crate) async fn release_image_hold(&self, app: &App, release: &Release) -> Result<(), ControllerError> {
        let Some(artifact) = &release.artifact else { return Ok(()) };
        if self.artifact_hold(app, artifact).await? {
            return Ok(());
        }
        Err(ControllerError::Invalid(format!(
            "the image of {} is no longer kept, as newer releases have taken its place: deploy its source again ({}), and \
             set `releases_kept` higher to go back further",
            release.version,
            release.source_version.as_deref().unwrap_or("the source of then")
        )))
    }

    /// Finds images that were pushed to `<app>/<process>` of our registry, or to `<app>` itself, by a manifest's digest or
    /// by what Docker calls an image's id.
    ///
    /// # Errors
    /// `Invalid` when the registry does not have one of them.
    pub async fn pushed_images_find(
        &self,
        app: &App,
        wanted: &BTreeMap<ProcessType, ImageDigest>,
    ) -> Result<BTreeMap<ProcessType, ImageReference>, ControllerError> {
        let repository = self.settings.repository(&app.name);
        let mut found = BTreeMap::new();
        for (process, digest) in wanted {
            let mut reference = None;
            for path in [process.as_str(), ""] {
                let image = self.artifacts.image_find(app.id, path, digest).await.map_err(ControllerError::Conflict)?;
                let Some(image) = image else { continue };
                let slash = if path.is_empty() { "" } else { "/" };
                reference = Some(ImageReference::pinned(&format!("{repository}{slash}{path}"), &image));
                break;
            }
            let missing = || {
                ControllerError::Invalid(format!(
                    "there is no image {digest} for {process}: `docker push {repository}/{process}` first"
                ))
            };
            found.insert(process.clone(), reference.ok_or_else(missing)?);
        }
        Ok(found)
    }
}
