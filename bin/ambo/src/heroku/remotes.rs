//! Mends the git remotes that the CLI makes: it writes `https` whatever the server speaks, and leaves the credentials to a
//! helper that answers only while the CLI's variables are set.

use std::path::{Path, PathBuf};

use ambo_client::Host;

use crate::exit::Outcome;
use crate::git::{RemoteUrl, Repository};

/// Points the remotes that lead to the server at where it is, and makes `ambo` their credential helper.
pub(super) fn adopt(host: &Host, directory: &Path) -> Outcome<Vec<String>> {
    let Some(repository) = Repository::around(directory) else { return Ok(Vec::new()) };
    let written: Host = match format!("https://{}", host.authority()).parse() {
        Ok(written) => written,
        Err(_) => return Ok(Vec::new()),
    };
    let mut mended = Vec::new();
    let mut leads_here = false;
    for remote in repository.remotes() {
        let RemoteUrl::Http { host: on, app } = &remote.url else { continue };
        leads_here |= on == host || *on == written;
        if *on == written && *on != *host {
            let url = host.at(&format!("/{app}.git"));
            repository.remote_set_url(&remote.name, &url)?;
            mended.push(format!("The git remote `{}` leads to {url}", remote.name));
        }
    }
    if leads_here {
        repository.credential_helper_set(host)?;
    }
    Ok(mended)
}

/// Where a command may have made remotes: here, and where it cloned to.
pub(super) fn places(words: &[String]) -> Vec<PathBuf> {
    let here = PathBuf::from(".");
    if !words.iter().any(|word| word == "git:clone") {
        return vec![here];
    }
    // The directory is the last word, else it is named as the app is.
    let cloned = words.last().map(|word| here.join(word.rsplit('=').next().unwrap_or(word)));
    std::iter::once(here.clone()).chain(cloned.filter(|directory| directory.join(".git").exists())).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(directory: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git").args(arguments).current_dir(directory).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn a_remote_of_a_server_on_plain_http_is_pointed_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        git(path, &["init", "-q"]);
        git(path, &["remote", "add", "heroku", "https://127.0.0.1:7080/shop.git"]);
        git(path, &["remote", "add", "origin", "https://github.com/me/shop.git"]);
        let host: Host = "http://127.0.0.1:7080".parse().unwrap();
        assert_eq!(adopt(&host, path).unwrap().len(), 1);
        assert_eq!(git(path, &["remote", "get-url", "heroku"]), "http://127.0.0.1:7080/shop.git");
        assert_eq!(git(path, &["remote", "get-url", "origin"]), "https://github.com/me/shop.git");
        let helper = git(path, &["config", "--get", "credential.http://127.0.0.1:7080.helper"]);
        assert!(helper.ends_with("git-credential"), "{helper}");
        assert!(adopt(&host, path).unwrap().is_empty(), "once is enough");
    }
}
