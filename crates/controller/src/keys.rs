//! Where records stand in the store: the whole layout on one page.

use ambo_model::{
    AppId, AppName, BuildId, CouplingId, DrainId, Hostname, JobId, PipelineId, PipelineName, PromotionId, ReleaseId,
    ReleaseVersion,
};

/// All apps.
pub const APPS: &str = "apps/";
/// All app names.
pub const APP_NAMES: &str = "app-names/";
/// All domains.
pub const DOMAINS: &str = "domains/";
/// All certificates.
pub const CERTIFICATES: &str = "certificates/";
/// All jobs that are not done.
pub const JOBS: &str = "jobs/";
/// All releases.
pub const RELEASES: &str = "releases/";
/// All builds.
pub const BUILDS: &str = "builds/";

/// All pipelines.
pub const PIPELINES: &str = "pipelines/";
/// The places of all apps in pipelines.
pub const COUPLINGS: &str = "couplings/";
/// All drains.
pub const DRAINS: &str = "drains/";
/// How far each drain has come.
pub const DRAIN_CURSORS: &str = "drain-cursors";

/// All setups of apps.
pub const APP_SETUPS: &str = "app-setups/";

/// The setup of an app.
#[must_use]
pub fn app_setup(app: AppId) -> String {
    format!("{APP_SETUPS}{app}")
}

/// An app.
#[must_use]
pub fn app(id: AppId) -> String {
    format!("{APPS}{id}")
}

/// The app that has a name.
#[must_use]
pub fn app_name(name: &AppName) -> String {
    format!("{APP_NAMES}{name}")
}

/// All releases of an app, oldest first.
#[must_use]
pub fn releases(app: AppId) -> String {
    format!("{RELEASES}{app}/")
}

/// A release; padded, so that the keys' order is the versions'.
#[must_use]
pub fn release(app: AppId, version: ReleaseVersion) -> String {
    format!("{RELEASES}{app}/{:020}", version.0)
}

/// The version of a release id.
#[must_use]
pub fn release_id(app: AppId, id: ReleaseId) -> String {
    format!("release-ids/{app}/{id}")
}

/// All release ids of an app.
#[must_use]
pub fn release_ids(app: AppId) -> String {
    format!("release-ids/{app}/")
}

/// All builds of an app, oldest first.
#[must_use]
pub fn builds(app: AppId) -> String {
    format!("{BUILDS}{app}/")
}

/// A build.
#[must_use]
pub fn build(app: AppId, id: BuildId) -> String {
    format!("{BUILDS}{app}/{id}")
}

/// A domain; the hostname is unique on the platform.
#[must_use]
pub fn domain(hostname: &Hostname) -> String {
    format!("{DOMAINS}{hostname}")
}

/// All certificates of an app.
#[must_use]
pub fn certificates(app: AppId) -> String {
    format!("{CERTIFICATES}{app}/")
}

/// A certificate; the name is unique in the app.
#[must_use]
pub fn certificate(app: AppId, name: &str) -> String {
    format!("{CERTIFICATES}{app}/{name}")
}

/// A job.
#[must_use]
pub fn job(id: JobId) -> String {
    format!("{JOBS}{id}")
}

/// A pipeline.
#[must_use]
pub fn pipeline(id: PipelineId) -> String {
    format!("{PIPELINES}{id}")
}

/// The pipeline that has a name.
#[must_use]
pub fn pipeline_name(name: &PipelineName) -> String {
    format!("pipeline-names/{name}")
}

/// An app's place in a pipeline: the app is the key, so that it has one at most.
#[must_use]
pub fn coupling(app: AppId) -> String {
    format!("{COUPLINGS}{app}")
}

/// The app of a coupling's id.
#[must_use]
pub fn coupling_id(id: CouplingId) -> String {
    format!("coupling-ids/{id}")
}

/// All promotions of a pipeline, oldest first.
#[must_use]
pub fn promotions(pipeline: PipelineId) -> String {
    format!("promotions/{pipeline}/")
}

/// A promotion.
#[must_use]
pub fn promotion(pipeline: PipelineId, id: PromotionId) -> String {
    format!("promotions/{pipeline}/{id}")
}

/// The pipeline of a promotion's id.
#[must_use]
pub fn promotion_id(id: PromotionId) -> String {
    format!("promotion-ids/{id}")
}

/// All targets of a promotion.
#[must_use]
pub fn promotion_targets(id: PromotionId) -> String {
    format!("promotion-targets/{id}/")
}

/// One target of a promotion: a record of its own, since targets go on side by side.
#[must_use]
pub fn promotion_target(id: PromotionId, app: AppId) -> String {
    format!("promotion-targets/{id}/{app}")
}

/// All drains of an app.
#[must_use]
pub fn drains(app: AppId) -> String {
    format!("{DRAINS}{app}/")
}

/// A drain.
#[must_use]
pub fn drain(app: AppId, id: DrainId) -> String {
    format!("{DRAINS}{app}/{id}")
}
