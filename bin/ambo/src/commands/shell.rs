//! `completion` and `version`.

use std::time::Duration;

use clap::CommandFactory as _;
use serde::Serialize;

use crate::args::{Cli, Completion};
use crate::context::Context;
use crate::exit::Outcome;

/// Longest wait for the server's version: that of the client is known already.
const SERVER_DURATION_MAX: Duration = Duration::from_secs(3);

pub(super) fn completion(context: &Context, args: &Completion) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ambo", &mut script);
    context.printer.raw(&script)
}

#[derive(Serialize)]
struct Versions {
    client: &'static str,
    host: Option<String>,
    server: Option<String>,
}

pub(super) async fn version(context: &Context) -> Outcome {
    let client = context.host_for_login(None).ok().and_then(|host| context.anonymous(host).ok());
    let server = match &client {
        Some(client) => {
            tokio::time::timeout(SERVER_DURATION_MAX, client.platform_info()).await.ok().and_then(Result::ok)
        }
        None => None,
    };
    let versions = Versions {
        client: env!("CARGO_PKG_VERSION"),
        host: client.map(|client| client.host().to_string()),
        server: server.map(|info| info.version),
    };
    if context.printer.is_json() {
        return context.printer.json(&versions);
    }
    context.printer.data(format!("ambo {}", versions.client))?;
    match (versions.host, versions.server) {
        (Some(host), Some(version)) => context.printer.data(format!("ambod {version} ({host})")),
        (Some(host), None) => context.printer.warn(format!("{host} cannot be asked for its version")),
        (None, _) => Ok(()),
    }
}
