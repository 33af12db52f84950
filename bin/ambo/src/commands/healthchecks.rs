//! `healthchecks`.

use ambo_client::types::{HealthCheck, HealthCheckKind, HealthCheckUpdate, HealthChecks, HealthChecksUpdate};

use crate::args::{CheckKind, HealthchecksCommand, HealthchecksSet};
use crate::context::Context;
use crate::exit::{Failure, Outcome};

pub(super) async fn run(context: &Context, command: HealthchecksCommand) -> Outcome {
    let update: HealthChecksUpdate = match command {
        HealthchecksCommand::List(_) => {
            let (client, app) = context.app()?;
            return show(context, &client.health_checks_info(&app).await?);
        }
        HealthchecksCommand::Set(args) => [(args.process.clone(), Some(check(args)?))].into(),
        HealthchecksCommand::Unset(args) => args.processes.into_iter().map(|process| (process, None)).collect(),
    };
    let (client, app) = context.app()?;
    show(context, &client.health_checks_update(&app, &update).await?)
}

fn check(args: HealthchecksSet) -> Outcome<HealthCheckUpdate> {
    if args.path.is_some() && args.kind != CheckKind::Http {
        return Err(Failure::usage("--path is for `http` checks"));
    }
    if args.seconds.is_some() && args.kind != CheckKind::Uptime {
        return Err(Failure::usage("--seconds is for `uptime` checks"));
    }
    Ok(HealthCheckUpdate {
        kind: match args.kind {
            CheckKind::Tcp => HealthCheckKind::Tcp,
            CheckKind::Http => HealthCheckKind::Http,
            CheckKind::Uptime => HealthCheckKind::Uptime,
        },
        path: args.path,
        seconds: args.seconds,
        interval: args.interval,
        timeout: args.timeout,
        failures: args.failures,
        start: args.start,
    })
}

fn show(context: &Context, checks: &HealthChecks) -> Outcome {
    if context.printer.is_json() {
        return context.printer.json(checks);
    }
    let rows: Vec<_> = checks.iter().map(|(process, check)| cells(process, check)).collect();
    let header = ["PROCESS", "CHECK", "INTERVAL", "TIMEOUT", "FAILURES", "START"];
    context.printer.table(&header, &rows, "There are no processes yet. `git push` deploys the app.")
}

fn cells(process: &str, check: &HealthCheck) -> Vec<String> {
    let how = match check.kind {
        HealthCheckKind::Tcp => "tcp".to_owned(),
        HealthCheckKind::Http => format!("http {}", check.path.as_deref().unwrap_or("/")),
        HealthCheckKind::Uptime => format!("uptime {}s", check.seconds.unwrap_or_default()),
    };
    let seconds = |count: u32| format!("{count}s");
    vec![
        process.to_owned(),
        how,
        seconds(check.interval),
        seconds(check.timeout),
        check.failures.to_string(),
        seconds(check.start),
    ]
}
