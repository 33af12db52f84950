//! Pipelines.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{
    Account, App, AppFilter, AppFilterIn, Pipeline, PipelineCoupling, PipelineCouplingCreate, PipelineCouplingUpdate,
    PipelineCreate, PipelineOwner, PipelinePromotion, PipelinePromotionCreate, PipelinePromotionTarget,
    PipelineTransfer, PipelineTransferCreate, PipelineUpdate, Slug, TextReference,
};

impl Client {
    /// The pipelines that the account sees.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn pipeline_list(&self) -> Result<Vec<Pipeline>, ClientError> {
        self.list("/pipelines").await
    }

    /// One pipeline, by name or id.
    ///
    /// # Errors
    /// When there is none that the account sees.
    pub async fn pipeline_find(&self, pipeline: &str) -> Result<Pipeline, ClientError> {
        self.get(&path(pipeline)).await
    }

    /// Creates a pipeline.
    ///
    /// # Errors
    /// When the name is taken.
    pub async fn pipeline_create(&self, name: &str) -> Result<Pipeline, ClientError> {
        self.post("/pipelines", &PipelineCreate { name: name.to_owned(), owner: None }).await
    }

    /// Renames a pipeline.
    ///
    /// # Errors
    /// When the name is taken.
    pub async fn pipeline_rename(&self, pipeline: &str, name: &str) -> Result<Pipeline, ClientError> {
        self.patch(&path(pipeline), &PipelineUpdate { name: Some(name.to_owned()) }).await
    }

    /// Destroys a pipeline; its apps stay.
    ///
    /// # Errors
    /// When it is not the account's.
    pub async fn pipeline_destroy(&self, pipeline: &str) -> Result<(), ClientError> {
        self.delete(&path(pipeline)).await
    }

    /// Gives a pipeline and all its apps to another account.
    ///
    /// # Errors
    /// When there is no such account, or not all of it is the account's to give.
    pub async fn pipeline_transfer(&self, pipeline: &str, email: &str) -> Result<PipelineTransfer, ClientError> {
        let to: Account = self.get(&format!("/users/{}", segment(email))).await?;
        let transfer = PipelineTransferCreate {
            pipeline: TextReference { id: pipeline.to_owned() },
            new_owner: PipelineOwner { id: to.id, kind: "user".to_owned() },
        };
        self.post("/pipeline-transfers", &transfer).await
    }

    /// The places of a pipeline.
    ///
    /// # Errors
    /// When there is no such pipeline.
    pub async fn coupling_list(&self, pipeline: &str) -> Result<Vec<PipelineCoupling>, ClientError> {
        self.list(&format!("{}/pipeline-couplings", path(pipeline))).await
    }

    /// An app's place.
    ///
    /// # Errors
    /// When it is in no pipeline.
    pub async fn coupling_of_app(&self, app: &str) -> Result<PipelineCoupling, ClientError> {
        self.get(&format!("/apps/{}/pipeline-couplings", segment(app))).await
    }

    /// Gives an app a place in a pipeline.
    ///
    /// # Errors
    /// When it has one already.
    pub async fn coupling_create(
        &self,
        app: &str,
        pipeline: &str,
        stage: &str,
    ) -> Result<PipelineCoupling, ClientError> {
        let create =
            PipelineCouplingCreate { app: app.to_owned(), pipeline: pipeline.to_owned(), stage: stage.to_owned() };
        self.post("/pipeline-couplings", &create).await
    }

    /// Moves an app to another stage.
    ///
    /// # Errors
    /// When there is no such stage.
    pub async fn coupling_update(&self, id: &str, stage: &str) -> Result<PipelineCoupling, ClientError> {
        let update = PipelineCouplingUpdate { stage: Some(stage.to_owned()) };
        self.patch(&format!("/pipeline-couplings/{}", segment(id)), &update).await
    }

    /// Takes an app out of its pipeline.
    ///
    /// # Errors
    /// When the place is not the account's to take.
    pub async fn coupling_remove(&self, id: &str) -> Result<(), ClientError> {
        self.delete(&format!("/pipeline-couplings/{}", segment(id))).await
    }

    /// The apps of these places; those that the account does not see are left out.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn coupled_apps(&self, couplings: &[PipelineCoupling]) -> Result<Vec<App>, ClientError> {
        let id = couplings.iter().map(|coupling| coupling.app.id).collect();
        self.post("/filters/apps", &AppFilter { within: AppFilterIn { id } }).await
    }

    /// Begins a promotion.
    ///
    /// # Errors
    /// When the apps are not in the pipeline, or the source has nothing to promote.
    pub async fn promotion_create(&self, create: &PipelinePromotionCreate) -> Result<PipelinePromotion, ClientError> {
        self.post("/pipeline-promotions", create).await
    }

    /// How far a promotion is.
    ///
    /// # Errors
    /// When there is none of that id.
    pub async fn promotion_targets(&self, id: &str) -> Result<Vec<PipelinePromotionTarget>, ClientError> {
        self.list(&format!("/pipeline-promotions/{}/promotion-targets", segment(id))).await
    }

    /// What a build gave, by its id.
    ///
    /// # Errors
    /// When the app has none such.
    pub async fn slug_find(&self, app: &str, slug: &str) -> Result<Slug, ClientError> {
        self.get(&format!("/apps/{}/slugs/{}", segment(app), segment(slug))).await
    }
}

fn path(pipeline: &str) -> String {
    format!("/pipelines/{}", segment(pipeline))
}
