//! `nodes`: the machines of a cluster, through a manager of its swarm.

use std::time::Duration;

use ambo_operator::EngineError;
use ambo_operator::join_config::join_config;
use ambo_operator::joining::{self, label_parse};
use ambo_operator::nodes::{self, Change};
use ambo_operator::status::{self, NodeReport};
use ambo_operator::swarm::{Swarm, SwarmNode};
use jiff::Timestamp;
use tokio::time::Instant;

use super::platform::swarm;
use crate::args::{NodesCommand, NodesLabel, NodesOne};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};

/// Pause between two looks at what is still on a node.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn run(context: &Context, command: NodesCommand) -> Outcome {
    match command {
        NodesCommand::List(args) => list(context, &swarm(&args.manager)?).await,
        NodesCommand::Info(args) => info(context, args).await,
        NodesCommand::Label(args) => label(context, args).await,
        NodesCommand::Drain(args) => drain(context, args).await,
        NodesCommand::Activate(args) => activate(context, args).await,
        NodesCommand::Remove(args) => remove(context, args).await,
        NodesCommand::JoinConfig(args) => {
            let until = Timestamp::now() + Duration::from_secs(u64::from(args.hours) * 3600);
            let joining = joining::joining(&swarm(&args.manager)?, until).await.map_err(failure)?;
            context.printer.raw(join_config(args.provider, &joining, &args.labels.into_iter().collect()).as_bytes())
        }
    }
}

fn failure(error: EngineError) -> Failure {
    let exit = if error.is_down() { Exit::Unavailable } else { Exit::Failed };
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Failure::with(exit, format!("{error}{cause}"))
}

async fn list(context: &Context, swarm: &Swarm) -> Outcome {
    let report = status::status(swarm).await?;
    if context.printer.is_json() {
        return context.printer.json(&report.nodes);
    }
    let rows: Vec<Vec<String>> = report.nodes.iter().map(NodeReport::cells).collect();
    context.printer.table(&["NODE", "ADDRESS", "RANK", "STATE", "COMPONENTS", "IMAGE"], &rows, "no nodes")
}

/// The node of this name or id.
async fn find(swarm: &Swarm, named: &str) -> Outcome<SwarmNode> {
    let known = swarm.nodes().await.map_err(failure)?;
    let names: Vec<String> = known.iter().map(|node| node.description.hostname.clone()).collect();
    let found: Vec<SwarmNode> =
        known.into_iter().filter(|node| node.id == named || node.description.hostname == named).collect();
    match found.as_slice() {
        [node] => Ok(node.clone()),
        [] => Err(Failure::with(Exit::NotFound, format!("there is no node `{named}`: there are {}", names.join(", ")))),
        _ => Err(Failure::usage(format!("several nodes are called `{named}`: name one by its id"))),
    }
}

async fn info(context: &Context, args: NodesOne) -> Outcome {
    let swarm = swarm(&args.manager)?;
    let node = find(&swarm, &args.node).await?;
    let report = status::status(&swarm).await?;
    let name = &node.description.hostname;
    let known = report.nodes.iter().find(|report| report.name == *name);
    let labels = node.spec.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ");
    let tasks = swarm.tasks_on(&node.id).await.map_err(failure)?;
    let running = tasks.iter().filter(|task| task.desired_state == "running" && task.status.state == "running").count();
    if context.printer.is_json() {
        return context.printer.json(&serde_json::json!({
            "id": node.id, "name": name, "report": known, "labels": node.spec.labels, "running": running,
        }));
    }
    let text = |pick: fn(&NodeReport) -> &String| known.map(pick).cloned().unwrap_or_default();
    context.printer.pairs(&[
        ("Name", name.clone()),
        ("Id", node.id.clone()),
        ("Address", text(|report| &report.address)),
        ("Rank", text(|report| &report.rank)),
        ("State", text(|report| &report.state)),
        ("Components", text(|report| &report.components)),
        ("Labels", labels),
        ("Running", format!("{running} tasks")),
    ])
}

