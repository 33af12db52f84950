//! Checks that a compiler does not make: file lengths, names of modules, which crate may know which.

mod crates;
mod files;

use anyhow::bail;

/// Runs every check and lists all faults.
pub(crate) fn tidy() -> anyhow::Result<()> {
    let mut faults = files::faults()?;
    faults.extend(crates::faults()?);
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{} fault(s):\n  {}", faults.len(), faults.join("\n  "))
}
