//! A platform of one machine moves to a cluster, by way of its backup.

#![allow(clippy::print_stdout, reason = "reports its figures")]

use std::time::Instant;

use ambo_e2e::{Platform, Source, wait_until};
use ambo_lab::platform::{self, Access, STORE_CREDENTIALS};

use crate::cluster::Cluster;

const PASSPHRASE: (&str, &str) = ("AMBO_BACKUP_PASSPHRASE", "correct horse battery staple");

#[test]
fn what_ran_on_one_machine_is_restored_to_a_cluster() {
    let mut begun = None;
    let cluster = Cluster::of_one("restore", |lab, programs| {
        let blobs = platform::prepare(lab, programs).unwrap();
        let archives = blobs.replacen("s3://ambo", "s3://ambo/backups", 1);
        let settings = [("AMBO_REGISTRATION", "open"), PASSPHRASE].into_iter().chain(STORE_CREDENTIALS);
        let machine = Platform::start_with(&settings.collect::<Vec<_>>());
        let ann = machine.user("ann");
        let source = Source::web(&ann, "shop", "from one machine");
        source.create_app("shop");
        source.push().ok();
        ann.ambo(&["config:set", "SECRET=s3cret", "-a", "shop"]).ok();
        let made = ann.ambo_json(&["tokens", "create"]);
        let key = made["access_token"]["token"].as_str().unwrap().to_owned();
        println!("{}", ann.ambo(&["platform", "backup", "--to", &archives]).ok().stdout.trim());
        drop(machine);
        begun = Some(Instant::now());
        let host = platform::install_with(lab, programs, &blobs, &["--restore", &archives], &[PASSPHRASE]).unwrap();
        Access { host, key }
    });
    let first = cluster.node("n1");
    wait_until("the app answers on the cluster", || {
        let (status, body) = cluster.get("shop", first);
        (status == "200" && body == "from one machine").then_some(())
    });
    println!("the app answers {:.0} s after the installation began", begun.unwrap().elapsed().as_secs_f32());
    assert_eq!(cluster.ambo(&["config:get", "SECRET", "-a", "shop"]).ok().stdout.trim(), "s3cret");
    let releases = cluster.ambo(&["releases", "-a", "shop", "--json"]).ok().stdout;
    assert!(releases.contains("SECRET") && releases.matches("\"version\"").count() >= 2, "{releases}");
    let refs = cluster.refs("shop", first);
    assert!(refs.ok().stdout.contains("refs/heads/main"), "what was pushed is there to be pushed on");
    cluster.ambo(&["config:set", "MORE=1", "-a", "shop"]).ok();
    cluster.wait_for("shop", 1, |_| true);
}
