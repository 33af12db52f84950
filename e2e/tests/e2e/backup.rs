//! Backups: of a platform that serves, made into a platform again where nothing is left of it.

#![allow(clippy::print_stdout, reason = "reports its figures")]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use ambo_e2e::{Platform, Ran, Source, User, program, run, wait_until};

const PASSPHRASE: (&str, &str) = ("AMBO_BACKUP_PASSPHRASE", "correct horse battery staple");

/// `ambo platform …`, with the passphrase.
fn ambo(user: &User<'_>, words: &[&str]) -> Ran {
    run(user.command(program("ambo")).arg("platform").args(words).env(PASSPHRASE.0, PASSPHRASE.1))
}

fn ambod(words: &[&str], path: &Path, data: &Path) -> Ran {
    let mut command = Command::new(program("ambod"));
    run(command.args(words).arg(path).arg("--data").arg(data).env(PASSPHRASE.0, PASSPHRASE.1))
}

/// Ends everything that the platform has on its engine and its disk.
fn destroy(platform: &Platform, apps: &[&str]) {
    platform.kill();
    for app in apps {
        let containers = platform.containers(app, "web");
        run(platform.docker().args(["rm", "-f"]).args(&containers)).ok();
        let repository = format!("{}/{app}", platform.registry());
        let images = run(platform.docker().args(["images", "-q", "--no-trunc", &repository])).ok().stdout;
        let images: Vec<&str> = images.lines().collect();
        assert!(!images.is_empty(), "the engine has images of {app}");
        run(platform.docker().args(["rmi", "-f"]).args(&images)).ok();
    }
    std::fs::remove_dir_all(platform.data()).expect("the data is gone");
}

#[test]
fn a_platform_that_was_backed_up_under_load_comes_back_where_nothing_is_left() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    let (shop, blog) = (Source::web(&ann, "shop", "shop one"), Source::web(&ann, "blog", "blog"));
    for (source, name) in [(&shop, "shop"), (&blog, "blog")] {
        source.create_app(name);
        source.push().ok();
    }
    shop.say("shop two");
    shop.push().ok();
    ann.ambo(&["config:set", "SECRET=s3cret", "-a", "shop"]).ok();
    let archive = platform.path().join("all.ambo");
    let shown = archive.to_str().expect("a path of text");

    let (stop, answered, failed) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let right = platform.app_get("shop", "/").body == "shop two";
                (if right { &answered } else { &failed }).fetch_add(1, Ordering::Relaxed);
            }
        });
        let before = answered.load(Ordering::Relaxed);
        wait_until("requests flow", || (answered.load(Ordering::Relaxed) > before).then_some(()));
        let backed_up = ambo(&ann, &["backup", "--to", shown]);
        stop.store(true, Ordering::Relaxed);
        println!("{}", backed_up.ok().stderr.trim());
    });
    assert_eq!(failed.load(Ordering::Relaxed), 0, "of {answered:?} requests");
    let verified = ambo(&ann, &["backup", "verify", shown]).ok();
    assert!(verified.stdout.contains("is whole") && verified.stdout.contains("2 apps"), "{verified}");
    assert!(!verified.stdout.contains("warning"), "{verified}");
    println!("{}", verified.stdout.trim());

    let id = platform.id();
    destroy(&platform, &["shop", "blog"]);
    let begun = Instant::now();
    let restored = ambod(&["restore"], &archive, &platform.data()).ok();
    println!("{}", restored.stdout.trim());
    assert!(restored.stdout.contains("2 apps") && restored.stdout.contains("next: start ambod"), "{restored}");
    assert_eq!(platform.id(), id);
    platform.launch();
    for (app, text) in [("shop", "shop two"), ("blog", "blog")] {
        wait_until("the app answers again", || (platform.app_get(app, "/").body == text).then_some(()));
    }
    let size = std::fs::metadata(&archive).expect("the archive").len();
    println!("both apps answer {:.1} s after the restore began, from {size} bytes", begun.elapsed().as_secs_f32());

    // Who was logged in still is; what was sealed opens; what was pushed is there to be pushed on.
    assert_eq!(ann.ambo(&["config:get", "SECRET", "-a", "shop"]).ok().stdout.trim(), "s3cret");
    shop.say("shop three");
    shop.push().ok();
    wait_until("the next push serves", || (platform.app_get("shop", "/").body == "shop three").then_some(()));
    ann.ambo(&["rollback", "v2", "-a", "shop"]).ok();
    wait_until("an old release serves", || (platform.app_get("shop", "/").body == "shop one").then_some(()));
}

