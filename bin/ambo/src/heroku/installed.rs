//! The `heroku` CLI that is installed here.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::exit::{Failure, Outcome};

/// The version that the tests run.
const TESTED: Version = Version { major: 11, minor: 10 };
/// How far above the program its package may lie.
const PACKAGE_LEVELS_MAX: usize = 4;
/// Longest description of a package that is read, in bytes.
const PACKAGE_BYTES_MAX: u64 = 1 << 20;

/// A version without its patch level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        Some(Self { major: parts.next()?.parse().ok()?, minor: parts.next()?.parse().ok()? })
    }
}

/// An installed CLI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installed {
    /// The program.
    pub(super) program: PathBuf,
    version: Option<String>,
}

impl Installed {
    /// The first `heroku` in the directories of `path`.
    pub(super) fn find(path: &std::ffi::OsStr) -> Outcome<Self> {
        let program = std::env::split_paths(path).map(|directory| directory.join("heroku")).find(|file| runs(file));
        match program {
            Some(program) => Ok(Self { version: version_of(&program), program }),
            None => Err(Failure::failed("the `heroku` CLI is not installed: there is no `heroku` on PATH")
                .hint(format!("install it with `npm install --global heroku@{}.{}`", TESTED.major, TESTED.minor))
                .hint("or do without: `ambo` knows the same commands, as in `ambo ps:scale web=2`")),
        }
    }

    /// What to warn of: a version that the tests do not cover.
    pub(super) fn warning(&self) -> Option<String> {
        let text = self.version.as_deref()?;
        let version = Version::parse(text)?;
        let (age, risk) = match version.cmp(&TESTED) {
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Less => ("older", "some commands may not work"),
            std::cmp::Ordering::Greater => ("newer", "it may have changed how it finds its server"),
        };
        Some(format!(
            "heroku {text} is {age} than what Ambo was tested with ({}.{}): {risk}",
            TESTED.major, TESTED.minor
        ))
    }
}

fn runs(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The version, from the package that the program lies in: asking the program would take a second.
fn version_of(program: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
    }
    let program = fs::canonicalize(program).ok()?;
    program.ancestors().skip(1).take(PACKAGE_LEVELS_MAX).find_map(|directory| {
        let file = directory.join("package.json");
        if fs::metadata(&file).ok()?.len() > PACKAGE_BYTES_MAX {
            return None;
        }
        let package: Package = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        (package.name == "heroku").then_some(package.version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(directory: &Path, version: &str) -> Installed {
        let package = directory.join("lib/node_modules/heroku");
        fs::create_dir_all(package.join("bin")).unwrap();
        fs::create_dir_all(directory.join("bin")).unwrap();
        fs::write(package.join("package.json"), format!(r#"{{"name":"heroku","version":"{version}"}}"#)).unwrap();
        let program = package.join("bin/run.js");
        fs::write(&program, "").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(&program, directory.join("bin/heroku")).unwrap();
        let path = std::env::join_paths([directory.join("nothing"), directory.join("bin")]).unwrap();
        Installed::find(&path).unwrap()
    }

    #[test]
    fn only_untested_versions_are_warned_of() {
        for (version, says) in [("11.10.3", None), ("11.9.0", Some("older")), ("12.0.0", Some("newer"))] {
            let directory = tempfile::tempdir().unwrap();
            let warning = install(directory.path(), version).warning();
            assert_eq!(warning.is_some(), says.is_some(), "{version}: {warning:?}");
            assert!(warning.unwrap_or_default().contains(says.unwrap_or_default()), "{version}");
        }
    }

    #[test]
    fn a_missing_cli_is_told_with_how_to_install_it() {
        let directory = tempfile::tempdir().unwrap();
        let failure = Installed::find(directory.path().as_os_str()).unwrap_err();
        assert!(failure.message.contains("not installed") && failure.hints[0].contains("npm install"), "{failure:?}");
    }
}
