//! `ambod store migrate`: the state to another store, while nobody works on it.

use std::io::Write;
use std::path::Path;

use ambo_store::Store;
use ambo_store::migrate::{Migrated, leased_keys, migrate};
use anyhow::{Context, bail};

use super::{Place, open_at};
use crate::data::Data;
use crate::settings::Settings;

/// Moves everything, and says what and what comes next.
pub(crate) async fn run(settings: &Settings, from: &str, to: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let (source, target) = (Place::parse(from).context("--from")?, Place::parse(to).context("--to")?);
    if source == target {
        bail!("--from and --to are the same store");
    }
    // A target is made; a source that is not there is a slip of the pen.
    if let Place::File(path) = &source
        && !path.exists()
    {
        bail!("there is no state in {}", path.display());
    }
    let _held = (held(&source).await?, held(&target).await?);
    let (from_store, to_store) = (open_at(&source, settings)?, open_at(&target, settings)?);
    if let Place::Etcd(_) = source {
        ensure_idle(&*from_store).await?;
    }
    let moved = migrate(&*from_store, &*to_store).await?;
    report(&moved, &source, &target, out)?;
    Ok(())
}

/// Keeps `ambod` from starting on the data directory that a file is in, if it is in one.
async fn held(place: &Place) -> anyhow::Result<Option<Data>> {
    let Place::File(path) = place else { return Ok(None) };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match directory.join("ambod.pid").exists() {
        true => Data::take(directory, false).await.map(Some),
        false => Ok(None),
    }
}

/// On etcd, who works on the state holds keys with a lease.
async fn ensure_idle(store: &dyn Store) -> anyhow::Result<()> {
    let keys = leased_keys(store).await.context("read the source")?;
    if let Some(key) = keys.first() {
        bail!("the platform is at work, `{key}` is held: stop every controller and try again");
    }
    Ok(())
}

fn report(moved: &Migrated, from: &Place, to: &Place, out: &mut impl Write) -> std::io::Result<()> {
    let contents = &moved.contents;
    writeln!(out, "moved {} keys, {} bytes, from {from} to {to}", contents.key_count, contents.value_bytes)?;
    writeln!(out, "both hold the same: {}", contents.checksum)?;
    for key in &moved.left_out {
        writeln!(out, "left out, as its lease is the old store's: {key}")?;
    }
    writeln!(
        out,
        "next: start ambod with the setting store = {to} and the same master key, then put the old state away"
    )
}

#[cfg(test)]
mod tests {
    use ambo_store::{SqliteStore, Transaction};

    use super::*;
    use crate::settings::Given;

    async fn moved(from: &str, to: &str) -> Result<String, String> {
        let mut out = Vec::new();
        let (settings, _) = Settings::load(Given::default(), None).unwrap();
        match run(&settings, from, to, &mut out).await {
            Ok(()) => Ok(String::from_utf8(out).unwrap()),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    #[tokio::test]
    async fn a_file_is_moved_to_another_and_what_comes_next_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("state.db"), dir.path().join("other.db"));
        let store = SqliteStore::open(&from).unwrap();
        store.commit(Transaction::new().put("a", "1").put("b", "22")).await.unwrap();
        drop(store);
        let (from, to) = (from.to_str().unwrap(), format!("sqlite:{}", to.display()));
        let said = moved(from, &to).await.unwrap();
        assert!(said.starts_with(&format!("moved 2 keys, 3 bytes, from sqlite:{from} to {to}\n")), "{said}");
        assert!(said.contains("sha256:") && said.contains("master key"), "{said}");
        let again = moved(from, &to).await.unwrap_err();
        assert!(again.contains("the target is not empty: `a` is there"), "{again}");
    }

    #[tokio::test]
    async fn slips_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let missing = moved(&path("none.db"), &path("to.db")).await.unwrap_err();
        assert!(missing.contains("there is no state in"), "{missing}");
        let same = moved(&path("a.db"), &format!("sqlite:{}", path("a.db"))).await.unwrap_err();
        assert!(same.contains("the same store"), "{same}");
        let unknown = moved("redis://a", &path("to.db")).await.unwrap_err();
        assert!(unknown.contains("--from") && unknown.contains("sqlite:/path"), "{unknown}");
    }

    #[tokio::test]
    async fn state_that_an_ambod_works_on_is_not_moved() {
        let dir = tempfile::tempdir().unwrap();
        let data = Data::take(dir.path(), false).await.unwrap();
        let from = data.path().join("state.db");
        drop(SqliteStore::open(&from).unwrap());
        let to = dir.path().join("elsewhere.db");
        let refused = moved(from.to_str().unwrap(), to.to_str().unwrap()).await.unwrap_err();
        assert!(refused.contains("another ambod") && refused.contains("stop it"), "{refused}");
    }
}
