//! Domains, access and keys.

use ambo_e2e::{Heroku, HerokuCase, Platform, User, limited, run, works};

pub(super) const CASES: &[HerokuCase] = &[
    works("domains"),
    works("domains:add"),
    works("domains:info"),
    works("domains:wait"),
    works("domains:remove"),
    works("domains:clear"),
    works("access"),
    works("access:add"),
    works("access:remove"),
    limited("apps:transfer", "to another account, at once and without their consent; there are no teams"),
    works("keys"),
    works("keys:add"),
    works("keys:remove"),
    works("keys:clear"),
];

#[test]
fn apps_get_domains_and_collaborators_and_accounts_get_keys() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let bob = platform.user("bob");
    let heroku = Heroku::new(&ann, CASES);
    ann.ambo(&["create", "shop"]).ok();
    domains(&heroku);
    keys(&ann, &heroku);

    heroku.run(&["access:add", "bob@example.com", "-a", "shop"]).ok();
    heroku.run(&["access", "-a", "shop"]).ok().says("bob@example.com").says("collaborator");
    bob.ambo(&["info", "-a", "shop"]).ok();
    heroku.run(&["access:remove", "bob@example.com", "-a", "shop"]).ok();
    assert!(!heroku.run(&["access", "-a", "shop"]).ok().stdout.contains("bob@example.com"));
    heroku.run(&["access:add", "nobody@example.com", "-a", "shop"]).failed(2).says("nobody@example.com");
    heroku.run(&["apps:transfer", "bob@example.com", "-a", "shop"]).ok();
    bob.ambo(&["info", "-a", "shop"]).ok().says("bob@example.com");
    heroku.every_case_ran();
}

fn domains(heroku: &Heroku<'_, '_>) {
    heroku.run(&["domains:add", "www.example.com", "-a", "shop"]).ok().says("shop.localhost");
    heroku.run(&["domains:add", "www.example.com", "-a", "shop"]).failed(2).says("in use");
    heroku.run(&["domains:add", "*.example.org", "--wait", "-a", "shop"]).ok();
    let listed = heroku.run(&["domains", "-a", "shop"]).ok();
    for text in ["shop.localhost", "www.example.com", "*.example.org"] {
        assert!(listed.stdout.contains(text), "`{text}` is missing: {listed}");
    }
    heroku.run(&["domains:info", "www.example.com", "-a", "shop"]).ok().says("succeeded");
    heroku.run(&["domains:wait", "www.example.com", "-a", "shop"]).ok();
    heroku.run(&["domains:remove", "www.example.com", "-a", "shop"]).ok();
    heroku.run(&["domains:info", "www.example.com", "-a", "shop"]).failed(2).says("Couldn't find that domain");
    heroku.run(&["domains:clear", "-a", "shop"]).ok();
    assert!(!heroku.run(&["domains", "-a", "shop"]).ok().stdout.contains("example.org"));
}

fn keys(ann: &User<'_>, heroku: &Heroku<'_, '_>) {
    let path = ann.home().join("id_ed25519");
    let path = path.to_str().expect("a path");
    run(ann.command("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "ann@laptop", "-f", path])).ok();
    let public = format!("{path}.pub");
    heroku.run(&["keys:add", &public]).ok();
    heroku.run(&["keys"]).ok().says("ann@laptop");
    heroku.run(&["keys:remove", "ann@laptop"]).ok();
    heroku.run(&["keys:add", &public, "--yes"]).ok();
    heroku.run(&["keys:clear"]).ok();
    assert!(!heroku.run(&["keys"]).ok().stdout.contains("ann@laptop"));
}
