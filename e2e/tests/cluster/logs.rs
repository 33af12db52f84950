//! Lines from every node are in one place, whoever leads.

use ambo_e2e::wait_until;
use ambo_lab::Node;

use crate::cluster::Cluster;

/// Counts for ever.
const COUNTER: &str = "\
import itertools, time
for number in itertools.count(1):
    print('count', number, flush=True)
    time.sleep(0.2)
";

#[test]
fn no_line_is_lost_or_twice_when_leaders_come_and_go() {
    let cluster = Cluster::up("e2e-logs");
    let work = cluster.working_copy("shop");
    std::fs::write(work.join("count.py"), COUNTER).unwrap();
    let procfile = std::fs::read_to_string(work.join("Procfile")).unwrap();
    std::fs::write(work.join("Procfile"), format!("{}\ncounter: python count.py\n", procfile.trim_end())).unwrap();
    cluster.app("shop", 2);
    cluster.ambo(&["ps", "scale", "counter=1", "-a", "shop"]).ok();
    let mut asked = 0;
    let counted = counted_past(&cluster, 20);
    ask(&cluster, &mut asked);

    let first = cluster.leader();
    let frozen = cluster.controller_freeze(first);
    ask(&cluster, &mut asked);
    let counted = counted_past(&cluster, counted + 60);
    ask(&cluster, &mut asked);
    assert_whole(&cluster, asked);

    // It was deposed meanwhile, and takes over what it has not.
    frozen.thaw();
    let second = cluster.leader_after(first);
    let counted = counted_past(&cluster, counted + 20);
    cluster.wait_for_copies(second);
    let frozen = cluster.controller_freeze(second);
    ask(&cluster, &mut asked);
    counted_past(&cluster, counted + 60);
    assert_whole(&cluster, asked);
    frozen.thaw();
}

/// Waits until the counter has got so far; gives how far it got.
fn counted_past(cluster: &Cluster, number: u64) -> u64 {
    wait_until(&format!("the log shows the counter beyond {number}"), || {
        let counted = counts(&log(cluster)).last().copied().unwrap_or(0);
        (counted > number).then_some(counted)
    })
}

/// Asks the app a few times through each machine, each time for something else.
fn ask(cluster: &Cluster, asked: &mut usize) {
    for node in cluster.nodes().iter().cycle().take(9) {
        *asked += 1;
        get(cluster, node, *asked);
    }
}

fn get(cluster: &Cluster, node: &Node, number: usize) {
    let (status, body) = cluster.get_path("shop", node, &format!("/?asked-{number}."));
    assert_eq!(status, "200", "through {}: {body}", node.name());
}

/// Every line is there, and once.
fn assert_whole(cluster: &Cluster, asked: usize) {
    let is_asked = |line: &&str| line.contains("ambo[router]") && line.contains("asked-");
    let log = wait_until("the routers' lines have arrived", || {
        let log = log(cluster);
        (log.lines().filter(is_asked).count() >= asked).then_some(log)
    });
    for number in 1..=asked {
        let said = log.lines().filter(is_asked).filter(|line| line.contains(&format!("asked-{number}.")));
        assert_eq!(said.count(), 1, "request {number}:\n{log}");
    }
    let counted = counts(&log);
    let expected: Vec<u64> = (1..=counted.len() as u64).collect();
    assert_eq!(counted, expected, "every line of the counter, and once");
    assert!(log.contains("Scaled to counter@"), "what the platform said before:\n{log}");
}

fn counts(log: &str) -> Vec<u64> {
    log.lines().filter_map(|line| line.split("app[counter.1]: count ").nth(1)?.parse().ok()).collect()
}

fn log(cluster: &Cluster) -> String {
    let answers = cluster.nodes().iter().map(|node| cluster.ambo_at(node, &["logs", "-n", "1500", "-a", "shop"]));
    answers.into_iter().find(|answer| answer.code == 0).map(|answer| answer.stdout).unwrap_or_default()
}
