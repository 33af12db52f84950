//! An image that exists already, taken into the app's repository.

use std::collections::HashSet;
use std::time::Duration;

use ambo_engine_docker::bollard::auth::DockerCredentials;
use ambo_engine_docker::bollard::query_parameters::{
    CreateImageOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use ambo_engine_docker::{Engine, EngineError};
use ambo_model::{Artifact, ImageReference};
use futures::StreamExt;

use crate::failure::{engine_failure, is_disk_full, pull_reason};
use crate::inspect::{ImageFacts, image_find};
use crate::output::Printer;
use crate::port::{BuildError, ImageImport};
use crate::processes::process_table_of_image;
use crate::push;

/// Longest import.
const IMPORT_DURATION_MAX: Duration = Duration::from_secs(60 * 60);

/// Pulls, or takes the engine's own copy; tags, pushes, describes. Images of other apps in our registry are refused: the
/// engine may have them, but they are not for everyone who knows their name.
pub(crate) async fn import(
    engine: &Engine,
    import: &ImageImport,
    printer: &mut Printer,
) -> Result<Artifact, BuildError> {
    let imported = tokio::time::timeout(IMPORT_DURATION_MAX, import_unbounded(engine, import, printer)).await;
    imported.unwrap_or(Err(BuildError::Timeout(IMPORT_DURATION_MAX)))
}

async fn import_unbounded(
    engine: &Engine,
    import: &ImageImport,
    printer: &mut Printer,
) -> Result<Artifact, BuildError> {
    let reference = import.reference.as_str();
    printer.heading(&format!("Pulling {reference}")).await;
    if is_of_another_app(reference, &import.repository) {
        let reason = "it belongs to another app".to_owned();
        return Err(BuildError::ImageNotFound { image: import.reference.clone(), node: None, reason });
    }
    let before = match image_find(engine, reference).await {
        // An image's id, or the start of one, is no name: it would lead to anybody's image.
        Ok(facts) => Some(facts).filter(|facts| facts.is_named(&full_name(reference))),
        Err(error) if error.is_down() => return Err(engine_failure("pull the image", error)),
        Err(_) => None,
    };
    let facts = match pull(engine, import, printer).await {
        Ok(()) => image_find(engine, reference).await.map_err(|error| engine_failure("inspect the image", error))?,
        Err(error) => copy_or_fault(before.clone(), &import.reference, error, printer).await?,
    };
    facts.command_ensure(reference)?;
    let tagged = tag(engine, &facts.id, import).await;
    if before.is_none() {
        untag(engine, reference).await;
    }
    tagged.map_err(|error| engine_failure("tag the image", error))?;
    let image = push::push(engine, &import.repository, &import.tag, &import.login, printer).await?;
    Ok(Artifact {
        image,
        processes: process_table_of_image(None),
        exposed_port: facts.exposed_port,
        kind: "image".to_owned(),
    })
}

async fn copy_or_fault(
    copy: Option<ImageFacts>,
    reference: &ImageReference,
    error: EngineError,
    printer: &mut Printer,
) -> Result<ImageFacts, BuildError> {
    if error.is_down() {
        return Err(engine_failure("pull the image", error));
    }
    if is_disk_full(&error.to_string()) {
        return Err(BuildError::DiskFull);
    }
    let reason = pull_reason(&error);
    let Some(copy) = copy else {
        return Err(BuildError::ImageNotFound { image: reference.clone(), node: None, reason });
    };
    printer.detail(&format!("cannot be pulled ({reason})")).await;
    printer.detail("using the engine's own copy").await;
    Ok(copy)
}

async fn pull(engine: &Engine, import: &ImageImport, printer: &mut Printer) -> Result<(), EngineError> {
    let client = engine.client().await?;
    let (name, tag) = name_and_tag(import.reference.as_str());
    let mut options = CreateImageOptionsBuilder::default().from_image(name);
    if let Some(tag) = tag {
        options = options.tag(tag);
    }
    // Our own registry knows the builder; no other one hears of it.
    let own = is_of_app(repository_of(import.reference.as_str()), &import.repository);
    let credentials = own.then(|| DockerCredentials {
        username: Some(import.login.username.clone()),
        password: Some(import.login.password.reveal().to_owned()),
        ..DockerCredentials::default()
    });
    let mut events = client.create_image(Some(options.build()), None, credentials);
    let mut told = HashSet::new();
    while let Some(event) = events.next().await {
        let event = event?;
        let status = event.status.unwrap_or_default();
        let line = match event.id.filter(|_| status == "Pull complete" || status == "Already exists") {
            Some(layer) => format!("{layer}: {status}"),
            None if status.starts_with("Digest: ") || status.starts_with("Status: ") => status,
            None => continue,
        };
        if told.insert(line.clone()) {
            printer.detail(&line).await;
        }
    }
    Ok(())
}

async fn tag(engine: &Engine, id: &str, import: &ImageImport) -> Result<(), EngineError> {
    let options = TagImageOptionsBuilder::default().repo(&import.repository).tag(&import.tag).build();
    Ok(engine.client().await?.tag_image(id, Some(options)).await?)
}

/// Drops the name under which the image was pulled, so that it does not stand in the way of a newer one, nor stay when
/// the app has gone. The layers stay with the app's own tag. Nothing depends on success.
async fn untag(engine: &Engine, reference: &str) {
    if let Ok(client) = engine.client().await {
        let options = RemoveImageOptionsBuilder::default().force(false).noprune(true).build();
        let _ = client.remove_image(reference, Some(options), None).await;
    }
}

/// The tag apart from the name: without one the engine would pull every tag. A digest stays with the name.
fn name_and_tag(reference: &str) -> (&str, Option<&str>) {
    if reference.contains('@') {
        return (reference, None);
    }
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (reference, Some("latest")),
    }
}

