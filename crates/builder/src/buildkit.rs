//! BuildKit, through the engine's `/build?version=2`.
//!
//! Base images are looked for on the engine first and pulled only if they are not there: that is what BuildKit does
//! unless `pull` is set, and what lets a machine without a registry build. Dropping the future closes the request, and
//! the engine then stops the build.
//!
//! The client serves the build's session on a task that it spawns and never ends: one connection would stay open for each
//! build. So each build has a small runtime of its own, on a thread of its own, and all of it ends with the build.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;

use ambo_engine_docker::bollard::errors::Error;
use ambo_engine_docker::bollard::models::{BuildInfo, BuildInfoAux};
use ambo_engine_docker::bollard::query_parameters::{BuildImageOptions, BuildImageOptionsBuilder, BuilderVersion};
use ambo_engine_docker::bollard::{Docker, body_try_stream};
use ambo_engine_docker::{Engine, EngineError};
use ambo_model::Secret;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::builder::{CancelOnDrop, Source};
use crate::detect::{self, Plan, Recipe};
use crate::failure::build_failure;
use crate::output::Printer;
use crate::port::{BuildError, BuildRequest};
use crate::progress::Progress;
use crate::source::{context_write, disk};

/// Name of a generated Dockerfile in the build context: hidden, so that no web server shows it.
const GENERATED_NAME: &str = ".ambo.Dockerfile";
/// Size of a piece of the context on its way to the engine, in bytes.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that wait for the engine.
const PIECES_MAX: usize = 16;
/// Events that wait to be shown; the engine waits when there are more.
const EVENTS_MAX: usize = 64;
/// The build argument that names the source's version: no secret.
const SOURCE_VERSION: &str = "SOURCE_VERSION";

/// Builds and tags the image; gives its id on the engine.
pub(crate) async fn build(
    engine: &Engine,
    source: &Source,
    plan: &Plan,
    request: &BuildRequest,
    printer: &mut Printer,
) -> Result<String, BuildError> {
    let client = engine.client_with_timeout(request.limits.duration).await;
    let client = client.map_err(|error| build_failure(error, None))?;
    let (body, context) = context(source, plan, request);
    let mut events = events(client, options(plan, request), body);
    let mut progress = Progress::new(&request.repository);
    let mut image = None;
    while let Some(event) = events.recv().await {
        match event {
            Ok(event) => match event.aux {
                Some(BuildInfoAux::BuildKit(status)) => {
                    for line in progress.apply(&status) {
                        printer.detail(&line).await;
                    }
                    if let Some(image) = progress.base_image_of_another_app() {
                        return Err(BuildError::Step(format!("the base image `{image}` belongs to another app")));
                    }
                }
                Some(BuildInfoAux::Default(id)) => image = id.id.or(image),
                None => {}
            },
            Err(error) => {
                drop(events);
                context.outcome().await?;
                return Err(build_failure(EngineError::from(error), progress.failed()));
            }
        }
    }
    image.ok_or_else(|| {
        let message = "the engine ended the build without an image".to_owned();
        crate::failure::platform("build the image", EngineError::Failed { message })
    })
}

/// Runs the build on a runtime of its own, until it ends or the events' receiver is dropped.
fn events(
    client: Docker,
    options: BuildImageOptions,
    body: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> mpsc::Receiver<Result<BuildInfo, Error>> {
    let (to, from) = mpsc::channel(EVENTS_MAX);
    // The thread ends by itself: with the build, or when `from` is gone.
    drop(tokio::task::spawn_blocking(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(to.blocking_send(Err(error.into()))),
        };
        runtime.block_on(async {
            let mut events = client.build_image(options, None, Some(body_try_stream(body)));
            let forward = async {
                while let Some(event) = events.next().await {
                    if to.send(event).await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                () = forward => {}
                () = to.closed() => {}
            }
        });
    }));
    from
}

fn options(plan: &Plan, request: &BuildRequest) -> BuildImageOptions {
    let dockerfile = match &plan.recipe {
        Recipe::Dockerfile(_) => "Dockerfile",
        Recipe::Generated(_) => GENERATED_NAME,
    };
    let arguments: HashMap<String, String> =
        arguments(plan, request).map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect();
    BuildImageOptionsBuilder::default()
        .dockerfile(dockerfile)
        .t(&format!("{}:{}", request.repository, request.tag))
        .buildargs(&arguments)
        .session(&session_id())
        .version(BuilderVersion::BuilderBuildKit)
        .rm(true)
        .build()
}

/// The config that the Dockerfile asks for, and only that. A generated one asks for nothing.
fn arguments<'a>(plan: &'a Plan, request: &'a BuildRequest) -> impl Iterator<Item = (&'a String, &'a Secret)> {
    request.build_args.iter().filter(|(name, _)| match &plan.recipe {
        Recipe::Dockerfile(file) => file.declares(name),
        Recipe::Generated(_) => false,
    })
}

/// The arguments that must not be shown.
pub(crate) fn arguments_hidden<'a>(
    plan: &'a Plan,
    request: &'a BuildRequest,
) -> impl Iterator<Item = (&'a String, &'a Secret)> {
    arguments(plan, request).filter(|(name, _)| *name != SOURCE_VERSION)
}

fn session_id() -> String {
    ambo_model::BuildId::new().to_string()
}

/// The build context on its way.
struct Context {
    task: JoinHandle<io::Result<()>>,
    _cancel: CancelOnDrop,
}

impl Context {
    /// Whether reading the source failed: then that is why the build did.
    async fn outcome(self) -> Result<(), BuildError> {
        match self.task.await {
            // The engine hung up; it says why itself.
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Ok(Err(error)) => Err(disk("read the source", error)),
            Ok(Ok(())) => Ok(()),
            Err(error) => Err(crate::failure::platform("read the source", error)),
        }
    }
}

/// Starts to write the context. The task ends when the body is dropped, for then nobody takes its pieces.
fn context(
    source: &Source,
    plan: &Plan,
    request: &BuildRequest,
) -> (impl Stream<Item = io::Result<Bytes>> + Send + 'static, Context) {
    let (pieces, mut taken) = mpsc::channel::<io::Result<Bytes>>(PIECES_MAX);
    let cancel = CancelOnDrop::default();
    let cancelled = cancel.0.clone();
    let (tree, directory) = (Arc::clone(&source.tree), Arc::clone(&source.directory));
    let ignore = detect::ignored(&tree, plan);
    let scope = request.repository.rsplit('/').next().unwrap_or_default().to_owned();
    let generated = match &plan.recipe {
        Recipe::Generated(generated) => Some(generated.text_scoped(&scope)),
        Recipe::Dockerfile(_) => None,
    };
    let task = tokio::task::spawn_blocking(move || {
        let extra: Vec<(&str, &[u8])> = generated.iter().map(|text| (GENERATED_NAME, text.as_bytes())).collect();
        let to = io::BufWriter::with_capacity(PIECE_BYTES, Pieces(pieces.clone()));
        let written = context_write(&tree, directory.path(), &ignore, &extra, &cancelled, to);
        if let Err(error) = &written {
            // The engine must not take half a context for a whole one.
            let _ = pieces.blocking_send(Err(error.kind().into()));
        }
        written
    });
    (futures::stream::poll_fn(move |cx| taken.poll_recv(cx)), Context { task, _cancel: cancel })
}

struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
