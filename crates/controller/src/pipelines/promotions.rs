//! Promotions: the image that one app runs, released to other apps of the pipeline. How a target goes on is
//! [`super::promote`]'s to say.

use std::collections::BTreeSet;

use ambo_model::pipeline::PROMOTION_TARGETS_MAX;
use ambo_model::{
    App, AppId, Pipeline, PipelineId, Promotion, PromotionId, PromotionStatus, PromotionTarget, PromotionTargetId,
    ReleaseStatus, Timestamp,
};
use ambo_store::Transaction;

use crate::accounts::{Caller, Permission};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::jobs::Work;
use crate::keys;
use crate::records::{get, json, list};
use crate::releases::ReleaseSummary;

/// Promotions of a pipeline that are remembered; those that go on are never forgotten.
const PROMOTIONS_KEPT: usize = 50;

/// What to promote, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotionRequest {
    /// The pipeline, by id or name.
    pub pipeline: String,
    /// The app to promote from, by id or name.
    pub source: String,
    /// Its release, by id or version; the one that serves when `None`.
    pub release: Option<String>,
    /// The apps to promote to, by id or name.
    pub targets: Vec<String>,
}

/// A promotion with its targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotionView {
    /// The promotion.
    pub promotion: Promotion,
    /// Its targets.
    pub targets: Vec<PromotionTarget>,
}

impl PromotionView {
    /// Whether every target has ended, one way or the other.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.targets.iter().all(|target| target.status != PromotionStatus::Pending)
    }

    /// When anything of it last changed.
    #[must_use]
    pub fn updated_at(&self) -> Timestamp {
        let changed = self.targets.iter().map(|target| target.updated_at).max();
        changed.unwrap_or(self.promotion.created_at)
    }
}

impl Controller {
    /// Promotes in the background: one job per target, each of which goes on after a restart.
    ///
    /// # Errors
    /// `Invalid` when an app is in another pipeline, or the source has nothing to promote.
    pub async fn promotion_create(
        &self,
        caller: &Caller,
        request: &PromotionRequest,
        now: Timestamp,
    ) -> Result<PromotionView, ControllerError> {
        let pipeline = self.pipeline_find(caller, &request.pipeline).await?;
        let source = self.promotion_app(caller, &pipeline, &request.source).await?;
        let targets = self.promotion_apps(caller, &pipeline, &source, &request.targets).await?;
        let release = self.promotion_source_release(caller, &source, request.release.as_deref()).await?;
        let promotion = Promotion {
            id: PromotionId::new(),
            pipeline: pipeline.id,
            source: source.id,
            release: release.id,
            version: release.version,
            by: caller.account,
            created_at: now,
        };
        let mut transaction = Transaction::new()
            .present(keys::pipeline(pipeline.id))
            .put(keys::promotion(pipeline.id, promotion.id), json(&promotion))
            .put(keys::promotion_id(promotion.id), json(&pipeline.id));
        let mut view = PromotionView { promotion: promotion.clone(), targets: Vec::new() };
        for app in &targets {
            let target = PromotionTarget {
                id: PromotionTargetId::new(),
                promotion: promotion.id,
                app: app.id,
                release: None,
                status: PromotionStatus::Pending,
                updated_at: now,
            };
            transaction = transaction.put(keys::promotion_target(promotion.id, app.id), json(&target));
            let work = Work::Promote { pipeline: pipeline.id, promotion: promotion.id };
            transaction = self.job_put(transaction, app.id, work, now);
            view.targets.push(target);
        }
        self.store.commit(transaction).await?;
        for app in &targets {
            let text = format!("Promotion of {} {} begun by user {}", source.name, release.version, caller.email);
            self.log(app.id, "api", text);
        }
        self.nudge.jobs();
        self.promotions_prune(pipeline.id).await?;
        Ok(view)
    }

