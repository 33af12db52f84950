//! The Platform API as a CI script or Terraform's provider uses it: nothing but curl.

use std::path::{Path, PathBuf};
use std::process::Command;

use ambo_e2e::{Answer, Platform, Source, User, get_with, run, wait_until};
use serde_json::{Value, json};

/// Somebody with a token and curl.
struct Script<'u, 'p> {
    user: &'u User<'p>,
    token: String,
}

impl<'u, 'p> Script<'u, 'p> {
    fn new(user: &'u User<'p>) -> Self {
        Self { user, token: user.ambo(&["tokens:create"]).ok().stdout.trim().to_owned() }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let (token, body) = (format!("Authorization: Bearer {}", self.token), body.to_string());
        let accept = "Accept: application/vnd.heroku+json; version=3";
        let arguments = ["-X", method, "-H", &token, "-H", accept, "-H", "Content-Type: application/json", "-d", &body];
        let arguments = if method == "GET" { &arguments[..6] } else { &arguments[..] };
        get_with(&format!("{}{path}", self.user.platform.api()), arguments)
    }

    /// A call that must be answered with this status.
    fn ask(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let answer = self.call(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("no JSON ({error}): {answer:?}"))
    }

    /// Uploads a file as a source; gives the URL to build it from.
    fn source(&self, archive: &Path) -> String {
        let source = self.ask("POST", "/sources", &json!({}), 201);
        let put = source["source_blob"]["put_url"].as_str().expect("a URL to put to");
        // No `Authorization`: the secret in the URL is all that it takes.
        let put = get_with(put, &["-T", archive.to_str().expect("a path"), "-H", "Content-Type:"]);
        assert_eq!(put.status, 200, "{put:?}");
        source["source_blob"]["get_url"].as_str().expect("a URL to get from").to_owned()
    }

    fn build(&self, app: &str, source_blob: &Value, status: u16) -> Value {
        self.ask("POST", &format!("/apps/{app}/builds"), &json!({ "source_blob": source_blob }), status)
    }

    /// The build once it has ended.
    fn ended(&self, app: &str, build: &Value) -> Value {
        let path = format!("/apps/{app}/builds/{}", build["id"].as_str().expect("an id"));
        wait_until("the build has ended", || {
            let build = self.ask("GET", &path, &Value::Null, 200);
            (build["status"] != "pending").then_some(build)
        })
    }
}

/// What `tar czf` makes of a work tree.
fn archive(source: &Source<'_, '_>, name: &str) -> PathBuf {
    let path = source.path().with_file_name(name);
    run(Command::new("tar").arg("czf").arg(&path).arg("--exclude=.git").arg("-C").arg(source.path()).arg(".")).ok();
    path
}

fn sha256(path: &Path) -> String {
    let sum = run(Command::new("sha256sum").arg(path)).ok().stdout;
    format!("SHA256:{}", sum.split(' ').next().expect("a sum"))
}

#[test]
fn a_source_is_uploaded_built_followed_and_released_by_curl_alone() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let script = Script::new(&ann);
    script.ask("POST", "/apps", &json!({ "name": "shop" }), 201);
    let source = Source::web(&ann, "shop", "one");
    let tarball = archive(&source, "one.tar.gz");
    let url = script.source(&tarball);
    assert_eq!(get_with(&url, &["-o", "/dev/null"]).status, 0, "nothing of it is printed");

    let blob = json!({ "url": url, "version": "v1.3.0", "checksum": sha256(&tarball) });
    let build = script.build("shop", &blob, 201);
    assert_eq!((build["status"].as_str(), &build["release"]), (Some("pending"), &Value::Null), "{build}");
    assert_eq!(build["source_blob"]["version"], "v1.3.0");
    // Followed without credentials, from the beginning to the end; read again, it is the same.
    let output = build["output_stream_url"].as_str().expect("a URL").to_owned();
    let followed = get_with(&output, &["--max-time", "120"]);
    for line in ["-----> Fetching the source", "-----> Building from Dockerfile", "Released v2"] {
        assert!(followed.body.contains(line), "`{line}` is missing: {}", followed.body);
    }
    assert_eq!(get_with(&output, &[]).body, followed.body);
    assert_eq!(get_with(&format!("{output}x"), &[]).status, 404);
    let build = script.ended("shop", &build);
    assert_eq!(build["status"], "succeeded", "{build}");
    let releases = script.ask("GET", "/apps/shop/releases", &Value::Null, 200);
    assert_eq!(releases[1]["id"], build["release"]["id"], "{releases}");
    assert_eq!(releases[1]["description"], "Deploy v1.3.0");
    assert_eq!(platform.app_get("shop", "/").body, "one");

    // A restart forgets neither the output nor the source.
    platform.terminate();
    platform.launch();
    assert_eq!(get_with(&output, &[]).body, followed.body);

    source.say("two");
    let second = json!({ "url": script.source(&archive(&source, "two.tar.gz")) });
    assert_eq!(script.ended("shop", &script.build("shop", &second, 201))["status"], "succeeded");
    wait_until("its release serves", || (platform.app_get("shop", "/").body == "two").then_some(()));

    // The first build's slug again, with the config of now.
    let slug = build["slug"]["id"].as_str().expect("a slug");
    let described = script.ask("GET", &format!("/apps/shop/slugs/{slug}"), &Value::Null, 200);
    assert_eq!(
        (described["commit"].as_str(), described["stack"]["name"].as_str()),
        (Some("v1.3.0"), Some("container"))
    );
    assert!(described["checksum"].as_str().is_some_and(|sum| sum.starts_with("SHA256:")), "{described}");
    assert!(described["process_types"]["web"].is_string(), "{described}");
    script.ask("PATCH", "/apps/shop/config-vars", &json!({ "NEW": "yes" }), 200);
    script.ask("POST", "/apps/shop/releases", &json!({ "slug": slug }), 201);
    wait_until("the slug serves", || (platform.app_get("shop", "/").body == "one").then_some(()));
    assert!(platform.app_get("shop", "/env").body.contains("NEW=yes"));
    let refused = script.ask("POST", "/apps/shop/slugs", &json!({ "process_types": { "web": "x" } }), 422);
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("docker push")), "{refused}");
    script.ask("DELETE", "/apps/shop/build-cache", &json!({}), 200);
}

