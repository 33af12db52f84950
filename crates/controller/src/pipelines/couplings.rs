//! Couplings: each says which place an app has in which pipeline.

use std::collections::{HashMap, HashSet};

use ambo_model::{App, AppId, Coupling, CouplingId, Pipeline, PipelineId, Stage, Timestamp};
use ambo_store::{StoreError, Transaction};

use super::decides;
use crate::accounts::{Caller, Permission};
use crate::controller::Controller;
use crate::error::ControllerError;
use crate::keys;
use crate::records::{Found, get, json, list, replace, retry_conflicts};

impl Controller {
    /// The places of all apps that the caller may see, each with its pipeline.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn coupling_list(&self, caller: &Caller) -> Result<Vec<(Coupling, Pipeline)>, ControllerError> {
        let seen: HashSet<AppId> = self.app_list(caller).await?.into_iter().map(|app| app.id).collect();
        let pipelines: HashMap<PipelineId, Pipeline> =
            self.pipeline_list(caller).await?.into_iter().map(|pipeline| (pipeline.id, pipeline)).collect();
        let couplings = self.couplings_all().await?.into_iter().filter(|coupling| seen.contains(&coupling.app));
        Ok(couplings.filter_map(|one| Some((one.clone(), pipelines.get(&one.pipeline)?.clone()))).collect())
    }

    /// The places of a pipeline, those of apps that the caller may not see included.
    ///
    /// # Errors
    /// `NotFound` when there is no pipeline that the caller may see.
    pub async fn coupling_list_of(
        &self,
        caller: &Caller,
        pipeline: &str,
    ) -> Result<(Pipeline, Vec<Coupling>), ControllerError> {
        let pipeline = self.pipeline_find(caller, pipeline).await?;
        let couplings = self.couplings_of(pipeline.id).await?;
        Ok((pipeline, couplings))
    }

    /// One place, by its id.
    ///
    /// # Errors
    /// `NotFound` when there is none that the caller may see.
    pub async fn coupling_find(&self, caller: &Caller, id: &str) -> Result<(Coupling, Pipeline), ControllerError> {
        let (found, pipeline) = self.coupling_seen(caller, id).await?;
        Ok((found.value, pipeline))
    }

    async fn coupling_seen(&self, caller: &Caller, id: &str) -> Result<(Found<Coupling>, Pipeline), ControllerError> {
        let unknown = || ControllerError::NotFound(format!("Couldn't find that pipeline coupling: `{}`", shown(id)));
        let id: CouplingId = id.parse().map_err(|_| unknown())?;
        let app = get::<AppId>(&*self.store, &keys::coupling_id(id)).await?.ok_or_else(unknown)?.value;
        let found = get::<Coupling>(&*self.store, &keys::coupling(app)).await?;
        let found = found.filter(|found| found.value.id == id).ok_or_else(unknown)?;
        let pipeline = self.pipeline_find(caller, &found.value.pipeline.to_string()).await;
        let pipeline = pipeline.map_err(|error| match error {
            ControllerError::NotFound(_) => unknown(),
            error => error,
        })?;
        Ok((found, pipeline))
    }

    /// An app's place.
    ///
    /// # Errors
    /// `NotFound` when it has none.
    pub async fn coupling_of_app(
        &self,
        caller: &Caller,
        app: &str,
    ) -> Result<(App, Coupling, Pipeline), ControllerError> {
        let app = self.app_find(caller, app, Permission::Read).await?;
        let none = || {
            ControllerError::NotFound(format!(
                "{} is in no pipeline: put it into one with `ambo pipelines:add PIPELINE --stage STAGE`",
                app.name
            ))
        };
        let coupling = self.coupling_record(app.id).await?.ok_or_else(none)?.value;
        let pipeline = self.pipeline_record(coupling.pipeline).await?.ok_or_else(none)?.value;
        Ok((app, coupling, pipeline))
    }

    /// Gives an app a place in a pipeline.
    ///
    /// # Errors
    /// `Invalid` when the app is in a pipeline already.
    pub async fn coupling_create(
        &self,
        caller: &Caller,
        app: &str,
        pipeline: &str,
        stage: Stage,
        now: Timestamp,
    ) -> Result<(App, Coupling, Pipeline), ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let pipeline = self.pipeline_find(caller, pipeline).await?;
        let coupling = Coupling {
            id: CouplingId::new(),
            app: app.id,
            pipeline: pipeline.id,
            stage,
            created_at: now,
            updated_at: now,
        };
        let key = keys::coupling(app.id);
        let mut transaction = Transaction::new().present(keys::app(app.id)).present(keys::pipeline(pipeline.id));
        transaction = match self.coupling_record(app.id).await? {
            None => transaction.absent(key.clone()),
            Some(old) => match self.pipeline_record(old.value.pipeline).await? {
                Some(taken) => return Err(coupled(&app, &taken.value)),
                None => transaction.unmodified(&old.entry).delete(keys::coupling_id(old.value.id)),
            },
        };
        let transaction =
            transaction.put(key.clone(), json(&coupling)).put(keys::coupling_id(coupling.id), json(&app.id));
        match self.store.commit(transaction).await {
            Ok(_) => {}
            Err(StoreError::Conflict { key: taken }) if taken == key => return Err(coupled(&app, &pipeline)),
            Err(error) => return Err(error.into()),
        }
        self.log(app.id, "api", format!("Add to {stage} of pipeline {} by user {}", pipeline.name, caller.email));
        Ok((app, coupling, pipeline))
    }

    /// Moves an app to another stage of its pipeline.
    ///
    /// # Errors
    /// `NotFound` when there is no such place.
    pub async fn coupling_update(
        &self,
        caller: &Caller,
        id: &str,
        stage: Stage,
        now: Timestamp,
    ) -> Result<(Coupling, Pipeline), ControllerError> {
        let moved = retry_conflicts(|| async {
            let (mut found, pipeline) = self.coupling_seen(caller, id).await?;
            self.app_find(caller, &found.value.app.to_string(), Permission::Deploy).await?;
            found.value.stage = stage;
            found.value.updated_at = now;
            self.store.commit(replace(Transaction::new(), &found)).await?;
            Ok::<_, ControllerError>((found.value, pipeline))
        })
        .await?;
        let (coupling, pipeline) = &moved;
        let text = format!("Move to {stage} of pipeline {} by user {}", pipeline.name, caller.email);
        self.log(coupling.app, "api", text);
        Ok(moved)
    }

    /// Takes an app out of its pipeline. Whoever may deploy the app may, and the pipeline's owner.
    ///
    /// # Errors
    /// `NotFound` when there is no such place.
    pub async fn coupling_remove(&self, caller: &Caller, id: &str) -> Result<(Coupling, Pipeline), ControllerError> {
        let (found, pipeline) = self.coupling_seen(caller, id).await?;
        caller.require_global()?;
        if !decides(caller, &pipeline) {
            self.app_find(caller, &found.value.app.to_string(), Permission::Deploy).await?;
        }
        self.coupling_delete(&found.value).await?;
        let text = format!("Remove from pipeline {} by user {}", pipeline.name, caller.email);
        self.log(found.value.app, "api", text);
        Ok((found.value, pipeline))
    }

    pub(super) async fn coupling_delete(&self, coupling: &Coupling) -> Result<(), ControllerError> {
        let transaction =
            Transaction::new().delete(keys::coupling(coupling.app)).delete(keys::coupling_id(coupling.id));
        self.store.commit(transaction).await?;
        Ok(())
    }

    /// Takes a destroyed app out of its pipeline.
    pub(crate) async fn coupling_remove_of(&self, app: AppId) -> Result<(), ControllerError> {
        match self.coupling_record(app).await? {
            Some(found) => self.coupling_delete(&found.value).await,
            None => Ok(()),
        }
    }

    pub(super) async fn coupling_record(&self, app: AppId) -> Result<Option<Found<Coupling>>, ControllerError> {
        Ok(get(&*self.store, &keys::coupling(app)).await?)
    }

    pub(super) async fn couplings_all(&self) -> Result<Vec<Coupling>, ControllerError> {
        Ok(list::<Coupling>(&*self.store, keys::COUPLINGS).await?.into_iter().map(|found| found.value).collect())
    }

    pub(super) async fn couplings_of(&self, pipeline: PipelineId) -> Result<Vec<Coupling>, ControllerError> {
        Ok(self.couplings_all().await?.into_iter().filter(|coupling| coupling.pipeline == pipeline).collect())
    }
}

fn coupled(app: &App, pipeline: &Pipeline) -> ControllerError {
    ControllerError::Invalid(format!(
        "{} is in the pipeline {} already: move it with `ambo pipelines:update --stage STAGE`, or take it out first",
        app.name, pipeline.name
    ))
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
