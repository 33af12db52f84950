//! Opening a store: settings and the environment's credentials become a bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use ambo_model::Secret;
use object_store::ClientOptions;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;

use crate::bucket::Bucket;
use crate::connection::{Connector, retries};
use crate::settings::{BlobSettings, BucketSettings, Provider};

/// What the variables of the providers begin with.
const VARIABLE_PREFIXES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];
/// The region of an S3 store that has none.
const REGION_DEFAULT: &str = "us-east-1";

/// What the environment says of object stores: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AZURE_STORAGE_ACCOUNT`,
/// `AZURE_STORAGE_KEY`, `GOOGLE_APPLICATION_CREDENTIALS` and the others that the providers' own tools read. With none of
/// them the machine's own identity is asked for, as clouds give it.
#[derive(Debug, Clone, Default)]
pub struct Variables(BTreeMap<String, Secret>);

/// The store could not be opened. Nothing was sent to it.
#[derive(Debug, thiserror::Error)]
#[error("open {settings}: check it and {variables}")]
pub struct OpenError {
    settings: String,
    variables: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Variables {
    /// Those of this process.
    #[must_use]
    pub fn from_environment() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::from_pairs(std::env::vars_os().filter_map(text))
    }

    /// Those of a list. Names that no provider knows are left out, and so are empty values.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let known = |name: &str| VARIABLE_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let pairs = pairs.into_iter().filter(|(name, value)| known(name) && !value.is_empty());
        Self(pairs.map(|(name, value)| (name, Secret::new(value))).collect())
    }

    /// Name, in the form of the builders' keys, and value.
    fn iter(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().map(|(name, value)| {
            let key = match name.as_str() {
                // As Azure's own tools call them.
                "AZURE_STORAGE_ACCOUNT" => "azure_storage_account_name".to_owned(),
                "AZURE_STORAGE_KEY" => "azure_storage_account_key".to_owned(),
                other => other.to_ascii_lowercase(),
            };
            (key, value.reveal())
        })
    }
}

impl Bucket {
    /// Opens the store. Nothing is sent to it yet: [`Bucket::check`] does that.
    ///
    /// # Errors
    /// When the directory cannot be made, or the credentials are not whole.
    pub fn open(settings: &BlobSettings, variables: &Variables) -> Result<Self, OpenError> {
        let failed = |hint, source: Box<dyn std::error::Error + Send + Sync>| OpenError {
            settings: settings.to_string(),
            variables: hint,
            source,
        };
        match settings {
            BlobSettings::Disk(path) => {
                let hint = "that this user may write there";
                std::fs::create_dir_all(path).map_err(|error| failed(hint, error.into()))?;
                let files = LocalFileSystem::new_with_prefix(path).map_err(|error| failed(hint, error.into()))?;
                let files = files.with_fsync(true).with_automatic_cleanup(true);
                Ok(Self::without_parts(Arc::new(files), settings.to_string()))
            }
            BlobSettings::Bucket(bucket) => {
                let opened = bucket.open(variables, settings.to_string());
                opened.map_err(|error| failed(bucket.provider.variables(), error.into()))
            }
        }
    }
}

impl BucketSettings {
    fn open(&self, variables: &Variables, shown: String) -> object_store::Result<Bucket> {
        let bucket = match self.provider {
            Provider::S3 => Bucket::new(Arc::new(self.s3(variables).build()?), shown),
            Provider::Azure => Bucket::new(Arc::new(self.azure(variables).build()?), shown),
            Provider::Google => Bucket::new(Arc::new(self.google(variables).build()?), shown),
        };
        Ok(if self.prefix.is_empty() { bucket } else { bucket.below(&self.prefix) })
    }

    fn client(&self) -> ClientOptions {
        ClientOptions::new().with_allow_http(self.allow_http)
    }

    fn s3(&self, variables: &Variables) -> AmazonS3Builder {
        let mut builder = AmazonS3Builder::new().with_region(REGION_DEFAULT);
        for (name, value) in variables.iter() {
            if let Ok(key) = name.parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(region) = &self.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        builder
            .with_bucket_name(&self.bucket)
            .with_client_options(self.client())
            .with_retry(retries())
            .with_http_connector(Connector)
    }

    fn azure(&self, variables: &Variables) -> MicrosoftAzureBuilder {
        let mut builder = MicrosoftAzureBuilder::new();
        for (name, value) in variables.iter() {
            if let Ok(key) = name.parse::<AzureConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(account) = &self.account {
            builder = builder.with_account(account);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.clone());
        }
        builder
            .with_container_name(&self.bucket)
            .with_client_options(self.client())
            .with_retry(retries())
            .with_http_connector(Connector)
    }

    fn google(&self, variables: &Variables) -> GoogleCloudStorageBuilder {
        let mut builder = GoogleCloudStorageBuilder::new();
        for (name, value) in variables.iter() {
            if let Ok(key) = name.parse::<GoogleConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_base_url(endpoint);
        }
        builder
            .with_bucket_name(&self.bucket)
            .with_client_options(self.client())
            .with_retry(retries())
            .with_http_connector(Connector)
    }
}
