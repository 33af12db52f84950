//! What an app elsewhere has, read over the Heroku Platform API, and what is not in the other nouns to make it again.
//!
//! Read leniently: only what a move needs, so that another server's further fields and gaps do no harm.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::Secret;

/// All of an app that a move is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MovingApp {
    /// Its name there.
    pub name: String,
    /// Its owner's address.
    pub owner: Option<String>,
    /// The stack of its builds: `heroku-24`, `container`, `cnb`.
    pub stack: Option<String>,
    /// Its config, values and all.
    pub config: BTreeMap<String, Secret>,
    /// How many of each process.
    pub formation: Vec<MovingFormation>,
    /// Its domains, the platform's own among them.
    pub domains: Vec<MovingDomain>,
    /// Its add-ons.
    pub addons: Vec<MovingAddon>,
    /// Who may work on it.
    pub collaborators: Vec<MovingCollaborator>,
    /// Its place in a pipeline.
    pub coupling: Option<MovingCoupling>,
    /// Where its log goes.
    pub drains: Vec<MovingDrain>,
    /// What builds it.
    pub buildpacks: Vec<String>,
    /// What the token may not see.
    pub hidden: Vec<&'static str>,
}

/// A process and its count.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MovingFormation {
    /// The process.
    #[serde(rename = "type")]
    pub process: String,
    /// How many.
    pub quantity: u32,
    /// The name of their size.
    #[serde(default)]
    pub size: Option<String>,
    /// What runs.
    #[serde(default)]
    pub command: Option<String>,
}

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MovingDomain {
    /// The name.
    pub hostname: String,
    /// `custom`, or `heroku` for the platform's own.
    pub kind: String,
}

/// An add-on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MovingAddon {
    /// Its name.
    pub name: String,
    /// Its plan.
    pub plan: Named,
    /// The config that it sets.
    #[serde(default)]
    pub config_vars: Vec<String>,
}

/// Something with a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
}

/// Somebody with an address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Addressed {
    /// The address.
    pub email: String,
}

/// A collaborator.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MovingCollaborator {
    /// Who.
    pub user: Addressed,
}

/// A place in a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MovingCoupling {
    /// The pipeline; without a name in what couplings themselves say.
    pub pipeline: MovingPipeline,
    /// The stage.
    pub stage: String,
}

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MovingPipeline {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
}

/// A log drain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MovingDrain {
    /// Where to.
    pub url: String,
    /// Of which add-on, when it is one's.
    #[serde(default)]
    pub addon: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct AppAnswer {
    name: String,
    owner: Option<Addressed>,
    build_stack: Option<Named>,
}

#[derive(Debug, Deserialize)]
struct BuildpackAnswer {
    buildpack: BuildpackName,
}

#[derive(Debug, Deserialize)]
struct BuildpackName {
    name: Option<String>,
    url: Option<String>,
}

impl Client {
    /// Reads an app and all that belongs to it. Parts that the token may not see are named in `hidden`.
    ///
    /// # Errors
    /// When the token is not valid, there is no such app, or its config may not be read.
    pub async fn moving_app(&self, app: &str) -> Result<MovingApp, ClientError> {
        let base = format!("/apps/{}", segment(app));
        let about: AppAnswer = self.get(&base).await?;
        let config: BTreeMap<String, Option<String>> = self.get(&format!("{base}/config-vars")).await?;
        let formation = self.list(&format!("{base}/formation")).await?;
        let domains = self.list(&format!("{base}/domains")).await?;
        let mut hidden = Vec::new();
        let addons = seen(self.list(&format!("{base}/addons")).await, "add-ons", &mut hidden)?;
        let collaborators = seen(self.list(&format!("{base}/collaborators")).await, "collaborators", &mut hidden)?;
        let drains = seen(self.list(&format!("{base}/log-drains")).await, "log drains", &mut hidden)?;
        let buildpacks: Vec<BuildpackAnswer> =
            seen(self.list(&format!("{base}/buildpack-installations")).await, "buildpacks", &mut hidden)?;
        Ok(MovingApp {
            name: about.name,
            owner: about.owner.map(|owner| owner.email),
            stack: about.build_stack.map(|stack| stack.name),
            config: config.into_iter().filter_map(|(key, value)| Some((key, Secret::new(value?)))).collect(),
            formation,
            domains,
            addons,
            collaborators,
            coupling: self.moving_coupling(&base).await?,
            drains,
            buildpacks: buildpacks.into_iter().filter_map(|one| one.buildpack.name.or(one.buildpack.url)).collect(),
            hidden,
        })
    }

