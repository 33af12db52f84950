//! The certificates that were shown last, on disk for the next start.

use std::path::Path;

use ambo_link::routing::RoutedCertificate;
use anyhow::Context;

/// Those that were kept; none when there are none, or they cannot be read.
pub(super) fn load(path: &Path) -> Vec<RoutedCertificate> {
    match std::fs::read(path).map(|bytes| serde_json::from_slice(&bytes)) {
        Ok(Ok(certificates)) => certificates,
        Ok(Err(error)) => {
            tracing::warn!(%error, path = %path.display(), "the certificates that were shown last cannot be read");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

/// Keeps them, for us alone.
pub(super) fn save(path: &Path, certificates: &[RoutedCertificate]) -> anyhow::Result<()> {
    let bytes = serde_json::to_vec(certificates)?;
    ambo_atomic_file::write_private(path, &bytes).with_context(|| format!("write {}", path.display()))
}
