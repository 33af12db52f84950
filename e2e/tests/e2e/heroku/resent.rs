//! A create whose answer got lost is sent again by the CLI, and done once.

use ambo_e2e::{Heroku, HerokuCase, Platform, works};

pub(super) const CASES: &[HerokuCase] = &[works("create")];

#[test]
fn a_create_that_is_sent_again_is_done_once() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let heroku = Heroku::new(&ann, CASES);
    heroku.relay().lose_answer("POST /apps");
    heroku.run(&["create", "once"]).ok().says("/once.git");
    let sent = heroku.relay().requests().iter().filter(|request| *request == "POST /apps").count();
    assert_eq!(sent, 2, "the CLI sends it again");
    heroku.every_case_ran();
}
