//! Takes requests of the OCI distribution specification v1.1, gives and keeps images.
//!
//! [`Registry::router`] is mounted by the server; [`RepositoryAccess`] and [`Retention`] are what the platform says about
//! accounts, apps and releases; [`BlobStore`] is where everything lies. The registry keeps no other state than the store
//! and the staged uploads, so it is whole again after any crash.
//!
//! What is absent here: no names of apps at rest (an app's id is the key, so a rename moves nothing), no sessions (tokens
//! are signed, not stored), no copy of any blob in memory (bodies stream in batches of 1 MiB), no knowledge of releases.
//!
//! When things fail: a push that breaks off leaves a staged upload, which is resumed or expires. A blob appears whole,
//! verified and synced, or not at all; so do tags. A full disk fails the write with 507, frees the upload, and leaves the
//! store as it was.

mod access;
mod blob;
mod contents;
pub mod copy;
mod digest;
mod endpoint;
mod error;
pub mod gc;
mod layout;
mod manifest;
mod mount;
mod name;
mod referrer;
mod registry;
mod settings;
mod store;
mod tag;
mod token;
mod upload;

pub use access::{Action, Credentials, Denied, PLATFORM_USERNAME, Principal, RepositoryAccess, RepositoryOwner};
pub use digest::{Algorithm, Digest, DigestError};
pub use gc::{CollectError, Collected, Keep, KeepTags, Plan, Retained, Retention};
pub use layout::Repository;
pub use manifest::{MANIFEST_BYTES_MAX, MANIFEST_REFERENCES_MAX};
pub use name::{REPOSITORY_NAME_CHARS_MAX, RepositoryName, RepositoryNameError, TAG_CHARS_MAX, Tag};
pub use registry::{Registry, RegistryError, Usage};
pub use settings::{GRACE_MIN, Settings};
pub use store::{BlobStore, ByteStream, DiskBlobStore, ObjectBlobStore, Seen, Stat, StoreError};
pub use token::{TOKEN_SCOPES_MAX, TokenKey};
