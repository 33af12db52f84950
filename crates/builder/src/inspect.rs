//! What an image says of itself.

use ambo_engine_docker::bollard::models::ImageInspect;
use ambo_engine_docker::{Engine, EngineError};

use crate::failure::engine_failure;
use crate::port::BuildError;

/// The part of an image's config that decides how it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    /// The image's id on the engine.
    pub(crate) id: String,
    /// The only TCP port that it exposes.
    pub(crate) exposed_port: Option<u16>,
    has_command: bool,
    names: Vec<String>,
}

impl ImageFacts {
    fn of(image: ImageInspect) -> Self {
        let config = image.config.unwrap_or_default();
        let exposed: Vec<u16> = config
            .exposed_ports
            .unwrap_or_default()
            .iter()
            .filter_map(|port| port.strip_suffix("/tcp")?.parse().ok())
            .collect();
        let given = |words: Option<Vec<String>>| words.is_some_and(|words| !words.is_empty());
        Self {
            id: image.id.unwrap_or_default(),
            exposed_port: match exposed[..] {
                [port] if port != 0 => Some(port),
                _ => None,
            },
            has_command: given(config.cmd) || given(config.entrypoint),
            names: [image.repo_tags, image.repo_digests].into_iter().flatten().flatten().collect(),
        }
    }

    /// Whether the image goes by this name, rather than having been found by its id.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// An image whose own command is to be `web` must have one.
    pub(crate) fn command_ensure(&self, image: &str) -> Result<(), BuildError> {
        if self.has_command {
            return Ok(());
        }
        Err(BuildError::Step(format!(
            "the image `{image}` says nothing to run: add a `CMD` to the Dockerfile, or a Procfile with a line such as `web: <command>`"
        )))
    }
}

/// Looks at an image on the engine.
pub(crate) async fn image_inspect(engine: &Engine, image: &str) -> Result<ImageFacts, BuildError> {
    image_find(engine, image).await.map_err(|error| engine_failure("inspect the image", error))
}

/// Looks at an image that may not be there.
pub(crate) async fn image_find(engine: &Engine, image: &str) -> Result<ImageFacts, EngineError> {
    Ok(ImageFacts::of(engine.client().await?.inspect_image(image).await?))
}

#[cfg(test)]
mod tests {
    use ambo_engine_docker::bollard::models::ImageConfig;

    use super::*;

    fn facts(ports: &[&str], cmd: &[&str]) -> ImageFacts {
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        let config = ImageConfig { exposed_ports: words(ports), cmd: words(cmd), ..Default::default() };
        ImageFacts::of(ImageInspect { config: Some(config), ..Default::default() })
    }

    #[test]
    fn only_a_single_tcp_port_is_the_apps() {
        assert_eq!(facts(&["80/tcp"], &[]).exposed_port, Some(80));
        assert_eq!(facts(&["80/tcp", "53/udp"], &[]).exposed_port, Some(80));
        assert_eq!(facts(&["80/tcp", "443/tcp"], &[]).exposed_port, None);
        assert_eq!(facts(&["53/udp"], &[]).exposed_port, None);
    }

    #[test]
    fn an_image_without_command_is_refused_with_what_to_do() {
        assert!(facts(&[], &["x"]).command_ensure("i").is_ok());
        assert!(facts(&[], &[]).command_ensure("i").unwrap_err().to_string().contains("add a `CMD`"));
    }
}
