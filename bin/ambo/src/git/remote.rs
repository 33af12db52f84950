//! Which app a remote's address means.

use ambo_client::Host;
use url::Url;

/// A remote and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// What git calls it.
    pub(crate) name: String,
    /// Where it leads.
    pub(crate) url: RemoteUrl,
}

/// An address that could be an app's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RemoteUrl {
    /// `https://host:port/app.git`.
    Http {
        /// The server.
        host: Host,
        /// The app.
        app: String,
    },
    /// `ssh://git@host:port/app.git` or `git@host:app.git`. The port is the SSH server's, and says nothing of the API's.
    Ssh {
        /// The server's name.
        name: String,
        /// The app.
        app: String,
    },
}

impl Remote {
    /// From a line of `git config --get-regexp`: `remote.ambo.url http://…`.
    pub(super) fn from_config_line(line: &str) -> Option<Self> {
        let (key, url) = line.split_once(' ')?;
        let name = key.strip_prefix("remote.")?.strip_suffix(".url")?;
        Some(Self { name: name.to_owned(), url: RemoteUrl::parse(url)? })
    }
}

impl RemoteUrl {
    /// Reads an address; `None` when it cannot be an app's.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.contains("://") {
            let (name, path) = text.split_once(':')?;
            let name = name.strip_prefix("git@")?;
            return Some(Self::Ssh { name: name.to_owned(), app: app_of(path)? });
        }
        let url = Url::parse(text).ok()?;
        let app = app_of(url.path())?;
        match url.scheme() {
            "ssh" => Some(Self::Ssh { name: url.host_str()?.to_owned(), app }),
            "http" | "https" => {
                let mut base = url.clone();
                base.set_path("");
                base.set_username("").ok()?;
                base.set_password(None).ok()?;
                base.set_query(None);
                base.set_fragment(None);
                Some(Self::Http { host: base.as_str().parse().ok()?, app })
            }
            _ => None,
        }
    }

    /// The app.
    pub(crate) fn app(&self) -> &str {
        match self {
            RemoteUrl::Http { app, .. } | RemoteUrl::Ssh { app, .. } => app,
        }
    }

    /// Whether it leads to this server.
    pub(crate) fn is_on(&self, server: &Host) -> bool {
        match self {
            RemoteUrl::Http { host, .. } => host == server,
            RemoteUrl::Ssh { name, .. } => name == server.name(),
        }
    }
}

/// `/app.git` as `app`; apps have no directories.
fn app_of(path: &str) -> Option<String> {
    let app = path.trim_start_matches('/').trim_end_matches('/').strip_suffix(".git")?;
    if app.is_empty() || app.contains('/') { None } else { Some(app.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_apps_are_understood() {
        let host: Host = "http://127.0.0.1:7080".parse().unwrap();
        let http = RemoteUrl::parse("http://127.0.0.1:7080/my-app.git").unwrap();
        assert_eq!(http, RemoteUrl::Http { host: host.clone(), app: "my-app".into() });
        assert!(http.is_on(&host));
        assert!(!http.is_on(&"http://127.0.0.1:7081".parse().unwrap()));
        let named = RemoteUrl::parse("http://ana:token@127.0.0.1:7080/my-app.git").unwrap();
        assert_eq!(named, http, "a name in the address is not the server's");
        for ssh in ["ssh://git@127.0.0.1:7022/my-app.git", "git@127.0.0.1:my-app.git"] {
            let ssh = RemoteUrl::parse(ssh).unwrap();
            assert_eq!(ssh.app(), "my-app");
            assert!(ssh.is_on(&host));
        }
    }

    #[test]
    fn other_addresses_are_nobodys_app() {
        for text in [
            "https://github.com/owner/project.git",
            "git@github.com:owner/project.git",
            "/srv/git/project.git",
            "file:///srv/project.git",
            "https://example.com/",
            "https://example.com/app",
            "",
        ] {
            assert_eq!(RemoteUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_line_of_git_config_is_a_remote() {
        let remote = Remote::from_config_line("remote.my.remote.url http://127.0.0.1:7080/x.git").unwrap();
        assert_eq!((remote.name.as_str(), remote.url.app()), ("my.remote", "x"));
        assert_eq!(Remote::from_config_line("remote.origin.url"), None);
    }
}
