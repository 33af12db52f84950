//! What the tests share: an engine, a registry of their own, and archives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ambo_builder::{
    BuildError, BuildLimits, BuildRequest, BuilderSettings, DockerBuilder, ImageBuilder, ImageImport, RegistryLogin,
};
use ambo_engine_docker::bollard::models::{ContainerCreateBody, HostConfig, PortBinding};
use ambo_engine_docker::bollard::query_parameters::{
    CreateContainerOptions, ListImagesOptions, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveImageOptionsBuilder,
};
use ambo_engine_docker::{DockerSettings, Engine};
use ambo_model::{Artifact, ByteSize, ImageReference, Secret};
use futures::StreamExt;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::registry::{LOGIN, Registry};

/// Longest wait for anything that the engine does.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// An engine, a registry, a builder, and an app's repository that is removed at the end.
pub(crate) struct Fixture {
    pub(crate) engine: Engine,
    pub(crate) builder: DockerBuilder,
    pub(crate) repository: String,
    pub(crate) directory: TempDir,
    pub(crate) registry: Registry,
}

/// What a build gave and said.
pub(crate) struct Built {
    pub(crate) result: Result<Artifact, BuildError>,
    pub(crate) output: String,
}

impl Built {
    pub(crate) fn artifact(&self) -> &Artifact {
        self.result
            .as_ref()
            .unwrap_or_else(|error| panic!("{error}: {:?}\n{}", std::error::Error::source(error), self.output))
    }

    pub(crate) fn fault(&self) -> String {
        self.result.as_ref().expect_err(&self.output).to_string()
    }
}

impl Fixture {
    pub(crate) async fn new(app: &str) -> Self {
        let engine = Engine::connect(DockerSettings::from_environment().unwrap()).unwrap();
        if let Err(error) = engine.info().await {
            panic!("{error}; `dev/engine.sh` installs and starts the Docker Engine");
        }
        for image in ["debian:bookworm-slim", "python:3.11-slim-bookworm", "node:18-bookworm-slim", "nginx:stable"] {
            let found = engine.client().await.unwrap().inspect_image(image).await;
            assert!(found.is_ok(), "the engine has no image `{image}`: `dev/bases.sh` makes it");
        }
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::start().await;
        let settings =
            BuilderSettings { work_directory: directory.path().join("work"), cache_size: ByteSize::gib(100) };
        let builder = DockerBuilder::open(Arc::new(engine.clone()), settings).unwrap();
        let repository = format!("{}/{app}", registry.host);
        Self { engine, builder, repository, directory, registry }
    }

