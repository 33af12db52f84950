//! Log drains.

use ambo_e2e::{Heroku, HerokuCase, Platform, works};

pub(super) const CASES: &[HerokuCase] = &[works("drains"), works("drains:add"), works("drains:remove")];

#[test]
fn logs_are_drained_to_other_places() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    ann.ambo(&["create", "shop"]).ok();
    let heroku = Heroku::new(&ann, CASES);
    assert_eq!(heroku.run(&["drains", "-a", "shop"]).ok().stdout, "");
    let url = "https://user:s3cret@logs.example.com/in?key=1";
    heroku.run(&["drains:add", url, "-a", "shop"]).ok().says("Successfully added drain");
    heroku.run(&["drains:add", "syslog+tls://logs.example.com:6514", "-a", "shop"]).ok();
    heroku.run(&["drains:add", url, "-a", "shop"]).failed(2).says("goes there already");
    heroku.run(&["drains:add", "nonsense", "-a", "shop"]).failed(2).says("this is no URL");
    let listed = heroku.run(&["drains", "-a", "shop"]).ok();
    assert!(listed.stdout.contains(&format!("{url} (d.")), "{listed}");
    let token = listed.stdout.lines().find_map(|line| line.strip_prefix("syslog+tls://logs.example.com:6514 ("));
    let token = token.expect("a token").trim_end_matches(')');
    heroku.run(&["drains:remove", url, "-a", "shop"]).ok().says("Successfully removed drain");
    heroku.run(&["drains:remove", token, "-a", "shop"]).ok();
    heroku.run(&["drains:remove", token, "-a", "shop"]).failed(2).says("Couldn't find that drain");
    assert_eq!(heroku.run(&["drains", "-a", "shop"]).ok().stdout, "");
    heroku.every_case_ran();
}
