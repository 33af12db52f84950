//! What an archive turns out to hold, by looking at each entry as it goes by: on its way in, and on its way out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use ambo_model::{AppId, ByteSize, ImageDigest};
use ambo_registry::copy::{Object, manifest_needs};
use ambo_registry::{Algorithm, Digest, MANIFEST_BYTES_MAX};

use crate::archive::Kind;
use crate::hold::ImagesNeeded;

/// Under what the state has apps.
const APPS: &str = "apps/";
/// Under what it has releases.
const RELEASES: &str = "releases/";
/// Most missing images that are named.
const MISSING_MAX: usize = 1000;

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    /// Named keys of the platform.
    pub key_count: u64,
    /// Keys of the state.
    pub state_count: u64,
    /// Apps.
    pub app_count: u64,
    /// Releases of all apps.
    pub release_count: u64,
    /// Image manifests, each counted once.
    pub image_count: u64,
    /// Contents of the registry: layers, configurations and manifests.
    pub content_count: u64,
    /// Git repositories.
    pub repository_count: u64,
    /// All of it, before compression.
    pub size: ByteSize,
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { app_count: apps, release_count: releases, image_count: images, repository_count, size, .. } = self;
        write!(f, "{apps} apps, {releases} releases, {images} images, {repository_count} repositories, {size}")
    }
}

/// An image that a release needs and that is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingImage {
    /// Whose.
    pub app: AppId,
    /// Which.
    pub image: ImageDigest,
    /// What of it is not there: itself, or a content that it needs.
    pub lacks: Digest,
}

/// What an archive holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// How much.
    pub contents: Contents,
    /// Images that releases need and that are not whole, the first thousand. They were not whole in the registry either.
    pub missing: Vec<MissingImage>,
    /// Contents that are not what their digest says. They were damaged in the registry already, and are not restored.
    pub damaged: Vec<Digest>,
}

impl Findings {
    /// Whether everything that a release needs is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.damaged.is_empty()
    }
}

/// Looks at entries.
#[derive(Debug, Default)]
pub(crate) struct Inspector {
    counted: Contents,
    bytes: u64,
    open: Option<(Kind, String)>,
    /// Content of the open entry that is read when it is whole: a manifest, or the list of images.
    body: Option<Vec<u8>>,
    needed: ImagesNeeded,
    /// Manifests that repositories have, with what each needs once that is known.
    manifests: HashMap<Digest, Vec<Digest>>,
    linked: HashSet<(AppId, Digest)>,
    present: HashSet<Digest>,
    damaged: Vec<Digest>,
}

impl Inspector {
    pub(crate) fn begin(&mut self, kind: Kind, name: &str) {
        let is_read = match kind {
            Kind::Images => true,
            Kind::Object => match Object::of(name) {
                Some(Object::Manifest { app, digest }) => {
                    self.linked.insert((app, digest.clone()));
                    self.manifests.entry(digest).or_default();
                    false
                }
                Some(Object::Content(digest)) => self.manifests.contains_key(&digest),
                Some(Object::Pointer | Object::Blob) | None => false,
            },
            Kind::Key | Kind::State | Kind::StateChanged | Kind::StateRemoved | Kind::Repository => false,
        };
        self.body = is_read.then(Vec::new);
        self.open = Some((kind, name.to_owned()));
    }

    pub(crate) fn data(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        let is_images = matches!(self.open, Some((Kind::Images, _)));
        if let Some(body) = &mut self.body {
            body.extend_from_slice(piece);
            if !is_images && body.len() as u64 > MANIFEST_BYTES_MAX.as_u64() {
                self.body = None;
            }
        }
    }

    /// Whether the entry is what its name says.
    pub(crate) fn end(&mut self, sha256: &[u8; 32]) -> bool {
        let (Some((kind, name)), body) = (self.open.take(), self.body.take()) else { return false };
        let counted = &mut self.counted;
        let (app, release) = (u64::from(name.starts_with(APPS)), u64::from(name.starts_with(RELEASES)));
        match kind {
            Kind::Key => counted.key_count += 1,
            Kind::State => {
                counted.state_count += 1;
                counted.app_count += app;
                counted.release_count += release;
            }
            Kind::StateChanged => {}
            Kind::StateRemoved => {
                counted.state_count = counted.state_count.saturating_sub(1);
                counted.app_count = counted.app_count.saturating_sub(app);
                counted.release_count = counted.release_count.saturating_sub(release);
            }
            Kind::Images => match serde_json::from_slice(&body.unwrap_or_default()) {
                Ok(needed) => self.needed = needed,
                Err(_) => return false,
            },
            Kind::Object => return self.object_end(&name, body, sha256),
            Kind::Repository => counted.repository_count += 1,
        }
        true
    }

