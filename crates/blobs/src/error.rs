//! What goes wrong.

use std::io;

/// A store could not do what it was asked. A retry may help.
#[derive(Debug, thiserror::Error)]
#[error("{doing} `{key}` in {store}")]
pub struct BlobsError {
    /// What was being done.
    pub(crate) doing: &'static str,
    /// To which object.
    pub(crate) key: String,
    /// Where.
    pub(crate) store: String,
    /// Why it failed.
    #[source]
    pub(crate) source: Box<dyn std::error::Error + Send + Sync>,
}

impl BlobsError {
    /// Whether the store, or the disk of this machine, has no space left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let is_full = |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        self.causes().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| is_full(cause.kind()))
    }

    /// The object's key, from the bucket's own root.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether a directory came or went while the object was written. The same write succeeds soon.
    #[must_use]
    pub fn is_directory_race(&self) -> bool {
        let missing = |error: &object_store::Error| matches!(error, object_store::Error::NotFound { .. });
        self.causes()
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|io| matches!(io.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists))
            || self.causes().filter_map(|cause| cause.downcast_ref()).any(missing)
    }

    /// Whether the store has answered, and will not do it however often it is asked: wrong credentials, no such bucket, no
    /// conditional writes.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        use object_store::Error;
        let refuses = |error: &Error| {
            matches!(
                error,
                Error::NotFound { .. }
                    | Error::PermissionDenied { .. }
                    | Error::Unauthenticated { .. }
                    | Error::NotSupported { .. }
                    | Error::NotImplemented { .. }
            )
        };
        self.causes().filter_map(|cause| cause.downcast_ref::<Error>()).any(refuses)
    }

    fn causes(&self) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
        let first: &(dyn std::error::Error + 'static) = self.source.as_ref();
        std::iter::successors(Some(first), |error| error.source())
    }
}
