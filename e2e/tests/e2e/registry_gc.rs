//! What the registry keeps, and what it frees.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ambo_e2e::{Platform, Source, User, run, wait_until};

/// The size of all files below a directory.
fn disk_bytes(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// The digest of the image that an app's web process runs.
fn image_digest(platform: &Platform, app: &str) -> String {
    let ids = platform.containers(app, "web");
    let image = run(Command::new("docker").args(["inspect", "-f", "{{.Config.Image}}", &ids[0]])).ok().stdout;
    image.trim().split_once('@').expect("pinned by digest").1.to_owned()
}

/// Whether all of an image can be had from the registry, without the engine.
fn pullable(user: &User<'_>, token: &str, image: &str) -> bool {
    let credentials = format!("{}:{token}", user.email);
    let image = format!("docker://{}/{image}", user.platform.registry());
    let copy = tempfile::tempdir_in(user.home()).expect("a directory");
    let mut skopeo = Command::new("skopeo");
    skopeo.args([
        "copy",
        "-q",
        "--src-tls-verify=false",
        "--override-os",
        "linux",
        "--src-creds",
        &credentials,
        &image,
    ]);
    run(skopeo.arg(format!("dir:{}", copy.path().display()))).code == 0
}

/// A source whose image has a layer of its own of about 2 MB, beside those of the base image.
fn version(source: &Source<'_, '_>, text: &str) {
    source.write(
        "Dockerfile",
        &format!(
            "FROM python:3.11-slim-bookworm\nRUN head -c 2000000 /dev/urandom > /{text}\nCOPY server.py /server.py\n\
             CMD [\"python3\", \"-u\", \"/server.py\"]\n"
        ),
    );
    source.say(text);
}

#[test]
fn a_collection_keeps_the_images_of_kept_releases_and_frees_the_rest() {
    let platform = Platform::start_with(&[("AMBO_REGISTRATION", "open"), ("AMBO_IMAGE_GRACE_SECONDS", "1")]);
    let (ann, bob) = (platform.user("ann"), platform.user("bob"));
    bob.ambo(&["images", "collect"]).failed(3);
    ann.ambo(&["settings:set", "--releases-kept", "2"]).ok();
    let token = ann.ambo(&["tokens:create"]).ok().stdout.trim().to_owned();
    let source = Source::web(&ann, "shop", "zero");
    source.create_app("shop");
    let mut digests = Vec::new();
    for text in ["one", "two", "three", "four"] {
        version(&source, text);
        source.push().ok(); // v2 to v5
        assert_eq!(platform.app_get("shop", "/").body, text);
        digests.push(image_digest(&platform, "shop"));
    }
    let blobs = platform.data().join("registry/blobs");
    let before = disk_bytes(&blobs);
    // What has just been pushed is young for a second: the same call a little later frees it.
    let mut freed = 0;
    wait_until("two images are freed", || {
        let collected = ann.ambo_json(&["images:collect"]);
        freed += collected["freed"]["images"].as_u64()?;
        assert!(collected["kept"]["images"].as_u64()? >= 2, "{collected}");
        (freed == 2).then_some(())
    });
    let after = disk_bytes(&blobs);
    assert!(before - after > 3_900_000 && after > 10_000_000, "{before} bytes became {after}");
    let there: Vec<bool> = digests.iter().map(|digest| pullable(&ann, &token, &format!("shop@{digest}"))).collect();
    assert_eq!(there, [false, false, true, true], "the old images went, the kept ones stay whole");

    ann.ambo(&["rollback", "v3", "-a", "shop"]).failed(2).says("no longer kept").says("releases_kept");
    assert_eq!(platform.app_get("shop", "/").body, "four");
    ann.ambo(&["rollback", "v4", "-a", "shop"]).ok();
    wait_until("what was gone back to serves", || (platform.app_get("shop", "/").body == "three").then_some(()));
    // Built on what is kept, from the layers that the others shared.
    source.say("five");
    source.push().ok();
    assert_eq!(platform.app_get("shop", "/").body, "five");

    ann.ambo(&["destroy", "-a", "shop", "--confirm", "shop"]).ok();
    wait_until("everything of the app has gone", || {
        ann.ambo(&["images:collect"]).ok();
        (disk_bytes(&blobs) < 100_000).then_some(())
    });
}

#[test]
fn a_rollback_beside_collections_never_loses_its_image() {
    let platform = Platform::start_with(&[("AMBO_REGISTRATION", "open"), ("AMBO_IMAGE_GRACE_SECONDS", "1")]);
    let ann = platform.user("ann");
    ann.ambo(&["settings:set", "--releases-kept", "1"]).ok();
    let source = Source::web(&ann, "shop", "old");
    source.create_app("shop");
    source.push().ok(); // v2
    source.say("new");
    source.push().ok(); // v3
    let pushed = Instant::now();
    wait_until("both images are beyond the grace period", || {
        (pushed.elapsed() > Duration::from_millis(1100)).then_some(())
    });
    let rolled_back = std::thread::scope(|scope| {
        let collecting = scope.spawn(|| ann.ambo(&["images:collect"]).ok());
        let rolled_back = ann.ambo(&["rollback", "v2", "-a", "shop"]);
        collecting.join().expect("the collection");
        rolled_back
    });
    // Whoever comes first: either the release is made and its image is there, or it is refused and what served serves.
    let serves = if rolled_back.code == 0 { "old" } else { "new" };
    if rolled_back.code != 0 {
        rolled_back.says("no longer kept");
    }
    wait_until("what was promised serves", || (platform.app_get("shop", "/").body == serves).then_some(()));
    ann.ambo(&["images:collect"]).ok();
    ann.ambo(&["ps:restart", "-a", "shop"]).ok();
    wait_until("it serves after a restart", || (platform.app_get("shop", "/").body == serves).then_some(()));
}

#[test]
fn a_failed_deploy_tells_which_build_it_was() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    ann.ambo(&["create", "shop"]).ok();
    source.write("Dockerfile", "FROM python:3.11-slim-bookworm\nRUN exit 7\n");
    let failed = source.ambo(&["deploy", "-a", "shop", "--json"]).failed(1);
    let trailer: serde_json::Value = serde_json::from_str(&failed.stdout).expect("JSON");
    assert_eq!((trailer["status"].as_str(), trailer["release"].as_u64()), (Some("failed"), None), "{trailer}");
    let build = ann.ambo_json(&["builds:info", trailer["build"].as_str().expect("the build"), "-a", "shop"]);
    assert_eq!(build["status"], "failed");
    assert!(build["message"].as_str().is_some_and(|why| why.contains("exit code 7")), "{build}");
    ann.ambo(&["builds", "-a", "shop"]).ok().says("failed");
}
