//! What the platform does for a backup while both go on.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ambo_model::{AppId, ImageDigest};
use async_trait::async_trait;

/// Why the platform could not. In its own words.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The images that must be there, of each app.
pub type ImagesNeeded = BTreeMap<AppId, BTreeSet<ImageDigest>>;

/// Keeps what there is for as long as it lives.
pub struct Held(Box<dyn Any + Send + Sync>);

impl Held {
    /// Keeps things with a guard, which goes with it.
    #[must_use]
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }

    /// Lets go.
    pub(crate) fn release(self) {
        drop(self.0);
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

/// A platform that may be at work.
#[async_trait]
pub trait Hold: Send + Sync {
    /// From its return until the guard is dropped nothing goes from the registry and from the repositories: no collection, no
    /// packing, no removal of an app, no deletion by a user. What is at it when this is called is waited for; what comes
    /// meanwhile waits, or is refused. Everything else goes on.
    async fn hold(&self) -> Result<Held, Failure>;

    /// The images that kept releases run. Asked after the state was read, so that it may name more than the state does, but
    /// nothing less.
    async fn images_needed(&self) -> Result<ImagesNeeded, Failure>;

    /// Returns once the deploys that were under way at the call have ended: a release of a push is older than the push in its
    /// repository. How long to wait at most is the platform's to say; what is not pushed by then is not in the
    /// archive, as after a crash, and the push is to be repeated.
    async fn deploys_settle(&self) -> Result<(), Failure>;
}

/// A platform that does not run, so that nobody removes anything. Which images are needed it cannot say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stopped;

#[async_trait]
impl Hold for Stopped {
    async fn hold(&self) -> Result<Held, Failure> {
        Ok(Held::new(()))
    }

    async fn images_needed(&self) -> Result<ImagesNeeded, Failure> {
        Ok(ImagesNeeded::new())
    }

    async fn deploys_settle(&self) -> Result<(), Failure> {
        Ok(())
    }
}