    fn object_end(&mut self, name: &str, body: Option<Vec<u8>>, sha256: &[u8; 32]) -> bool {
        let object = Object::of(name);
        let Some(Object::Content(digest)) = object else { return object.is_some() };
        self.counted.content_count += 1;
        if digest.algorithm() == Algorithm::Sha256 && digest.hex() != hex::encode(sha256) {
            self.damaged.push(digest);
            return false;
        }
        if let Some(needs) = body.and_then(|body| manifest_needs(&body)) {
            self.counted.image_count += 1;
            self.manifests.insert(digest.clone(), needs);
        }
        self.present.insert(digest);
        true
    }

    /// What was seen, once it was all seen.
    pub(crate) fn findings(self) -> Findings {
        let contents = Contents { size: ByteSize::bytes(self.bytes), ..self.counted };
        let mut missing = Vec::new();
        let mut known = BTreeMap::new();
        for (app, image) in self.needed.iter().flat_map(|(app, images)| images.iter().map(move |image| (*app, image))) {
            let digest = Digest::from(image);
            let is_linked = self.linked.contains(&(app, digest.clone()));
            let lacks =
                if is_linked { known.entry(image).or_insert_with(|| self.lacks(digest)).clone() } else { Some(digest) };
            if let Some(lacks) = lacks.filter(|_| missing.len() < MISSING_MAX) {
                missing.push(MissingImage { app, image: image.clone(), lacks });
            }
        }
        Findings { contents, missing, damaged: self.damaged }
    }

    /// The first content that is not there of those that an image needs.
    fn lacks(&self, image: Digest) -> Option<Digest> {
        let (mut seen, mut left) = (HashSet::new(), vec![image]);
        while let Some(digest) = left.pop() {
            if !self.present.contains(&digest) {
                return Some(digest);
            }
            if seen.insert(digest.clone()) {
                left.extend(self.manifests.get(&digest).into_iter().flatten().cloned());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use sha2::Digest as _;

    use super::*;

    fn pass(inspector: &mut Inspector, kind: Kind, name: &str, content: &[u8]) -> bool {
        inspector.begin(kind, name);
        content.chunks(7).for_each(|piece| inspector.data(piece));
        inspector.end(&sha2::Sha256::digest(content).into())
    }

    fn content(inspector: &mut Inspector, content: &[u8]) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, content);
        let key = format!("blobs/sha256/{}/{}", &digest.hex()[..2], digest.hex());
        assert!(pass(inspector, Kind::Object, &key, content));
        digest
    }

    fn manifest(config: &Digest, layer: &Digest) -> Vec<u8> {
        let of = |media: &str, digest: &Digest| serde_json::json!({ "mediaType": media, "digest": digest.to_string(), "size": 1 });
        let config = of("application/vnd.oci.image.config.v1+json", config);
        let layers = [of("application/vnd.oci.image.layer.v1.tar", layer)];
        let media = "application/vnd.oci.image.manifest.v1+json";
        serde_json::json!({ "schemaVersion": 2, "mediaType": media, "config": config, "layers": layers })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn an_image_is_missing_unless_all_that_it_needs_went_by() {
        let app = AppId::new();
        let of = |text: &[u8]| Digest::of(Algorithm::Sha256, text);
        let manifest = manifest(&of(b"config"), &of(b"layer"));
        let image = ImageDigest::parse(&of(&manifest).to_string()).unwrap();
        let needed = serde_json::to_vec(&ImagesNeeded::from([(app, [image].into())])).unwrap();
        for left_out in ["", "link", "manifest", "config", "layer"] {
            let mut inspector = Inspector::default();
            assert!(pass(&mut inspector, Kind::Images, "needed", &needed));
            let link = format!("apps/{app}/_manifests/sha256/{}", of(&manifest).hex());
            if left_out != "link" {
                assert!(pass(&mut inspector, Kind::Object, &link, b"{}"));
            }
            for (name, part) in [("layer", &b"layer"[..]), ("manifest", &manifest), ("config", b"config")] {
                if left_out != name {
                    content(&mut inspector, part);
                }
            }
            let findings = inspector.findings();
            assert_eq!(findings.missing.len(), usize::from(!left_out.is_empty()), "{left_out}");
            assert_eq!(findings.is_complete(), left_out.is_empty());
        }
    }

    #[test]
    fn content_that_is_not_what_its_digest_says_is_found() {
        let mut inspector = Inspector::default();
        let digest = Digest::of(Algorithm::Sha256, b"right");
        let key = format!("blobs/sha256/{}/{}", &digest.hex()[..2], digest.hex());
        assert!(!pass(&mut inspector, Kind::Object, &key, b"wrong"));
        assert_eq!(inspector.findings().damaged, [digest]);
    }

    #[test]
    fn what_changes_while_the_state_is_read_is_counted_once() {
        let mut inspector = Inspector::default();
        for (kind, name) in [
            (Kind::State, "apps/1"),
            (Kind::State, "apps/2"),
            (Kind::State, "releases/1/1"),
            (Kind::StateChanged, "apps/1"),
            (Kind::StateRemoved, "apps/2"),
        ] {
            assert!(pass(&mut inspector, kind, name, b""));
        }
        let contents = inspector.findings().contents;
        assert_eq!((contents.state_count, contents.app_count, contents.release_count), (2, 1, 1));
    }
}
