//! Takes source or an image, gives an artifact: an image in the app's repository of the registry, and its process table.
//!
//! What is absent here: no store, no app, no account. The builder knows a directory, build arguments and a repository.

pub mod port;

pub use port::{BuildError, BuildLimits, BuildOutput, BuildRequest, ImageBuilder, ImageImport, RegistryLogin};
