//! Source archives that the platform fetches for users.
//!
//! Whoever may deploy can make the platform ask for a URL, from where it stands. Refused are the addresses that
//! [`ambo_model::address`] names, and any scheme but `http` and `https`: `file:` would read the platform's own disk.
//! Addresses are judged after names are resolved, and the one that was judged is the one that is connected to; redirects
//! are judged alike.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use ambo_model::address::refusal;
use futures::StreamExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use sha2::{Digest, Sha256};
use tempfile::TempPath;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::{Host, Url};

use crate::state::Api;

/// The path of our own sources.
pub(crate) const SOURCES_PATH: &str = "/ambo/sources/";
/// Longest fetch.
const FETCH_DURATION_MAX: Duration = Duration::from_secs(15 * 60);
/// Longest pause within one.
const CHUNK_DURATION_MAX: Duration = Duration::from_secs(60);
/// Longest wait for a connection.
const CONNECT_DURATION_MAX: Duration = Duration::from_secs(10);
/// Most redirects that are followed.
const REDIRECTS_MAX: usize = 5;
/// Longest URL.
const URL_BYTES_MAX: usize = 4096;
/// Bytes that are hashed at a time.
const HASH_CHUNK_BYTES: usize = 64 * 1024;

/// An archive to fetch.
#[derive(Debug, Clone)]
pub(crate) struct SourceLocation {
    url: Url,
    /// What it must hash to.
    sha256: Option<String>,
}

/// Why an address is refused.
type Refusal = Option<&'static str>;

impl SourceLocation {
    /// Reads `source_blob`. The text of a refusal names the field.
    pub(crate) fn parse(url: &str, checksum: Option<&str>) -> Result<Self, String> {
        let parsed = Url::parse(url).ok().filter(|_| url.len() <= URL_BYTES_MAX);
        let parsed =
            parsed.ok_or("`source_blob.url`: this is no URL: send one such as `https://example.com/source.tar.gz`")?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(format!("`source_blob.url`: `{}` is not fetched: use http or https", parsed.scheme()));
        }
        let secret = own_secret(&parsed).is_some();
        if let Some(reason) = literal_refusal(&parsed).filter(|_| !secret) {
            return Err(format!("`source_blob.url`: {reason}, where sources are not fetched from"));
        }
        let sha256 = match checksum.filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => {
                let hex =
                    text.split_once(':').filter(|(kind, _)| kind.eq_ignore_ascii_case("sha256")).map(|(_, hex)| hex);
                let hex = hex.filter(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
                let hex = hex.ok_or("`source_blob.checksum`: write it as `SHA256:` and 64 hex digits")?;
                Some(hex.to_ascii_lowercase())
            }
        };
        Ok(Self { url: parsed, sha256 })
    }

    /// Fetches it into a file that goes when the path is dropped. The text of a failure is for the build's output.
    pub(crate) async fn fetch(&self, api: &Api) -> Result<TempPath, String> {
        let fetched = tokio::time::timeout(FETCH_DURATION_MAX, self.fetch_unbounded(api)).await;
        let file = fetched.unwrap_or_else(|_| {
            Err(format!("the source took longer than {} minutes to arrive", FETCH_DURATION_MAX.as_secs() / 60))
        })?;
        self.verify(&file).await?;
        Ok(file)
    }

    async fn fetch_unbounded(&self, api: &Api) -> Result<TempPath, String> {
        let disk = |error: std::io::Error| format!("the source cannot be kept on the platform's disk: {error}");
        let directory = api.settings.uploads.clone();
        if let Some(secret) = own_secret(&self.url) {
            let gone = "there is no such source any more: it is kept for an hour after its upload";
            let source = api.sources.find(secret, api.now().into()).ok_or(gone)?;
            // A second name for the file: the source may expire while it is built.
            let name =
                tempfile::Builder::new().prefix("upload-").make_in(directory, |path| std::fs::hard_link(&source, path));
            return name.map(tempfile::NamedTempFile::into_temp_path).map_err(disk);
        }
        let (file, path) =
            tempfile::Builder::new().prefix("upload-").tempfile_in(directory).map_err(disk)?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let mut body = self.open(api.source_guard).await?;
        let (mut received, bytes_max) = (0_u64, api.settings.upload_bytes_max);
        loop {
            let chunk = tokio::time::timeout(CHUNK_DURATION_MAX, body.next()).await;
            let chunk = chunk.map_err(|_| "the source's server has stalled".to_owned())?;
            let Some(chunk) = chunk.transpose().map_err(|error| self.unreachable(&error))? else { break };
            received = received.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            if received > bytes_max {
                return Err(format!("the source is larger than {bytes_max} bytes"));
            }
            file.write_all(&chunk).await.map_err(disk)?;
        }
        file.flush().await.map_err(disk)?;
        Ok(path)
    }

    async fn open(
        &self,
        guard: fn(IpAddr) -> Refusal,
    ) -> Result<impl StreamExt<Item = reqwest::Result<bytes::Bytes>> + Unpin + use<>, String> {
        // Only the first call in a process has an effect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_DURATION_MAX)
            .user_agent(concat!("ambod/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::custom(|attempt| {
                if attempt.previous().len() > REDIRECTS_MAX {
                    return attempt.error("too many redirects");
                }
                match literal_refusal(attempt.url()) {
                    Some(reason) => attempt.error(reason),
                    None if matches!(attempt.url().scheme(), "http" | "https") => attempt.follow(),
                    None => attempt.error("it redirects to something that is neither http nor https"),
                }
            }))
            .dns_resolver(Arc::new(Guarded(guard)))
            .build()
            .map_err(|error| self.unreachable(&error))?;
        let response = client.get(self.url.clone()).send().await.map_err(|error| self.unreachable(&error))?;
        if !response.status().is_success() {
            return Err(format!("`{}` answers {}", self.shown(), response.status()));
        }
        Ok(Box::pin(response.bytes_stream()))
    }

    fn unreachable(&self, error: &reqwest::Error) -> String {
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        format!("`{}` cannot be fetched: {cause}", self.shown())
    }

    /// The URL without what may be a secret in it.
    fn shown(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port().map_or_else(String::new, |port| format!(":{port}"));
        format!("{}://{host}{port}{}", self.url.scheme(), self.url.path())
    }

    async fn verify(&self, file: &Path) -> Result<(), String> {
        let Some(expected) = &self.sha256 else { return Ok(()) };
        let disk = |error: std::io::Error| format!("the source cannot be read again: {error}");
        let mut file = tokio::fs::File::open(file).await.map_err(disk)?;
        let (mut hash, mut chunk) = (Sha256::new(), vec![0; HASH_CHUNK_BYTES]);
        loop {
            let read = file.read(&mut chunk).await.map_err(disk)?;
            if read == 0 {
                break;
            }
            hash.update(&chunk[..read]);
        }
        let actual: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if actual == *expected {
            return Ok(());
        }
        Err(format!(
            "the source's checksum is SHA256:{actual}, not SHA256:{expected}: it was changed, or is another one"
        ))
    }
}