#[test]
fn what_is_no_whole_archive_makes_no_platform() {
    let platform = Platform::start();
    let ann = platform.user("ann");
    // So that something is restored before the end is found to be missing.
    let source = Source::web(&ann, "shop", "hi");
    source.create_app("shop");
    source.push().ok();
    let archive = platform.path().join("all.ambo");
    let shown = archive.to_str().expect("a path of text");
    ambo(&ann, &["backup", "--to", shown]).ok();
    ambo(&ann, &["backup", "--to", shown]).failed(5).says("is there already");
    let whole = std::fs::read(&archive).expect("the archive");
    assert!(whole.starts_with(b"age-encryption.org/"), "it is encrypted");
    let elsewhere = platform.path().join("elsewhere");

    let cut = platform.path().join("cut.ambo");
    std::fs::write(&cut, &whole[..whole.len() - 100]).expect("half an archive");
    ambod(&["backup", "verify"], &cut, &elsewhere).failed(1).says("damaged or cut off");
    ambod(&["restore"], &cut, &elsewhere).failed(1).says("damaged or cut off");
    let refused = run(Command::new(program("ambod")).args(["serve", "--data"]).arg(&elsewhere).args([
        "--listen-api=127.0.0.1:0",
        "--listen-http=127.0.0.1:0",
        "--listen-https=127.0.0.1:0",
        "--listen-ssh=127.0.0.1:0",
        "--listen-registry=127.0.0.1:0",
        "--listen-rendezvous=127.0.0.1:0",
    ]));
    refused.failed(1).says("a restore to it was interrupted");
    // The same again, with the whole archive.
    ambod(&["restore"], &archive, &elsewhere).ok();
    ambod(&["restore"], &archive, &elsewhere).failed(1).says("there is something already");

    let mut command = Command::new(program("ambod"));
    let wrong = run(command.args(["backup", "verify"]).arg(&archive).env(PASSPHRASE.0, "incorrect horse battery"));
    wrong.failed(1).says("does not open the archive");
    let bob = platform.user("bob");
    ambo(&bob, &["backup", "--to", "bobs.ambo"]).failed(3);
}

#[test]
fn the_platform_keeps_backups_of_itself_by_its_settings() {
    let kept = tempfile::tempdir().expect("a directory");
    let place = format!("disk:{}", kept.path().display());
    let identity = run(Command::new(program("ambod")).args(["backup", "identity"])).ok().stdout;
    let recipient = identity.lines().find_map(|line| line.strip_prefix("# recipient: ")).expect("a recipient");
    let settings = [
        ("AMBO_REGISTRATION", "open"),
        ("AMBO_BACKUP_TO", place.as_str()),
        ("AMBO_BACKUP_EVERY", "every 6h"),
        ("AMBO_BACKUP_KEEP", "5"),
        ("AMBO_BACKUP_RECIPIENTS", recipient),
    ];
    let platform = Platform::start_with(&settings);
    let ann = platform.user("ann");
    let archives = || {
        let listed = ann.ambo_json(&["platform", "backup", "list"]);
        listed.as_array().map_or(0, Vec::len)
    };
    wait_until("the first backup is there by itself", || (archives() == 1).then_some(()));
    let asked = ann.ambo(&["platform", "backup"]).ok();
    assert!(asked.stdout.contains(&place), "{asked}");
    assert_eq!(archives(), 2);

    let file = platform.path().join("identity");
    std::fs::write(&file, &identity).expect("the identity");
    let verify = |archive: &str| {
        run(ann.command(program("ambo")).args(["platform", "backup", "verify", archive, "--identity-file"]).arg(&file))
    };
    assert!(verify(&place).ok().stdout.contains("is whole"), "the newest");
    ambo(&ann, &["backup", "verify", &place]).failed(1).says("does not open the archive");
}