async fn label(context: &Context, args: NodesLabel) -> Outcome {
    let swarm = swarm(&args.manager)?;
    let changes = args.labels.iter().map(|label| label_change(label)).collect::<Outcome<Vec<Change>>>()?;
    let node = find(&swarm, &args.node).await?;
    nodes::change(&swarm, &node.id, &changes).await.map_err(failure)?;
    context.printer.note(format!("Labelled {}", node.description.hostname))
}

fn label_change(label: &str) -> Outcome<Change> {
    let (key, value) =
        label_parse(label).map_err(|error| Failure::usage(format!("{error}, or region= to take it away")))?;
    Ok(Change::Label { key, value: Some(value).filter(|value| !value.is_empty()) })
}

/// New instances come up elsewhere before old ones go: the node takes nothing more, the apps on it are rolled over, and only
/// then Swarm is told to empty it.
async fn drain(context: &Context, args: NodesOne) -> Outcome {
    let swarm = swarm(&args.manager)?;
    let node = find(&swarm, &args.node).await?;
    let name = node.description.hostname.clone();
    let client = context.client()?;
    nodes::change(&swarm, &node.id, &[Change::Availability("pause")]).await.map_err(failure)?;
    let deadline = Instant::now() + Duration::from_secs(args.manager.wait);
    for app in client.app_list().await? {
        if !is_on(&client, &app.name, &name).await? {
            continue;
        }
        context.printer.note(format!("Moving {}", app.name))?;
        client.instance_restart_all(&app.name).await?;
        while is_on(&client, &app.name, &name).await? {
            if Instant::now() > deadline {
                return Err(Failure::failed(format!(
                    "{} is still on {name}; it takes nothing new meanwhile",
                    app.name
                ))
                .hint(format!("look at `ambo ps -a {}`, then drain {name} again", app.name)));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    nodes::change(&swarm, &node.id, &[Change::Availability("drain")]).await.map_err(failure)?;
    context.printer.note(format!("{name} is drained: `ambo nodes activate {name}` lets it take instances again"))
}

async fn is_on(client: &ambo_client::Client, app: &str, node: &str) -> Outcome<bool> {
    let instances = client.instance_list(app).await?;
    Ok(instances.iter().any(|instance| instance.node.as_deref() == Some(node)))
}

async fn activate(context: &Context, args: NodesOne) -> Outcome {
    let swarm = swarm(&args.manager)?;
    let node = find(&swarm, &args.node).await?;
    nodes::change(&swarm, &node.id, &[Change::Availability("active")]).await.map_err(failure)?;
    context.printer.note(format!("{} takes instances", node.description.hostname))
}

async fn remove(context: &Context, args: NodesOne) -> Outcome {
    let swarm = swarm(&args.manager)?;
    let node = find(&swarm, &args.node).await?;
    let name = &node.description.hostname;
    if node.status.state == "ready" {
        return Err(Failure::with(
            Exit::Conflict,
            format!("{name} is up: drain it, and switch it off or let it `docker swarm leave`"),
        ));
    }
    if node.manager_status.is_some() {
        nodes::change(&swarm, &node.id, &[Change::Role("worker")]).await.map_err(failure)?;
        wait_until_worker(&swarm, &node, Instant::now() + Duration::from_secs(args.manager.wait)).await?;
    }
    nodes::remove(&swarm, &node.id, false).await.map_err(failure)?;
    context.printer.note(format!("{name} is forgotten"))
}

/// A manager that is made a worker is one when the others have agreed on it.
async fn wait_until_worker(swarm: &Swarm, node: &SwarmNode, deadline: Instant) -> Outcome {
    while find(swarm, &node.id).await?.manager_status.is_some() {
        if Instant::now() > deadline {
            let name = &node.description.hostname;
            return Err(Failure::failed(format!("{name} is still a manager"))
                .hint("most managers must be up: `ambo platform status`"));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
