//! Reads the one line that a client wants executed. Pure.

use crate::service::Service;

/// Longest command that is looked at.
const COMMAND_BYTES_MAX: usize = 512;

/// A git command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitCommand {
    pub(crate) service: Service,
    /// The app's name as the client wrote it, not checked.
    pub(crate) app: String,
}

impl GitCommand {
    /// Reads `git-receive-pack '/app.git'` and its kin: with or without quotes, slash and ending, `git receive-pack` too.
    pub(crate) fn parse(command: &[u8]) -> Option<Self> {
        if command.len() > COMMAND_BYTES_MAX {
            return None;
        }
        let command = std::str::from_utf8(command).ok()?.trim();
        let (service, path) = command
            .strip_prefix("git ")
            .and_then(|rest| rest.trim_start().split_once(' ').map(|(name, path)| (format!("git-{name}"), path)))
            .or_else(|| command.split_once(' ').map(|(name, path)| (name.to_owned(), path)))?;
        let service = Service::parse(&service)?;
        let path = path.trim();
        let unquoted =
            ['\'', '"'].into_iter().find_map(|quote| path.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(path);
        let app = unquoted.strip_prefix("/~/").or(unquoted.strip_prefix("~/")).unwrap_or(unquoted);
        let app = app.trim_start_matches('/').trim_end_matches('/');
        let app = app.strip_suffix(".git").unwrap_or(app);
        (!app.is_empty()).then(|| Self { service, app: app.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_clients_use_name_the_same_app() {
        for path in ["'/my-app.git'", "'my-app.git'", "my-app.git", "/my-app", "\"/my-app.git/\"", "'~/my-app.git'"] {
            for (name, service) in [("receive-pack", Service::ReceivePack), ("upload-pack", Service::UploadPack)] {
                let wanted = Some(GitCommand { service, app: "my-app".into() });
                assert_eq!(GitCommand::parse(format!("git-{name} {path}").as_bytes()), wanted, "{path}");
                assert_eq!(GitCommand::parse(format!("git {name} {path}").as_bytes()), wanted, "{path}");
            }
        }
    }

    #[test]
    fn everything_else_is_no_git_command() {
        for command in
            ["", "ls", "git-upload-archive 'a.git'", "git-receive-pack", "git-receive-pack ''", "scp -t x", "git"]
        {
            assert_eq!(GitCommand::parse(command.as_bytes()), None, "{command}");
        }
        assert_eq!(GitCommand::parse(&[0xff, 0x20]), None);
        assert_eq!(GitCommand::parse(format!("git-receive-pack {}", "a".repeat(600)).as_bytes()), None);
    }
}
