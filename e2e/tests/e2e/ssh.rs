//! Git over SSH: keys of every kind, and nobody else's apps.

use ambo_e2e::{Platform, Source, User, run};

/// Makes a key of a kind for the user and gives the ssh command that uses it.
fn key(user: &User<'_>, kind: &str) -> (String, String) {
    let path = user.home().join(format!("id_{kind}"));
    let path = path.to_str().expect("a path");
    run(user.command("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-C", kind, "-f", path])).ok();
    let ssh = format!(
        "ssh -F none -i {path} -o IdentitiesOnly=yes -o IdentityAgent=none -o StrictHostKeyChecking=no -o UserKnownHostsFile={}/known_hosts",
        user.home().display()
    );
    (format!("{path}.pub"), ssh)
}

#[test]
fn every_kind_of_key_pushes_and_clones() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let source = Source::web(&ann, "shop", "zero");
    source.create_app("shop");
    let url = format!("ssh://git@127.0.0.1:{}/shop.git", platform.ssh_port());
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let (public, ssh) = key(&ann, kind);
        ann.ambo(&["keys:add", &public]).ok();
        source.say(kind);
        run(ann.command("git").args(["push", &url, "main"]).env("GIT_SSH_COMMAND", &ssh).current_dir(source.path()))
            .ok()
            .says("remote: -----> Building");
        assert_eq!(platform.app_get("shop", "/").body, kind);
        let clone = ann.home().join(format!("clone-{kind}"));
        run(ann.command("git").args(["clone", "-q", &url]).arg(&clone).env("GIT_SSH_COMMAND", &ssh)).ok();
        assert!(clone.join("server.py").exists());
    }
    assert_eq!(ann.ambo_json(&["keys"]).as_array().expect("keys").len(), 3);
}

#[test]
fn strangers_may_neither_push_nor_clone_and_learn_nothing() {
    let platform = Platform::start();
    let (ann, eve) = (platform.user("ann"), platform.user("eve"));
    let source = Source::web(&ann, "shop", "mine");
    source.create_app("shop");
    source.push().ok();
    let (public, known) = key(&eve, "ed25519");
    eve.ambo(&["keys:add", &public]).ok();
    let (_, unknown) = key(&eve, "ecdsa");
    let stolen = Source::web(&eve, "shop", "stolen");
    for (ssh, app) in [(&known, "shop"), (&known, "nothing"), (&unknown, "shop")] {
        let url = format!("ssh://git@127.0.0.1:{}/{app}.git", platform.ssh_port());
        for arguments in [vec!["push", &url, "main"], vec!["clone", &url, "copy"]] {
            let ran = run(eve.command("git").args(&arguments).env("GIT_SSH_COMMAND", ssh).current_dir(stolen.path()));
            assert_ne!(ran.code, 0, "{ran}");
        }
    }
    let over_http = |app: &str| {
        stolen.git(&[
            "-c",
            &format!("credential.helper=!{} git-credential", ambo_e2e::program("ambo").display()),
            "ls-remote",
            &format!("{}/{app}.git", platform.api()),
        ])
    };
    let (theirs, missing) = (over_http("shop"), over_http("nothing"));
    assert_ne!(theirs.code, 0, "{theirs}");
    assert_eq!(theirs.stderr.replace("shop", "nothing"), missing.stderr);
    assert_eq!(platform.app_get("shop", "/").body, "mine");
}
