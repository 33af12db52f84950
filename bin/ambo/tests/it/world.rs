//! A user with a home, a server, and the program.

use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fake::Fake;

pub(crate) const TOKEN: &str = "t0ken-of-ana";
const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const AT: &str = "2026-01-01T00:00:00Z";

/// Everything a test needs.
pub(crate) struct World {
    pub(crate) fake: Fake,
    pub(crate) home: TempDir,
}

impl World {
    /// Nobody is logged in.
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("work")).unwrap();
        Self { fake: Fake::start(), home }
    }

    /// Ana is logged in.
    pub(crate) fn logged_in() -> Self {
        let world = Self::new();
        let host = &world.fake.host;
        let text = format!(
            "default_host = \"{host}\"\n[hosts.\"{host}\"]\nemail = \"ana@example.com\"\ntoken = \"{TOKEN}\"\n"
        );
        let path = world.credentials();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        world
    }

    /// Where the program keeps its credentials.
    pub(crate) fn credentials(&self) -> std::path::PathBuf {
        self.home.path().join(".config/ambo/credentials.toml")
    }

    /// Where the user works.
    pub(crate) fn work(&self) -> std::path::PathBuf {
        self.home.path().join("work")
    }

    /// The program, with nothing of this machine's environment but the path.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ambo"));
        command.args(line.split_whitespace());
        self.environment(&mut command);
        command
    }

    fn environment(&self, command: &mut Command) {
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CEILING_DIRECTORIES", self.home.path())
            // Nobody answers there: what is on this machine must not go through a proxy.
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .current_dir(self.work())
            .stdin(Stdio::null());
    }

    /// Runs a line, and gives what the user would see.
    pub(crate) fn run(&self, line: &str) -> String {
        self.seen(&self.command(line).output().unwrap())
    }

    /// Runs a line with input.
    pub(crate) fn run_with_input(&self, line: &str, input: &[u8]) -> String {
        let mut child =
            self.command(line).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if let Err(error) = child.stdin.take().unwrap().write_all(input) {
            assert_eq!(error.kind(), ErrorKind::BrokenPipe, "it may end without having read its input: {error}");
        }
        self.seen(&child.wait_with_output().unwrap())
    }

    /// Runs git.
    pub(crate) fn git(&self, line: &str) -> String {
        let mut command = Command::new("git");
        command.args(line.split_whitespace());
        self.environment(&mut command);
        self.seen(&command.output().unwrap())
    }

    /// What was printed, with this run's own address and directory named.
    pub(crate) fn seen(&self, output: &Output) -> String {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let text = text.replace(&self.fake.host, "[HOST]");
            text.replace(self.home.path().to_str().unwrap(), "[HOME]")
        };
        let mut seen = format!("exit: {}\n", output.status.code().map_or("signal".to_owned(), |code| code.to_string()));
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            if !bytes.is_empty() {
                seen.push_str(&format!("--- {name}\n{}", text(bytes)));
            }
        }
        seen
    }
}

/// Writes a file below a directory.
pub(crate) fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
}

pub(crate) fn account() -> Value {
    json!({"id": ID, "email": "ana@example.com", "role": "administrator", "created_at": AT, "updated_at": AT})
}

pub(crate) fn app(name: &str) -> Value {
    let named = |name: &str| json!({"id": ID, "name": name});
    json!({
        "id": ID, "name": name, "build_stack": named("container"), "stack": named("container"),
        "region": named("local"), "generation": named("cedar"), "created_at": AT, "updated_at": AT,
        "released_at": AT, "git_url": format!("http://elsewhere/{name}.git"), "maintenance": false,
        "owner": {"id": ID, "email": "ana@example.com"}, "web_url": format!("http://{name}.localhost:7000")
    })
}

pub(crate) fn release(version: u64, status: &str, current: bool) -> Value {
    json!({
        "id": ID, "version": version, "description": format!("Deploy {version}"), "status": status, "current": current,
        "user": {"id": ID, "email": "ana@example.com"}, "app": {"id": ID, "name": "shop"}, "slug": {"id": ID},
        "eligible_for_rollback": status == "succeeded", "created_at": AT, "updated_at": AT
    })
}

pub(crate) fn dyno(name: &str, state: &str) -> Value {
    let process = name.split('.').next().unwrap();
    json!({
        "id": ID, "name": name, "type": process, "command": "bin/serve", "size": "512M", "state": state,
        "release": {"id": ID, "version": 7}, "app": {"id": ID, "name": "shop"}, "created_at": AT, "updated_at": AT,
        "node": "one", "started_at": AT, "attach_url": null
    })
}

pub(crate) fn formation(process: &str, quantity: u32) -> Value {
    json!({
        "id": ID, "type": process, "command": "bin/serve", "quantity": quantity, "size": "unlimited",
        "dyno_size": { "id": ID, "name": "unlimited" },
        "app": {"id": ID, "name": "shop"}, "created_at": AT, "updated_at": AT
    })
}

pub(crate) fn authorization(token: &str) -> Value {
    json!({
        "id": ID, "access_token": {"id": ID, "expires_in": null, "token": token}, "description": "ci",
        "scope": ["global"], "user": {"id": ID, "email": "ana@example.com"}, "created_at": AT, "updated_at": AT
    })
}

pub(crate) fn refusal(id: &str, message: &str) -> Value {
    json!({"id": id, "message": message})
}
