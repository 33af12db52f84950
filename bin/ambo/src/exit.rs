//! How a command ends: its exit code, and what is said when it fails.

use std::io;
use std::process::ExitCode;

use ambo_client::ClientError;

/// What `ambo help exit-codes` prints.
pub(crate) const EXIT_CODES_HELP: &str = "\
Exit codes:
  0    the command did what it was asked to do
  1    the operation failed: a build, a release, a file, an error of the server
  2    wrong usage, or input that the server refuses as invalid
  3    not logged in, or not allowed
  4    there is no such app, release, domain, …
  5    it conflicts with what exists, as a name that is taken
  6    the server, or a thing it needs, cannot be reached
  130  interrupted with Ctrl-C

`ambo run` and `ambo exec` pass on the exit code of the remote command.";

/// An exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It worked.
    Ok,
    /// The operation failed.
    Failed,
    /// Wrong usage or invalid input.
    Usage,
    /// Not logged in or not allowed.
    Forbidden,
    /// No such thing.
    NotFound,
    /// In conflict with what exists.
    Conflict,
    /// Server or engine out of reach.
    Unavailable,
    /// Ctrl-C.
    Interrupted,
    /// The remote command's own.
    Remote(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Forbidden => 3,
            Exit::NotFound => 4,
            Exit::Conflict => 5,
            Exit::Unavailable => 6,
            Exit::Interrupted => 130,
            Exit::Remote(code) => code,
        })
    }
}

/// A command that failed, as the user reads it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// Behind `error: `; nothing is said where it is empty.
    pub(crate) message: String,
    /// What to do next, one `hint: ` line each.
    pub(crate) hints: Vec<String>,
}

/// What a command gives back.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// The operation failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::with(Exit::Failed, message)
    }

    /// Wrong usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::with(Exit::Usage, message)
    }

    /// With an exit code.
    pub(crate) fn with(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hints: Vec::new() }
    }

    /// The end of a command that has said all there is to say.
    pub(crate) fn quiet(exit: Exit) -> Self {
        Self::with(exit, String::new())
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// A file or program that did not do what was asked of it.
    pub(crate) fn io(what: impl std::fmt::Display, error: &io::Error) -> Self {
        Self::failed(format!("{what}: {error}"))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::Unauthorized(_) | ClientError::Forbidden(_) => Exit::Forbidden,
            ClientError::NotFound(_) => Exit::NotFound,
            ClientError::Conflict(_) => Exit::Conflict,
            ClientError::Invalid(_) => Exit::Usage,
            ClientError::RateLimited(_)
            | ClientError::Unavailable(_)
            | ClientError::Transport { .. }
            | ClientError::Interrupted { .. }
            | ClientError::Session { .. } => Exit::Unavailable,
            ClientError::Server(_) | ClientError::Protocol { .. } | ClientError::Upload(_) => Exit::Failed,
        };
        let hint = match &error {
            ClientError::Unauthorized(_) => Some("log in with `ambo login`".to_owned()),
            ClientError::Transport { .. } => Some(transport_hint(&error)),
            ClientError::Server(fault) => {
                fault.request_id.as_ref().map(|id| format!("the server's log has more under the request id `{id}`"))
            }
            _ => None,
        };
        let message = match &error {
            // What lies between is the HTTP library telling of itself.
            ClientError::Transport { source, .. } => format!("{error}: {}", root(source)),
            error => chain(error),
        };
        let failure = Self::with(exit, message);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

fn transport_hint(error: &ClientError) -> String {
    if error.is_timeout() {
        "the server took too long; see whether it did what was asked before you repeat it".to_owned()
    } else if error.is_untrusted() {
        "a server without a certificate from elsewhere has an authority of its own, `tls/ca.crt` in its data directory: \
         bring that file here and name it in `SSL_CERT_FILE`, for git in `GIT_SSL_CAINFO`"
            .to_owned()
    } else {
        "is the address right, and does `ambod` run there?".to_owned()
    }
}

/// The cause that has none.
fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

/// The error and its causes, without what repeats itself.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambo_client::Fault;

    fn fault(status: u16) -> Fault {
        Fault { status, id: String::new(), message: "because".into(), request_id: Some("r-1".into()) }
    }

    #[test]
    fn refusals_map_to_documented_exit_codes() {
        for (error, exit) in [
            (ClientError::Unauthorized(fault(401)), Exit::Forbidden),
            (ClientError::NotFound(fault(404)), Exit::NotFound),
            (ClientError::Conflict(fault(409)), Exit::Conflict),
            (ClientError::Invalid(fault(422)), Exit::Usage),
            (ClientError::Unavailable(fault(503)), Exit::Unavailable),
            (ClientError::Server(fault(500)), Exit::Failed),
        ] {
            let failure = Failure::from(error);
            assert_eq!((failure.exit, failure.message.as_str()), (exit, "because"));
        }
    }
}
