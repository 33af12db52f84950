//! The platform on a lab's machines, put there as a user would: with `ambo platform install`, over an object store on the host.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::command::{run, wait_until};
use crate::lab::Lab;

/// Domain of the apps. Nobody resolves it: routers go by the `Host` of a request.
pub const DOMAIN: &str = "apps.test";
/// The name that the platform's image has in a lab.
pub const IMAGE: &str = "ambo:lab";
/// The first account.
const EMAIL: &str = "admin@example.com";
const PASSWORD: &str = "correct horse battery staple";
/// The object store's port, on the bridge's own address.
const STORE_PORT: u16 = 9000;
/// The variables that open it.
pub const STORE_CREDENTIALS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "lab-access-key"), ("AWS_SECRET_ACCESS_KEY", "lab-secret-key")];
/// Bases that apps of the tests are built from.
const BASES: [&str; 2] = ["python:3.11-slim-bookworm", "debian:bookworm-slim"];

/// The project's programs and tools.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The project's own directory.
    pub project: PathBuf,
    /// `debug` or `release`: which build of `ambod` and `ambo`.
    pub profile: String,
}

impl Programs {
    /// The command line of Ambo.
    #[must_use]
    pub fn ambo(&self) -> PathBuf {
        self.project.join("target").join(&self.profile).join("ambo")
    }

    fn object_store(&self) -> PathBuf {
        self.project.join("target/tools/bin/s3s-fs")
    }
}

/// The way to an installed platform.
#[derive(Debug, Clone)]
pub struct Access {
    /// The API's address on the first machine.
    pub host: String,
    /// A token of an administrator.
    pub key: String,
}

/// Builds the image from the programs, puts it on every machine, installs with these settings (`name=value`) besides, and makes
/// the first account.
///
/// # Errors
/// When a step fails, with what it said.
pub fn install(lab: &Lab, programs: &Programs, settings: &[&str]) -> anyhow::Result<Access> {
    let blobs = prepare(lab, programs)?;
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let host = install_with(lab, programs, &blobs, &settings, &[])?;
    account(lab, programs, &host)
}

/// Everything before the installation: the image on every machine, and the object store, whose address it gives as `--blobs`
/// takes it.
///
/// # Errors
/// When a step fails, with what it said.
pub fn prepare(lab: &Lab, programs: &Programs) -> anyhow::Result<String> {
    let script = programs.project.join("dev/image.sh");
    run(Command::new(script).args([IMAGE, &programs.profile])).context("build the platform's image")?;
    lab.load(&[IMAGE])?;
    lab.load(&BASES)?;
    object_store(lab, programs)
}

/// The installation alone, with these words and variables besides. Gives the API's address on the first machine.
///
/// # Errors
/// When it fails, with what it said.
pub fn install_with(
    lab: &Lab,
    programs: &Programs,
    blobs: &str,
    words: &[&str],
    variables: &[(&str, &str)],
) -> anyhow::Result<String> {
    let first = lab.nodes().first().context("a lab has machines")?;
    let mut install = Command::new(programs.ambo());
    install
        .args(["platform", "install", "--engine", &first.docker_host(), "--image", IMAGE, "--domain", DOMAIN, "--dns"])
        .args(["--blobs", blobs])
        .args(STORE_CREDENTIALS.iter().flat_map(|(name, _)| ["--credential", name]))
        .args(words)
        .envs(STORE_CREDENTIALS.iter().chain(variables).copied());
    run(&mut install)?;
    Ok(format!("http://{}:7080", first.address()))
}

/// Starts the object store beside the machines; it ends with the lab. Gives its address as `--blobs` takes it.
fn object_store(lab: &Lab, programs: &Programs) -> anyhow::Result<String> {
    let (directory, gateway) = (lab.directory().join("s3"), lab.gateway());
    fs::create_dir_all(directory.join("ambo"))?;
    let log = File::create(lab.directory().join("s3.log"))?;
    let program = programs.object_store();
    ensure!(program.exists(), "{} is missing: `dev/object-stores.sh` makes it", program.display());
    // In a session of its own: it outlives this process.
    let mut command = Command::new("setsid");
    command
        .arg(program)
        .args(["--host", &gateway, "--port", &STORE_PORT.to_string()])
        .args(["--access-key", STORE_CREDENTIALS[0].1, "--secret-key", STORE_CREDENTIALS[1].1])
        .arg(format!("{}/", directory.display()))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    command.spawn().context("start the object store")?;
    wait_until("the object store answers", || TcpStream::connect((gateway.as_str(), STORE_PORT)).ok())?;
    Ok(format!("s3://ambo?endpoint=http://{gateway}:{STORE_PORT}&allow_http=true"))
}

fn account(lab: &Lab, programs: &Programs, host: &str) -> anyhow::Result<Access> {
    let home = lab.directory().join("home");
    fs::create_dir_all(&home)?;
    let ambo = || {
        let mut command = Command::new(programs.ambo());
        command.env("AMBO_CONFIG_DIR", &home).env_remove("AMBO_API_KEY");
        command
    };
    said_password(ambo().args(["register", host, "--email", EMAIL, "--password-stdin"]))?;
    let made = run(ambo().args(["tokens", "create", "--json", "--host", host]))?;
    let made: serde_json::Value = serde_json::from_str(&made).context("read the token")?;
    let key = made["access_token"]["token"].as_str().context("a token was made")?.to_owned();
    Ok(Access { host: host.to_owned(), key })
}

fn said_password(command: &mut Command) -> anyhow::Result<()> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("its input")?.write_all(format!("{PASSWORD}\n").as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// The project's directory, from one of its crates'.
#[must_use]
pub fn project(of_crate: &str) -> PathBuf {
    Path::new(of_crate).ancestors().find(|above| above.join("Cargo.lock").exists()).unwrap_or(Path::new(".")).to_owned()
}