/// The reference without tag and digest.
fn repository_of(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or_default();
    name_and_tag(name).0
}

/// The name under which the engine lists an image: without Docker Hub's own parts, with a tag or a digest.
fn full_name(reference: &str) -> String {
    let hubs = ["docker.io/", "index.docker.io/"];
    let short = hubs.iter().find_map(|hub| reference.strip_prefix(hub)).unwrap_or(reference);
    let short = short.strip_prefix("library/").unwrap_or(short);
    match (short.split_once('@'), name_and_tag(short)) {
        (Some((name, digest)), _) => format!("{}@{digest}", name_and_tag(name).0),
        (None, (name, tag)) => format!("{name}:{}", tag.unwrap_or("latest")),
    }
}

/// Whether a repository is the app's own or one below it, as `docker push` of one image for each process makes them.
fn is_of_app(named: &str, repository: &str) -> bool {
    named.strip_prefix(repository).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether the reference leads into the registry of `repository`, but not to `repository` nor below it.
pub(crate) fn is_of_another_app(reference: &str, repository: &str) -> bool {
    let Some((registry, _)) = repository.split_once('/') else { return false };
    let named = repository_of(reference);
    named.strip_prefix(registry).is_some_and(|rest| rest.starts_with('/')) && !is_of_app(named, repository)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tag_is_pulled_and_never_all() {
        assert_eq!(name_and_tag("nginx"), ("nginx", Some("latest")));
        assert_eq!(name_and_tag("nginx:1.27"), ("nginx", Some("1.27")));
        assert_eq!(name_and_tag("127.0.0.1:5000/a"), ("127.0.0.1:5000/a", Some("latest")));
        assert_eq!(name_and_tag("r:5000/a:b"), ("r:5000/a", Some("b")));
        assert_eq!(name_and_tag("a@sha256:0"), ("a@sha256:0", None));
    }

    #[test]
    fn names_are_written_as_the_engine_lists_them() {
        assert_eq!(full_name("nginx"), "nginx:latest");
        assert_eq!(full_name("docker.io/library/nginx:1"), "nginx:1");
        assert_eq!(full_name("r:5000/a:b@sha256:0"), "r:5000/a@sha256:0");
    }

    #[test]
    fn the_registrys_other_repositories_belong_to_other_apps() {
        for other in ["r:1/b", "r:1/b:tag", "r:1/b@sha256:0", "r:1/b/a:c", "r:1/ab"] {
            assert!(is_of_another_app(other, "r:1/a"), "{other}");
        }
        for fine in ["r:1/a", "r:1/a/b:c", "r:1/a:b", "r:1/a@sha256:0", "r:11/b", "b", "ghcr.io/r/b"] {
            assert!(!is_of_another_app(fine, "r:1/a"), "{fine}");
        }
    }
}
