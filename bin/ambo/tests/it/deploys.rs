//! Deploys without git.

use insta::assert_snapshot;
use serde_json::json;

use crate::world::{World, write};

const BUILDS: &str = "POST /ambo/apps/shop/builds";

fn answer(world: &World, trailer: &str) {
    let body = format!("-----> Building\n       step 1\n\0{trailer}\n");
    world.fake.on_raw(BUILDS, 200, &[("content-type", "text/plain")], body.into_bytes());
}

#[test]
fn a_directory_is_sent_and_its_build_followed() {
    let world = World::logged_in();
    write(&world.work(), "Procfile", "web: ./serve\n");
    write(&world.work(), ".gitignore", "*.log\n");
    write(&world.work(), "a.log", "x");
    answer(&world, r#"{"status":"succeeded","build":null,"release":3,"url":"http://shop.localhost:7000"}"#);
    let seen = world.run("deploy -a shop");
    let seen = seen.lines().map(|line| if line.starts_with("Uploading") { "Uploading" } else { line });
    assert_snapshot!(seen.collect::<Vec<_>>().join("\n"), @r"
    exit: 0
    --- stdout
    -----> Building
           step 1
    --- stderr
    Packing the files...
    Uploading
    Released v3 of shop: http://shop.localhost:7000
    ");
    let asked = world.fake.asked_once(BUILDS);
    assert_eq!(asked.header("content-type"), "application/gzip");
    assert_eq!(asked.header("content-length"), asked.body.len().to_string());
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&asked.body[..]));
    let names: Vec<_> =
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
    assert_eq!(names, [".gitignore", "Procfile"]);
}

#[test]
fn a_failed_build_is_a_failure() {
    let world = World::logged_in();
    answer(
        &world,
        r#"{"status":"failed","build":null,"release":null,"url":null,"message":"no `Dockerfile` and no known language"}"#,
    );
    assert_snapshot!(world.run("pull nginx:1.27 -a shop"), @r"
    exit: 1
    --- stdout
    -----> Building
           step 1
    --- stderr
    error: no `Dockerfile` and no known language
    ");
    assert_eq!(world.fake.asked_once(BUILDS).json(), json!({"image": "nginx:1.27"}));
}

#[test]
fn a_build_whose_end_nobody_tells_is_no_success() {
    let world = World::logged_in();
    world.fake.on_raw(BUILDS, 200, &[], b"-----> Building\n".to_vec());
    assert_snapshot!(world.run("deploy --image nginx -a shop"), @r"
    exit: 6
    --- stdout
    -----> Building
    --- stderr
    error: the connection to [HOST] broke off before the answer was complete
    ");
}

#[test]
fn programs_get_the_result_alone() {
    let world = World::logged_in();
    write(&world.work(), "Procfile", "worker: x\n");
    answer(&world, r#"{"status":"succeeded","build":null,"release":3,"url":"http://shop.localhost:7000"}"#);
    assert_snapshot!(world.run("deploy --image nginx -a shop --json"), @r#"
    exit: 0
    --- stdout
    {
      "status": "succeeded",
      "build": null,
      "release": 3,
      "url": "http://shop.localhost:7000"
    }
    --- stderr
    -----> Building
           step 1
    Released v3 of shop: http://shop.localhost:7000
    "#);
    assert_eq!(world.fake.asked_once(BUILDS).json(), json!({"image": "nginx", "procfile": "worker: x\n"}));
}

#[test]
fn a_deploy_says_which_commit_it_is_of() {
    let world = World::logged_in();
    write(&world.work(), "Procfile", "web: x\n");
    world.git("init -q");
    world.git("add -A");
    world.git("-c user.name=a -c user.email=a@example.com commit -q -m one");
    answer(&world, r#"{"status":"succeeded","build":null,"release":3,"url":null}"#);
    let head = world.git("rev-parse HEAD");
    let head = head.lines().last().unwrap();
    world.run("deploy -a shop");
    write(&world.work(), "Procfile", "web: y\n");
    world.run("deploy -a shop");
    let sent: Vec<_> = world.fake.asked(BUILDS).into_iter().map(|asked| asked.query).collect();
    assert_eq!(sent, [format!("version={head}"), format!("version={head}-dirty")]);
}

#[test]
fn an_empty_directory_is_not_sent() {
    let world = World::logged_in();
    assert_snapshot!(world.run("deploy -a shop"), @r"
    exit: 1
    --- stderr
    Packing the files...
    error: there is nothing to deploy in `.`
    hint: are all files left out by .gitignore or .dockerignore?
    ");
    assert_eq!(world.fake.asked_count(), 0);
}
