//! The host keys of git over SSH: those of the first leader are everybody's, or clients would be warned after each failover.

use std::fs;
use std::path::Path;

use ambo_controller::vault::Sealed;
use ambo_gitreceive::{HOST_KEY_NAMES, host_keys_make};
use ambo_model::Secret;
use ambo_store::{Store, StoreError, Transaction};
use anyhow::Context;

use crate::platform::vault;

/// Below this key they lie, sealed, each under its file's name.
const PREFIX: &str = "cluster/ssh-host-keys/";

/// Makes this controller's keys those of the platform; whoever comes first gives them.
pub(super) async fn share(store: &dyn Store, data: &Path) -> anyhow::Result<()> {
    let (vault, directory) = (vault(data)?, data.join("ssh"));
    for name in HOST_KEY_NAMES {
        let (key, path) = (format!("{PREFIX}{name}"), directory.join(name));
        if store.get(&key).await?.is_none() {
            host_keys_make(&directory)?;
            let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            let sealed = serde_json::to_vec(&vault.seal_text(&key, &Secret::new(text)))?;
            match store.commit(Transaction::new().absent(&key).put(&key, sealed)).await {
                Ok(_) | Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let entry = store.get(&key).await?.context("the platform's host keys are gone")?;
        let sealed: Sealed = serde_json::from_slice(&entry.value)?;
        let text = vault.open_text(&key, &sealed)?;
        if fs::read_to_string(&path).ok().as_deref() != Some(text.reveal()) {
            fs::create_dir_all(&directory)?;
            ambo_atomic_file::write_private(&path, text.reveal().as_bytes())
                .with_context(|| format!("write {}", path.display()))?;
        }
    }
    Ok(())
}
