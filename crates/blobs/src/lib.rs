//! Takes where blobs are to be kept, gives a [`Bucket`] to keep them in.
//!
//! A bucket is an object store as the platform uses it: small objects whole, files of any size in parts, and objects that
//! change only from what their writer has seen ([`Bucket::swap`]). Amazon S3 and what speaks its protocol, Azure Blob
//! Storage and Google Cloud Storage are reached over HTTPS, with credentials from their usual environment variables; a
//! directory of this machine serves where nobody else writes (`disk:`).
//!
//! What is absent here: what the objects are, and any cache of them. Nothing is kept in memory but the parts on their way.
//!
//! When things fail: a request is tried again for [`RETRY_DURATION_MAX`], then its error says which object it was about. An
//! object appears whole or not at all. A writer that dies leaves at worst the parts of an unfinished file, which
//! [`Bucket::tidy`] finds and removes. A writer that is cut off cannot surprise anybody later: what it has sent and nobody
//! has acknowledged is given up by its kernel after [`UNDERWAY_DURATION_MAX`], also when its process is gone.

mod bucket;
mod connection;
mod error;
mod file;
mod open;
mod settings;
mod stream;

pub use bucket::{Bucket, ByteStream, Listed, Version};
pub use connection::{RETRY_DURATION_MAX, UNDERWAY_DURATION_MAX};
pub use error::BlobsError;
pub use file::{PART_BYTES, PARTS_AT_A_TIME};
pub use open::{OpenError, Variables};
pub use settings::{BlobSettings, BucketSettings, SettingsError};
