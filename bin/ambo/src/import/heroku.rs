//! The Heroku side: which token, and what is read. Nothing is written there.

use std::fs;
use std::path::PathBuf;

use ambo_client::types::Secret;
use ambo_client::{Client, ClientError, Credentials, Host, MovingApp};

use crate::args::ImportHeroku;
use crate::exit::{Exit, Failure, Outcome};

/// Longest `.netrc` that is read, in bytes.
const NETRC_BYTES_MAX: u64 = 1 << 20;

/// A client of the Heroku side.
pub(super) fn connect(args: &ImportHeroku) -> Outcome<Client> {
    let host: Host = args
        .heroku_url
        .parse()
        .map_err(|_| Failure::usage(format!("`{}` is no address of a Heroku API", args.heroku_url)))?;
    if host.exposes_tokens() {
        return Err(Failure::usage(format!("a Heroku token sent to {host} could be read on the way"))
            .hint("use an `https` address"));
    }
    let token = token(args, &host)?;
    Ok(Client::new(host, Credentials::Token(token))?)
}

fn token(args: &ImportHeroku, host: &Host) -> Outcome<Secret> {
    let given = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let found = args
        .heroku_token
        .clone()
        .and_then(given)
        .or_else(|| std::env::var("HEROKU_API_KEY").ok().and_then(given))
        .or_else(|| password_of(&netrc()?, &[&host.authority(), host.name()]));
    found.map(Secret::new).ok_or_else(|| {
        Failure::with(
            Exit::Forbidden,
            "no Heroku token: neither --heroku-token, nor HEROKU_API_KEY, nor ~/.netrc has one",
        )
        .hint("`HEROKU_API_KEY=$(heroku auth:token) ambo import heroku APP`")
    })
}

fn netrc() -> Option<String> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".netrc"));
    let path = std::env::var_os("NETRC").map(PathBuf::from).or_else(home)?;
    let short = fs::metadata(&path).is_ok_and(|data| data.len() <= NETRC_BYTES_MAX);
    short.then(|| fs::read_to_string(path).ok()).flatten()
}

/// The password of the first of these machines that the file knows.
fn password_of(netrc: &str, machines: &[&str]) -> Option<String> {
    machines.iter().find_map(|machine| {
        let mut words = netrc.split_whitespace();
        while let Some(word) = words.next() {
            if word == "machine" && words.next() == Some(machine) {
                break;
            }
        }
        while let Some(word) = words.next() {
            match word {
                "password" => return words.next().map(str::to_owned),
                "machine" | "default" => return None,
                _ => {}
            }
        }
        None
    })
}

/// Reads the app.
pub(super) async fn read(there: &Client, app: &str) -> Outcome<MovingApp> {
    there.moving_app(app).await.map_err(|error| explain(error, there.host(), app))
}

/// A failure of the Heroku side must not read as one of the server here.
fn explain(error: ClientError, host: &Host, app: &str) -> Failure {
    let (message, hint) = match &error {
        ClientError::Unauthorized(_) => (
            format!("{host} does not accept the Heroku token"),
            "`heroku auth:token` prints one that is valid; give it in HEROKU_API_KEY",
        ),
        ClientError::NotFound(_) => {
            (format!("there is no app `{app}` at {host} that this token may see"), "`heroku apps` lists them")
        }
        ClientError::Forbidden(fault) => (
            format!("{host} does not let this token read `{app}`: {fault}"),
            "the token needs the scope `global`, or at least `read-protected` for the config",
        ),
        ClientError::RateLimited(_) => (format!("{host} takes no more requests for now"), "try again in a minute"),
        ClientError::Transport { .. } => {
            (String::new(), "is the network there, and `--heroku-url` right? Nothing was changed")
        }
        _ => (format!("{host} cannot be read: {error}"), "nothing was changed; try again"),
    };
    let own = Failure::from(error);
    Failure::with(own.exit, if message.is_empty() { own.message } else { message }).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_that_of_the_machine() {
        let netrc =
            "machine api.heroku.com\n  login a@b.c\n  password one\nmachine git.heroku.com login a password two\n";
        assert_eq!(password_of(netrc, &["api.heroku.com"]).as_deref(), Some("one"));
        assert_eq!(password_of(netrc, &["git.heroku.com"]).as_deref(), Some("two"));
        assert_eq!(password_of(netrc, &["elsewhere:1", "git.heroku.com"]).as_deref(), Some("two"));
        assert_eq!(password_of(netrc, &["elsewhere"]), None);
        assert_eq!(password_of("machine a login b\nmachine c password d", &["a"]), None);
    }
}
