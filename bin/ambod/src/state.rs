//! Where the platform's state is: SQLite in the data directory, or etcd.

use std::path::Path;
use std::sync::Arc;

use ambo_model::Secret;
use ambo_store::{SqliteStore, Store};
use ambo_store_etcd::{EtcdSettings, EtcdStore, EtcdTls};
use anyhow::{Context, bail};

use crate::settings::Settings;

/// Opens the store that the settings name. An etcd that is down is found out by the first who asks it.
pub(crate) fn open(settings: &Settings, data: &Path) -> anyhow::Result<Arc<dyn Store>> {
    if settings.store.is_empty() {
        return Ok(Arc::new(SqliteStore::open(&data.join("state.db")).context("open the state")?));
    }
    let mut etcd: EtcdSettings = settings.store.parse().context("the setting `store`")?;
    etcd.tls = tls(settings)?;
    etcd.user = user(settings)?;
    Ok(Arc::new(EtcdStore::new(etcd)))
}

fn tls(settings: &Settings) -> anyhow::Result<Option<EtcdTls>> {
    let read = |path: &str| std::fs::read_to_string(path).with_context(|| format!("read {path}"));
    let (root, chain, key) = (&settings.store_ca, &settings.store_certificate, &settings.store_key);
    if root.is_empty() {
        if !chain.is_empty() || !key.is_empty() {
            bail!("the setting `store-ca` is missing: etcd's own certificate is checked before ours is shown");
        }
        return Ok(None);
    }
    let identity = match (chain.as_str(), key.as_str()) {
        ("", "") => None,
        ("", _) | (_, "") => {
            bail!("the settings `store-certificate` and `store-key` belong together: give both or none")
        }
        (chain, key) => Some((read(chain)?, Secret::new(read(key)?))),
    };
    Ok(Some(EtcdTls { root: read(root)?, identity }))
}

fn user(settings: &Settings) -> anyhow::Result<Option<(String, Secret)>> {
    if settings.store_user.is_empty() {
        return Ok(None);
    }
    let password = std::env::var("AMBO_STORE_PASSWORD")
        .context("the setting `store-user` needs a password: give it in AMBO_STORE_PASSWORD")?;
    Ok(Some((settings.store_user.clone(), Secret::new(password))))
}
