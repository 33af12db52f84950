//! `config edit`.

use std::fs;
use std::path::Path;
use std::process::Command;

use ambo_client::types::{ConfigVars, ConfigVarsUpdate};

use super::apply;
use crate::args::ConfigEdit;
use crate::context::Context;
use crate::dotenv;
use crate::exit::{Exit, Failure, Outcome};
use crate::prompt;

pub(super) async fn run(context: &Context, args: ConfigEdit) -> Outcome {
    let (client, app) = context.app()?;
    let present = shown(client.config_info(&app).await?, args.key.as_deref(), &app)?;
    let edited = edited(&present)?;
    let update = difference(&present, &edited);
    if update.is_empty() {
        return context.printer.note("Nothing changed");
    }
    for (key, value) in &update {
        let sign = match (value, present.contains_key(key)) {
            (None, _) => "unset",
            (Some(_), true) => "change",
            (Some(_), false) => "add",
        };
        context.printer.note(format!("  {sign} {key}"))?;
    }
    if prompt::is_possible() {
        let answer = prompt::line(&format!("Apply this to {app}? [Y/n] ")).await?;
        if !matches!(answer.trim().to_ascii_lowercase().as_str(), "" | "y" | "yes") {
            return Err(Failure::quiet(Exit::Failed));
        }
    }
    refuse_if_changed(&present, &shown(client.config_info(&app).await?, args.key.as_deref(), &app)?)?;
    apply(context, &client, &app, &update).await
}

/// The variables that are edited: all, or the one that was named.
fn shown(config: ConfigVars, key: Option<&str>, app: &str) -> Outcome<ConfigVars> {
    let Some(key) = key else { return Ok(config) };
    match config.get(key) {
        Some(value) => Ok(ConfigVars::from([(key.to_owned(), value.clone())])),
        None => Err(Failure::with(Exit::NotFound, format!("{app} has no variable `{key}`"))),
    }
}

/// Somebody else may have worked meanwhile; their changes must not be lost.
fn refuse_if_changed(before: &ConfigVars, now: &ConfigVars) -> Outcome {
    if before == now {
        return Ok(());
    }
    Err(Failure::with(Exit::Conflict, "the config has changed since it was opened: nothing was applied")
        .hint("run `ambo config:edit` once more"))
}

fn edited(present: &ConfigVars) -> Outcome<ConfigVars> {
    // The directory is for this user only, and removed with all that the editor leaves in it.
    let directory = tempfile::Builder::new().prefix("ambo-config-").tempdir();
    let directory = directory.map_err(|error| Failure::io("cannot make a temporary directory", &error))?;
    let path = directory.path().join("config.env");
    let failure = |error: &std::io::Error| Failure::io("cannot keep the text to edit", error);
    crate::atomic_file::write_private(&path, &dotenv::write(present)).map_err(|error| failure(&error))?;
    open_editor(&path)?;
    let text = fs::read_to_string(&path).map_err(|error| failure(&error))?;
    dotenv::read(&text).map_err(|error| Failure::usage(format!("{error}: nothing was applied")))
}

/// `$VISUAL` or `$EDITOR`, which may hold arguments as well.
fn open_editor(path: &Path) -> Outcome {
    // As long as this stands, Ctrl-C ends the editor's business and not ours.
    let _ignored = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
    let chosen = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|text| !text.trim().is_empty()));
    let chosen = chosen.unwrap_or_else(|| "vi".to_owned());
    let mut words = chosen.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = Command::new(program).args(words).arg(path).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::failed(format!("`{chosen}` ended with {status}: nothing was applied"))),
        Err(error) => Err(Failure::io(format!("cannot run `{program}`"), &error).hint("set EDITOR to your editor")),
    }
}

/// What leads from one config to the other.
fn difference(from: &ConfigVars, to: &ConfigVars) -> ConfigVarsUpdate {
    let removed = from.keys().filter(|key| !to.contains_key(*key)).map(|key| (key.clone(), None));
    let set = to.iter().filter(|(key, value)| from.get(*key) != Some(value));
    removed.chain(set.map(|(key, value)| (key.clone(), Some(value.clone())))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_lines_unset_and_changed_ones_set() {
        let config = |pairs: &[(&str, &str)]| -> ConfigVars {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let update =
            difference(&config(&[("A", "1"), ("B", "2"), ("C", "3")]), &config(&[("A", "1"), ("B", "x"), ("D", "4")]));
        let expected: ConfigVarsUpdate =
            [("B".into(), Some("x".into())), ("C".into(), None), ("D".into(), Some("4".into()))].into();
        assert_eq!(update, expected);
    }
}
