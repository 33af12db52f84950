//! Clients of Heroku's API that nobody here wrote, pinned in `e2e/foreign-clients`, walk through the API in two phases:
//! list, create, configure, add a domain and meet a 404; then, with something deployed, scale, read releases, domains and
//! instances, and destroy.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use ambo_e2e::{Platform, Source, User, run};
use rustix::fs::{FlockOperation, flock};

/// A client's program and its first arguments.
struct Client {
    program: PathBuf,
    arguments: Vec<PathBuf>,
    variables: Vec<(&'static str, PathBuf)>,
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign-clients")
}

/// Where the clients are installed; made by the first who asks, while the others wait.
fn installed(name: &str, pinned_by: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let tests = std::env::current_exe().expect("the test's own file");
    let target = tests.ancestors().nth(3).expect("target/<profile>/deps/<test>");
    let directory = target.join("foreign-clients").join(name);
    fs::create_dir_all(&directory).expect("a directory below target");
    let turn = File::create(directory.join("lock")).expect("a lock file");
    flock(&turn, FlockOperation::LockExclusive).expect("a lock");
    let pin = fs::read_to_string(home().join(pinned_by)).expect("the pinned versions");
    let stamp = directory.join("installed");
    if fs::read_to_string(&stamp).unwrap_or_default() != pin {
        install(&directory);
        fs::write(&stamp, pin).expect("a file");
    }
    directory
}

fn javascript() -> Client {
    let modules = installed("javascript", "package-lock.json", |directory| {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(home().join(file), directory.join(file)).expect("a file");
        }
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"];
        run(Command::new("npm").args(arguments).current_dir(directory)).ok();
    });
    Client {
        program: "node".into(),
        arguments: vec![home().join("heroku-client.js")],
        variables: vec![("NODE_PATH", modules.join("node_modules"))],
    }
}

fn python() -> Client {
    let packages = installed("python", "requirements.txt", |directory| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--require-hashes", "--target"]);
        run(pip.arg(directory).arg("-r").arg(home().join("requirements.txt"))).ok();
    });
    Client {
        program: "python3".into(),
        arguments: vec![home().join("heroku3_client.py")],
        variables: vec![("PYTHONPATH", packages)],
    }
}

fn rust() -> Client {
    let target = installed("rust", "heroku_rs/Cargo.lock", |_| {});
    // cargo itself knows what there is to do; `dev/test.sh` has done it before.
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(home().join("heroku_rs/Cargo.toml"));
    run(cargo.arg("--target-dir").arg(&target)).ok();
    Client { program: target.join("debug/ambo-e2e-heroku-rs"), arguments: Vec::new(), variables: Vec::new() }
}

/// The token that `ambo` has stored.
fn stored_token(user: &User<'_>) -> String {
    let text = fs::read_to_string(user.home().join("ambo/credentials.toml")).expect("a login");
    let line = text.lines().find(|line| line.starts_with("token")).expect("a token");
    line.split('"').nth(1).expect("in quotes").to_owned()
}

fn walks(client: &Client) {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let token = stored_token(&ann);
    let phase = |phase: &str| {
        let mut command = ann.command(&client.program);
        command.args(&client.arguments).args([phase, &platform.api(), &token, "foreign"]);
        command.envs(client.variables.iter().map(|(name, value)| (name, value)));
        run(&mut command).ok().says("walked");
    };
    phase("begin");
    let source = Source::web(&ann, "foreign", "hi");
    source.ambo(&["git:remote", "-a", "foreign"]).ok();
    source.push().ok();
    ann.wait_for_instances("foreign", "web", 1);
    phase("end");
    ann.ambo(&["info", "-a", "foreign"]).failed(4);
}

#[test]
fn npm_heroku_client_walks_through_the_api() {
    walks(&javascript());
}

#[test]
fn pypi_heroku3_walks_through_the_api() {
    walks(&python());
}

#[test]
fn crates_io_heroku_rs_walks_through_the_api() {
    walks(&rust());
}
