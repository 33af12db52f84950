//! `certs`: certificates of an app's domains, served by SNI.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use ambo_e2e::{Heroku, HerokuCase, Platform, Source, cannot, get_with, limited, run, works};

pub(super) const CASES: &[HerokuCase] = &[
    works("certs"),
    works("certs:add"),
    works("certs:info"),
    works("certs:info --show-domains"),
    works("certs:update"),
    works("certs:remove"),
    limited("certs:auto", "says that it is disabled"),
    cannot("certs:auto:enable", "the platform does not fetch certificates by itself yet"),
    works("domains:add --cert"),
    works("domains:update"),
];

/// Files of a certificate of these hosts, issued by an authority of the test's own.
struct Files {
    directory: PathBuf,
}

impl Files {
    fn new(platform: &Platform) -> Self {
        let directory = platform.path().join("certificates");
        std::fs::create_dir_all(&directory).expect("a directory");
        let files = Self { directory };
        files.openssl(&["-x509", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=authority"]);
        files
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new("openssl");
        command.args(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]);
        run(command.args(arguments).current_dir(&self.directory)).ok();
    }

    /// The paths of chain and key.
    fn issue(&self, name: &str, hosts: &str) -> (String, String) {
        let path = |end: &str| self.directory.join(format!("{name}.{end}")).to_string_lossy().into_owned();
        let (chain, key) = (path("crt"), path("key"));
        let names = format!("subjectAltName={hosts}");
        let subject = format!("/CN={name}");
        self.openssl(&[
            "-x509",
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-keyout",
            &key,
            "-out",
            &chain,
            "-subj",
            &subject,
            "-addext",
            &names,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ]);
        (chain, key)
    }

    fn authority(&self) -> String {
        self.directory.join("ca.crt").to_string_lossy().into_owned()
    }
}

/// Who proves to be `host`, and whether a client that trusts the test's authority takes it.
fn shown(platform: &Platform, files: &Files, host: &str) -> (String, u16) {
    let port = platform.https_port();
    let here = format!("{host}:{port}:127.0.0.1");
    let url = format!("https://{host}:{port}/");
    let trusted = get_with(&url, &["--cacert", &files.authority(), "--resolve", &here]);
    let asked = get_with(&url, &["-k", "--resolve", &here, "-w", "\n%{certs}", "-o", "/dev/null"]);
    let subject = asked.head.lines().chain(asked.body.lines()).find_map(|line| line.strip_prefix("Subject:"));
    (subject.unwrap_or_default().trim().replace("CN = ", ""), trusted.status)
}

#[test]
fn certs() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    let heroku = Heroku::new(&ann, CASES);
    let files = Files::new(&platform);
    let (www, www_key) = files.issue("www", "DNS:www.example.com");
    let (wild, wild_key) = files.issue("wild", "DNS:*.example.com,DNS:*.example.org");
    let (renewed, renewed_key) = files.issue("renewed", "DNS:www.example.com");

    heroku.run(&["certs", "-a", "shop"]).ok().says("has no SSL certificates");
    heroku.run(&["certs:add", &www, &wild_key, "-a", "shop"]).failed(2).says("does not belong");
    heroku.run(&["certs:add", &www, &www_key, "-a", "shop"]).ok().says("www.example.com");
    let only = ann.ambo_json(&["certs", "-a", "shop"]);
    let www_name = only[0]["name"].as_str().expect("a name").to_owned();
    heroku.run(&["certs:add", &wild, &wild_key, "-a", "shop"]).ok().says("*.example.org");

    heroku.run(&["domains:add", "www.example.com", "--cert", &www_name, "-a", "shop"]).ok();
    ann.ambo(&["domains:add", "any.example.org", "-a", "shop"]).ok();
    assert_eq!(shown(&platform, &files, "www.example.com"), ("www".to_owned(), 200));
    assert_eq!(shown(&platform, &files, "any.example.org"), ("wild".to_owned(), 200));
    let list = heroku.run(&["certs", "-a", "shop"]).ok();
    assert!(list.stdout.contains(&www_name) && list.stdout.contains("*.example.com, *.example.org"), "{list}");
    heroku.run(&["domains:update", "any.example.org", "--cert", &www_name, "-a", "shop"]).failed(2).says("not for");

    let name = ["--name", &www_name, "-a", "shop"];
    let info = [&["certs:info", "--show-domains"], &name[..]].concat();
    let info = heroku.run(&info).ok();
    assert!(info.stdout.contains("Domain(s):") && info.stdout.contains("www.example.com"), "{info}");
    replaced_under_way(&platform, &heroku, &files, &[&["certs:update", &renewed, &renewed_key], &name[..]].concat());
    assert_eq!(shown(&platform, &files, "www.example.com"), ("renewed".to_owned(), 200));

    // Chosen by hand, though another names it better.
    let wild_name = ann.ambo_json(&["certs", "-a", "shop"]);
    let of = |row: &serde_json::Value| row["name"].as_str().filter(|name| **name != www_name).map(str::to_owned);
    let wild_name = wild_name.as_array().and_then(|rows| rows.iter().find_map(of)).expect("the other");
    heroku.run(&["domains:update", "www.example.com", "--cert", &wild_name, "-a", "shop"]).ok();
    assert_eq!(shown(&platform, &files, "www.example.com"), ("wild".to_owned(), 200));

    heroku.run(&["certs:auto", "-a", "shop"]).ok().says("disabled");
    heroku.run(&["certs:auto:enable", "-a", "shop"]).failed(2).says("certs:add");
    platform.terminate();
    platform.launch();
    assert_eq!(shown(&platform, &files, "www.example.com").0, "wild", "it is there before the first request");
    heroku.run(&["certs:remove", "--name", &wild_name, "-a", "shop", "--confirm", "shop"]).ok();
    assert_eq!(shown(&platform, &files, "www.example.com"), ("renewed".to_owned(), 200));
    assert_eq!(shown(&platform, &files, "any.example.org"), ("localhost".to_owned(), 0));
    heroku.every_case_ran();
}

/// Replaces a certificate while requests come, over a connection that stays and over new ones.
fn replaced_under_way(platform: &Platform, heroku: &Heroku<'_, '_>, files: &Files, update: &[&str]) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let requests = scope.spawn(|| {
            let port = platform.https_port();
            let url = format!("https://www.example.com:{port}/");
            let here = format!("www.example.com:{port}:127.0.0.1");
            let (authority, mut rounds) = (files.authority(), 0);
            while !done.load(Ordering::SeqCst) || rounds == 0 {
                // curl keeps the connection for the second URL.
                let twice = get_with(&url, &["--cacert", &authority, "--resolve", &here, "-o", "/dev/null", &url]);
                assert_eq!(twice.status, 200, "{twice:?}");
                rounds += 1;
            }
        });
        let ran = heroku.run(&[update, &["--confirm", "shop"]].concat());
        done.store(true, Ordering::SeqCst);
        requests.join().expect("no request failed");
        ran.ok().says("renewed");
    });
}
