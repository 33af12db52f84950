use ambo_builder::{ImageBuilder, ImagesKept};
use ambo_model::ImageDigest;

use crate::fixture::Fixture;

#[tokio::test]
async fn images_that_no_release_needs_leave_the_engine_and_stay_in_the_registry() {
    let fixture = Fixture::new("prune").await;
    let mut images: Vec<ImageDigest> = Vec::new();
    for at in 0..4 {
        let id = ambo_model::BuildId::new();
        let mut request =
            fixture.request(&[("Dockerfile", &format!("FROM debian:bookworm-slim\nRUN echo {id}\nCMD sleep 60\n"))]);
        request.tag = format!("b{at}");
        images.push(fixture.build(request).await.artifact().image.clone());
    }
    let used = fixture.build({
        let mut request = fixture
            .request(&[("Dockerfile", "FROM nginx:stable\nRUN sed -i s/80/8123/ /etc/nginx/sites-enabled/default\n")]);
        request.tag = "used".to_owned();
        request
    });
    let used = used.await.artifact().clone();
    let (id, _) = fixture.serve(&used, "web").await;

    let kept = [ImagesKept { repository: &fixture.repository, digests: &images[2..3] }];
    let pruned = fixture.builder.images_prune(&kept).await.unwrap();
    assert_eq!(pruned.removed, 3);
    let tags = [format!("{}:b2", fixture.repository), format!("{}:used", fixture.repository)];
    assert_eq!(fixture.local_tags().await, tags);
    assert_eq!(fixture.builder.images_prune(&kept).await.unwrap().removed, 0);

    let again = fixture.import(&format!("{}@{}", fixture.repository, images[0]), "b0").await;
    assert_eq!(again.artifact().image, images[0]);
    fixture.stop(&id).await;
    fixture.end().await;
}

#[tokio::test]
async fn the_build_cache_is_pruned_to_its_size_and_no_further() {
    let fixture = Fixture::new("cache").await;
    // The size is far above what is there: nothing that others on this engine use may go.
    assert_eq!(fixture.builder.cache_prune().await.unwrap().as_u64(), 0);
    fixture.end().await;
}
