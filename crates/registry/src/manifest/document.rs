//! A manifest's JSON, as far as the registry must understand it.

use std::collections::BTreeMap;

use ambo_model::ByteSize;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Error;

/// Largest manifest. The specification asks registries for at least as much.
pub const MANIFEST_BYTES_MAX: ByteSize = ByteSize::mib(4);
/// Most blobs and manifests that one manifest may lead to.
pub const MANIFEST_REFERENCES_MAX: usize = 10_000;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Points at content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
    /// Elsewhere to be had: such layers need not be here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) urls: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

/// An image manifest or an index that passed every check that needs no store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) media_type: String,
    /// What an image is configured by; an index has none.
    pub(crate) config: Option<Digest>,
    /// Blobs that must be in the repository.
    pub(crate) blobs: Vec<Descriptor>,
    /// Manifests that must be in the repository.
    pub(crate) manifests: Vec<Descriptor>,
    /// The manifest that this one is about; need not be there.
    pub(crate) subject: Option<Digest>,
    artifact_type: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Index,
}

fn kind(media_type: &str) -> Option<Kind> {
    match media_type {
        OCI_MANIFEST | DOCKER_MANIFEST => Some(Kind::Image),
        OCI_INDEX | DOCKER_LIST => Some(Kind::Index),
        _ => None,
    }
}

impl Manifest {
    /// Reads a manifest. `declared` is what the request's `Content-Type` says; stored manifests are read without.
    pub(crate) fn parse(declared: Option<&str>, body: &[u8]) -> Result<Self, Error> {
        let invalid = |message: String| Error::ManifestInvalid(message);
        let document: Document =
            serde_json::from_slice(body).map_err(|error| invalid(format!("the manifest is not valid: {error}")))?;
        if document.schema_version != 2 {
            return Err(invalid(format!("schema version {} is not supported: use 2", document.schema_version)));
        }
        let media_type = media_type(declared, &document)?;
        let Some(kind) = kind(&media_type) else {
            return Err(invalid(format!(
                "media type `{media_type}` is not supported: use an OCI or Docker v2 manifest"
            )));
        };
        let config = document.config.as_ref().map(|config| config.digest.clone());
        let (blobs, manifests, config_type) = match (kind, document.config, document.layers, document.manifests) {
            (Kind::Image, Some(config), Some(layers), None) => {
                let config_type = config.media_type.clone();
                let layers = layers.into_iter().filter(|layer| layer.urls.as_ref().is_none_or(Vec::is_empty));
                (std::iter::once(config).chain(layers).collect(), Vec::new(), Some(config_type))
            }
            (Kind::Index, None, None, Some(manifests)) => (Vec::new(), manifests, None),
            (Kind::Image, ..) => {
                return Err(invalid("an image manifest has `config` and `layers`, and no `manifests`".to_owned()));
            }
            (Kind::Index, ..) => {
                return Err(invalid("an index has `manifests`, and neither `config` nor `layers`".to_owned()));
            }
        };
        if blobs.len() + manifests.len() > MANIFEST_REFERENCES_MAX {
            return Err(invalid(format!("a manifest may name at most {MANIFEST_REFERENCES_MAX} others")));
        }
        Ok(Self {
            media_type,
            config,
            blobs,
            manifests,
            subject: document.subject.map(|subject| subject.digest),
            artifact_type: document.artifact_type.filter(|kind| !kind.is_empty()).or(config_type),
            annotations: document.annotations,
        })
    }

    /// How a list of referrers shows this manifest.
    pub(crate) fn descriptor(&self, digest: &Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type: self.media_type.clone(),
            digest: digest.clone(),
            size,
            artifact_type: self.artifact_type.clone(),
            annotations: self.annotations.clone(),
            urls: None,
        }
    }
}

/// The header and the document must agree; either may be silent. OCI documents may leave both out: their shape tells.
fn media_type(declared: Option<&str>, document: &Document) -> Result<String, Error> {
    match (declared, &document.media_type) {
        (Some(header), Some(field)) if header != field => Err(Error::ManifestInvalid(format!(
            "the request says `{header}`, but the manifest's `mediaType` is `{field}`"
        ))),
        (Some(either), _) => Ok(either.to_owned()),
        (None, Some(either)) => Ok(either.clone()),
        (None, None) if document.manifests.is_some() => Ok(OCI_INDEX.to_owned()),
        (None, None) => Ok(OCI_MANIFEST.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;
    use serde_json::json;

    fn descriptor(content: &[u8]) -> serde_json::Value {
        json!({"mediaType": "application/octet-stream", "digest": Digest::of(Algorithm::Sha256, content), "size": content.len()})
    }

    fn image() -> serde_json::Value {
        json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(b"{}"), "layers": [descriptor(b"l")]})
    }

    fn parse(declared: Option<&str>, value: &serde_json::Value) -> Result<Manifest, String> {
        Manifest::parse(declared, value.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_image_needs_its_config_and_layers_but_not_foreign_ones() {
        let mut value = image();
        assert_eq!(parse(Some(OCI_MANIFEST), &value).unwrap().blobs.len(), 2);
        value["layers"][0]["urls"] = json!(["https://example.com/layer"]);
        assert_eq!(parse(Some(OCI_MANIFEST), &value).unwrap().blobs.len(), 1);
    }

    #[test]
    fn a_document_that_is_an_image_and_an_index_at_once_is_refused() {
        let mut value = image();
        value["manifests"] = json!([]);
        assert!(parse(None, &value).unwrap_err().contains("no `manifests`"));
    }

    #[test]
    fn header_and_document_must_agree_on_the_media_type() {
        assert!(parse(Some(OCI_INDEX), &image()).unwrap_err().contains("mediaType"));
        assert!(parse(None, &image()).is_ok());
        assert!(parse(Some("text/plain"), &json!({"schemaVersion": 2})).unwrap_err().contains("not supported"));
    }

    #[test]
    fn the_artifact_type_falls_back_to_the_configs_media_type() {
        let manifest = parse(None, &image()).unwrap();
        assert_eq!(manifest.artifact_type.as_deref(), Some("application/octet-stream"));
        let mut value = image();
        value["artifactType"] = json!("application/vnd.example.sbom");
        assert_eq!(parse(None, &value).unwrap().artifact_type.as_deref(), Some("application/vnd.example.sbom"));
    }
}