    /// A promotion, by its id.
    ///
    /// # Errors
    /// `NotFound` when there is none, or its pipeline is not the caller's to see.
    pub async fn promotion_find(&self, caller: &Caller, id: &str) -> Result<PromotionView, ControllerError> {
        let shown: String = id.chars().filter(|c| !c.is_control()).take(80).collect();
        let unknown = || ControllerError::NotFound(format!("Couldn't find that promotion: `{shown}`"));
        let id: PromotionId = id.parse().map_err(|_| unknown())?;
        let pipeline = get::<PipelineId>(&*self.store, &keys::promotion_id(id)).await?.ok_or_else(unknown)?.value;
        self.pipeline_find(caller, &pipeline.to_string()).await.map_err(|error| match error {
            ControllerError::NotFound(_) => unknown(),
            error => error,
        })?;
        let promotion = get::<Promotion>(&*self.store, &keys::promotion(pipeline, id)).await?;
        let promotion = promotion.ok_or_else(unknown)?.value;
        let targets = list::<PromotionTarget>(&*self.store, &keys::promotion_targets(id)).await?;
        Ok(PromotionView { promotion, targets: targets.into_iter().map(|found| found.value).collect() })
    }

    async fn promotion_app(&self, caller: &Caller, pipeline: &Pipeline, app: &str) -> Result<App, ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let coupling = self.coupling_record(app.id).await?;
        if coupling.is_none_or(|coupling| coupling.value.pipeline != pipeline.id) {
            return Err(ControllerError::Invalid(format!(
                "{} is not in the pipeline {}: see `ambo pipelines:info {}`",
                app.name, pipeline.name, pipeline.name
            )));
        }
        Ok(app)
    }

    async fn promotion_apps(
        &self,
        caller: &Caller,
        pipeline: &Pipeline,
        source: &App,
        targets: &[String],
    ) -> Result<Vec<App>, ControllerError> {
        if targets.is_empty() || targets.len() > PROMOTION_TARGETS_MAX {
            return Err(ControllerError::Invalid(format!(
                "`targets`: name the apps to promote to, {PROMOTION_TARGETS_MAX} at most"
            )));
        }
        let mut apps: Vec<App> = Vec::new();
        let mut named: BTreeSet<AppId> = BTreeSet::new();
        for target in targets {
            let app = self.promotion_app(caller, pipeline, target).await?;
            if app.id == source.id {
                let text = format!("cannot promote {} to itself: name another app", app.name);
                return Err(ControllerError::Invalid(text));
            }
            if named.insert(app.id) {
                apps.push(app);
            }
        }
        Ok(apps)
    }

    /// What is to be promoted; its image stays for long enough to be given to the targets.
    async fn promotion_source_release(
        &self,
        caller: &Caller,
        source: &App,
        release: Option<&str>,
    ) -> Result<ReleaseSummary, ControllerError> {
        let wanted = match (release, source.serving) {
            (Some(release), _) => release.to_owned(),
            (None, Some(version)) => version.to_string(),
            (None, None) => {
                return Err(ControllerError::Invalid(format!(
                    "{} has no release that serves: deploy it before you promote it",
                    source.name
                )));
            }
        };
        let (_, release) = self.release_find(caller, &source.id.to_string(), &wanted).await?;
        let Some(artifact) = release.artifact.as_ref().filter(|_| release.status == ReleaseStatus::Succeeded) else {
            return Err(ControllerError::Invalid(format!(
                "{} of {} has never served: promote one that has",
                release.version, source.name
            )));
        };
        if !self.artifact_hold(source, artifact).await? {
            return Err(ControllerError::Invalid(format!(
                "the image of {} of {} is no longer kept, as newer releases have taken its place",
                release.version, source.name
            )));
        }
        Ok(release)
    }

    async fn promotions_prune(&self, pipeline: PipelineId) -> Result<(), ControllerError> {
        let all = list::<Promotion>(&*self.store, &keys::promotions(pipeline)).await?;
        let old = all.len().saturating_sub(PROMOTIONS_KEPT);
        for promotion in all.into_iter().take(old) {
            let targets = list::<PromotionTarget>(&*self.store, &keys::promotion_targets(promotion.value.id)).await?;
            if targets.iter().all(|target| target.value.status != PromotionStatus::Pending) {
                self.promotion_remove(&promotion.value).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn promotions_remove(&self, pipeline: PipelineId) -> Result<(), ControllerError> {
        for promotion in list::<Promotion>(&*self.store, &keys::promotions(pipeline)).await? {
            self.promotion_remove(&promotion.value).await?;
        }
        Ok(())
    }

    async fn promotion_remove(&self, promotion: &Promotion) -> Result<(), ControllerError> {
        self.prefix_remove(&keys::promotion_targets(promotion.id)).await?;
        let transaction = Transaction::new()
            .delete(keys::promotion(promotion.pipeline, promotion.id))
            .delete(keys::promotion_id(promotion.id));
        self.store.commit(transaction).await?;
        Ok(())
    }
}
