//! Takes source or an image, gives an artifact: an image in the app's repository of the registry, and its process table.
//!
//! The way of a source: `source` unpacks the archive, `detect` decides how it is built, `engines` where, `buildkit` builds it
//! there, `push` puts it into the repository, `processes` says what it runs. The way of an image: `import`, `push`.
//!
//! What is absent here: no store, no app, no account. The builder knows a directory, build arguments and a repository.
//! Nothing here starts a program; no `docker`, no `buildx`.

mod builder;
mod buildkit;
pub mod detect;
pub mod dockerfile;
pub mod engines;
mod failure;
mod import;
mod inspect;
mod lifesigns;
mod output;
pub mod port;
pub mod processes;
mod progress;
mod prune;
mod push;
pub mod source;

pub use builder::{BuilderSettings, DockerBuilder};
pub use detect::eject;
pub use engines::{BuildEngines, EngineLease};
pub use port::{
    BuildError, BuildLimits, BuildOutput, BuildRequest, ImageBuilder, ImageImport, ImagesKept, ImagesPruned,
    RegistryLogin, Work,
};
pub use processes::process_table_of_image;
