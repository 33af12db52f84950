//! Judges what a push wants to do to the refs. Pure.

use std::fmt;

use ambo_model::CommitId;

/// A branch that deploys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Branch {
    /// `main`.
    Main,
    /// `master`.
    Master,
}

impl Branch {
    /// The whole ref name.
    pub(crate) fn full_name(self) -> &'static str {
        match self {
            Branch::Main => "refs/heads/main",
            Branch::Master => "refs/heads/master",
        }
    }

    /// The branch that this one takes the place of.
    pub(crate) fn other(self) -> Self {
        match self {
            Branch::Main => Branch::Master,
            Branch::Master => Branch::Main,
        }
    }

    fn parse(full_name: &str) -> Option<Self> {
        [Branch::Main, Branch::Master].into_iter().find(|branch| branch.full_name() == full_name)
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.full_name().trim_start_matches("refs/heads/"))
    }
}

/// What deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deploy {
    /// Where to.
    pub(crate) branch: Branch,
    /// Where the branch was when the client looked; nothing if it was not there.
    pub(crate) old: Option<CommitId>,
    /// What was pushed. Named like a commit; whether it is one, git must say.
    pub(crate) new: CommitId,
}

/// Why a push was refused for its refs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefsRefused {
    #[error(
        "Pushed {count} refs at once: only one branch deploys at a time.\nUse: git push --no-follow-tags ambo main"
    )]
    Several { count: usize },
    #[error(
        "Deleting '{name}' would leave the app without its source, so it is not possible.\nTo remove the app, use: ambo apps destroy"
    )]
    Deletion { name: String },
    #[error("Pushed tag '{name}': tags do not deploy.\nUse: git push ambo '{name}^{{commit}}:refs/heads/main'")]
    Tag { name: String },
    #[error("Pushed to branch '{name}': only 'main' or 'master' deploys. Use: git push ambo {name}:main")]
    Branch { name: String },
    #[error(
        "Pushed to '{name}': only the branches 'main' and 'master' deploy.\nUse: git push ambo HEAD:refs/heads/main"
    )]
    Other { name: String },
    #[error("Git sent a ref that cannot be read. Push one branch: git push ambo main")]
    Malformed,
}

/// Decides what a push deploys. `lines` are git's, `<old> <new> <ref>`; `count` is how many there were in all.
pub(crate) fn judge(lines: &[String], count: usize) -> Result<Deploy, RefsRefused> {
    if count > 1 {
        return Err(RefsRefused::Several { count });
    }
    let [line] = lines else { return Err(RefsRefused::Malformed) };
    let mut fields = line.splitn(3, ' ');
    let (Some(old), Some(new), Some(full_name)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(RefsRefused::Malformed);
    };
    let (Some(old), Some(new)) = (CommitId::parse(old), CommitId::parse(new)) else {
        return Err(RefsRefused::Malformed);
    };
    let short = |prefix: &str| full_name.strip_prefix(prefix).map(shown);
    if is_nothing(&new) {
        return Err(RefsRefused::Deletion {
            name: short("refs/heads/").or(short("refs/tags/")).unwrap_or(shown(full_name)),
        });
    }
    if let Some(branch) = Branch::parse(full_name) {
        return Ok(Deploy { branch, old: (!is_nothing(&old)).then_some(old), new });
    }
    Err(match (short("refs/tags/"), short("refs/heads/")) {
        (Some(name), _) => RefsRefused::Tag { name },
        (None, Some(name)) => RefsRefused::Branch { name },
        (None, None) => RefsRefused::Other { name: shown(full_name) },
    })
}

/// Git writes "no object" as zeros.
fn is_nothing(object: &CommitId) -> bool {
    object.as_str().bytes().all(|digit| digit == b'0')
}

/// A ref's name as a message shows it.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "1111111111111111111111111111111111111111";
    const NEW: &str = "2222222222222222222222222222222222222222";
    const NOTHING: &str = "0000000000000000000000000000000000000000";

    fn judged(old: &str, new: &str, name: &str) -> Result<Deploy, RefsRefused> {
        judge(&[format!("{old} {new} {name}")], 1)
    }

    #[test]
    fn main_and_master_deploy() {
        let deploy = judged(NOTHING, NEW, "refs/heads/main").unwrap();
        assert_eq!((deploy.branch, deploy.old, deploy.new.as_str()), (Branch::Main, None, NEW));
        let deploy = judged(OLD, NEW, "refs/heads/master").unwrap();
        assert_eq!((deploy.branch, deploy.old.unwrap().as_str()), (Branch::Master, OLD));
    }

    #[test]
    fn everything_else_is_refused_with_the_command_that_works() {
        let branch = judged(NOTHING, NEW, "refs/heads/fix/it").unwrap_err();
        assert_eq!(
            branch.to_string(),
            "Pushed to branch 'fix/it': only 'main' or 'master' deploys. Use: git push ambo fix/it:main"
        );
        let tag = judged(NOTHING, NEW, "refs/tags/v1").unwrap_err().to_string();
        assert!(tag.contains("git push ambo 'v1^{commit}:refs/heads/main'"), "{tag}");
        assert!(matches!(judged(OLD, NOTHING, "refs/heads/main"), Err(RefsRefused::Deletion { .. })));
        assert!(matches!(judged(OLD, NOTHING, "refs/heads/other"), Err(RefsRefused::Deletion { .. })));
        assert!(matches!(judged(NOTHING, NEW, "refs/notes/commits"), Err(RefsRefused::Other { .. })));
        assert_eq!(judge(&[], 0), Err(RefsRefused::Malformed));
        assert_eq!(judge(&["x y".into()], 1), Err(RefsRefused::Malformed));
        assert_eq!(judge(&[String::new(), String::new()], 20), Err(RefsRefused::Several { count: 20 }));
    }
}
