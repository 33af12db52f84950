//! The platform's own certificate authority, for machines to whose names nobody else has issued a certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ambo_link::Authority;
use ambo_model::{Secret, Timestamp};
use anyhow::Context;

use super::Pem;
use crate::data::Data;
use crate::settings::Settings;

/// How long what it issues is good; the longest that browsers take is 398 days.
const LIFE: Duration = Duration::from_secs(397 * 24 * 60 * 60);
/// How long before its end a certificate is replaced.
const RENEWAL: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// The authority with what it has issued, below the data directory.
#[derive(Debug)]
pub(super) struct AuthorityFiles {
    directory: PathBuf,
    names: Vec<String>,
    authority: Authority,
}

impl AuthorityFiles {
    /// Reads the authority, or makes it.
    pub(super) fn open(settings: &Settings, data: &Data) -> anyhow::Result<Self> {
        Self::at(&data.path().join("tls"), &data.platform_id()?, names(settings))
    }

    fn at(directory: &Path, platform: &str, names: Vec<String>) -> anyhow::Result<Self> {
        fs::create_dir_all(directory).context("keep the platform's certificate authority")?;
        let (root_path, key_path) = (directory.join("ca.crt"), directory.join("ca.key"));
        let known = fs::read_to_string(&root_path).and_then(|root| Ok((root, fs::read_to_string(&key_path)?)));
        let authority = match known {
            Ok((root, key)) => Authority::known(platform, root, Secret::new(key)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let authority = Authority::generate(platform).context("make a certificate authority")?;
                // The key first: a root without its key would be trusted for nothing.
                write_private(&key_path, authority.key().reveal())?;
                write_private(&root_path, authority.root())?;
                authority
            }
            Err(error) => return Err(error).context("read the platform's certificate authority"),
        };
        Ok(Self { directory: directory.to_owned(), names, authority })
    }

    /// The root, PEM.
    pub(super) fn root(&self) -> &str {
        self.authority.root()
    }

    /// The certificate that is good now for the platform's names; issues one when there is none, or not for long.
    pub(super) fn certificate(&self, now: Timestamp) -> anyhow::Result<Pem> {
        let path = |name: &str| self.directory.join(name);
        let (chain_path, key_path, about_path) = (path("platform.crt"), path("platform.key"), path("platform.about"));
        let about = fs::read_to_string(&about_path).unwrap_or_default();
        if self.is_good(&about, now)
            && let (Ok(chain), Ok(key)) = (fs::read_to_string(&chain_path), fs::read_to_string(&key_path))
        {
            return Ok(Pem { chain, key: Secret::new(key) });
        }
        let issued = self.authority.issue(&self.names, false, now, LIFE).context("issue the platform's certificate")?;
        // What is written down about it comes last: cut off before, it is issued again.
        let _ = fs::remove_file(&about_path);
        write_private(&key_path, issued.key.reveal())?;
        write_private(&chain_path, &issued.chain)?;
        write_private(&about_path, &format!("{}\n{}\n", seconds(now + LIFE), self.names.join("\n")))?;
        Ok(Pem { chain: issued.chain, key: issued.key })
    }

    /// Whether the certificate that this was written about is for our names, and for long enough.
    fn is_good(&self, about: &str, now: Timestamp) -> bool {
        let mut lines = about.lines();
        let ends: u64 = lines.next().and_then(|line| line.parse().ok()).unwrap_or(0);
        ends > seconds(now + RENEWAL) && lines.eq(self.names.iter().map(String::as_str))
    }
}

/// The names that users reach the platform by.
fn names(settings: &Settings) -> Vec<String> {
    let mut names = vec![settings.domain.to_string(), format!("*.{}", settings.domain)];
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    let api = settings.api_url.parse::<url::Url>().ok();
    names.extend(api.as_ref().and_then(url::Url::host_str).map(|host| host.trim_matches(['[', ']']).to_owned()));
    let rendezvous = settings.rendezvous_address.rsplit_once(':').map(|(host, _)| host);
    names.extend(rendezvous.map(|host| host.trim_matches(['[', ']']).to_owned()));
    for address in [settings.listen_api.ip(), settings.listen_rendezvous.ip()] {
        if !address.is_unspecified() {
            names.push(address.to_string());
        }
    }
    let mut met = std::collections::HashSet::new();
    names.retain(|name| met.insert(name.clone()));
    names
}

fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or(0)
}

/// Replaces a file whole, readable by us alone.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    ambo_atomic_file::write_private(path, text.as_bytes()).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(directory: &Path, names: &[&str]) -> AuthorityFiles {
        AuthorityFiles::at(directory, "0123456789", names.iter().map(|name| (*name).to_owned()).collect()).unwrap()
    }

    #[test]
    fn a_certificate_is_issued_once_and_again_when_it_ends_or_names_change() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::now();
        let first = authority(dir.path(), &["localhost", "127.0.0.1"]);
        let issued = first.certificate(now).unwrap();
        let again = authority(dir.path(), &["localhost", "127.0.0.1"]);
        assert_eq!(again.root(), first.root());
        assert_eq!(again.certificate(now).unwrap(), issued);
        let late = again.certificate(now + LIFE - RENEWAL / 2).unwrap();
        assert_ne!(late, issued);
        let renamed = authority(dir.path(), &["localhost", "example.com"]);
        assert_ne!(renamed.certificate(now).unwrap(), late);
        assert_eq!(renamed.root(), first.root());
    }

    #[test]
    fn keys_are_for_us_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        authority(dir.path(), &["localhost"]).certificate(Timestamp::now()).unwrap();
        for name in ["ca.key", "platform.key"] {
            assert_eq!(fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
