//! `apps`.

mod describe;

use ambo_client::types::{App, AppCreate, AppUpdate};
use ambo_client::{Client, Host};
use jiff::Timestamp;

use crate::age::ago;
use crate::args::{AppsCommand, AppsCreate, AppsDestroy, AppsOpen, AppsRename, AppsTransfer};
use crate::context::Context;
use crate::exit::{Failure, Outcome};
use crate::git::{REMOTE_NAME, RemoteUrl, Repository};
use crate::prompt;

pub(super) async fn run(context: &Context, command: AppsCommand) -> Outcome {
    match command {
        AppsCommand::List(_) => list(context).await,
        AppsCommand::Create(args) => create(context, args).await,
        AppsCommand::Info(args) => describe::info(context, args).await,
        AppsCommand::Open(args) => open(context, args).await,
        AppsCommand::Rename(args) => rename(context, args).await,
        AppsCommand::Destroy(args) => destroy(context, args).await,
        AppsCommand::Transfer(args) => transfer(context, args).await,
    }
}

/// Where git reaches an app over HTTP: always as this user reaches the API.
pub(super) fn git_url(host: &Host, app: &str) -> String {
    host.at(&format!("/{app}.git"))
}

async fn list(context: &Context) -> Outcome {
    let apps = context.client()?.app_list().await?;
    if context.printer.is_json() {
        return context.printer.json(&apps);
    }
    let now = Timestamp::now();
    let row = |app: &App| {
        let released = app.released_at.map_or_else(|| "never".to_owned(), |at| ago(at, now));
        vec![app.name.clone(), app.owner.email.clone(), released, app.web_url.clone().unwrap_or_default()]
    };
    let rows: Vec<_> = apps.iter().map(row).collect();
    context.printer.table(
        &["NAME", "OWNER", "RELEASED", "URL"],
        &rows,
        "You have no apps yet. `ambo create` makes one.",
    )
}

async fn create(context: &Context, args: AppsCreate) -> Outcome {
    let client = context.client()?;
    let name = args.name.or_else(|| context.app_named().map(str::to_owned));
    let app = client.app_create(&AppCreate { name, ..AppCreate::default() }).await?;
    context.printer.note(format!("Created {}", app.name))?;
    if !args.no_remote {
        add_remote(context, &client, &app.name)?;
    }
    if context.printer.is_json() {
        return context.printer.json(&app);
    }
    let web_url = app.web_url.unwrap_or_default();
    context.printer.data(format!("{web_url} | {}", git_url(client.host(), &app.name)))
}

/// The app exists by now: what goes wrong with git is no more than a warning.
fn add_remote(context: &Context, client: &Client, app: &str) -> Outcome {
    let Some(repository) = Repository::around_here() else { return Ok(()) };
    let remote = context.remote().unwrap_or(REMOTE_NAME);
    if repository.remote_exists(remote) {
        context.printer.warn(format!("this repository has a git remote `{remote}` already, so none was added"))?;
        return context.printer.hint(format!("point it at the new app with `ambo git:remote -a {app} -r {remote}`"));
    }
    let added = repository
        .remote_add(remote, &git_url(client.host(), app))
        .and_then(|()| repository.credential_helper_set(client.host()));
    match added {
        Ok(()) => {
            context.printer.note(format!("Added the git remote `{remote}`: deploy with `git push {remote} main`"))
        }
        Err(failure) => context.printer.warn(format!("no git remote was added: {}", failure.message)),
    }
}

async fn open(context: &Context, args: AppsOpen) -> Outcome {
    let (client, app) = context.app()?;
    let app = client.app_info(&app).await?;
    let base = app.web_url.ok_or_else(|| Failure::failed(format!("{} has no address", app.name)))?;
    let url = match &args.path {
        Some(path) => format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/')),
        None => base,
    };
    context.printer.data(&url)?;
    if args.print || !context.printer.shows_progress() {
        return Ok(());
    }
    let browser = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    match std::process::Command::new(browser).arg(&url).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) | Err(_) => context.printer.warn(format!("`{browser}` opens no browser here")),
    }
}

async fn rename(context: &Context, args: AppsRename) -> Outcome {
    let (client, app) = context.app()?;
    let update = AppUpdate { name: Some(args.name), ..AppUpdate::default() };
    let renamed = client.app_update(&app, &update).await?;
    context.printer.note(format!("Renamed {app} to {}", renamed.name))?;
    for (repository, remote) in context.remotes_of(client.host(), &app) {
        // The SSH address would need the server's port; over HTTP it is as the API's.
        if matches!(remote.url, RemoteUrl::Http { .. }) {
            repository.remote_set_url(&remote.name, &git_url(client.host(), &renamed.name))?;
            context.printer.note(format!("The git remote `{}` follows", remote.name))?;
        } else {
            context.printer.warn(format!("the git remote `{}` still has the old name", remote.name))?;
        }
    }
    if context.printer.is_json() {
        return context.printer.json(&renamed);
    }
    context.printer.data(renamed.web_url.unwrap_or_default())
}

async fn destroy(context: &Context, args: AppsDestroy) -> Outcome {
    let (client, app) = context.app_or(args.name.as_deref())?;
    match &args.confirm {
        Some(name) if *name == app => {}
        Some(name) => {
            return Err(Failure::usage(format!(
                "`{name}` is not the app's name, which is `{app}`: nothing was destroyed"
            )));
        }
        None if args.yes => {}
        None => confirm(&app).await?,
    }
    client.app_destroy(&app).await?;
    context.printer.note(format!("Destroyed {app}"))?;
    for (repository, remote) in context.remotes_of(client.host(), &app) {
        repository.remote_remove(&remote.name)?;
        context.printer.note(format!("Removed the git remote `{}`", remote.name))?;
    }
    Ok(())
}

async fn confirm(app: &str) -> Outcome {
    if !prompt::is_possible() {
        return Err(Failure::usage(format!("destroying {app} cannot be undone, and there is no terminal to ask"))
            .hint(format!("confirm with `--confirm {app}`")));
    }
    let answer =
        prompt::line(&format!("This destroys {app}, its releases, config and logs. Type its name to go on: ")).await?;
    if answer.trim() == app { Ok(()) } else { Err(Failure::failed("that is not its name: nothing was destroyed")) }
}

async fn transfer(context: &Context, args: AppsTransfer) -> Outcome {
    let (client, app) = context.app()?;
    let transfer = client.app_transfer(&app, &args.email).await?;
    context.printer.note(format!("{app} belongs to {} now", transfer.recipient.email))?;
    if context.printer.is_json() { context.printer.json(&transfer) } else { Ok(()) }
}
