//! `git remote`, and git's question for credentials.

use std::io::{self, BufRead as _};

use ambo_client::Host;

use super::apps::git_url;
use crate::args::{GitCommand, GitCredential, GitRemote};
use crate::context::Context;
use crate::exit::{Failure, Outcome};
use crate::git::{REMOTE_NAME, Repository};

/// Longest question of git, in bytes.
const QUESTION_BYTES_MAX: u64 = 64 * 1024;

pub(super) async fn run(context: &Context, command: GitCommand) -> Outcome {
    match command {
        GitCommand::Remote(args) => remote(context, args).await,
    }
}

async fn remote(context: &Context, args: GitRemote) -> Outcome {
    let repository = Repository::around_here().ok_or_else(|| {
        Failure::usage("there is no git repository here").hint("make one with `git init`, or go to where yours is")
    })?;
    let app = context.app_named().ok_or_else(|| Failure::usage("which app?").hint("name it with `-a NAME`"))?;
    let client = context.client()?;
    let app = client.app_info(app).await?.name;
    let url = if args.ssh {
        let ssh = client.platform_info().await?.ssh;
        let ssh = ssh.ok_or_else(|| Failure::failed(format!("{} serves no git over SSH", client.host())))?;
        format!("ssh://git@{}:{}/{app}.git", ssh.host, ssh.port)
    } else {
        repository.credential_helper_set(client.host())?;
        git_url(client.host(), &app)
    };
    let name = context.remote().unwrap_or(REMOTE_NAME);
    if repository.remote_exists(name) {
        repository.remote_set_url(name, &url)?;
    } else {
        repository.remote_add(name, &url)?;
    }
    context.printer.note(format!("The git remote `{name}` leads to {url}"))
}

/// Answers git's `get` for a server on which the user is logged in, and is silent on all else: git then asks others.
pub(super) fn credential(context: &Context, args: &GitCredential) -> Outcome {
    if args.operation != "get" {
        return Ok(());
    }
    let Some(host) =
        asked_host(io::stdin().lock()).map_err(|error| Failure::io("cannot read git's question", &error))?
    else {
        return Ok(());
    };
    match context.login_on(&host)? {
        Some(login) => context.printer.raw(answer(&login.email, login.token.reveal()).as_bytes()),
        None => Ok(()),
    }
}

/// The server that git asks about: lines `key=value` up to an empty one.
fn asked_host(question: impl io::BufRead) -> io::Result<Option<Host>> {
    let (mut protocol, mut authority) = (None, None);
    for line in question.take(QUESTION_BYTES_MAX).lines() {
        let line = line?;
        match line.split_once('=') {
            Some(("protocol", value)) => protocol = Some(value.to_owned()),
            Some(("host", value)) => authority = Some(value.to_owned()),
            Some(_) => {}
            None if line.is_empty() => break,
            None => {}
        }
    }
    let (Some(protocol), Some(authority)) = (protocol, authority) else { return Ok(None) };
    Ok(format!("{protocol}://{authority}").parse().ok())
}

/// A line end inside would begin another line of the answer.
fn answer(email: &str, token: &str) -> String {
    let line = |text: &str| text.replace(['\n', '\r', '\0'], "");
    format!("username={}\npassword={}\n", line(email), line(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gits_question_names_a_server() {
        let asked = |text: &str| asked_host(text.as_bytes()).unwrap().map(|host| host.to_string());
        let question =
            "capability[]=authtype\nprotocol=http\nhost=127.0.0.1:7080\npath=x.git\nwwwauth[]=Basic realm=\"Ambo\"\n\n";
        assert_eq!(asked(question).as_deref(), Some("http://127.0.0.1:7080"));
        assert_eq!(asked("protocol=https\nhost=ambo.example.com\n").as_deref(), Some("https://ambo.example.com"));
        assert_eq!(asked("protocol=ssh\nhost=127.0.0.1\n"), None);
        assert_eq!(asked("protocol=http\nhost=a/b\n"), None);
        assert_eq!(asked(""), None);
    }

    #[test]
    fn an_answer_is_two_lines_whatever_it_holds() {
        assert_eq!(answer("a@b.c", "t\nquit=1"), "username=a@b.c\npassword=tquit=1\n");
    }
}
