//! `git push` with the remote and the credentials that the CLI gives git.

use ambo_e2e::{Heroku, HerokuCase, Platform, Source, limited, run, works};

pub(super) const CASES: &[HerokuCase] = &[
    works("git:remote --app"),
    limited("git:credentials", "asked by `git push heroku main`, over the https remote that `git:remote` has made"),
];

#[test]
fn git_gets_the_token_from_the_cli() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let heroku = Heroku::new(&ann, CASES);
    let source = Source::web(&ann, "shop", "pushed");
    ann.ambo(&["create", "shop"]).ok();
    let host = platform.api().replace("http://", "");
    // As git asks its helper.
    let question = format!("protocol=https\nhost={host}\n\n");
    let mut helper = heroku.prepare(&["git:credentials", "get"]);
    let answer = ambo_e2e::run_with_input(&mut helper, &question).ok();
    let token = heroku.token().expect("a token");
    assert!(answer.stdout.contains(&format!("password={token}")), "{answer}");

    // The remote that the CLI makes is https; the API's port answers that as well.
    heroku.run_in(source.path(), &["git:remote", "--app", "shop"]).ok().says(&format!("https://{host}/shop.git"));
    let mut push = heroku.command("git");
    push.args(["push", "heroku", "main"]).current_dir(source.path()).env("GIT_SSL_CAINFO", platform.authority());
    run(&mut push).ok().says("remote: -----> Building");
    assert_eq!(platform.app_get("shop", "/").body, "pushed");
    heroku.every_case_ran();
}
