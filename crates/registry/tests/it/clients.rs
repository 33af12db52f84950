//! Real clients against a registry that is already running, wherever it is. Stands on its own, so that the end-to-end
//! tests can include this file and point it at a whole platform.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Longest run of one client command.
const COMMAND_DURATION_MAX: Duration = Duration::from_secs(300);

/// Where a registry is and how to log in.
pub(crate) struct Target<'a> {
    /// Host and port.
    pub(crate) registry: &'a str,
    /// A repository there that the login may push to.
    pub(crate) repository: &'a str,
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
}

/// Runs a command to its end. Gives its output; fails with it when the command does.
async fn run(program: &str, package: &str, arguments: &[&str], input: &str) -> String {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = child.unwrap_or_else(|error| {
        panic!("`{program}` cannot be run ({error}): install it with `apt-get install {package}`")
    });
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let ended = tokio::time::timeout(COMMAND_DURATION_MAX, child.wait_with_output()).await;
    let output = ended.unwrap_or_else(|_| panic!("`{program} {arguments:?}` did not end")).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "`{program} {arguments:?}` failed: {stdout}{stderr}");
    stdout
}

async fn skopeo(arguments: &[&str]) -> String {
    run("skopeo", "skopeo", arguments, "").await
}

async fn docker(config: &Path, arguments: &[&str], input: &str) -> String {
    let config = config.display().to_string();
    let arguments: Vec<&str> = ["--config", &config].into_iter().chain(arguments.iter().copied()).collect();
    run("docker", "docker.io", &arguments, input).await
}

/// Copies an image in `dir:` form to the registry and back. Gives nothing when both are equal, byte for byte.
pub(crate) async fn skopeo_round_trip(target: &Target<'_>, image: &Path, scratch: &Path) {
    let credentials = format!("{}:{}", target.username, target.password);
    let there = format!("docker://{}/{}:skopeo", target.registry, target.repository);
    let back = scratch.join("back");
    let (from, to) = (format!("dir:{}", image.display()), format!("dir:{}", back.display()));
    let whole = ["copy", "--insecure-policy", "--preserve-digests"];
    skopeo(&[&whole[..], &["--dest-tls-verify=false", "--dest-creds", &credentials, &from, &there]].concat()).await;
    skopeo(&["copy", "--insecure-policy", "--src-tls-verify=false", "--src-creds", &credentials, &there, &to]).await;
    for entry in std::fs::read_dir(image).unwrap().map(Result::unwrap) {
        let returned = std::fs::read(back.join(entry.file_name())).unwrap();
        assert!(returned == std::fs::read(entry.path()).unwrap(), "{:?} came back changed", entry.file_name());
    }
    let tags =
        skopeo(&["list-tags", "--tls-verify=false", "--creds", &credentials, &there.replace(":skopeo", "")]).await;
    assert!(tags.contains("\"skopeo\""), "{tags}");
    let listed = skopeo(&["inspect", "--raw", "--tls-verify=false", "--creds", &credentials, &there]).await;
    assert_eq!(listed.as_bytes(), std::fs::read(image.join("manifest.json")).unwrap());
    skopeo(&["delete", "--tls-verify=false", "--creds", &credentials, &there]).await;
}

/// What the engine holds of a test; removed at its end, however it ends.
struct Leftovers {
    containers: Vec<String>,
    images: Vec<String>,
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        for (command, names) in [("rm", &self.containers), ("rmi", &self.images)] {
            for name in names {
                let _ = std::process::Command::new("docker").args([command, "--force", name]).output();
            }
        }
    }
}

/// Puts a file on top of `image`, pushes both, removes them from the engine, pulls them by digest and runs what came.
pub(crate) async fn docker_round_trip(target: &Target<'_>, image: &str, scratch: &Path) {
    let docker = async |arguments: &[&str]| docker(scratch, arguments, target.password).await;
    let present = docker(&["image", "ls", "--quiet", image]).await;
    assert!(!present.trim().is_empty(), "image `{image}` is missing in the engine: make it with `dev/bases.sh`");
    let tag = format!("{}/{}:docker", target.registry, target.repository);
    let mut leftovers = Leftovers { containers: Vec::new(), images: vec![tag.clone()] };
    docker(&["login", "--username", target.username, "--password-stdin", target.registry]).await;

    // A layer that the engine has nowhere else, so that it must come from the registry.
    let said = format!("pulled from {tag}");
    let file = scratch.join("said");
    std::fs::write(&file, &said).unwrap();
    let container = docker(&["create", "--network=none", image, "cat", "/said"]).await;
    leftovers.containers.push(container.trim().to_owned());
    docker(&["cp", &file.display().to_string(), &format!("{}:/said", container.trim())]).await;
    docker(&["commit", container.trim(), &tag]).await;

    let pushed = docker(&["push", &tag]).await;
    let digest = pushed.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap().to_owned();
    // The second time every layer is there already.
    let again = docker(&["push", &tag]).await;
    assert!(again.contains("Layer already exists") && again.contains(&digest), "{again}");
    docker(&["rmi", &tag]).await;
    let pinned = format!("{}/{}@{digest}", target.registry, target.repository);
    leftovers.images.push(pinned.clone());
    let pulled = docker(&["pull", &pinned]).await;
    assert!(pulled.contains("Pull complete"), "{pulled}");
    let heard = docker(&["run", "--rm", "--network=none", &pinned]).await;
    assert_eq!(heard, said);
}
