//! Where blobs are kept, as an operator writes it: one line, without any secret in it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use object_store::path::Path;
use url::Url;

/// Where blobs are kept. Prints as it is written; there is no secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobSettings {
    /// `disk:/path`: a directory of this machine.
    Disk(PathBuf),
    /// `s3://…`, `azure://…` or `gs://…`: an object store.
    Bucket(BucketSettings),
}

/// A bucket of an object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSettings {
    pub(crate) provider: Provider,
    /// The bucket's name; on Azure the container's.
    pub(crate) bucket: String,
    /// What every key begins with; empty for none.
    pub(crate) prefix: String,
    /// Where the store is, when it is not the provider's own.
    pub(crate) endpoint: Option<String>,
    /// S3 alone.
    pub(crate) region: Option<String>,
    /// Azure alone.
    pub(crate) account: Option<String>,
    /// Whether the endpoint may be plain HTTP.
    pub(crate) allow_http: bool,
}

/// Whose protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Provider {
    /// Amazon S3, MinIO, Ceph, R2 and others.
    S3,
    /// Azure Blob Storage.
    Azure,
    /// Google Cloud Storage.
    Google,
}

/// The text says nowhere to keep blobs. What it holds is not repeated, in case it is a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Another scheme, or none.
    #[error(
        "blobs are kept in `disk:/path`, `s3://bucket/prefix`, `azure://container/prefix` or `gs://bucket/prefix`: \
         this is none of them"
    )]
    Scheme,
    /// `disk:` with a relative path.
    #[error("`disk:` wants an absolute path, as in `disk:/srv/blobs`")]
    RelativePath,
    /// No bucket.
    #[error("`{0}` names no bucket: write `{0}bucket/prefix`")]
    NoBucket(&'static str),
    /// A prefix that no key can begin with.
    #[error("the prefix cannot begin a key: use letters, digits, `-`, `_`, `.` and `/`")]
    Prefix,
    /// A user, a password or a key in the text.
    #[error("credentials do not belong here: give them as {0}")]
    Credentials(&'static str),
    /// A parameter that means nothing.
    #[error("`{name}` is no parameter of `{scheme}`: use {known}")]
    Parameter {
        /// Its name.
        name: String,
        /// Where it was used.
        scheme: &'static str,
        /// What can be used there.
        known: &'static str,
    },
    /// A parameter whose value means nothing.
    #[error("the parameter `{name}` is not {wanted}")]
    Value {
        /// Its name.
        name: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// Plain HTTP that nobody allowed.
    #[error("the endpoint is plain HTTP: use `https://`, or add `allow_http=true` where the network is trusted")]
    PlainHttp,
}

impl Provider {
    fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "s3" => Some(Self::S3),
            "azure" => Some(Self::Azure),
            "gs" => Some(Self::Google),
            _ => None,
        }
    }

    fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3://",
            Self::Azure => "azure://",
            Self::Google => "gs://",
        }
    }

    fn parameters(self) -> &'static str {
        match self {
            Self::S3 => "`endpoint`, `region` and `allow_http`",
            Self::Azure => "`account`, `endpoint` and `allow_http`",
            Self::Google => "`endpoint` and `allow_http`",
        }
    }

    /// Where credentials come from.
    pub(crate) fn variables(self) -> &'static str {
        match self {
            Self::S3 => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            Self::Azure => "AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY",
            Self::Google => "GOOGLE_APPLICATION_CREDENTIALS",
        }
    }
}

impl BlobSettings {
    /// Reads `disk:/path`, `s3://bucket/prefix?endpoint=…&region=…&allow_http=true`,
    /// `azure://container/prefix?account=…&endpoint=…` or `gs://bucket/prefix`.
    ///
    /// # Errors
    /// When it is none of these. The text is not repeated.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        if let Some(path) = text.strip_prefix("disk:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() { Ok(Self::Disk(path)) } else { Err(SettingsError::RelativePath) };
        }
        let url = Url::parse(text).map_err(|_| SettingsError::Scheme)?;
        let provider = Provider::of(url.scheme()).ok_or(SettingsError::Scheme)?;
        BucketSettings::of(provider, &url).map(Self::Bucket)
    }
}

