//! One target of a promotion: take the app's turn, give it the image, make the release, roll it out, say how it ended.
//!
//! The release and the word that it is this target's are one transaction, so that a repeated job goes on with the release
//! that it made before.

use ambo_model::{
    App, AppId, Artifact, Build, PipelineId, Promotion, PromotionId, PromotionStatus, PromotionTarget, Release,
    ReleaseVersion, Timestamp,
};
use ambo_release::{Change, Restart, cut};
use ambo_store::Transaction;

use crate::accounts::{Caller, Permission, authorize};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::keys;
use crate::records::{get, json, replace, retry_conflicts};

impl Controller {
    /// Promotes to one app. Safe to repeat. An error means: the platform could not, try again.
    pub(crate) async fn job_promote(
        &self,
        app: AppId,
        pipeline: PipelineId,
        promotion: PromotionId,
    ) -> Result<(), ControllerError> {
        let Some(promotion) = get::<Promotion>(&*self.store, &keys::promotion(pipeline, promotion)).await? else {
            return Ok(()); // The pipeline was destroyed.
        };
        let promotion = promotion.value;
        let Some(caller) = self.accounts.caller_by_id(promotion.by).await? else {
            return self.promotion_end(&promotion, app, Err("the account that asked for it has gone".to_owned())).await;
        };
        let who = format!("a promotion by {}", caller.email);
        let _turn = tokio::select! {
            biased;
            () = self.stopping.cancelled() => {
                return Err(ControllerError::Conflict("the platform is stopping".to_owned()));
            }
            turn = self.deploys.take(app, &who) => turn,
        };
        let key = keys::promotion_target(promotion.id, app);
        let Some(target) = get::<PromotionTarget>(&*self.store, &key).await? else { return Ok(()) };
        if target.value.status != PromotionStatus::Pending {
            return Ok(());
        }
        let version = match target.value.release {
            Some((_, version)) => Ok(version),
            None => self.promotion_release(&promotion, app, &caller).await?,
        };
        let ended = match version {
            Ok(version) => self.promotion_roll_out(app, version).await?,
            Err(reason) => Err(reason),
        };
        self.promotion_end(&promotion, app, ended).await
    }

    async fn promotion_roll_out(
        &self,
        app: AppId,
        version: ReleaseVersion,
    ) -> Result<Result<(), String>, ControllerError> {
        let ended = self.job_roll_out(app, version, &Restart::No).await?;
        if let Err(reason) = &ended {
            self.release_fail(app, version, reason).await?;
        }
        Ok(ended)
    }

    /// Makes the target's release. The inner error is for whoever promotes.
    async fn promotion_release(
        &self,
        promotion: &Promotion,
        app: AppId,
        caller: &Caller,
    ) -> Result<Result<ReleaseVersion, String>, ControllerError> {
        let target = match self.app_record(app).await {
            Err(ControllerError::NotFound(_)) => return Ok(Err("the app was destroyed".to_owned())),
            found => found?.value,
        };
        // They may have lost it since they asked.
        if authorize(caller, &target, Permission::Deploy).is_err() {
            return Ok(Err(format!("{} may no longer deploy this app", caller.email)));
        }
        let (source, from) = match self.promotion_source(promotion).await {
            Err(ControllerError::NotFound(_)) => return Ok(Err("the app to promote from was destroyed".to_owned())),
            found => found?,
        };
        let Some(artifact) = &from.artifact else { return Ok(Err(format!("{} has no build", from.version))) };
        if !self.artifact_mount(source.id, app, artifact).await? {
            return Ok(Err(format!("the image of {} of {} is no longer kept", from.version, source.name)));
        }
        let change = Change::Promoted { from: &from, name: &source.name };
        let release = self.promotion_release_put(promotion, app, caller, &change).await?;
        self.log(app, "api", format!("{} by user {}", release.summary, caller.email));
        self.log(app, "api", format!("Release {} created by user {}", release.version, caller.email));
        Ok(Ok(release.version))
    }

    async fn promotion_source(&self, promotion: &Promotion) -> Result<(App, Release), ControllerError> {
        let source = self.app_record(promotion.source).await?.value;
        let release = self.release_load(source.id, promotion.version).await?;
        Ok((source, release))
    }

    async fn artifact_mount(&self, from: AppId, to: AppId, artifact: &Artifact) -> Result<bool, ControllerError> {
        for image in artifact.images() {
            if !self.artifacts.image_mount(from, to, image).await.map_err(ControllerError::Conflict)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The release, the target's word of it, and the build: one transaction.
    async fn promotion_release_put(
        &self,
        promotion: &Promotion,
        app: AppId,
        caller: &Caller,
        change: &Change<'_>,
    ) -> Result<Release, ControllerError> {
        let gone = || ControllerError::NotFound("the promotion was removed".to_owned());
        retry_conflicts(|| async {
            let now = Timestamp::now();
            let mut found = self.app_record(app).await?;
            let base = self.release_base(app).await?;
            let release = cut(app, found.value.last_version.next(), base.as_ref(), change, caller.account, now);
            found.value.last_version = release.version;
            found.value.updated_at = now;
            let key = keys::promotion_target(promotion.id, app);
            let mut target = get::<PromotionTarget>(&*self.store, &key).await?.ok_or_else(gone)?;
            target.value.release = Some((release.id, release.version));
            target.value.updated_at = now;
            let mut transaction = replace(replace(Transaction::new(), &found), &target);
            if let Some((key, build)) = self.promotion_build(promotion.source, &release).await? {
                transaction = transaction.put(key, json(&build));
            }
            self.store.commit(self.release_put(transaction, &release)).await?;
            Ok::<_, ControllerError>(release)
        })
        .await
    }

    /// The source's build as the target's, under the same id: what was built once has one id wherever it runs.
    async fn promotion_build(
        &self,
        source: AppId,
        release: &Release,
    ) -> Result<Option<(String, Build)>, ControllerError> {
        let Some(id) = release.build else { return Ok(None) };
        let key = keys::build(release.app, id);
        if get::<Build>(&*self.store, &key).await?.is_some() {
            return Ok(None);
        }
        let build = get::<Build>(&*self.store, &keys::build(source, id)).await?;
        Ok(build.map(|build| (key, Build { app: release.app, ..build.value })))
    }

    /// Writes down how it ended.
    async fn promotion_end(
        &self,
        promotion: &Promotion,
        app: AppId,
        ended: Result<(), String>,
    ) -> Result<(), ControllerError> {
        let status = match ended {
            Ok(()) => PromotionStatus::Succeeded,
            Err(reason) => PromotionStatus::Failed { reason },
        };
        retry_conflicts(|| async {
            let key = keys::promotion_target(promotion.id, app);
            let Some(mut target) = get::<PromotionTarget>(&*self.store, &key).await? else { return Ok(()) };
            target.value.status = status.clone();
            target.value.updated_at = Timestamp::now();
            self.store.commit(replace(Transaction::new(), &target)).await?;
            Ok::<_, ControllerError>(())
        })
        .await
    }
}
