//! Which app is meant, seen from a repository's remotes.

use std::collections::BTreeSet;

use ambo_client::Host;

use crate::git::Remote;

/// An app on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The server.
    pub(crate) host: Host,
    /// The app.
    pub(crate) app: String,
}

/// What narrows the choice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    /// The servers that count.
    pub(super) hosts: &'a [Host],
    /// Which of several servers of one name is preferred.
    pub(super) default: Option<&'a Host>,
    /// The remote that was named.
    pub(super) remote: Option<&'a str>,
}

/// Why no app is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    /// No remote leads to an app.
    #[error("which app? No git remote here leads to one")]
    None,
    /// The named remote does not.
    #[error("the git remote `{0}` leads to no app of a server that you are logged in to")]
    Remote(String),
    /// Remotes lead to different apps.
    #[error("which app? The git remotes here lead to several: {}", .0.join(", "))]
    Several(Vec<String>),
}

/// The one app that the remotes lead to.
pub(super) fn resolve(remotes: &[Remote], wish: &Wish<'_>) -> Result<Target, TargetError> {
    let mut targets = Vec::new();
    let mut shown = BTreeSet::new();
    for remote in remotes.iter().filter(|remote| wish.remote.is_none_or(|name| name == remote.name)) {
        let on = |host: &&Host| remote.url.is_on(host);
        let Some(host) =
            wish.default.filter(|host| wish.hosts.contains(host)).filter(on).or_else(|| wish.hosts.iter().find(on))
        else {
            continue;
        };
        let target = Target { host: host.clone(), app: remote.url.app().to_owned() };
        shown.insert(format!("{} (remote `{}`)", target.app, remote.name));
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    match (targets.len(), wish.remote) {
        (1, _) => Ok(targets.remove(0)),
        (0, Some(name)) => Err(TargetError::Remote(name.to_owned())),
        (0, None) => Err(TargetError::None),
        (_, _) => Err(TargetError::Several(shown.into_iter().collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::RemoteUrl;

    fn remote(name: &str, url: &str) -> Remote {
        Remote { name: name.into(), url: RemoteUrl::parse(url).unwrap() }
    }

    fn resolved(remotes: &[Remote], remote: Option<&str>) -> Result<String, TargetError> {
        let hosts: Vec<Host> =
            ["http://127.0.0.1:7080", "https://ambo.example.com"].map(|text| text.parse().unwrap()).into();
        let wish = Wish { hosts: &hosts, default: Some(&hosts[1]), remote };
        resolve(remotes, &wish).map(|target| format!("{} {}", target.host, target.app))
    }

    #[test]
    fn one_remote_names_the_app() {
        let http = remote("ambo", "http://127.0.0.1:7080/one.git");
        let ssh = remote("ssh", "ssh://git@127.0.0.1:7022/one.git");
        assert_eq!(resolved(std::slice::from_ref(&http), None).unwrap(), "http://127.0.0.1:7080 one");
        assert_eq!(resolved(std::slice::from_ref(&ssh), None).unwrap(), "http://127.0.0.1:7080 one");
        assert_eq!(resolved(&[http, ssh], None).unwrap(), "http://127.0.0.1:7080 one", "two ways to one app");
    }

    #[test]
    fn several_apps_are_listed_and_a_named_remote_decides() {
        let remotes = [
            remote("staging", "http://127.0.0.1:7080/one.git"),
            remote("production", "https://ambo.example.com/two.git"),
            remote("elsewhere", "https://git.example.org/three.git"),
        ];
        let error = resolved(&remotes, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "which app? The git remotes here lead to several: one (remote `staging`), two (remote `production`)"
        );
        assert_eq!(resolved(&remotes, Some("production")).unwrap(), "https://ambo.example.com two");
        assert_eq!(resolved(&remotes, Some("elsewhere")), Err(TargetError::Remote("elsewhere".into())));
        assert_eq!(resolved(&[], None), Err(TargetError::None));
    }
}