#[test]
fn sources_that_are_not_what_they_should_be_fail_their_build_or_are_refused() {
    let platform = Platform::start();
    let (ann, bob) = (platform.user("ann"), platform.user("bob"));
    let (script, stranger) = (Script::new(&ann), Script::new(&bob));
    let bob_app = stranger.ask("POST", "/apps", &json!({ "name": "shop" }), 201);
    assert_eq!(bob_app["name"], "shop");
    let source = Source::web(&bob, "shop", "one");
    let tarball = archive(&source, "one.tar.gz");
    for bad in [
        "file:///etc/passwd".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("http://{}/v2/", platform.registry()),
        "http://[::1]:7080/apps".to_owned(),
        "ftp://example.com/x".to_owned(),
        "nonsense".to_owned(),
    ] {
        let refused = stranger.build("shop", &json!({ "url": bad }), 422);
        assert!(refused["message"].as_str().is_some_and(|text| text.contains("source_blob.url")), "{refused}");
    }
    let wrong = json!({ "url": stranger.source(&tarball), "checksum": format!("SHA256:{}", "0".repeat(64)) });
    let build = stranger.ended("shop", &stranger.build("shop", &wrong, 201));
    assert_eq!(build["status"], "failed");
    let message = build["message"].as_str().expect("why");
    assert!(message.contains("checksum") && message.contains(&sha256(&tarball)), "{message}");
    let output = get_with(build["output_stream_url"].as_str().expect("a URL"), &[]);
    assert!(output.body.contains(" !     "), "{output:?}");
    stranger.build("shop", &json!({ "url": stranger.source(&tarball), "checksum": "md5:1" }), 422);
    let unknown = json!({ "url": format!("{}/ambo/sources/{}", platform.api(), "A".repeat(43)) });
    let build = stranger.ended("shop", &stranger.build("shop", &unknown, 201));
    assert!(build["message"].as_str().is_some_and(|text| text.contains("an hour")), "{build}");
    let secret =
        get_with(&format!("{}/ambo/sources/guessed", platform.api()), &["-T", tarball.to_str().expect("a path")]);
    assert_eq!(secret.status, 404, "{secret:?}");
    // Nothing that failed has made a release, and buildpacks are told to be of no use.
    assert_eq!(stranger.ask("GET", "/apps/shop/releases", &Value::Null, 200).as_array().map(Vec::len), Some(1));
    let blob = json!({ "source_blob": { "url": stranger.source(&tarball) }, "buildpacks": [{ "url": "heroku/ruby" }] });
    let answer = stranger.call("POST", "/apps/shop/builds", &blob);
    assert!(answer.head.to_lowercase().contains("x-heroku-warning"), "{answer:?}");
    assert_eq!(script.ask("GET", "/apps/shop/builds", &Value::Null, 200)[0]["user"]["email"], bob.email);
}

