//! The image builder on a Docker Engine.

use std::path::PathBuf;
use std::sync::Arc;

use ambo_engine_docker::Engine;
use ambo_model::{Artifact, ByteSize, ImageDigest};
use async_trait::async_trait;
use tempfile::TempDir;

use crate::detect::{self, Plan, Recipe};
use crate::engines::{BuildEngines, EngineLease};
use crate::failure::{engine_failure, on_node};
use crate::output::{Mask, Printer};
use crate::port::{BuildError, BuildOutput, BuildRequest, ImageBuilder, ImageImport, ImagesKept, ImagesPruned, Work};
use crate::source::{Cancelled, SourceTree, disk, unpack};
use crate::{buildkit, import, inspect, lifesigns, processes, prune, push};

/// Begins the names of directories that builds work in.
const WORK_PREFIX: &str = "build-";
/// Output of an import that is passed on, in bytes.
const IMPORT_OUTPUT_BYTES_MAX: u64 = 1 << 20;

/// What a builder needs to know.
#[derive(Debug, Clone)]
pub struct BuilderSettings {
    /// Where sources are unpacked. Belongs to this builder alone: what builds of an earlier process left is removed.
    pub work_directory: PathBuf,
    /// Size that an engine's build cache is pruned to.
    pub cache_size: ByteSize,
}

/// Builds images with the BuildKit of Docker Engines, over their API.
///
/// An engine's BuildKit has no limit of memory for a build's steps, so [`crate::BuildLimits::memory`] has no effect
/// here; set `cgroup-parent` in the engine's own settings to bound all builds together.
#[derive(Debug)]
pub struct DockerBuilder {
    engines: Arc<dyn BuildEngines>,
    settings: BuilderSettings,
}

impl DockerBuilder {
    /// Makes the work directory, and clears it of what an earlier process left. Does not talk to any engine.
    ///
    /// # Errors
    /// When the directory cannot be made or cleared.
    pub fn open(engines: Arc<dyn BuildEngines>, settings: BuilderSettings) -> Result<Self, BuildError> {
        let cleared = || {
            std::fs::create_dir_all(&settings.work_directory)?;
            for entry in std::fs::read_dir(&settings.work_directory)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(WORK_PREFIX) {
                    std::fs::remove_dir_all(entry.path())?;
                }
            }
            Ok(())
        };
        cleared().map_err(|error| disk("clear the builder's work directory", error))?;
        Ok(Self { engines, settings })
    }

    async fn lease(&self, repository: &str) -> Result<EngineLease, BuildError> {
        let lease = self.engines.lease(repository).await;
        lease.map_err(|error| engine_failure("find an engine that builds", error))
    }

    async fn all(&self, doing: &str) -> Result<Vec<Engine>, BuildError> {
        self.engines.all().await.map_err(|error| engine_failure(doing, error))
    }

    async fn build_unbounded(&self, request: &BuildRequest, printer: &mut Printer) -> Result<Artifact, BuildError> {
        let source = Source::unpack(&self.settings.work_directory, request).await?;
        let plan = detect::plan(&source.tree)?;
        let processes = processes::process_table(&plan)?;
        printer.mask_set(Mask::new(buildkit::arguments_hidden(&plan, request)));
        announce(&plan, printer).await;
        let EngineLease { engine, node, held: _held } = self.lease(&request.repository).await?;
        if let Some(node) = &node {
            printer.heading(&format!("Building on {node}")).await;
        }
        let stored = build_and_store(&engine, source, &plan, request, printer);
        let stored = lifesigns::while_alive(&engine, "build the image", stored).await;
        let (digest, exposed) = stored.map_err(|error| on_node(error, Work::Build, node))?;
        Ok(match &plan.recipe {
            Recipe::Dockerfile(_) => {
                Artifact { image: digest, processes, exposed_port: exposed, kind: "Dockerfile".to_owned() }
            }
            // What the base image exposes says nothing of the app.
            Recipe::Generated(generated) => {
                Artifact { image: digest, processes, exposed_port: None, kind: generated.language.to_owned() }
            }
        })
    }
}

