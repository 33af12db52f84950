//! What dies comes back.

use std::process::Command;

use ambo_e2e::{Platform, Source, run, wait_until};

fn docker(arguments: &[&str]) -> String {
    run(Command::new("docker").args(arguments)).stdout
}

#[test]
fn a_killed_or_removed_container_is_replaced() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "alive");
    source.create_app("shop");
    source.push().ok();
    for end in [vec!["kill"], vec!["rm", "-f"], vec!["stop", "-t", "1"]] {
        let before = platform.containers("shop", "web");
        docker(&[end.as_slice(), &[before[0].as_str()]].concat());
        wait_until(&format!("another one runs after docker {end:?}"), || {
            let now = platform.containers("shop", "web");
            (now.len() == 1 && platform.app_get("shop", "/").body == "alive").then_some(())
        });
        ann.wait_for_instances("shop", "web", 1);
    }
}

#[test]
fn an_instance_that_fails_its_health_check_leaves_rotation_and_is_replaced() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "healthy");
    // Answers 500 for ever once it has been asked for /poison.
    source.write(
        "server.py",
        r#"import http.server, os
sick = False
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global sick
        sick = sick or self.path == "/poison"
        self.send_response(500 if sick else 200)
        self.end_headers()
        self.wfile.write(os.environ["HOSTNAME"].encode())
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"#,
    );
    source.commit("Can be poisoned");
    source.create_app("shop");
    source.push().ok();
    let unchecked = platform.app_get("shop", "/").body;
    let check = ["healthchecks:set", "web", "http", "--path", "/", "--interval", "1", "--failures", "2", "-a", "shop"];
    ann.ambo(&check).ok();
    wait_until("an instance with the new check serves alone", || {
        let alone = platform.containers("shop", "web").len() == 1;
        (alone && platform.app_get("shop", "/").body != unchecked).then_some(())
    });
    let before = platform.app_get("shop", "/").body;
    let _ = platform.app_get("shop", "/poison");
    wait_until("another instance answers", || {
        let answer = platform.app_get("shop", "/");
        (answer.status == 200 && answer.body != before).then_some(())
    });
    ann.ambo(&["logs", "-n", "100", "-a", "shop"]).ok().says("Health check failed");
}

#[test]
fn a_crash_loop_backs_off_and_shows_as_crashed() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::example(&ann, "hello-python", "hello");
    source.write("Procfile", "web: python3 -u server.py\nbad: sleep 1; exit 9\n");
    source.write("Dockerfile", "FROM python:3.11-slim-bookworm\nCOPY . .\n");
    source.write("server.py", "import http.server, os\nhttp.server.test(http.server.SimpleHTTPRequestHandler, port=int(os.environ['PORT']))\n");
    source.commit("A process that crashes");
    source.create_app("hello");
    source.push().ok();
    ann.ambo(&["ps:scale", "bad=1", "-a", "hello"]).ok();
    wait_until("it shows as crashed", || {
        let rows = ann.ambo_json(&["ps", "-a", "hello"]);
        rows.as_array()?.iter().any(|row| row["name"] == "bad.1" && row["state"] == "crashed").then_some(())
    });
    assert_eq!(platform.app_get("hello", "/").status, 200);
}

#[test]
fn an_app_redeploys_from_the_registry_when_the_engine_has_lost_its_image() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "from the registry");
    source.create_app("shop");
    source.push().ok();
    ann.ambo(&["ps:scale", "web=0", "-a", "shop"]).ok();
    wait_until("nothing runs", || platform.containers("shop", "web").is_empty().then_some(()));
    let repository = format!("{}/shop", platform.registry());
    wait_until("the engine has lost the image", || {
        for name in docker(&["images", "--format", "{{.Repository}}:{{.Tag}}", &repository]).lines() {
            docker(&["rmi", name]);
        }
        docker(&["images", "-q", &repository]).trim().is_empty().then_some(())
    });
    ann.ambo(&["ps:scale", "web=1", "-a", "shop"]).ok();
    wait_until("it serves again", || (platform.app_get("shop", "/").body == "from the registry").then_some(()));
}