impl BucketSettings {
    fn of(provider: Provider, url: &Url) -> Result<Self, SettingsError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SettingsError::Credentials(provider.variables()));
        }
        let bucket = url.host_str().filter(|host| !host.is_empty() && url.port().is_none());
        let bucket = bucket.ok_or(SettingsError::NoBucket(provider.scheme()))?.to_owned();
        let prefix = Path::parse(url.path().trim_matches('/')).map_err(|_| SettingsError::Prefix)?.to_string();
        if url.fragment().is_some() || prefix.contains('%') {
            return Err(SettingsError::Prefix);
        }
        let mut settings =
            Self { provider, bucket, prefix, endpoint: None, region: None, account: None, allow_http: false };
        for (name, value) in url.query_pairs() {
            settings.parameter(&name, &value)?;
        }
        let plain = settings.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        if plain && !settings.allow_http { Err(SettingsError::PlainHttp) } else { Ok(settings) }
    }

    fn parameter(&mut self, name: &str, value: &str) -> Result<(), SettingsError> {
        let text = (!value.is_empty()).then(|| value.to_owned());
        match (name, self.provider) {
            ("endpoint", _) => self.endpoint = Some(endpoint(value)?),
            ("allow_http", _) => {
                let wanted = || SettingsError::Value { name: "allow_http", wanted: "`true` or `false`" };
                self.allow_http = value.parse().map_err(|_| wanted())?;
            }
            ("region", Provider::S3) => self.region = text,
            ("account", Provider::Azure) => self.account = text,
            (name, provider) if is_secret(name) => return Err(SettingsError::Credentials(provider.variables())),
            (name, provider) => {
                let name = name.chars().filter(|c| !c.is_control()).take(40).collect();
                return Err(SettingsError::Parameter { name, scheme: provider.scheme(), known: provider.parameters() });
            }
        }
        Ok(())
    }
}

/// Whether a parameter is likely to have been meant for a secret.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["key", "secret", "token", "password", "sas", "sig"].iter().any(|word| name.contains(word))
}

fn endpoint(value: &str) -> Result<String, SettingsError> {
    let wrong = || SettingsError::Value { name: "endpoint", wanted: "the URL of a store: https://host:port" };
    let url = Url::parse(value).map_err(|_| wrong())?;
    let good = matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none();
    if good { Ok(value.trim_end_matches('/').to_owned()) } else { Err(wrong()) }
}

impl FromStr for BlobSettings {
    type Err = SettingsError;
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        Self::parse(text)
    }
}

impl fmt::Display for BlobSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(path) => write!(f, "disk:{}", path.display()),
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

impl fmt::Display for BucketSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "{}{}{slash}{}", self.provider.scheme(), self.bucket, self.prefix)?;
        let texts = [("endpoint", &self.endpoint), ("region", &self.region), ("account", &self.account)];
        let mut parameters = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in texts {
            parameters.extend_pairs(value.iter().map(|value| (name, value)));
        }
        if self.allow_http {
            parameters.append_pair("allow_http", "true");
        }
        let parameters = parameters.finish();
        if parameters.is_empty() { Ok(()) } else { write!(f, "?{parameters}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_print_as_they_are_written() {
        for text in [
            "disk:/srv/blobs",
            "s3://my.bucket-1",
            "s3://bucket/some/prefix?endpoint=https%3A%2F%2Fminio.example.com%3A9000&region=eu-west-1",
            "s3://bucket?endpoint=http%3A%2F%2F10.0.0.1%3A9000&allow_http=true",
            "azure://container/prefix?account=acme",
            "gs://bucket/prefix",
        ] {
            let settings = BlobSettings::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(settings.to_string(), text);
            assert_eq!(BlobSettings::parse(&settings.to_string()), Ok(settings));
        }
        let plain = BlobSettings::parse("s3://b/p/?endpoint=http://10.0.0.1:9000/&allow_http=true").unwrap();
        let BlobSettings::Bucket(bucket) = plain else { panic!("{plain}") };
        assert_eq!((bucket.prefix.as_str(), bucket.endpoint.as_deref()), ("p", Some("http://10.0.0.1:9000")));
    }

    #[test]
    fn what_is_wrong_is_said_without_repeating_the_text() {
        for (text, expected) in [
            ("", "is none of them"),
            ("/srv/blobs", "is none of them"),
            ("ftp://bucket", "is none of them"),
            ("disk:blobs", "absolute path"),
            ("s3://", "names no bucket"),
            ("s3:///prefix", "names no bucket"),
            ("s3://host:9000/bucket", "names no bucket"),
            ("s3://bucket/a//b", "prefix"),
            ("s3://bucket/a%20b", "prefix"),
            ("s3://bucket?endpoint=http://minio:9000", "`allow_http=true`"),
            ("s3://bucket?endpoint=minio:9000", "the URL of a store"),
            ("s3://bucket?allow_http=yes", "`true` or `false`"),
            ("s3://bucket?account=x", "`account` is no parameter of `s3://`"),
            ("gs://bucket?region=x", "`endpoint` and `allow_http`"),
            ("s3://id:hunter2@bucket", "AWS_ACCESS_KEY_ID"),
            ("s3://bucket?secret_access_key=hunter2", "AWS_SECRET_ACCESS_KEY"),
            ("azure://container?sas_token=hunter2", "AZURE_STORAGE_KEY"),
            ("s3://bucket?endpoint=https://id:hunter2@minio", "the URL of a store"),
        ] {
            let error = BlobSettings::parse(text).expect_err(text).to_string();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
