//! Processes, their sizes, and the log.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use ambo_e2e::{Heroku, HerokuCase, Platform, Source, User, wait_until, works};

pub(super) const CASES: &[HerokuCase] = &[
    works("ps"),
    works("ps:scale"),
    works("ps:type"),
    works("ps:restart"),
    works("ps:restart -d"),
    works("ps:restart -p"),
    works("ps:stop"),
    works("ps:wait"),
    works("logs"),
    works("logs --num"),
    works("logs --source"),
    works("logs --dyno-name"),
    works("logs --tail"),
];

#[test]
fn processes_are_scaled_sized_restarted_stopped_and_heard() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let heroku = Heroku::new(&ann, CASES);
    let source = Source::web(&ann, "shop", "one");
    source.write("Procfile", "web: python3 -u /server.py\nworker: echo at work; exec sleep 1000\n");
    source.commit("A worker");
    source.create_app("shop");
    source.push().ok();
    scale(&ann, &heroku);
    restart(&ann, &heroku);
    logs(&platform, &heroku);
    heroku.every_case_ran();
}

fn scale(ann: &User<'_>, heroku: &Heroku<'_, '_>) {
    heroku.run(&["ps:scale", "worker=1", "-a", "shop"]).ok().says("worker at 1");
    heroku.run(&["ps:scale", "worker+1", "-a", "shop"]).ok().says("worker at 2");
    ann.wait_for_instances("shop", "worker", 2);
    heroku.run(&["ps:scale", "worker-1", "-a", "shop"]).ok().says("worker at 1");
    ann.wait_for_instances("shop", "worker", 1);
    heroku.run(&["ps:scale", "-a", "shop"]).ok().says("web=1").says("worker=1");
    heroku.run(&["ps:scale", "nothing=1", "-a", "shop"]).failed(2).says("Couldn't find that process type");
    heroku.run(&["ps:type", "worker=standard-2x", "-a", "shop"]).ok().says("Standard-2X");
    heroku.run(&["ps:type", "worker=huge", "-a", "shop"]).failed(2).says("there is no size `huge`");
    wait_until("the worker has its memory", || {
        let limits = ann.ambo_json(&["limits", "-a", "shop"]);
        limits.to_string().contains("1G").then_some(())
    });
    heroku.run(&["ps:wait", "-a", "shop"]).ok();
    let ps = heroku.run(&["ps", "-a", "shop"]).ok();
    for text in ["web.1: up", "worker.1: up", "(Standard-2X)"] {
        assert!(ps.stdout.contains(text), "`{text}` is missing: {ps}");
    }
}

fn restart(ann: &User<'_>, heroku: &Heroku<'_, '_>) {
    let containers = |process: &str| ann.platform.containers("shop", process);
    for (arguments, process) in [
        (&["ps:restart", "-a", "shop"][..], "web"),
        (&["ps:restart", "-p", "worker", "-a", "shop"], "worker"),
        (&["ps:restart", "-d", "web.1", "-a", "shop"], "web"),
        (&["ps:stop", "worker.1", "-a", "shop"], "worker"),
    ] {
        let before = containers(process);
        heroku.run(arguments).ok();
        wait_until(&format!("{arguments:?} gives {process} another container"), || {
            let now = containers(process);
            (now.len() == 1 && now != before).then_some(())
        });
        ann.wait_for_instances("shop", process, 1);
    }
}

fn logs(platform: &Platform, heroku: &Heroku<'_, '_>) {
    wait_until("a request is logged", || {
        let _ = platform.app_get("shop", "/hello");
        heroku.run(&["logs", "-a", "shop"]).ok().stdout.contains("path=\"/hello\"").then_some(())
    });
    let few = heroku.run(&["logs", "--num", "3", "-a", "shop"]).ok();
    assert_eq!(few.stdout.lines().count(), 3, "{few}");
    let app = heroku.run(&["logs", "--source", "app", "--num", "500", "-a", "shop"]).ok();
    assert!(app.stdout.contains("app[worker.1]: at work") && !app.stdout.contains("[router]"), "{app}");
    let worker = heroku.run(&["logs", "--dyno-name", "worker.1", "--num", "500", "-a", "shop"]).ok();
    assert!(worker.stdout.contains("at work") && !worker.stdout.contains("web.1"), "{worker}");
    tail(platform, heroku);
}

/// A tail goes on after its stream was ended and after the platform was restarted, without telling a line twice.
fn tail(platform: &Platform, heroku: &Heroku<'_, '_>) {
    let mut command = heroku.prepare(&["logs", "--tail", "-a", "shop"]);
    let mut tail = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("heroku runs");
    let (sender, lines) = std::sync::mpsc::channel();
    let output = BufReader::new(tail.stdout.take().expect("its output"));
    let reader = std::thread::spawn(move || {
        output.lines().map_while(Result::ok).for_each(|line| {
            let _ = sender.send(line);
        });
    });
    let mut seen = Vec::new();
    let mut until = |path: &str| {
        wait_until(&format!("the tail shows {path}"), || {
            let _ = platform.app_get("shop", path);
            seen.extend(lines.try_iter());
            seen.iter().any(|line: &String| line.contains(&format!("path=\"{path}\""))).then_some(())
        });
    };
    until("/first");
    heroku.relay().end_streams();
    until("/second");
    platform.terminate();
    platform.launch();
    until("/third");
    end(&mut tail);
    reader.join().expect("the reader");
    let firsts: Vec<&String> = seen.iter().filter(|line| line.contains("request_id=")).collect();
    let mut different = firsts.clone();
    different.sort();
    different.dedup();
    assert_eq!(firsts.len(), different.len(), "no line comes twice: {seen:#?}");
}

fn end(child: &mut Child) {
    child.kill().expect("heroku runs");
    child.wait().expect("heroku ends");
}
