//! Repositories on their way into an archive and out of it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ambo_backup::{GitDirectory, Repositories, RepositoryError};
use ambo_model::AppId;

use crate::platform::{commit_make, git, refs};

fn repositories(directory: &Path) -> GitDirectory {
    GitDirectory::new(directory, "git")
}

/// Exports a repository and imports it elsewhere; gives the refs that arrive.
async fn pass(app: AppId, from: &Path, to: &Path) -> Result<String, RepositoryError> {
    let bundle = repositories(from).export(app).await?.expect("there is one");
    repositories(to).import(app, bundle).await?;
    Ok(refs(&to.join(format!("{app}.git"))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ref_that_is_pushed_meanwhile_is_there_as_it_was_or_as_it_is() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let app = AppId::new();
    let path = from.path().join(format!("{app}.git"));
    let commits: Vec<_> = (0..2).map(|number| commit_make(&path, &format!("commit {number}"))).collect();
    git(&path, &["branch", "other", &commits[0]]);
    let stop = AtomicBool::new(false);
    let (path, commits, stop) = (&path, &commits, &stop);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for commit in commits.iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                git(path, &["update-ref", "refs/heads/main", commit]);
            }
        });
        let passed = tokio::task::block_in_place(|| {
            let many = async {
                let mut imported = Vec::new();
                for _ in 0..25 {
                    imported.push(pass(app, from.path(), to.path()).await);
                }
                imported
            };
            tokio::runtime::Handle::current().block_on(many)
        });
        stop.store(true, Ordering::Relaxed);
        for imported in passed {
            let imported = imported.unwrap();
            let is_whole = |main: &String| {
                imported.contains(&format!("refs/heads/main {main} *"))
                    && imported.contains(&format!("refs/heads/other {}", commits[0]))
            };
            assert!(commits.iter().any(is_whole), "{imported}");
        }
    });
    let left: Vec<_> = std::fs::read_dir(from.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing of it stays: {left:?}");
}

#[tokio::test]
async fn a_repository_without_commits_or_that_is_not_there_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let (kept, empty) = (repositories(directory.path()), AppId::new());
    let path = directory.path().join(format!("{empty}.git"));
    std::fs::create_dir(&path).unwrap();
    git(&path, &["init", "--quiet", "--bare"]);
    assert!(kept.export(empty).await.unwrap().is_none());
    assert!(kept.export(AppId::new()).await.unwrap().is_none());
    assert_eq!(kept.list().await.unwrap(), [empty]);
    assert!(repositories(Path::new("/nowhere")).list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_bundle_that_is_cut_off_makes_no_repository() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let app = AppId::new();
    commit_make(&from.path().join(format!("{app}.git")), "one");
    let mut bundle = repositories(from.path()).export(app).await.unwrap().unwrap();
    let mut content = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut bundle, &mut content).await.unwrap();
    for end in [0, content.len() / 2, content.len() - 1] {
        let cut = Box::new(std::io::Cursor::new(content[..end].to_vec()));
        repositories(to.path()).import(app, cut).await.unwrap_err();
        assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), 0, "at {end}");
    }
    repositories(to.path()).import(app, Box::new(std::io::Cursor::new(content))).await.unwrap();
    repositories(to.path()).remove(app).await.unwrap();
    repositories(to.path()).remove(app).await.unwrap();
}