/// The secret of one of our own sources, which need no fetching. Who knows it may have the source: the host says nothing.
fn own_secret(url: &Url) -> Option<&str> {
    url.path().rsplit_once(SOURCES_PATH).map(|(_, secret)| secret)
}

/// Why a URL's host is refused when it is an address.
fn literal_refusal(url: &Url) -> Refusal {
    match url.host()? {
        Host::Ipv4(address) => refusal(address.into()),
        Host::Ipv6(address) => refusal(address.into()),
        Host::Domain(name) if name == "localhost" || name.ends_with(".localhost") => {
            refusal(Ipv4Addr::LOCALHOST.into())
        }
        Host::Domain(_) => None,
    }
}

/// Resolves names to addresses that are not refused.
#[derive(Debug)]
struct Guarded(fn(IpAddr) -> Refusal);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let refusal = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                found.iter().copied().filter(|found| refusal(found.ip()).is_none()).collect();
            match found.iter().find_map(|found| refusal(found.ip())).filter(|_| allowed.is_empty()) {
                Some(reason) => Err(reason.into()),
                None => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_into_the_platform_or_to_a_clouds_credentials_is_refused() {
        for bad in [
            "file:///etc/passwd",
            "ftp://example.com/x",
            "http://127.0.0.1:7050/v2/",
            "http://localhost/x",
            "http://app.localhost/x",
            "http://[::1]/x",
            "http://[::ffff:127.0.0.1]/x",
            "http://0.0.0.0/x",
            "http://2130706433/x",
            "http://169.254.169.254/latest/meta-data",
            "http://[fe80::1]/x",
            "http://100.100.100.200/x",
            "http://[fd00:ec2::254]/x",
            "http://224.0.0.1/x",
            "nonsense",
        ] {
            assert!(SourceLocation::parse(bad, None).is_err(), "{bad}");
        }
        for good in ["https://example.com/x.tgz?token=1", "http://10.0.0.7/x", "http://u:p@forge.internal/x"] {
            assert!(SourceLocation::parse(good, None).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_checksum_is_sha256_in_hex() {
        let parse = |text: &str| SourceLocation::parse("https://example.com/x", Some(text));
        assert!(parse(&format!("SHA256:{}", "aB".repeat(32))).is_ok());
        assert!(parse("").is_ok());
        for bad in ["SHA256:", "sha1:00", &"0".repeat(64)] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
