//! A builder without an engine: what a build gives is written in the name of what is built.

use std::time::Duration;

use ambo_builder::{BuildError, BuildOutput, BuildRequest, ImageBuilder, ImageImport};
use ambo_model::{Artifact, ImageDigest, ImageReference, Procfile};
use async_trait::async_trait;
use parking_lot::Mutex;

/// A command whose instances never come up; see [`crate::lifeline`].
pub const NEVER_READY: &str = "true; sleep infinity";

/// What the next builds give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An image with this Procfile.
    Procfile(String),
    /// The build fails.
    Fails,
    /// The build never ends.
    Hangs,
}

/// The builder. A deploy names what it shall give through [`FakeBuilder::order`].
#[derive(Debug, Default)]
pub struct FakeBuilder {
    orders: Mutex<Vec<(Outcome, Duration)>>,
}

impl FakeBuilder {
    /// Orders a build: gives the reference to deploy.
    pub fn order(&self, outcome: Outcome, lasting: Duration) -> ImageReference {
        let mut orders = self.orders.lock();
        orders.push((outcome, lasting));
        ImageReference::parse(&format!("order{}:latest", orders.len() - 1)).expect("a name for an order")
    }

    fn ordered(&self, reference: &ImageReference) -> Option<(u64, Outcome, Duration)> {
        let number = reference.as_str().split("order").nth(1)?.split(':').next()?.parse().ok()?;
        let (outcome, lasting) = self.orders.lock().get(usize::try_from(number).ok()?)?.clone();
        Some((number, outcome, lasting))
    }
}

#[async_trait]
impl ImageBuilder for FakeBuilder {
    async fn build(&self, _request: BuildRequest, _output: BuildOutput) -> Result<Artifact, BuildError> {
        Err(BuildError::Empty)
    }

    async fn import(&self, import: ImageImport, output: BuildOutput) -> Result<Artifact, BuildError> {
        let unknown = || BuildError::ImageNotFound {
            image: import.reference.clone(),
            node: None,
            reason: "nobody ordered it".to_owned(),
        };
        let (number, outcome, lasting) = self.ordered(&import.reference).ok_or_else(unknown)?;
        let _ = output.send(format!("       Building order {number}")).await; // The client may have left.
        tokio::time::sleep(lasting).await;
        let procfile = match outcome {
            Outcome::Procfile(procfile) => procfile,
            Outcome::Fails => return Err(BuildError::Step("the build was ordered to fail".to_owned())),
            Outcome::Hangs => std::future::pending().await,
        };
        let image = ImageDigest::parse(&format!("sha256:{number:064x}")).map_err(|_| unknown())?;
        let processes = Procfile::parse(procfile.as_bytes())?.process_table();
        Ok(Artifact { image, processes, exposed_port: None, kind: "simulated".to_owned() })
    }
}
