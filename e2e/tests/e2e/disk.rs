//! A full disk: whoever needs space is told so and what to do, nothing is half-written, what serves goes on serving.

use std::fs;
use std::path::Path;

use ambo_e2e::{Answer, Platform, SmallDisk, Source, User, get_with, wait_until};

/// Room for an image of the examples' base, and not much more.
const DISK_MIB: usize = 384;
/// Room for a push and a build, but not for the large image.
const SPARE_MIB: usize = 32;
const DOCKERFILE: &str =
    "FROM python:3.11-slim-bookworm\nCOPY server.py /server.py\nCMD [\"python3\", \"-u\", \"/server.py\"]\n";
/// SQLite may write so many values into files that are there already.
const WRITES_MAX: usize = 200;

#[test]
fn a_full_disk_is_told_harms_nothing_and_is_recovered_from() {
    let disk = SmallDisk::mount(DISK_MIB);
    let data = disk.path().join("data");
    let platform =
        Platform::start_with(&[("AMBO_REGISTRATION", "open"), ("AMBO_DATA", data.to_str().expect("a path"))]);
    let ann = platform.user("ann");
    let shop = Source::web(&ann, "shop", "before");
    shop.create_app("shop");
    shop.push().ok();
    let token = ann.ambo(&["tokens:create"]).ok().stdout.trim().to_owned();
    let (blobs, pid) = (files(&data.join("registry/blobs/blobs")), platform.serving_pid());

    disk.fill();
    let acknowledged = config_set_until_full(&ann);
    disk.fill();
    let answer = config_patch(&platform, &token, "TOO_MUCH", "x");
    assert_eq!(answer.status, 507, "{answer:?}");
    assert!(answer.body.contains("\"disk_full\"") && answer.body.contains("free some space"), "{answer:?}");
    shop.say("does not fit");
    let push = shop.push();
    assert_ne!(push.code, 0, "{push}");
    push.says("disk is full").says("free some space");
    assert_uploads_refused(&platform, &ann.email, &token);
    assert_eq!(files(&data.join("registry/uploads")), Vec::<String>::new(), "no half blob");
    assert_eq!(files(&data.join("registry/blobs/blobs")), blobs, "no half blob");

    // Reading and serving need no space; what cannot be logged is dropped.
    for _ in 0..50 {
        assert_eq!(platform.app_get("shop", "/").body, "before");
    }
    ann.wait_for_instances("shop", "web", 1);
    assert_eq!(config(&ann), acknowledged, "all that was acknowledged, and nothing else");

    disk.relieve();
    disk.fill_leaving(SPARE_MIB);
    shop.write("Dockerfile", &format!("{DOCKERFILE}RUN head -c 64000000 /dev/urandom > /large\n"));
    shop.commit("An image that does not fit");
    let push = shop.push();
    assert_ne!(push.code, 0, "{push}");
    push.says("disk is full").says("free some space");
    assert_eq!(platform.app_get("shop", "/").body, "before");
    shop.write("Dockerfile", DOCKERFILE);

    disk.relieve();
    assert_eq!(config_patch(&platform, &token, "ROOM", "again").status, 200);
    wait_until("the new config serves", || platform.app_get("shop", "/env").body.contains("ROOM=again").then_some(()));
    shop.say("after");
    shop.push().ok();
    assert_eq!(platform.app_get("shop", "/").body, "after");
    wait_until("lines are logged again", || {
        let _ = platform.app_get("shop", "/logged-again");
        ann.ambo(&["logs", "-n", "50", "-a", "shop"]).ok().stdout.contains("/logged-again").then_some(())
    });
    platform.assert_alive();
    assert_eq!(platform.serving_pid(), pid, "no restart was needed");
}

/// Sets one variable after the other until there is no room; gives those that were acknowledged.
fn config_set_until_full(ann: &User<'_>) -> Vec<String> {
    let value = "v".repeat(8 << 10);
    for number in 0..WRITES_MAX {
        let set = ann.ambo(&["config:set", &format!("V{number}={value}"), "-a", "shop"]);
        if set.code != 0 {
            set.failed(6).says("disk is full").says("free some space");
            return (0..number).map(|number| format!("V{number}")).collect();
        }
    }
    panic!("{WRITES_MAX} writes of {} bytes fit on a full disk", value.len());
}

/// The names of the config in force.
fn config(ann: &User<'_>) -> Vec<String> {
    let config = ann.ambo_json(&["config", "-a", "shop"]);
    let mut names: Vec<String> = config.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    names.sort_by_key(|name| name[1..].parse::<usize>().ok());
    names
}

fn config_patch(platform: &Platform, token: &str, name: &str, value: &str) -> Answer {
    let (authorization, body) = (format!("Authorization: Bearer {token}"), format!("{{\"{name}\": \"{value}\"}}"));
    let request = ["-X", "PATCH", "-H", &authorization, "-H", "Content-Type: application/json", "--data", &body];
    get_with(&format!("{}/apps/shop/config-vars", platform.api()), &request)
}

/// As the registry's clients see it: an error of the OCI specification's form, under a status that says what is the matter.
fn assert_uploads_refused(platform: &Platform, email: &str, token: &str) {
    let (user, service) = (format!("{email}:{token}"), format!("http://{}", platform.registry()));
    let scope = format!("{service}/v2/token?service={}&scope=repository:shop:pull,push", platform.registry());
    let granted = get_with(&scope, &["-u", &user]);
    let granted: serde_json::Value = serde_json::from_str(&granted.body).unwrap_or_else(|_| panic!("{granted:?}"));
    let bearer = format!("Authorization: Bearer {}", granted["token"].as_str().expect("a token"));
    let answer = get_with(&format!("{service}/v2/shop/blobs/uploads/"), &["-X", "POST", "-H", &bearer]);
    assert_eq!(answer.status, 507, "{answer:?}");
    assert!(answer.head.starts_with("HTTP/1.1 507 no space left on device"), "Docker retries for a minute otherwise");
    let body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    assert_eq!(body["errors"][0]["code"], "STORAGE_FULL", "{answer:?}");
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path.display().to_string()) }
    }
    found.sort();
    found
}