    /// A request for the files, as a plain tar archive.
    pub(crate) fn request(&self, files: &[(&str, &str)]) -> BuildRequest {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, path, text.as_bytes()).unwrap();
        }
        self.request_of(&tar.into_inner().unwrap())
    }

    /// A request for a directory, as a gzip archive.
    pub(crate) fn request_of_directory(&self, path: &Path) -> BuildRequest {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        tar.append_dir_all(".", path).unwrap();
        self.request_of(&tar.into_inner().unwrap().finish().unwrap())
    }

    fn request_of(&self, bytes: &[u8]) -> BuildRequest {
        let archive = tempfile::Builder::new().tempfile_in(self.directory.path()).unwrap().keep().unwrap().1;
        std::fs::write(&archive, bytes).unwrap();
        BuildRequest {
            archive,
            repository: self.repository.clone(),
            tag: "b1".to_owned(),
            login: login(),
            build_args: BTreeMap::new(),
            limits: BuildLimits { duration: DEADLINE, memory: None, output_bytes: 1 << 20, source: ByteSize::mib(16) },
        }
    }

    pub(crate) async fn build(&self, request: BuildRequest) -> Built {
        let (to, from) = mpsc::channel(16);
        let (result, output) = tokio::join!(self.builder.build(request, to), collected(from));
        Built { result, output }
    }

    pub(crate) async fn import(&self, reference: &str, tag: &str) -> Built {
        let import = ImageImport {
            reference: ImageReference::parse(reference).unwrap(),
            repository: self.repository.clone(),
            tag: tag.to_owned(),
            login: login(),
        };
        let (to, from) = mpsc::channel(16);
        let (result, output) = tokio::join!(self.builder.import(import, to), collected(from));
        Built { result, output }
    }

    /// Runs a command in a built image and gives what it wrote.
    pub(crate) async fn run(&self, image: &str, command: &[&str]) -> String {
        let words = Some(command.iter().map(|word| (*word).to_owned()).collect());
        let body = ContainerCreateBody { image: Some(image.to_owned()), cmd: words, ..Default::default() };
        let id = self.start(body).await;
        let docker = self.engine.client().await.unwrap();
        let options = LogsOptionsBuilder::default().follow(true).stdout(true).stderr(true).build();
        let mut logs = docker.logs(&id, Some(options));
        let mut text = String::new();
        while let Some(Ok(line)) = logs.next().await {
            text.push_str(&line.to_string());
        }
        self.stop(&id).await;
        text
    }

    /// Starts an instance as a driver would, with its port published; gives the container and the port.
    pub(crate) async fn serve(&self, artifact: &Artifact, process: &str) -> (String, u16) {
        use ambo_model::Command as ProcessCommand;
        let process = ambo_model::ProcessType::parse(process).unwrap();
        let command = artifact.processes.get(&process).unwrap().command.clone();
        let image = format!("{}@{}", self.repository, artifact.image);
        let mut body = ContainerCreateBody { image: Some(image), ..Default::default() };
        if let ProcessCommand::Shell(line) = command {
            body.entrypoint = Some(vec!["/bin/sh".into(), "-c".into()]);
            body.cmd = Some(vec![line]);
        }
        body.env = Some(vec!["PORT=8123".into(), "DYNO=web.1".into(), "AMBO_RELEASE=v1".into()]);
        body.exposed_ports = Some(vec!["8123/tcp".into()]);
        let bind = PortBinding { host_ip: Some("127.0.0.1".into()), host_port: None };
        body.host_config = Some(HostConfig {
            port_bindings: Some([("8123/tcp".to_owned(), Some(vec![bind]))].into()),
            ..Default::default()
        });
        let id = self.start(body).await;
        let found = self.engine.client().await.unwrap().inspect_container(&id, None).await.unwrap();
        let ports = found.network_settings.unwrap().ports.unwrap();
        let port = ports["8123/tcp"].as_ref().unwrap()[0].host_port.as_ref().unwrap().parse().unwrap();
        wait_until("the app answers", async || get(port, "/").await.is_some()).await;
        (id, port)
    }

    async fn start(&self, body: ContainerCreateBody) -> String {
        let docker = self.engine.client().await.unwrap();
        let id = docker.create_container(None::<CreateContainerOptions>, body).await.unwrap().id;
        docker.start_container(&id, None).await.unwrap();
        id
    }

    pub(crate) async fn stop(&self, id: &str) {
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        self.engine.client().await.unwrap().remove_container(id, Some(options)).await.unwrap();
    }

    /// The repository's tags on the engine.
    pub(crate) async fn local_tags(&self) -> Vec<String> {
        let mut names = self.local_names().await;
        names.retain(|name| name.starts_with(&format!("{}:", self.repository)));
        names
    }

    /// All names on the engine that lead to the fixture's registry.
    async fn local_names(&self) -> Vec<String> {
        let registry = self.repository.split('/').next().unwrap();
        let images = self.engine.client().await.unwrap().list_images(None::<ListImagesOptions>).await.unwrap();
        let mut names: Vec<String> =
            images.into_iter().flat_map(|image| image.repo_tags.into_iter().chain(image.repo_digests)).collect();
        names.retain(|name| name.starts_with(&format!("{registry}/")));
        names.sort();
        names
    }

    /// Removes a tag, or an image, from the engine.
    pub(crate) async fn local_remove(&self, image: &str) {
        let options = RemoveImageOptionsBuilder::default().force(true).build();
        self.engine.client().await.unwrap().remove_image(image, Some(options), None).await.unwrap();
    }

    /// Removes what the test left on the engine, and sees that the builder left nothing.
    pub(crate) async fn end(self) {
        let left: Vec<PathBuf> =
            std::fs::read_dir(self.directory.path().join("work")).unwrap().map(|entry| entry.unwrap().path()).collect();
        for name in self.local_names().await {
            let options = RemoveImageOptionsBuilder::default().force(true).build();
            // A digest may have gone with its tag.
            let _ = self.engine.client().await.unwrap().remove_image(&name, Some(options), None).await;
        }
        assert!(left.is_empty(), "sources are left: {left:?}");
    }
}

fn login() -> RegistryLogin {
    RegistryLogin { username: LOGIN.0.to_owned(), password: Secret::new(LOGIN.1) }
}

async fn collected(mut from: mpsc::Receiver<String>) -> String {
    let mut output = String::new();
    while let Some(line) = from.recv().await {
        output.push_str(&line);
        output.push('\n');
    }
    output
}

/// Waits for a state, with a deadline.
pub(crate) async fn wait_until(what: &str, mut state: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !state().await {
        assert!(start.elapsed() < DEADLINE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A page's whole answer, head and body; `None` if nothing answers.
pub(crate) async fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned()).filter(|answer| !answer.is_empty())
}
