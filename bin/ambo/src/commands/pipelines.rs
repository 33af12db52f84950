//! `pipelines`.

mod diff;
mod promote;

use ambo_client::Client;
use ambo_client::types::{App, Pipeline, PipelineCoupling};
use jiff::Timestamp;
use serde::Serialize;

use crate::age::ago;
use crate::args::{
    PipelinesAdd, PipelinesCommand, PipelinesCreate, PipelinesDestroy, PipelinesInfo, PipelinesRename,
    PipelinesTransfer, PipelinesUpdate,
};
use crate::context::Context;
use crate::exit::{Failure, Outcome};
use crate::prompt;

/// Stages that promotions go through, in their order.
const STAGES: [&str; 3] = ["development", "staging", "production"];

pub(super) async fn run(context: &Context, command: PipelinesCommand) -> Outcome {
    match command {
        PipelinesCommand::List(_) => list(context).await,
        PipelinesCommand::Create(args) => create(context, args).await,
        PipelinesCommand::Add(args) => add(context, args).await,
        PipelinesCommand::Info(args) => info(context, args).await,
        PipelinesCommand::Promote(args) => promote::run(context, args).await,
        PipelinesCommand::Diff(_) => diff::run(context).await,
        PipelinesCommand::Update(args) => update(context, args).await,
        PipelinesCommand::Remove(_) => remove(context).await,
        PipelinesCommand::Rename(args) => rename(context, args).await,
        PipelinesCommand::Transfer(args) => transfer(context, args).await,
        PipelinesCommand::Destroy(args) => destroy(context, args).await,
    }
}

async fn list(context: &Context) -> Outcome {
    let pipelines = context.client()?.pipeline_list().await?;
    if context.printer.is_json() {
        return context.printer.json(&pipelines);
    }
    let now = Timestamp::now();
    let cells = |pipeline: &Pipeline| vec![pipeline.name.clone(), ago(pipeline.created_at, now)];
    let rows: Vec<_> = pipelines.iter().map(cells).collect();
    context.printer.table(
        &["NAME", "CREATED"],
        &rows,
        "You have no pipelines yet. `ambo pipelines:create NAME --stage STAGE` makes one.",
    )
}

async fn create(context: &Context, args: PipelinesCreate) -> Outcome {
    let (client, app) = context.app()?;
    client.app_info(&app).await?;
    let pipeline = client.pipeline_create(&args.name).await?;
    context.printer.note(format!("Created the pipeline {}", pipeline.name))?;
    couple(context, &client, &app, &pipeline.name, &args.stage).await?;
    if context.printer.is_json() { context.printer.json(&pipeline) } else { Ok(()) }
}

async fn add(context: &Context, args: PipelinesAdd) -> Outcome {
    let (client, app) = context.app()?;
    let coupling = couple(context, &client, &app, &args.pipeline, &args.stage).await?;
    if context.printer.is_json() { context.printer.json(&coupling) } else { Ok(()) }
}

async fn couple(
    context: &Context,
    client: &Client,
    app: &str,
    pipeline: &str,
    stage: &str,
) -> Outcome<PipelineCoupling> {
    let coupling = client.coupling_create(app, pipeline, stage).await?;
    context.printer.note(format!("{app} is in {stage} of {pipeline} now"))?;
    Ok(coupling)
}

/// An app with its place.
#[derive(Debug, Serialize)]
struct Member {
    stage: String,
    app: App,
}

/// The apps of a pipeline that this account sees, in the stages' order.
async fn members(context: &Context, client: &Client, pipeline: &str) -> Outcome<Vec<Member>> {
    let couplings = client.coupling_list(pipeline).await?;
    let apps = client.coupled_apps(&couplings).await?;
    if apps.len() < couplings.len() {
        context.printer.warn("some apps of this pipeline are hidden, as they are not shared with you")?;
    }
    let place = |app: App| {
        let coupling = couplings.iter().find(|coupling| coupling.app.id == app.id)?;
        Some(Member { stage: coupling.stage.clone(), app })
    };
    let mut members: Vec<Member> = apps.into_iter().filter_map(place).collect();
    let order = |stage: &str| STAGES.iter().position(|known| *known == stage);
    members.sort_by(|a, b| (order(&a.stage), &a.app.name).cmp(&(order(&b.stage), &b.app.name)));
    Ok(members)
}

