//! Pipelines: apps in stages. Couplings are in [`couplings`], promotions in [`promotions`] and, as they go on, [`promote`].
//!
//! A pipeline is seen by its owner, by administrators, and by whoever may see one of its apps. Its owner decides over it;
//! whoever may deploy an app decides over the app's place.

mod couplings;
mod promote;
mod promotions;

use std::collections::HashSet;

use ambo_model::{AccountId, AppId, Coupling, Pipeline, PipelineId, PipelineName, Role, Timestamp};
use ambo_store::{StoreError, Transaction};

use crate::accounts::{Caller, Permission, TokenScope};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::keys;
use crate::records::{Found, get, json, list, replace, retry_conflicts};

pub use promotions::{PromotionRequest, PromotionView};

impl Controller {
    /// Creates a pipeline.
    ///
    /// # Errors
    /// `Invalid` when the name is taken.
    pub async fn pipeline_create(
        &self,
        caller: &Caller,
        name: PipelineName,
        now: Timestamp,
    ) -> Result<Pipeline, ControllerError> {
        caller.require_global()?;
        let pipeline =
            Pipeline { id: PipelineId::new(), name, owner: caller.account, created_at: now, updated_at: now };
        let transaction = Transaction::new()
            .absent(keys::pipeline_name(&pipeline.name))
            .put(keys::pipeline_name(&pipeline.name), json(&pipeline.id))
            .put(keys::pipeline(pipeline.id), json(&pipeline));
        match self.store.commit(transaction).await {
            Ok(_) => Ok(pipeline),
            Err(StoreError::Conflict { .. }) => Err(name_taken(&pipeline.name)),
            Err(error) => Err(error.into()),
        }
    }

