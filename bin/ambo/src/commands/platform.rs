//! `platform`: the operator's tool. It talks to the engine of a swarm's manager, not to the API.

mod backup;
mod dns;
mod dns_records;

use std::collections::BTreeMap;
use std::time::Duration;

use ambo_operator::change::{self, Change, Mode};
use ambo_operator::install::{self, InstallError, Plan};
use ambo_operator::{bundle, engine, status, swarm::Swarm};

use crate::args::{
    EngineArgs, ManagerArgs, PlatformChange, PlatformCommand, PlatformInstall, PlatformStatus, PlatformUpgrade,
};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};

pub(super) async fn run(context: &Context, command: PlatformCommand) -> Outcome {
    match command {
        PlatformCommand::Install(args) => install_run(context, args).await,
        PlatformCommand::Start(args) => mode_change(context, args, Mode::Run).await,
        PlatformCommand::Stop(args) => mode_change(context, args, Mode::Stop).await,
        PlatformCommand::Status(args) => status_show(context, args).await,
        PlatformCommand::Dns(args) => dns::run(context, args).await,
        PlatformCommand::Upgrade(args) => upgrade(context, args).await,
        PlatformCommand::Backup(args) => backup::backup(context, args).await,
        PlatformCommand::Restore(args) => backup::restore(args).await,
        PlatformCommand::Uninstall(args) => uninstall(context, args).await,
    }
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        let exit = match &error {
            InstallError::Installed => Exit::Conflict,
            InstallError::NotInstalled => Exit::NotFound,
            InstallError::Engine(engine) if engine.is_down() => Exit::Unavailable,
            _ => Exit::Failed,
        };
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        Failure::with(exit, message)
    }
}

/// The swarm, through the manager that is named.
pub(super) fn swarm(manager: &ManagerArgs) -> Outcome<Swarm> {
    swarm_at(&manager.engine)
}

fn swarm_at(at: &EngineArgs) -> Outcome<Swarm> {
    let engine = engine::connect(at.engine.as_deref(), at.engine_certificates.as_deref());
    engine.map(Swarm).map_err(|error| Failure::usage(error.to_string()))
}

fn within(manager: &ManagerArgs) -> Duration {
    Duration::from_secs(manager.wait)
}

/// Tells how it goes, on the side.
fn tell(context: &Context) -> impl Fn(String) + '_ {
    |line| drop(context.printer.note(line))
}

async fn install_run(context: &Context, args: PlatformInstall) -> Outcome {
    let swarm = swarm(&args.manager)?;
    let mut plan = Plan {
        platform: bundle::platform_id(),
        image: args.image,
        settings: settings(&args.domain, &args.blobs, &args.set)?,
        credentials: credentials(&args.credential)?,
        store: args.store,
        keys: None,
        dns: args.dns,
    };
    if let Some(archive) = &args.restore {
        backup::plan_restore(&mut plan, archive).await?;
    }
    context.printer.note("Installing: secrets and keepers, for every node of the swarm")?;
    install::install(&swarm, &plan).await?;
    install::wait_until_healthy(&swarm, within(&args.manager), &tell(context)).await?;
    let node = swarm.nodes().await.ok().and_then(|nodes| nodes.into_iter().find_map(|node| node.address()));
    let node = node.map_or_else(|| args.domain.clone(), |address| address.to_string());
    context.printer.note("The platform is up.")?;
    if args.restore.is_some() {
        return context.printer.hint(format!("its state comes first, then every app: ambo login http://{node}:7080"));
    }
    context.printer.hint(format!("make the first account: ambo register http://{node}:7080"))
}

/// What `ambod` is told on every node: users' ports are open to all, the registry to its own machine.
fn settings(domain: &str, blobs: &str, more: &[String]) -> Outcome<BTreeMap<String, String>> {
    let mut settings: BTreeMap<String, String> = [
        ("AMBO_DOMAIN", domain),
        ("AMBO_BLOBS", blobs),
        ("AMBO_LISTEN_API", "0.0.0.0:7080"),
        ("AMBO_LISTEN_SSH", "0.0.0.0:7022"),
        ("AMBO_LISTEN_RENDEZVOUS", "0.0.0.0:7051"),
        ("AMBO_LISTEN_HTTP", "0.0.0.0:80"),
        ("AMBO_LISTEN_HTTPS", "0.0.0.0:443"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for setting in more {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("`--set {setting}` has no value: write it as build-minutes=60")))?;
        settings.insert(format!("AMBO_{}", name.to_uppercase().replace('-', "_")), value.to_owned());
    }
    Ok(settings)
}

fn credentials(names: &[String]) -> Outcome<BTreeMap<String, String>> {
    let read = |name: &String| match std::env::var(name) {
        Ok(value) => Ok((name.clone(), value)),
        Err(_) => Err(Failure::usage(format!("`--credential {name}`: there is no such variable in this environment"))),
    };
    names.iter().map(read).collect()
}

async fn mode_change(context: &Context, args: PlatformChange, mode: Mode) -> Outcome {
    let swarm = swarm(&args.manager)?;
    let wanted = Change { mode: Some(mode), ..Change::default() };
    change::change(&swarm, &wanted, within(&args.manager), &tell(context)).await?;
    context.printer.note(match mode {
        Mode::Run => "The platform is up.",
        Mode::Stop => "The platform is stopped: apps go on, but nobody reaches them.",
    })
}

async fn upgrade(context: &Context, args: PlatformUpgrade) -> Outcome {
    let swarm = swarm(&args.manager)?;
    let wanted = Change {
        image: args.image.clone(),
        // Whoever has stopped the platform and changes nothing but DNS does not start it.
        mode: args.image.is_some().then_some(Mode::Run),
        dns: args.dns(),
    };
    change::change(&swarm, &wanted, within(&args.manager), &tell(context)).await?;
    if let Some(image) = &args.image {
        context.printer.note(format!("Every node runs {image} now."))?;
    }
    match args.dns() {
        Some(true) => {
            context.printer.note("DNS for the platform's domain is on, on every node.")?;
            context.printer.hint("what to set in the zone above: ambo platform dns")
        }
        Some(false) => {
            context.printer.note("DNS for the platform's domain is off.")?;
            context.printer.hint("the records that lead users to the nodes now: ambo platform dns")
        }
        None => Ok(()),
    }
}

async fn uninstall(context: &Context, args: PlatformChange) -> Outcome {
    let swarm = swarm(&args.manager)?;
    install::uninstall(&swarm, within(&args.manager), &tell(context)).await?;
    context.printer.note("The platform is gone from the swarm. Its data is still on the nodes, below /var/lib/ambo.")
}

async fn status_show(context: &Context, args: PlatformStatus) -> Outcome {
    let report = status::status(&swarm(&args.manager)?).await?;
    if context.printer.is_json() {
        context.printer.json(&report)?;
    } else {
        let rows: Vec<Vec<String>> = report.nodes.iter().map(status::NodeReport::cells).collect();
        context.printer.table(&["NODE", "ADDRESS", "RANK", "STATE", "COMPONENTS", "IMAGE"], &rows, "no nodes")?;
    }
    for advice in &report.advice {
        context.printer.hint(advice)?;
    }
    match report.is_healthy() {
        true => Ok(()),
        false => Err(Failure::failed("the platform is degraded")),
    }
}