/// What `pipelines info --json` prints.
#[derive(Serialize)]
struct Description {
    #[serde(flatten)]
    pipeline: Pipeline,
    apps: Vec<Member>,
}

async fn info(context: &Context, args: PipelinesInfo) -> Outcome {
    let (client, pipeline) = named(context, args.pipeline).await?;
    let apps = members(context, &client, &pipeline.name).await?;
    if context.printer.is_json() {
        return context.printer.json(&Description { pipeline, apps });
    }
    let now = Timestamp::now();
    let cells = |member: &Member| {
        let released = member.app.released_at.map_or_else(|| "never".to_owned(), |at| ago(at, now));
        vec![member.stage.clone(), member.app.name.clone(), member.app.owner.email.clone(), released]
    };
    let rows: Vec<_> = apps.iter().map(cells).collect();
    context.printer.table(&["STAGE", "APP", "OWNER", "RELEASED"], &rows, &format!("{} has no apps.", pipeline.name))
}

/// The pipeline of a name, or the app's own.
async fn named(context: &Context, name: Option<String>) -> Outcome<(Client, Pipeline)> {
    if let Some(name) = name {
        let client = context.client()?;
        let pipeline = client.pipeline_find(&name).await?;
        return Ok((client, pipeline));
    }
    let (client, app) = context.app()?;
    let coupling = client.coupling_of_app(&app).await?;
    let pipeline = client.pipeline_find(&coupling.pipeline.id.to_string()).await?;
    Ok((client, pipeline))
}

async fn update(context: &Context, args: PipelinesUpdate) -> Outcome {
    let (client, app) = context.app()?;
    let coupling = client.coupling_of_app(&app).await?;
    let coupling = client.coupling_update(&coupling.id.to_string(), &args.stage).await?;
    context.printer.note(format!("{app} is in {} of {} now", coupling.stage, coupling.pipeline.name))?;
    if context.printer.is_json() { context.printer.json(&coupling) } else { Ok(()) }
}

async fn remove(context: &Context) -> Outcome {
    let (client, app) = context.app()?;
    let coupling = client.coupling_of_app(&app).await?;
    client.coupling_remove(&coupling.id.to_string()).await?;
    context.printer.note(format!("{app} is no longer in {}", coupling.pipeline.name))
}

async fn rename(context: &Context, args: PipelinesRename) -> Outcome {
    let pipeline = context.client()?.pipeline_rename(&args.pipeline, &args.name).await?;
    context.printer.note(format!("Renamed {} to {}", args.pipeline, pipeline.name))?;
    if context.printer.is_json() { context.printer.json(&pipeline) } else { Ok(()) }
}

async fn transfer(context: &Context, args: PipelinesTransfer) -> Outcome {
    let (client, pipeline) = named(context, args.pipeline).await?;
    let name = &pipeline.name;
    match &args.confirm {
        Some(confirmed) if confirmed == name => {}
        Some(confirmed) => {
            return Err(Failure::usage(format!(
                "`{confirmed}` is not the pipeline's name, which is `{name}`: nothing was transferred"
            )));
        }
        None if prompt::is_possible() => {
            let question = format!("This gives {name} and all its apps to {}. Type its name to go on: ", args.email);
            if prompt::line(&question).await?.trim() != name {
                return Err(Failure::failed("that is not its name: nothing was transferred"));
            }
        }
        None => {
            return Err(Failure::usage(format!(
                "all apps of {name} would change hands, and there is no terminal to ask"
            ))
            .hint(format!("confirm with `--confirm {name}`")));
        }
    }
    let transfer = client.pipeline_transfer(name, &args.email).await?;
    context.printer.note(format!("{name} and its apps belong to {} now", args.email))?;
    if context.printer.is_json() { context.printer.json(&transfer) } else { Ok(()) }
}

async fn destroy(context: &Context, args: PipelinesDestroy) -> Outcome {
    context.client()?.pipeline_destroy(&args.pipeline).await?;
    context.printer.note(format!("Destroyed the pipeline {}; its apps stay", args.pipeline))
}