/// What happens on the engine that builds, and on no other. Gives the image and the port that it exposes.
async fn build_and_store(
    engine: &Engine,
    source: Source,
    plan: &Plan,
    request: &BuildRequest,
    printer: &mut Printer,
) -> Result<(ImageDigest, Option<u16>), BuildError> {
    let built = buildkit::build(engine, &source, plan, request, printer).await;
    source.remove().await;
    let facts = inspect::image_inspect(engine, &built?).await?;
    if matches!((&plan.recipe, &plan.procfile), (Recipe::Dockerfile(_), None)) {
        facts.command_ensure(&format!("{}:{}", request.repository, request.tag))?;
    }
    let digest = push::push(engine, &request.repository, &request.tag, &request.login, printer).await?;
    Ok((digest, facts.exposed_port))
}

#[async_trait]
impl ImageBuilder for DockerBuilder {
    async fn build(&self, request: BuildRequest, output: BuildOutput) -> Result<Artifact, BuildError> {
        let mut printer = Printer::new(output, request.limits.output_bytes);
        let duration = request.limits.duration;
        let built = tokio::time::timeout(duration, self.build_unbounded(&request, &mut printer)).await;
        match built.unwrap_or(Err(BuildError::Timeout(duration))) {
            Err(BuildError::Step(text)) => Err(BuildError::Step(printer.masked(&text))),
            other => other,
        }
    }

    async fn import(&self, import: ImageImport, output: BuildOutput) -> Result<Artifact, BuildError> {
        let EngineLease { engine, node, held: _held } = self.lease(&import.repository).await?;
        let mut printer = Printer::new(output, IMPORT_OUTPUT_BYTES_MAX);
        let imported = import::import(&engine, &import, &mut printer);
        let imported = lifesigns::while_alive(&engine, "take in the image", imported).await;
        imported.map_err(|error| on_node(error, Work::Import, node))
    }

    async fn images_prune(&self, kept: &[ImagesKept<'_>]) -> Result<ImagesPruned, BuildError> {
        let (mut all, mut failed) = (ImagesPruned::default(), None);
        for engine in self.all("remove old images").await? {
            match prune::images_prune(&engine, kept).await {
                Ok(pruned) => all.removed += pruned.removed,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(all), Err)
    }

    async fn cache_prune(&self) -> Result<ByteSize, BuildError> {
        let (mut freed, mut failed) = (0, None);
        for engine in self.all("prune the build cache").await? {
            match prune::cache_prune(&engine, self.settings.cache_size).await {
                Ok(size) => freed += size.as_u64(),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(ByteSize::bytes(freed)), Err)
    }
}

async fn announce(plan: &Plan, printer: &mut Printer) {
    match &plan.recipe {
        Recipe::Dockerfile(_) => printer.heading("Building from Dockerfile").await,
        Recipe::Generated(generated) => {
            printer.heading(&format!("{} detected", generated.language)).await;
            printer.heading("Building from a generated Dockerfile").await;
        }
    }
}

/// An unpacked source. Its directory is removed with the last holder.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) tree: Arc<SourceTree>,
    pub(crate) directory: Arc<TempDir>,
}

impl Source {
    async fn unpack(work: &std::path::Path, request: &BuildRequest) -> Result<Self, BuildError> {
        let directory = tempfile::Builder::new().prefix(WORK_PREFIX).tempdir_in(work);
        let directory = Arc::new(directory.map_err(|error| disk("make a directory for the source", error))?);
        let cancelled = CancelOnDrop::default();
        let (archive, limit) = (request.archive.clone(), request.limits.source);
        let (root, flag) = (Arc::clone(&directory), cancelled.0.clone());
        let unpacked = tokio::task::spawn_blocking(move || unpack(&archive, root.path(), limit, &flag)).await;
        let tree = unpacked.map_err(|error| crate::failure::platform("unpack the source", error))??;
        Ok(Self { tree: Arc::new(tree), directory })
    }

    /// Removes the directory on a thread that may block. A failure is not the build's: the next start clears up.
    async fn remove(self) {
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}

/// Stops work on a blocking thread when the future that waits for it is dropped.
#[derive(Debug, Default)]
pub(crate) struct CancelOnDrop(pub(crate) Cancelled);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}
