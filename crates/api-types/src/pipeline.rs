//! `/pipelines`, `/pipeline-couplings`, `/pipeline-promotions`, `/pipeline-transfers`, `/filters/apps`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::reference::{IdReference, NamedReference};

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pipeline {
    /// Its id, the same through renames.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: Option<PipelineOwner>,
    /// Always `cedar`.
    pub generation: NamedReference,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Names the owner of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineOwner {
    /// The account's id.
    pub id: Uuid,
    /// Always `user`: there are no teams.
    #[serde(rename = "type")]
    pub kind: String,
}

/// `POST /pipelines`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineCreate {
    /// Its name.
    pub name: String,
    /// Whose it shall be; the caller's own when absent, and nobody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PipelineOwner>,
}

/// `PATCH /pipelines/{pipeline}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineUpdate {
    /// A new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An app's place in a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineCoupling {
    /// Its id.
    pub id: Uuid,
    /// The app.
    pub app: IdReference,
    /// The pipeline.
    pub pipeline: NamedReference,
    /// Where in it: `development`, `staging`, `production`, `review` or `test`.
    pub stage: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// `POST /pipeline-couplings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineCouplingCreate {
    /// The app, by name or id.
    pub app: String,
    /// The pipeline, by id or name.
    pub pipeline: String,
    /// Where in it.
    pub stage: String,
}

/// `PATCH /pipeline-couplings/{coupling}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineCouplingUpdate {
    /// The new stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
}

/// Names something by id, or for some of ours by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TextReference {
    /// The id, or the name.
    pub id: String,
}

/// A promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelinePromotion {
    /// Its id.
    pub id: Uuid,
    /// In which pipeline.
    pub pipeline: IdReference,
    /// What is promoted.
    pub source: PromotionSource,
    /// `pending`, or `completed` once every target has ended.
    pub status: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Option<Timestamp>,
}

/// What is promoted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionSource {
    /// From which app.
    pub app: IdReference,
    /// Which release.
    pub release: IdReference,
}

/// `POST /pipeline-promotions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelinePromotionCreate {
    /// In which pipeline.
    pub pipeline: TextReference,
    /// From where.
    pub source: PromotionSourceCreate,
    /// To which apps.
    pub targets: Vec<PromotionTargetCreate>,
}

/// Where to promote from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionSourceCreate {
    /// The app.
    pub app: TextReference,
    /// Its release, by id or version; the one that serves when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<TextReference>,
}

/// Where to promote to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionTargetCreate {
    /// The app.
    pub app: TextReference,
}

/// An app that something is promoted to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelinePromotionTarget {
    /// Its id.
    pub id: Uuid,
    /// The app.
    pub app: IdReference,
    /// Of which promotion.
    pub pipeline_promotion: IdReference,
    /// The release that was made there, once it is.
    pub release: Option<IdReference>,
    /// `pending`, `succeeded` or `failed`.
    pub status: String,
    /// Why it failed.
    pub error_message: Option<String>,
}

/// `POST /pipeline-transfers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineTransferCreate {
    /// Which pipeline.
    pub pipeline: TextReference,
    /// Whose it shall be.
    pub new_owner: PipelineOwner,
}

/// A pipeline's transfer, done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineTransfer {
    /// Which pipeline.
    pub pipeline: IdReference,
    /// Whose it was.
    pub previous_owner: PipelineOwner,
    /// Whose it is.
    pub new_owner: PipelineOwner,
}

/// `POST /filters/apps`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppFilter {
    /// Which.
    #[serde(rename = "in", deserialize_with = "object")]
    pub within: AppFilterIn,
}

/// The apps that are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppFilterIn {
    /// Their ids.
    pub id: Vec<Uuid>,
}

/// An object alone: serde would take a list for one too, its fields by their order.
fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AppFilterIn, D::Error> {
    let object = serde_json::Map::deserialize(deserializer)?;
    serde_json::from_value(object.into()).map_err(D::Error::custom)
}