    /// The pipelines that the caller may see, by name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn pipeline_list(&self, caller: &Caller) -> Result<Vec<Pipeline>, ControllerError> {
        require_reading(caller)?;
        let seen: HashSet<AppId> = self.app_list(caller).await?.into_iter().map(|app| app.id).collect();
        let couplings = self.couplings_all().await?;
        let through_app: HashSet<PipelineId> =
            couplings.iter().filter(|one| seen.contains(&one.app)).map(|one| one.pipeline).collect();
        let mut pipelines: Vec<Pipeline> = list::<Pipeline>(&*self.store, keys::PIPELINES)
            .await?
            .into_iter()
            .map(|found| found.value)
            .filter(|pipeline| decides(caller, pipeline) || through_app.contains(&pipeline.id))
            .collect();
        pipelines.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(pipelines)
    }

    /// A pipeline, by id or name.
    ///
    /// # Errors
    /// `NotFound` when there is none that the caller may see.
    pub async fn pipeline_find(&self, caller: &Caller, pipeline: &str) -> Result<Pipeline, ControllerError> {
        Ok(self.pipeline_seen(caller, pipeline).await?.value)
    }

    async fn pipeline_seen(&self, caller: &Caller, pipeline: &str) -> Result<Found<Pipeline>, ControllerError> {
        require_reading(caller)?;
        let id = match pipeline.parse::<PipelineId>() {
            Ok(id) => id,
            Err(_) => {
                let name = PipelineName::parse(pipeline).map_err(|_| unknown(pipeline))?;
                let found = get::<PipelineId>(&*self.store, &keys::pipeline_name(&name)).await?;
                found.ok_or_else(|| unknown(pipeline))?.value
            }
        };
        let found = self.pipeline_record(id).await?.ok_or_else(|| unknown(pipeline))?;
        if decides(caller, &found.value) {
            return Ok(found);
        }
        for coupling in self.couplings_of(id).await? {
            if self.app_find(caller, &coupling.app.to_string(), Permission::Read).await.is_ok() {
                return Ok(found);
            }
        }
        Err(unknown(pipeline))
    }

    /// The same, if the caller decides over it.
    async fn pipeline_owned(&self, caller: &Caller, pipeline: &str) -> Result<Found<Pipeline>, ControllerError> {
        let found = self.pipeline_seen(caller, pipeline).await?;
        caller.require_global()?;
        if decides(caller, &found.value) {
            return Ok(found);
        }
        Err(ControllerError::Forbidden(format!(
            "only the owner of the pipeline {} or an administrator may do this: ask them, or have it transferred to you",
            found.value.name
        )))
    }

    pub(crate) async fn pipeline_record(&self, id: PipelineId) -> Result<Option<Found<Pipeline>>, ControllerError> {
        Ok(get(&*self.store, &keys::pipeline(id)).await?)
    }

    /// Renames a pipeline.
    ///
    /// # Errors
    /// `Invalid` when the name is taken.
    pub async fn pipeline_rename(
        &self,
        caller: &Caller,
        pipeline: &str,
        name: &PipelineName,
        now: Timestamp,
    ) -> Result<Pipeline, ControllerError> {
        let id = self.pipeline_owned(caller, pipeline).await?.value.id.to_string();
        retry_conflicts(|| async {
            let mut found = self.pipeline_owned(caller, &id).await?;
            if found.value.name == *name {
                return Ok(found.value);
            }
            if get::<PipelineId>(&*self.store, &keys::pipeline_name(name)).await?.is_some() {
                return Err(name_taken(name));
            }
            let before = std::mem::replace(&mut found.value.name, name.clone());
            found.value.updated_at = now;
            let transaction = Transaction::new()
                .absent(keys::pipeline_name(name))
                .put(keys::pipeline_name(name), json(&found.value.id))
                .delete(keys::pipeline_name(&before));
            self.store.commit(replace(transaction, &found)).await?;
            Ok::<_, ControllerError>(found.value)
        })
        .await
    }

    /// Destroys a pipeline. Its apps stay, without a place in it.
    ///
    /// # Errors
    /// When it is not the caller's to destroy.
    pub async fn pipeline_destroy(&self, caller: &Caller, pipeline: &str) -> Result<Pipeline, ControllerError> {
        let found = self.pipeline_owned(caller, pipeline).await?;
        let pipeline = found.value;
        let transaction = Transaction::new()
            .unmodified(&found.entry)
            .delete(found.entry.key.clone())
            .delete(keys::pipeline_name(&pipeline.name));
        self.store.commit(transaction).await?;
        // What is left when this is cut short leads nowhere, and is replaced when its app gets a new place.
        for coupling in self.couplings_of(pipeline.id).await? {
            self.coupling_delete(&coupling).await?;
        }
        self.promotions_remove(pipeline.id).await?;
        tracing::info!(pipeline = %pipeline.name, by = %caller.email, "pipeline destroyed");
        Ok(pipeline)
    }

    /// Gives a pipeline and all its apps to another account. Gives the former owner too.
    ///
    /// # Errors
    /// `Forbidden` when the caller does not decide over the pipeline and each of its apps; `NotFound` when there is no such
    /// account.
    pub async fn pipeline_transfer(
        &self,
        caller: &Caller,
        pipeline: &str,
        to: AccountId,
        now: Timestamp,
    ) -> Result<(Pipeline, AccountId), ControllerError> {
        let id = self.pipeline_owned(caller, pipeline).await?.value.id;
        let account = self.accounts.account_by_id(to).await?;
        let account = account.ok_or_else(|| {
            ControllerError::NotFound(format!("there is no account with the id `{to}`: ask them to register first"))
        })?;
        let couplings = self.couplings_of(id).await?;
        for coupling in &couplings {
            self.app_find(caller, &coupling.app.to_string(), Permission::Manage).await?;
        }
        let former = retry_conflicts(|| async {
            let mut found = self.pipeline_owned(caller, &id.to_string()).await?;
            let former = std::mem::replace(&mut found.value.owner, to);
            found.value.updated_at = now;
            self.store.commit(replace(Transaction::new(), &found)).await?;
            Ok::<_, ControllerError>((found.value, former))
        })
        .await?;
        for Coupling { app, .. } in couplings {
            self.app_transfer(caller, &app.to_string(), &account.email, now).await?;
        }
        Ok(former)
    }
}

/// Whether the pipeline is the caller's to change. With a token for one app none is: it is seen through that app.
fn decides(caller: &Caller, pipeline: &Pipeline) -> bool {
    let owns = pipeline.owner == caller.account || caller.role == Role::Administrator;
    owns && !matches!(caller.scope, TokenScope::Deploy(_))
}

fn require_reading(caller: &Caller) -> Result<(), ControllerError> {
    match caller.scope {
        TokenScope::Global | TokenScope::Deploy(_) | TokenScope::Read => Ok(()),
        TokenScope::Identity => Ok(caller.require_global()?),
    }
}

fn name_taken(name: &PipelineName) -> ControllerError {
    ControllerError::Invalid(format!("Name {name} is already taken: choose another one"))
}

fn unknown(pipeline: &str) -> ControllerError {
    let pipeline: String = pipeline.chars().filter(|c| !c.is_control()).take(80).collect();
    ControllerError::NotFound(format!(
        "Couldn't find that pipeline: there is no `{pipeline}` that you have access to; see `ambo pipelines`"
    ))
}
