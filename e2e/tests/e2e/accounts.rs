//! Who may in.

use ambo_e2e::{Platform, Source, User};

#[test]
fn the_first_account_is_the_administrator_and_closes_the_door() {
    let platform = Platform::start_with(&[]);
    let ann = platform.user("ann");
    assert!(ann.ambo(&["whoami"]).ok().stdout.contains("ann@example.com"));
    let bob = User::unregistered(&platform, "bob");
    let register = |arguments: &[&str]| {
        bob.ambo(
            &[&["register", &platform.api(), "--email", &bob.email, "--password", "correct-horse"], arguments].concat(),
        )
    };
    let refused = register(&[]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("closed"), "{refused}");
    let invitation = ann.ambo_json(&["invitations:create"]);
    register(&["--invitation", invitation["code"].as_str().expect("a code")]).ok();
    bob.ambo(&["accounts"]).failed(3);
    ann.ambo(&["accounts"]).ok().says("bob@example.com");
}

#[test]
fn apps_are_their_owners_until_shared() {
    let platform = Platform::start();
    let (ann, bob) = (platform.user("ann"), platform.user("bob"));
    // The administrator sees everything; Bob and Cleo are ordinary.
    let cleo = platform.user("cleo");
    let source = Source::web(&bob, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    cleo.ambo(&["info", "-a", "shop"]).failed(4);
    cleo.ambo(&["config:set", "A=1", "-a", "shop"]).failed(4);
    bob.ambo(&["access:add", &cleo.email, "-a", "shop"]).ok();
    cleo.ambo(&["config:set", "A=1", "-a", "shop"]).ok();
    cleo.ambo(&["destroy", "-a", "shop", "--confirm", "shop"]).failed(3);
    bob.ambo(&["access:remove", &cleo.email, "-a", "shop"]).ok();
    cleo.ambo(&["info", "-a", "shop"]).failed(4);
    ann.ambo(&["info", "-a", "shop"]).ok();
    bob.ambo(&["apps:transfer", &cleo.email, "-a", "shop"]).ok();
    assert_eq!(cleo.ambo_json(&["info", "-a", "shop"])["owner"]["email"], cleo.email);

    cleo.ambo(&["apps:rename", "store", "-a", "shop"]).ok();
    ambo_e2e::wait_until("the new name answers", || (platform.app_get("store", "/").body == "hi").then_some(()));
    assert_eq!(platform.app_get("shop", "/").status, 404);
    cleo.ambo(&["destroy", "-a", "store", "--confirm", "store"]).ok();
    assert_eq!(platform.app_get("store", "/").status, 404);
    ambo_e2e::wait_until("its containers are gone", || platform.containers("store", "web").is_empty().then_some(()));
}

#[test]
fn a_logout_ends_the_token_and_a_login_makes_another() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    ann.ambo(&["logout"]).ok();
    ann.ambo(&["apps"]).failed(3).says("ambo login");
    ann.ambo(&["login", &platform.api(), "--email", &ann.email, "--password", "wrong-horse"]).failed(3);
    ann.ambo(&["login", &platform.api(), "--email", &ann.email, "--password", "correct-horse"]).ok();
    ann.ambo(&["apps"]).ok();
}
