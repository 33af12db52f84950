//! `run` and `exec`.

mod session;
mod terminal;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};

use ambo_client::types::{Dyno, DynoCreate, TerminalSize};

use self::session::Session;
use crate::args::{Assignment, Exec, Run};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};

pub(super) async fn run(context: &Context, args: Run) -> Outcome<Exit> {
    let (client, app) = context.app()?;
    let terminal = !args.detach && !args.no_terminal && is_terminal();
    let create = create(&args.command, args.env, terminal);
    let create = DynoCreate { attach: Some(!args.detach), process_type: args.process, ..create };
    let dyno = client.run_create(&app, &create).await?;
    if args.detach {
        return detached(context, &app, &dyno).map(|()| Exit::Ok);
    }
    attend(&client, &dyno, terminal).await
}

pub(super) async fn exec(context: &Context, args: Exec) -> Outcome<Exit> {
    let (client, app) = context.app()?;
    let terminal = !args.no_terminal && is_terminal();
    let create = DynoCreate { attach: Some(true), ..create(&args.command, args.env, terminal) };
    let dyno = client.exec_create(&app, &args.instance, &create).await?;
    attend(&client, &dyno, terminal).await
}

fn detached(context: &Context, app: &str, dyno: &Dyno) -> Outcome {
    if context.printer.is_json() {
        return context.printer.json(dyno);
    }
    context.printer.data(&dyno.name)?;
    context.printer.hint(format!("see what it says with `ambo logs -a {app} --ps {} --tail`", dyno.name))
}

async fn attend(client: &ambo_client::Client, dyno: &Dyno, terminal: bool) -> Outcome<Exit> {
    let url = dyno.websocket_url().ok_or_else(|| Failure::failed(format!("{} cannot be attached to", dyno.name)))?;
    let (input, output) = client.attach(url).await?;
    Session { input, output, terminal }.run().await
}

/// Whether somebody sits on both ends: what is typed and what is shown.
fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn create(command: &[String], env: Vec<Assignment>, terminal: bool) -> DynoCreate {
    let mut environment: BTreeMap<String, String> = BTreeMap::new();
    let mut size = None;
    if terminal {
        environment.insert("TERM".to_owned(), std::env::var("TERM").unwrap_or_else(|_| "xterm".to_owned()));
        size = terminal::size();
    }
    if let Some(TerminalSize { columns, rows }) = size {
        environment.insert("COLUMNS".to_owned(), columns.to_string());
        environment.insert("LINES".to_owned(), rows.to_string());
    }
    environment.extend(env.into_iter().map(|variable| (variable.key, variable.value)));
    DynoCreate {
        command: shell_line(command),
        env: environment,
        force_no_tty: (!terminal).then_some(true),
        ambo: size,
        ..DynoCreate::default()
    }
}

/// One word is a line for the shell as it stands; several are words, and stay the words that they are.
fn shell_line(command: &[String]) -> String {
    match command {
        [line] => line.clone(),
        words => words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    }
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> String {
        shell_line(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn words_stay_words() {
        assert_eq!(line(&["echo $HOME | wc"]), "echo $HOME | wc");
        assert_eq!(line(&["rake", "db:migrate", "VERSION=3"]), "rake db:migrate VERSION=3");
        assert_eq!(line(&["echo", "two words", "$HOME", "it's", ""]), r"echo 'two words' '$HOME' 'it'\''s' ''");
    }
}