    /// An app's place in a pipeline, with the pipeline's name; `None` when it is in none.
    async fn moving_coupling(&self, base: &str) -> Result<Option<MovingCoupling>, ClientError> {
        let mut coupling: MovingCoupling = match self.get(&format!("{base}/pipeline-couplings")).await {
            Ok(coupling) => coupling,
            Err(ClientError::NotFound(_) | ClientError::Forbidden(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if coupling.pipeline.name.is_none() {
            let pipeline: MovingPipeline = self.get(&format!("/pipelines/{}", segment(&coupling.pipeline.id))).await?;
            coupling.pipeline = pipeline;
        }
        Ok(Some(coupling))
    }

    /// Where an app is coupled: its pipeline's name and the stage.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn moving_place(&self, app: &str) -> Result<Option<(String, String)>, ClientError> {
        let coupling = self.moving_coupling(&format!("/apps/{}", segment(app))).await?;
        Ok(coupling.map(|coupling| (coupling.pipeline.name.unwrap_or_default(), coupling.stage)))
    }

    /// Puts an app into a stage of the pipeline of this name, which is made when there is none.
    ///
    /// # Errors
    /// When the app is in another pipeline, or the stage is unknown.
    pub async fn moving_couple(&self, app: &str, pipeline: &str, stage: &str) -> Result<(), ClientError> {
        #[derive(Serialize)]
        struct PipelineCreate<'a> {
            name: &'a str,
        }
        #[derive(Serialize)]
        struct CouplingCreate<'a> {
            app: &'a str,
            pipeline: &'a str,
            stage: &'a str,
        }
        let known: Vec<MovingPipeline> = self.list("/pipelines").await?;
        let found = known.into_iter().find(|one| one.name.as_deref() == Some(pipeline));
        let pipeline = match found {
            Some(pipeline) => pipeline,
            None => self.post("/pipelines", &PipelineCreate { name: pipeline }).await?,
        };
        let create = CouplingCreate { app, pipeline: &pipeline.id, stage };
        self.post::<_, serde_json::Value>("/pipeline-couplings", &create).await.map(drop)
    }

    /// Where an app's log goes.
    ///
    /// # Errors
    /// When there is no such app, or the server has no drains.
    pub async fn moving_drains(&self, app: &str) -> Result<Vec<MovingDrain>, ClientError> {
        self.list(&format!("/apps/{}/log-drains", segment(app))).await
    }

    /// Sends an app's log to one more place.
    ///
    /// # Errors
    /// When the address is refused.
    pub async fn moving_drain_create(&self, app: &str, url: &str) -> Result<(), ClientError> {
        let body = serde_json::json!({ "url": url });
        self.post::<_, serde_json::Value>(&format!("/apps/{}/log-drains", segment(app)), &body).await.map(drop)
    }
}

/// What was read, or nothing when the token may not see it or the server has no such thing.
fn seen<T: DeserializeOwned>(
    read: Result<Vec<T>, ClientError>,
    what: &'static str,
    hidden: &mut Vec<&'static str>,
) -> Result<Vec<T>, ClientError> {
    match read {
        Err(ClientError::Forbidden(_) | ClientError::NotFound(_)) => {
            hidden.push(what);
            Ok(Vec::new())
        }
        read => read,
    }
}
