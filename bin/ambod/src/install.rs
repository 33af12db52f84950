//! `ambod install`: a production machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::settings::Settings;

const UNIT: &str = include_str!("install/ambod.service");
const SOCKET: &str = include_str!("install/ambod.socket");
const PROGRAM: &str = "/usr/local/bin/ambod";

/// One change to the machine.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Directory { path: PathBuf, mode: u32 },
    Program { from: PathBuf },
    File { path: PathBuf, text: String, keep: bool },
    Run(Vec<&'static str>),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Step::Directory { path, mode } => write!(f, "make {} (mode {mode:o})", path.display()),
            Step::Program { from } => write!(f, "copy {} to {PROGRAM}", from.display()),
            Step::File { path, keep: true, .. } => write!(f, "write {} unless it is there", path.display()),
            Step::File { path, .. } => write!(f, "write {}", path.display()),
            Step::Run(words) => write!(f, "run {}", words.join(" ")),
        }
    }
}

/// Sets the machine up, or with `dry_run` prints how.
pub(crate) fn install(settings: &Settings, dry_run: bool, print: &mut impl std::io::Write) -> anyhow::Result<()> {
    let steps = plan(settings, std::env::current_exe().context("find this program's file")?);
    for step in &steps {
        writeln!(print, "{}{step}", if dry_run { "would " } else { "" })?;
    }
    if dry_run {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        bail!("installing needs root: run `sudo ambod install`");
    }
    if !Path::new("/run/systemd/system").is_dir() {
        bail!("this machine does not run systemd: start `ambod serve --data /var/lib/ambo` by its own service manager");
    }
    steps.iter().try_for_each(apply)?;
    writeln!(
        print,
        "ambod runs; register the first account, the administrator, with `ambo register http://<this host>`"
    )?;
    Ok(())
}

fn plan(settings: &Settings, program: PathBuf) -> Vec<Step> {
    let file = |path: &str, text: String, keep| Step::File { path: path.into(), text, keep };
    vec![
        Step::Program { from: program },
        Step::Directory { path: "/var/lib/ambo".into(), mode: 0o700 },
        Step::Directory { path: "/etc/ambo".into(), mode: 0o755 },
        file("/etc/ambo/ambod.toml", settings_file(settings), true),
        file("/etc/systemd/system/ambod.service", UNIT.to_owned(), false),
        file("/etc/systemd/system/ambod.socket", SOCKET.to_owned(), false),
        Step::Run(vec!["systemctl", "daemon-reload"]),
        Step::Run(vec!["systemctl", "enable", "--now", "ambod.socket", "ambod.service"]),
    ]
}

fn settings_file(settings: &Settings) -> String {
    format!(
        "# Settings of ambod; `ambod settings --settings /etc/ambo/ambod.toml` lists them all.\n\
         data = \"/var/lib/ambo\"\n\
         domain = \"{}\"\n\
         listen-http = \"0.0.0.0:80\"\n\
         listen-https = \"0.0.0.0:443\"\n\
         listen-api = \"0.0.0.0:7080\"\n\
         listen-ssh = \"0.0.0.0:7022\"\n\
         listen-rendezvous = \"0.0.0.0:7051\"\n",
        settings.domain
    )
}

fn apply(step: &Step) -> anyhow::Result<()> {
    match step {
        Step::Directory { path, mode } => {
            fs::create_dir_all(path).and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(*mode)))
        }
        Step::Program { from } => ambo_atomic_file::write(Path::new(PROGRAM), &fs::read(from)?, 0o755),
        Step::File { path, keep: true, .. } if path.exists() => Ok(()),
        Step::File { path, text, .. } => ambo_atomic_file::write(path, text.as_bytes(), 0o644),
        Step::Run(words) => {
            let status = Command::new(words[0]).args(&words[1..]).status().with_context(|| step.to_string())?;
            return if status.success() { Ok(()) } else { bail!("{step} failed: {status}") };
        }
    }
    .with_context(|| step.to_string())
}
