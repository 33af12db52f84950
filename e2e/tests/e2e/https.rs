//! The API over TLS, on the port that takes plain HTTP too.

use ambo_e2e::{Platform, Ran, Source, program, run};

#[test]
fn everything_that_ambo_and_git_do_works_over_tls() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "over TLS");
    let secure = platform.api().replace("http://", "https://");
    let token = ann.ambo(&["tokens:create"]).ok().stdout.trim().to_owned();
    let in_source = |command: &str| {
        let mut command = ann.command(command);
        command.current_dir(source.path()).env("AMBO_HOST", &secure).env("AMBO_API_KEY", &token);
        command
    };
    let ambo = |args: &[&str]| -> Ran {
        run(in_source(program("ambo").to_str().expect("a path")).args(args).env("SSL_CERT_FILE", platform.authority()))
    };

    // Whoever does not know the authority is told of it.
    let refused = run(in_source(program("ambo").to_str().expect("a path")).args(["apps"])).failed(6);
    assert!(refused.stderr.contains("UnknownIssuer") && refused.stderr.contains("SSL_CERT_FILE"), "{refused}");

    ambo(&["create", "shop"]).ok();
    let url = format!("{secure}/shop.git");
    assert_eq!(source.git(&["remote", "get-url", "ambo"]).ok().stdout.trim(), url);
    let plain_url = url.replace("https://", &format!("https://ambo:{token}@"));
    run(in_source("git").args(["push", &plain_url, "main"]).env("GIT_SSL_CAINFO", platform.authority()))
        .ok()
        .says("deployed to Ambo");
    assert_eq!(platform.app_get("shop", "/").body, "over TLS");

    // A session over a WebSocket, a stream of events, and an upload.
    ambo(&["run", "-a", "shop", "--", "sh", "-c", "echo hi; exit 3"]).failed(3).says("hi");
    ambo(&["logs", "-a", "shop", "-n", "200"]).ok().says("listening on");
    source.say("uploaded");
    ambo(&["deploy", "-a", "shop"]).ok();
    assert_eq!(platform.app_get("shop", "/").body, "uploaded");
}
