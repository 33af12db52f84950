//! Services: found, changed in the version that was looked at, removed.

use std::collections::HashMap;

use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::auth::DockerCredentials;
use ambo_engine_docker::bollard::models::ServiceSpec;
use ambo_engine_docker::{Engine, EngineError};
use ambo_model::{AppId, ImageReference, WorkloadId};
use ambo_scheduler::SchedulerError;
use ambo_scheduler_docker::labels::{self, Kind};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::driver::Cluster;
use crate::failure::{failed, is_out_of_sequence};
use crate::fence;
use crate::service::{Desired, Found};

/// Tries to change a service that others change as well.
const TRIES_MAX: usize = 20;

impl Cluster {
    /// Refuses when a later control plane has been seen.
    pub(crate) async fn fence_check(&self) -> Result<(), SchedulerError> {
        fence::check(&self.managers, &self.settings.docker.platform, self.settings.epoch).await
    }

    /// This platform's services; of one workload only, when given.
    pub(crate) async fn services_list(&self, workload: Option<&WorkloadId>) -> Result<Vec<Found>, SchedulerError> {
        let filters = labels::filters(&self.settings.docker.platform, Kind::Instance, workload);
        self.managers.ask(|engine| list(engine, filters.clone())).await.map_err(failed("list services"))
    }

    /// Whether any workload of the app has a service.
    pub(crate) async fn app_has_services(&self, app: AppId) -> Result<bool, SchedulerError> {
        let filters = labels::app_filters(&self.settings.docker.platform, app);
        let listed = self.managers.ask(|engine| list(engine, filters.clone())).await;
        Ok(!listed.map_err(failed("list services"))?.is_empty())
    }

    /// Makes a service; `false` when one of its name is there already.
    pub(crate) async fn service_create(
        &self,
        spec: &ServiceSpec,
        image: &ImageReference,
    ) -> Result<bool, SchedulerError> {
        let login = self.login(image).await;
        match self.managers.docker(|docker| create(docker, spec.clone(), login.clone())).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(failed("make a service")(error)),
        }
    }

    /// Changes what is desired of a service once, however many do so at once and however many answers are lost. `change`
    /// says no by giving `false`, and may be called several times. Gives what is desired then; `None` when the service is
    /// gone.
    pub(crate) async fn service_change(
        &self,
        service: &str,
        change: impl Fn(&mut Desired) -> bool,
    ) -> Result<Option<Desired>, SchedulerError> {
        let doing = || failed(format!("change service {service}"));
        let name = format!("{:016x}", rand::random::<u64>());
        for _ in 0..TRIES_MAX {
            let Some(found) = self.service_inspect(service).await? else { return Ok(None) };
            let (mut spec, mut desired) = (found.spec, found.desired);
            let (ours, seen) = (self.settings.epoch, desired.epoch);
            if seen > ours {
                return Err(SchedulerError::Deposed { ours, seen });
            }
            if desired.has(&name) || !change(&mut desired) {
                return Ok(Some(desired));
            }
            self.fence_check().await?;
            desired.epoch = ours;
            desired.made(&name);
            desired.write(&mut spec);
            match self.managers.ask(|engine| update(engine, service.to_owned(), spec.clone(), found.version)).await {
                Ok(()) => return Ok(Some(desired)),
                Err(error) if is_out_of_sequence(&error) => {}
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(doing()(error)),
            }
        }
        let source = "others keep changing it".into();
        Err(SchedulerError::Engine { doing: format!("change service {service}"), source })
    }

    pub(crate) async fn service_delete(&self, service: &str) -> Result<(), SchedulerError> {
        self.fence_check().await?;
        match self.managers.docker(|docker| delete(docker, service.to_owned())).await {
            Err(error) if error.is_not_found() => Ok(()),
            result => result.map_err(failed(format!("remove service {service}"))),
        }
    }

    async fn service_inspect(&self, service: &str) -> Result<Option<Found>, SchedulerError> {
        match self.managers.ask(|engine| inspect(engine, service.to_owned())).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(failed(format!("look at service {service}"))(error)),
        }
    }

    async fn login(&self, image: &ImageReference) -> Option<DockerCredentials> {
        let login = self.settings.docker.logins.as_ref()?.login(image).await?;
        Some(DockerCredentials {
            username: Some(login.username),
            password: Some(login.password.reveal().to_owned()),
            serveraddress: image.as_str().split_once('/').map(|(registry, _)| registry.to_owned()),
            ..Default::default()
        })
    }
}

async fn list(engine: Engine, filters: HashMap<String, Vec<String>>) -> Result<Vec<Found>, EngineError> {
    let filters = serde_json::json!(filters).to_string();
    let path = format!("/services?filters={}", utf8_percent_encode(&filters, NON_ALPHANUMERIC));
    engine.raw(Method::GET, &path, None::<&()>).await
}

async fn create(docker: Docker, spec: ServiceSpec, login: Option<DockerCredentials>) -> Result<(), EngineError> {
    Ok(docker.create_service(spec, login).await.map(drop)?)
}

async fn inspect(engine: Engine, service: String) -> Result<Found, EngineError> {
    engine.raw(Method::GET, &format!("/services/{service}"), None::<&()>).await
}

/// The login for pulls stays the one that is with the service.
async fn update(engine: Engine, service: String, spec: Value, version: u64) -> Result<(), EngineError> {
    let path = format!("/services/{service}/update?version={version}&registryAuthFrom=spec");
    engine.raw::<Value>(Method::POST, &path, Some(&spec)).await.map(drop)
}

async fn delete(docker: Docker, service: String) -> Result<(), EngineError> {
    Ok(docker.delete_service(&service).await?)
}
