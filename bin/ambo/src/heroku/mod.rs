//! `ambo heroku`: the unmodified `heroku` CLI against an Ambo server.
//!
//! A current CLI takes no server but Heroku's own and this machine (its defence against stolen tokens), so it is pointed
//! at a relay here. Commands that would carry the token to hosts written into the CLI are refused before it starts, and
//! a fence loaded into it keeps whatever else it runs from those hosts.

mod child;
mod environment;
mod installed;
mod refusals;
mod relay;
mod remotes;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ambo_client::types::Secret;
use ambo_client::{Client, Forwarder, Host};
use tempfile::TempDir;
use tokio::process::Command;

use self::environment::Wanted;
use self::installed::Installed;
use self::relay::Relay;
pub(crate) use self::words::Words;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::git::helper_of_this_program;

/// What keeps the CLI from hosts of Heroku's.
const FENCE: &str = include_str!("fence.cjs");
/// Longest wait for the server's certificate authority.
const AUTHORITY_DURATION_MAX: Duration = Duration::from_secs(10);

/// Runs the CLI with these words.
pub(crate) async fn run(context: &Context, words: &[String]) -> Outcome<Exit> {
    let wish = Words::new(words);
    if let Some(failure) = refusals::refused(wish) {
        return Err(failure);
    }
    let user: environment::Variables = std::env::vars_os().collect();
    let installed = Installed::find(&std::env::var_os("PATH").unwrap_or_default())?;
    if let Some(warning) = installed.warning() {
        context.printer.warn(warning)?;
    }
    let mut command = Command::new(&installed.program);
    command.args(words);
    if wish.is_local() {
        command.env_clear().envs(environment::quiet(user));
        return child::run(command).await;
    }
    let target = Target::find(context, wish)?;
    let files = Files::write(&target.client, &user).await?;
    let forwarder = Forwarder::new(target.host().clone())?;
    let relay = Relay::bind(forwarder, target.token.clone())
        .await
        .map_err(|error| Failure::io("cannot listen on this machine", &error))?;
    let wanted = Wanted {
        relay_port: relay.port(),
        host: target.host(),
        token: &target.token,
        app: target.app.as_deref(),
        fence: &files.fence,
        authorities: files.authorities.as_deref(),
        credential_helper: &helper_of_this_program()?,
    };
    command.env_clear().envs(environment::with_server(user, &wanted));
    let exit = tokio::select! {
        exit = child::run(command) => exit?,
        never = relay.serve() => match never {},
    };
    if wish.makes_remotes() {
        for place in remotes::places(words) {
            for mended in remotes::adopt(target.host(), &place)? {
                context.printer.note(mended)?;
            }
        }
    }
    Ok(exit)
}

/// For whom the CLI works, on which server, on which app.
struct Target {
    client: Client,
    token: Secret,
    /// None when the command names its own, or none is at hand.
    app: Option<String>,
}

impl Target {
    fn find(context: &Context, words: Words<'_>) -> Outcome<Self> {
        let at_hand = || match words.remote() {
            Some(remote) => context.with_remote(remote).app().ok(),
            None => context.app().ok(),
        };
        let named = words.names_app() || words.makes_remotes() || names_heroku_app(context);
        let (client, app) = match if named { None } else { at_hand() } {
            Some((client, app)) => (client, Some(app)),
            None => (context.client()?, None),
        };
        let login = context.login_on(client.host())?;
        let token = login.map(|login| login.token).ok_or_else(|| {
            Failure::with(Exit::Forbidden, format!("not logged in to {}", client.host()))
                .hint("log in with `ambo login`")
        })?;
        Ok(Self { client, token, app })
    }

    fn host(&self) -> &Host {
        self.client.host()
    }
}

/// Whether the CLI's own variable names the app, and nothing of ours does.
fn names_heroku_app(context: &Context) -> bool {
    context.app_named().is_none() && std::env::var_os("HEROKU_APP").is_some_and(|app| !app.is_empty())
}

/// What the CLI reads, as long as it runs.
struct Files {
    fence: PathBuf,
    authorities: Option<PathBuf>,
    _directory: TempDir,
}

impl Files {
    async fn write(client: &Client, user: &environment::Variables) -> Outcome<Self> {
        let failed = |error: std::io::Error| Failure::io("cannot write a temporary file", &error);
        let directory = tempfile::Builder::new().prefix("ambo-heroku-").tempdir().map_err(failed)?;
        let fence = directory.path().join("fence.cjs");
        fs::write(&fence, FENCE).map_err(failed)?;
        let authorities = match authority_of(client).await {
            None => None,
            Some(mut text) => {
                let file = directory.path().join("authorities.pem");
                let users = user.get(&std::ffi::OsString::from("NODE_EXTRA_CA_CERTS"));
                if let Some(more) = users.and_then(|path| fs::read_to_string(Path::new(path)).ok()) {
                    text.push('\n');
                    text.push_str(&more);
                }
                fs::write(&file, text).map_err(failed)?;
                Some(file)
            }
        };
        Ok(Self { fence, authorities, _directory: directory })
    }
}

/// The certificate authority that the server has made for itself, which `run` needs for its port of its own.
async fn authority_of(client: &Client) -> Option<String> {
    let asked = tokio::time::timeout(AUTHORITY_DURATION_MAX, client.platform_authority()).await;
    asked.ok()?.ok().flatten()
}
