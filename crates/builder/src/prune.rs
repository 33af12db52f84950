//! Disk space: images that no kept release needs, and the build cache beyond its size.
//!
//! Only images of our repositories are touched. BuildKit leaves no image behind when a build fails, so that there are no
//! nameless images of ours to look for.

use std::collections::HashSet;

use ambo_engine_docker::bollard::models::ImageSummary;
use ambo_engine_docker::bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
};
use ambo_engine_docker::{Engine, EngineError};
use ambo_model::{ByteSize, ImageDigest, Timestamp};
use serde::Deserialize;

use crate::failure::engine_failure;
use crate::port::{BuildError, ImagesKept, ImagesPruned};

/// Age from which an image that was never pushed counts as left over rather than on its way, in seconds.
const UNPUSHED_AGE_MIN_S: i64 = 6 * 60 * 60;

/// Removes the repositories' images from the engine, but those to keep and those in use. The engine is looked at once.
pub(crate) async fn images_prune(engine: &Engine, kept: &[ImagesKept<'_>]) -> Result<ImagesPruned, BuildError> {
    let pruned = async {
        let client = engine.client().await?;
        let images = client.list_images(Some(ListImagesOptionsBuilder::default().all(false).build())).await?;
        let containers =
            client.list_containers(Some(ListContainersOptionsBuilder::default().all(true).build())).await?;
        let used = containers.into_iter().filter_map(|container| container.image_id).collect();
        let now = Timestamp::now();
        let mut pruned = ImagesPruned::default();
        for image in kept.iter().flat_map(|kept| plan(&images, kept.repository, kept.digests, &used, now)) {
            let mut gone = true;
            for name in &image.names {
                let options = RemoveImageOptionsBuilder::default().force(false).build();
                match client.remove_image(name, Some(options), None).await.map_err(EngineError::from) {
                    Ok(_) => {}
                    Err(error) if error.is_not_found() => {}
                    // Something took it into use just now.
                    Err(error) if error.is_conflict() => gone = false,
                    Err(error) => return Err(error),
                }
            }
            pruned.removed += usize::from(gone);
        }
        Ok(pruned)
    };
    pruned.await.map_err(|error| engine_failure("remove old images", error))
}

/// Prunes the engine's build cache down to `size`, the longest unused first. Gives what was freed.
pub(crate) async fn cache_prune(engine: &Engine, size: ByteSize) -> Result<ByteSize, BuildError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        space_reclaimed: u64,
    }
    // Engines since API 1.48 call `keep-storage` `reserved-space`; each ignores the other's word.
    let size = size.as_u64();
    let path = format!("/build/prune?keep-storage={size}&reserved-space={size}");
    let answer = engine.raw::<Answer>(http::Method::POST, &path, None::<&()>).await;
    answer
        .map(|answer| ByteSize::bytes(answer.space_reclaimed))
        .map_err(|error| engine_failure("prune the build cache", error))
}

/// An image to remove: its names in the repository. Names elsewhere keep it.
#[derive(Debug, PartialEq, Eq)]
struct Removal {
    names: Vec<String>,
}

fn plan(
    images: &[ImageSummary],
    repository: &str,
    keep: &[ImageDigest],
    used: &HashSet<String>,
    now: Timestamp,
) -> Vec<Removal> {
    let mut removals = Vec::new();
    for image in images {
        let tags: Vec<&String> = image
            .repo_tags
            .iter()
            .filter(|name| name.rsplit_once(':').is_some_and(|(name, _)| name == repository))
            .collect();
        let digests: Vec<(&String, &str)> = image
            .repo_digests
            .iter()
            .filter_map(|name| {
                name.split_once('@').filter(|(of, _)| *of == repository).map(|(_, digest)| (name, digest))
            })
            .collect();
        let kept = digests.iter().any(|(_, digest)| keep.iter().any(|keep| keep.as_str() == *digest));
        let on_its_way = digests.is_empty() && now.as_second().saturating_sub(image.created) < UNPUSHED_AGE_MIN_S;
        if kept || on_its_way || used.contains(&image.id) || (tags.is_empty() && digests.is_empty()) {
            continue;
        }
        // Removing the last tag takes the digests of the repository along.
        let names = if tags.is_empty() {
            digests.iter().map(|(name, _)| (*name).clone()).collect()
        } else {
            tags.into_iter().cloned().collect()
        };
        removals.push(Removal { names });
    }
    removals
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_000_000;

    fn digest(digit: char) -> String {
        format!("sha256:{}", digit.to_string().repeat(64))
    }

    fn image(id: &str, tags: &[&str], digests: &[String], age_s: i64) -> ImageSummary {
        ImageSummary {
            id: id.to_owned(),
            repo_tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            repo_digests: digests.iter().map(|digest| format!("r:1/app@{digest}")).collect(),
            created: NOW_S - age_s,
            ..Default::default()
        }
    }

    #[test]
    fn only_the_repositorys_images_that_nobody_needs_are_removed() {
        let images = [
            image("old", &["r:1/app:b1"], &[digest('a')], 9),
            image("kept", &["r:1/app:b2"], &[digest('b')], 9),
            image("used", &["r:1/app:b3"], &[digest('c')], 9),
            image("shared", &["nginx:1", "r:1/app:b4"], &[digest('d')], 9),
            image("untagged", &[], &[digest('e')], 9),
            image("building", &["r:1/app:b5"], &[], 9),
            image("left over", &["r:1/app:b6"], &[], UNPUSHED_AGE_MIN_S),
            image("other app", &["r:1/app-2:b1", "r:1/app/x:b1"], &[], UNPUSHED_AGE_MIN_S),
        ];
        let keep = [ImageDigest::parse(&digest('b')).unwrap()];
        let used = HashSet::from(["used".to_owned()]);
        let plan = plan(&images, "r:1/app", &keep, &used, Timestamp::from_second(NOW_S).unwrap());
        let names: Vec<String> = plan.into_iter().flat_map(|removal| removal.names).collect();
        assert_eq!(names, ["r:1/app:b1", "r:1/app:b4", &format!("r:1/app@{}", digest('e')), "r:1/app:b6"]);
    }
}
