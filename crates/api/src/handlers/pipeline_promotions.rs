//! `/pipeline-promotions`

use ambo_api_types::{
    IdReference, PipelinePromotion, PipelinePromotionCreate, PipelinePromotionTarget, PromotionSource,
};
use ambo_controller::pipelines::{PromotionRequest, PromotionView};
use ambo_model::{PromotionStatus, PromotionTarget};
use axum::Json as Answer;
use axum::extract::State;

use crate::answer::Created;
use crate::auth::Authorized;
use crate::body::Json;
use crate::error::ApiError;
use crate::path::Path;
use crate::range::{Attribute, Key, Page, Range};
use crate::state::Api;

const ATTRIBUTES: [Attribute<PipelinePromotionTarget>; 1] = [("id", |target| Key::Text(target.id.to_string()))];

fn wire(view: &PromotionView) -> PipelinePromotion {
    let promotion = &view.promotion;
    PipelinePromotion {
        id: promotion.id.uuid(),
        pipeline: IdReference { id: promotion.pipeline.uuid() },
        source: PromotionSource {
            app: IdReference { id: promotion.source.uuid() },
            release: IdReference { id: promotion.release.uuid() },
        },
        status: if view.is_completed() { "completed" } else { "pending" }.to_owned(),
        created_at: promotion.created_at,
        updated_at: Some(view.updated_at()),
    }
}

fn wire_target(target: &PromotionTarget) -> PipelinePromotionTarget {
    let (status, error_message) = match &target.status {
        PromotionStatus::Pending => ("pending", None),
        PromotionStatus::Succeeded => ("succeeded", None),
        PromotionStatus::Failed { reason } => ("failed", Some(reason.clone())),
    };
    PipelinePromotionTarget {
        id: target.id.uuid(),
        app: IdReference { id: target.app.uuid() },
        pipeline_promotion: IdReference { id: target.promotion.uuid() },
        release: target.release.map(|(id, _)| IdReference { id: id.uuid() }),
        status: status.to_owned(),
        error_message,
    }
}

pub(crate) async fn create(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Json(wanted): Json<PipelinePromotionCreate>,
) -> Result<Created<PipelinePromotion>, ApiError> {
    caller.require_global()?;
    let request = PromotionRequest {
        pipeline: wanted.pipeline.id,
        source: wanted.source.app.id,
        release: wanted.source.release.map(|release| release.id),
        targets: wanted.targets.into_iter().map(|target| target.app.id).collect(),
    };
    let view = api.controller.promotion_create(&caller, &request, api.now()).await?;
    Ok(Created(wire(&view)))
}

pub(crate) async fn find(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(promotion): Path<String>,
) -> Result<Answer<PipelinePromotion>, ApiError> {
    Ok(Answer(wire(&api.controller.promotion_find(&caller, &promotion).await?)))
}

pub(crate) async fn targets(
    State(api): State<Api>,
    Authorized(caller): Authorized,
    Path(promotion): Path<String>,
    range: Range,
) -> Result<Page<PipelinePromotionTarget>, ApiError> {
    let view = api.controller.promotion_find(&caller, &promotion).await?;
    Ok(range.page(&ATTRIBUTES, view.targets.iter().map(wire_target).collect()))
}
