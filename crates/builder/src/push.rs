//! From the engine into the app's repository.

use ambo_engine_docker::bollard::auth::DockerCredentials;
use ambo_engine_docker::bollard::query_parameters::PushImageOptionsBuilder;
use ambo_engine_docker::{Engine, EngineError};
use ambo_model::ImageDigest;
use futures::StreamExt;

use crate::failure::{engine_failure, platform};
use crate::output::Printer;
use crate::port::{BuildError, RegistryLogin};

/// Pushes `repository:tag`, gives the manifest's digest. Layers that the repository has are not sent again.
pub(crate) async fn push(
    engine: &Engine,
    repository: &str,
    tag: &str,
    login: &RegistryLogin,
    printer: &mut Printer,
) -> Result<ImageDigest, BuildError> {
    printer.heading("Storing the image").await;
    let doing = format!("push the image to `{repository}`");
    let client = engine.client().await.map_err(|error| engine_failure(&doing, error))?;
    let credentials = DockerCredentials {
        username: Some(login.username.clone()),
        password: Some(login.password.reveal().to_owned()),
        serveraddress: repository.split('/').next().map(str::to_owned),
        ..DockerCredentials::default()
    };
    let options = PushImageOptionsBuilder::default().tag(tag).build();
    let mut events = client.push_image(repository, Some(options), Some(credentials));
    let (mut sent, mut known, mut digest) = (0_usize, 0_usize, None);
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| engine_failure(&doing, EngineError::from(error)))?;
        match event.status.as_deref().unwrap_or_default() {
            "Pushed" => sent += 1,
            "Layer already exists" => known += 1,
            status if status.starts_with("Mounted from") => known += 1,
            status => digest = digest_of(status, tag).or(digest),
        }
    }
    let digest = digest.ok_or_else(|| {
        platform(&doing, EngineError::Failed { message: "the engine ended the push without a digest".to_owned() })
    })?;
    printer.detail(&format!("{} ({sent} layers sent, {known} there already)", digest.short())).await;
    Ok(digest)
}

/// The digest in `<tag>: digest: sha256:… size: 1234`.
fn digest_of(status: &str, tag: &str) -> Option<ImageDigest> {
    let digest = status.strip_prefix(tag)?.strip_prefix(": digest: ")?.split(' ').next()?;
    ImageDigest::parse(digest).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_read_from_the_pushs_last_line() {
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(digest_of(&format!("v1: digest: {digest} size: 528"), "v1").unwrap().as_str(), digest);
        assert_eq!(digest_of("v1: digest: sha256:x size: 528", "v1"), None);
        assert_eq!(digest_of("Preparing", "v1"), None);
    }
}
