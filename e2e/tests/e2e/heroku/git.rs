//! `git push` with the remote and the credentials that the CLI gives git.

use ambo_e2e::{Heroku, HerokuCase, Platform, Source, limited, run};

pub(super) const CASES: &[HerokuCase] = &[limited(
    "git:credentials",
    "answers git for `https://$HEROKU_GIT_HOST`; the remote that the CLI makes is https, so a platform on plain http needs \
     `ambo git:remote`",
)];

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
    // What the helper has said is what the platform takes, over the plain http of a loopback.
    let url = format!("http://heroku:{token}@{host}/shop.git");
    run(heroku.command("git").args(["push", &url, "main"]).current_dir(source.path()))
        .ok()
        .says("remote: -----> Building");
    assert_eq!(platform.app_get("shop", "/").body, "pushed");
    heroku.every_case_ran();
}
