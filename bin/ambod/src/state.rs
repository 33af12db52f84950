//! Where the platform's state is: SQLite in the data directory or elsewhere, or etcd.

pub(crate) mod migrate;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambo_model::Secret;
use ambo_store::migrate::is_unfinished;
use ambo_store::{SqliteStore, Store};
use ambo_store_etcd::{EtcdSettings, EtcdStore, EtcdTls};
use anyhow::{Context, bail};

use crate::settings::Settings;

/// Opens the store that the settings name. An etcd that is down is found out by the first who asks it.
pub(crate) fn open(settings: &Settings, data: &Path) -> anyhow::Result<Arc<dyn Store>> {
    let place = match settings.store.as_str() {
        "" => Place::File(data.join("state.db")),
        named => Place::parse(named).context("the setting `store`")?,
    };
    open_at(&place, settings)
}

/// The etcd that the settings name, if they name one.
pub(crate) fn etcd(settings: &Settings) -> anyhow::Result<Option<EtcdSettings>> {
    match settings.store.as_str() {
        named if named.starts_with("etcd://") => Ok(Some(with_login(named.parse()?, settings)?)),
        _ => Ok(None),
    }
}

fn with_login(etcd: EtcdSettings, settings: &Settings) -> anyhow::Result<EtcdSettings> {
    Ok(EtcdSettings { tls: tls(settings)?, user: user(settings)?, ..etcd })
}

/// Refuses a state that was moved here half. A platform that began on it would take the rest for gone, and remove it.
pub(crate) async fn ensure_whole(store: &dyn Store) -> anyhow::Result<()> {
    if is_unfinished(store).await.context("read the state")? {
        bail!(
            "the state is unfinished: a move or a restore to it was interrupted; repeat `ambod store migrate` or `ambod restore` as it was called"
        );
    }
    Ok(())
}

/// A store, as it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// A file of SQLite's.
    File(PathBuf),
    /// An etcd; how to log in is in the settings.
    Etcd(EtcdSettings),
}

impl Place {
    /// Takes `sqlite:PATH`, a path with a slash in it, or `etcd://…`.
    fn parse(text: &str) -> anyhow::Result<Self> {
        if text.starts_with("etcd://") {
            return Ok(Self::Etcd(text.parse()?));
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            None if text.contains('/') && !text.contains("://") => Ok(Self::File(PathBuf::from(text))),
            _ => {
                bail!("this names no store: write sqlite:/path/to/state.db, or etcd://10.0.0.1:2379,10.0.0.2:2379")
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "sqlite:{}", path.display()),
            Self::Etcd(etcd) => etcd.fmt(f),
        }
    }
}

fn open_at(place: &Place, settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    match place {
        Place::File(path) => Ok(Arc::new(SqliteStore::open(path).context("open the state")?)),
        Place::Etcd(etcd) => Ok(Arc::new(EtcdStore::new(with_login(etcd.clone(), settings)?))),
    }
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
