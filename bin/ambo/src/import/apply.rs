//! Does what a plan says, step by step. A step that fails stops none but those that need it.

use std::fmt;

use ambo_client::types::{
    AppCreate, FormationBatchUpdate, FormationUpdate, LimitsUpdate, ProcessLimitsUpdate, Quantity,
};
use ambo_client::{Client, ClientError, MovingApp};
use serde::Serialize;

use crate::exit::{Failure, Outcome};
use crate::import::plan::Plan;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DoneHow {
    /// As planned.
    Done,
    /// It is for the user to do.
    ByHand,
    /// It failed.
    Failed,
}

impl fmt::Display for DoneHow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DoneHow::Done => "done",
            DoneHow::ByHand => "by hand",
            DoneHow::Failed => "failed",
        })
    }
}

/// A step and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Done {
    pub(super) step: String,
    pub(super) outcome: DoneHow,
    pub(super) message: String,
}

impl Done {
    fn new(step: impl Into<String>, ended: Result<(), ClientError>) -> Self {
        let (outcome, message) = match ended {
            Ok(()) => (DoneHow::Done, String::new()),
            Err(error) => (DoneHow::Failed, Failure::from(error).message),
        };
        Self { step: step.into(), outcome, message }
    }
}

/// Applies.
pub(super) async fn apply(client: &Client, source: &MovingApp, plan: &Plan) -> Outcome<Vec<Done>> {
    let mut done = Vec::new();
    if plan.to_make("app").next().is_some() {
        app_create(client, &plan.name).await?;
        done.push(Done::new(format!("make app {}", plan.name), Ok(())));
    }
    done.extend(config(client, source, plan).await);
    for item in plan.to_make("domain") {
        let ended = client.domain_create(&plan.name, &item.name).await.map(drop);
        done.push(Done::new(format!("add domain {}", item.name), ended));
    }
    done.extend(formation(client, plan).await);
    done.extend(limits(client, plan).await);
    for item in plan.to_make("access") {
        done.push(access(client, &plan.name, &item.name).await);
    }
    for item in plan.to_make("drain") {
        let ended = client.moving_drain_create(&plan.name, &item.name).await;
        done.push(or_by_hand(
            Done::new(format!("add drain {}", item.name), Ok(())),
            ended,
            "this server has no drains",
        ));
    }
    for item in plan.to_make("pipeline") {
        let ended = client.moving_couple(&plan.name, &item.name, &item.value).await;
        let step = Done::new(format!("put into {} of pipeline {}", item.value, item.name), Ok(()));
        done.push(or_by_hand(step, ended, "this server has no pipelines"));
    }
    Ok(done)
}

async fn app_create(client: &Client, name: &str) -> Outcome {
    let create = AppCreate { name: Some(name.to_owned()), ..AppCreate::default() };
    client.app_create(&create).await.map(drop).map_err(|error| {
        let taken = matches!(error, ClientError::Conflict(_) | ClientError::Invalid(_));
        let failure = Failure::from(error);
        if taken { failure.hint("give it another name here with `--as NAME`") } else { failure }
    })
}

/// All variables in one release.
async fn config(client: &Client, source: &MovingApp, plan: &Plan) -> Option<Done> {
    let value = |key: &String| source.config.get(key).map(|value| value.reveal().to_owned());
    let update: std::collections::BTreeMap<_, _> =
        plan.to_make("config").map(|item| (item.name.clone(), value(&item.name))).collect();
    if update.is_empty() {
        return None;
    }
    let step = format!("set {} config vars", update.len());
    Some(Done::new(step, client.config_update(&plan.name, &update).await.map(drop)))
}

async fn formation(client: &Client, plan: &Plan) -> Option<Done> {
    let update = |item: &super::plan::Item| FormationUpdate {
        process_type: Some(item.name.clone()),
        quantity: Quantity::parse(&item.value),
        size: None,
        docker_image: None,
    };
    let items: Vec<_> = plan.to_make("formation").collect();
    if items.is_empty() {
        return None;
    }
    let step = items.iter().map(|item| format!("{}={}", item.name, item.value)).collect::<Vec<_>>().join(" ");
    let update = FormationBatchUpdate { updates: items.into_iter().map(update).collect() };
    Some(Done::new(format!("scale {step}"), client.formation_update(&plan.name, &update).await.map(drop)))
}

async fn limits(client: &Client, plan: &Plan) -> Option<Done> {
    let update: LimitsUpdate = plan
        .to_make("memory")
        .map(|item| (item.name.clone(), ProcessLimitsUpdate { memory: Some(Some(item.value.clone())), cpu: None }))
        .collect();
    if update.is_empty() {
        return None;
    }
    let step = format!("limit memory of {}", update.keys().cloned().collect::<Vec<_>>().join(", "));
    Some(Done::new(step, client.limits_update(&plan.name, &update).await.map(drop)))
}

async fn access(client: &Client, app: &str, email: &str) -> Done {
    let step = format!("give access to {email}");
    match client.access_create(app, email).await {
        Err(ClientError::NotFound(_) | ClientError::Invalid(_)) => Done {
            step,
            outcome: DoneHow::ByHand,
            message: format!(
                "has no account here: invite them with `ambo invitations:create --email {email}`, then \
                 `ambo access:add {email} -a {app}`"
            ),
        },
        ended => Done::new(step, ended.map(drop)),
    }
}

/// A step that a server may not know is for the user to do elsewhere.
fn or_by_hand(done: Done, ended: Result<(), ClientError>, why: &str) -> Done {
    match ended {
        Err(ClientError::NotFound(_)) => Done { outcome: DoneHow::ByHand, message: why.to_owned(), ..done },
        ended => Done::new(done.step, ended),
    }
}
