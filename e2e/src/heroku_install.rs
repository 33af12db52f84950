//! The Heroku CLI itself, installed once per machine from the lock file in `e2e/heroku-cli`, with the node that runs it.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use crate::program::run;

const MANIFEST: &str = include_str!("../heroku-cli/package.json");
const LOCK: &str = include_str!("../heroku-cli/package-lock.json");

/// The directory that holds `heroku` and nothing else, for `PATH`.
///
/// # Panics
/// When npm cannot install it.
pub(crate) fn heroku_bin() -> PathBuf {
    let tests = std::env::current_exe().expect("the test's own file");
    let target = tests.ancestors().nth(3).expect("target/<profile>/deps/<test>");
    let mut hasher = DefaultHasher::new();
    LOCK.hash(&mut hasher);
    let directory = target.join("heroku-cli").join(format!("{:016x}", hasher.finish()));
    let bin = directory.join("bin");
    fs::create_dir_all(&bin).expect("a directory below target");
    let turn = File::create(directory.join("lock")).expect("a lock file");
    // Tests run side by side; one of them installs.
    flock(&turn, FlockOperation::LockExclusive).expect("a lock");
    let program = bin.join("heroku");
    if !program.exists() {
        install(&directory);
        write_launcher(&directory, &program);
    }
    bin
}

fn install(directory: &Path) {
    fs::write(directory.join("package.json"), MANIFEST).expect("a file");
    fs::write(directory.join("package-lock.json"), LOCK).expect("a file");
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"];
    let ran = run(Command::new("npm").args(arguments).current_dir(directory));
    assert_eq!(ran.code, 0, "npm cannot install the Heroku CLI of e2e/heroku-cli\n{ran}");
}

/// `heroku` as the CLI's own launcher would be, but with the pinned node. The last step: whoever finds it finds all.
fn write_launcher(directory: &Path, program: &Path) {
    let machine = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x64",
    };
    let modules = directory.join("node_modules");
    let node = modules.join(format!("node-linux-{machine}/bin/node"));
    let main = modules.join("heroku/bin/run.js");
    let text = format!("#!/bin/sh\nexec '{}' --no-deprecation '{}' \"$@\"\n", node.display(), main.display());
    let unfinished = program.with_extension("new");
    fs::write(&unfinished, text).expect("a file");
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::rename(&unfinished, program).expect("the launcher in its place");
}