#[test]
fn images_that_were_pushed_are_released_process_by_process() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let script = Script::new(&ann);
    script.ask("POST", "/apps", &json!({ "name": "shop" }), 201);
    let config = ann.home().join("docker");
    let docker = |arguments: &[&str]| run(platform.docker().arg("--config").arg(&config).args(arguments));
    docker(&["login", "-u", &ann.email, "-p", &script.token, &platform.registry()]).ok();
    // Each type has an image of its own, as `heroku container:push web worker` makes them.
    let push = |process: &str, text: &str| {
        let source = Source::web(&ann, process, text);
        let name = format!("{}/shop/{process}", platform.registry());
        docker(&["build", "-q", "-t", &name, source.path().to_str().expect("a path")]).ok();
        let id = docker(&["inspect", "-f", "{{.Id}}", &name]).ok().stdout.trim().to_owned();
        docker(&["push", "-q", &name]).ok();
        docker(&["rmi", &name]).ok();
        id
    };
    let (web, worker) = (push("web", "from web"), push("worker", "from worker"));
    let updates = json!({ "updates": [
        { "type": "web", "docker_image": web }, { "type": "worker", "docker_image": worker, "quantity": 1 },
    ] });
    script.ask("PATCH", "/apps/shop/formation", &updates, 200);
    assert_eq!(platform.app_get("shop", "/").body, "from web");
    ann.wait_for_instances("shop", "worker", 1);
    // One of them alone: the other stays as it is.
    let second = push("web", "from the second web");
    let one = json!({ "updates": [{ "type": "web", "docker_image": second }] });
    script.ask("PATCH", "/apps/shop/formation", &one, 200);
    assert_eq!(platform.app_get("shop", "/").body, "from the second web");
    ann.wait_for_instances("shop", "worker", 1);
    ann.ambo(&["rollback", "-a", "shop"]).ok();
    wait_until("the first one serves again", || (platform.app_get("shop", "/").body == "from web").then_some(()));
    let unknown = format!("sha256:{}", "0".repeat(64));
    let refused = script.ask(
        "PATCH",
        "/apps/shop/formation",
        &json!({ "updates": [{ "type": "web", "docker_image": unknown }] }),
        422,
    );
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("docker push")), "{refused}");
    script.ask("PATCH", "/apps/shop/formation/worker", &json!({ "docker_image": null }), 200);
    ann.wait_for_instances("shop", "worker", 0);
}

#[test]
fn an_app_json_sets_an_app_up() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let script = Script::new(&ann);
    let source = Source::web(&ann, "shop", "set up");
    source.write("Procfile", "web: python3 -u /server.py\nworker: sleep 1000\n");
    source.write(
        "app.json",
        &json!({
            "name": "Shop",
            "env": { "PLAIN": "yes", "TOKEN": { "generator": "secret" }, "NEEDED": { "required": true } },
            "formation": { "web": { "quantity": 1 }, "worker": { "quantity": 1 } },
            "scripts": { "postdeploy": "echo migrated $PLAIN" },
            "success_url": "/welcome",
        })
        .to_string(),
    );
    let ended = |setup: &Value| {
        let path = format!("/app-setups/{}", setup["id"].as_str().expect("an id"));
        wait_until("the setup has ended", || {
            let setup = script.ask("GET", &path, &Value::Null, 200);
            (setup["status"] != "pending").then_some(setup)
        })
    };
    let tarball = archive(&source, "shop.tar.gz");
    let request = |name: &str, env: Value| {
        let blob = json!({ "url": script.source(&tarball), "version": "v1" });
        json!({ "source_blob": blob, "app": { "name": name }, "overrides": { "env": env } })
    };
    let setup = script.ask("POST", "/app-setups", &request("shop", json!({ "NEEDED": "given" })), 202);
    assert_eq!((setup["status"].as_str(), setup["app"]["name"].as_str()), (Some("pending"), Some("shop")), "{setup}");
    let setup = ended(&setup);
    assert_eq!(setup["status"], "succeeded", "{setup}");
    assert_eq!(setup["postdeploy"], json!({ "output": "migrated yes\n", "exit_code": 0 }));
    assert!(setup["resolved_success_url"].as_str().is_some_and(|url| url.ends_with("/welcome")), "{setup}");
    assert_eq!(setup["build"]["status"], "succeeded");
    assert_eq!(platform.app_get("shop", "/").body, "set up");
    ann.wait_for_instances("shop", "worker", 1);
    let config = script.ask("GET", "/apps/shop/config-vars", &Value::Null, 200);
    assert_eq!((config["PLAIN"].as_str(), config["NEEDED"].as_str()), (Some("yes"), Some("given")));
    assert!(config["TOKEN"].as_str().is_some_and(|token| token.len() > 30), "{config}");

    let setup = ended(&script.ask("POST", "/app-setups", &request("other", json!({})), 202));
    assert_eq!(setup["status"], "failed");
    assert!(setup["manifest_errors"][0].as_str().is_some_and(|text| text.contains("NEEDED")), "{setup}");
    assert!(setup["failure_message"].as_str().is_some_and(|text| text.contains("NEEDED")), "{setup}");
}
