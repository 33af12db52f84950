//! Where instances are, and who reaches them.

use std::collections::{BTreeMap, BTreeSet};

use ambo_model::{TagKey, TagValue, Tags};
use ambo_scheduler::{Nodes, Scheduler, SchedulerError};

use crate::fixture::{FOREVER, IMAGE, Platform, docker};

pub(crate) async fn instances_of_a_workload_are_on_different_nodes(platform: &Platform) {
    let instances = platform.started(&platform.spec(FOREVER, 3)).await;
    let nodes: BTreeSet<&str> = instances.iter().map(|instance| instance.node.as_str()).collect();
    assert_eq!(nodes, BTreeSet::from(["n1", "n2", "n3"]));
}

pub(crate) async fn instances_go_where_their_tags_say(platform: &Platform) {
    let node = platform.node("n2").await;
    let key = TagKey::parse(&format!("disk-{}", platform.id)).unwrap();
    let value = TagValue::parse("ssd").unwrap();
    let mut spec = platform.spec(FOREVER, 2);
    spec.tags = Tags::from_iter([(key.clone(), value.clone())]);
    let refused = platform.scheduler.workload_ensure(&spec).await.unwrap_err();
    assert!(refused.to_string().contains("=ssd"), "{refused}");

    platform.scheduler.node_tag(&node.id, &BTreeMap::from([(key.clone(), Some(value))])).await.unwrap();
    let instances = platform.started(&spec).await;
    assert!(instances.iter().all(|instance| instance.node == "n2"), "{instances:?}");
    assert_eq!(platform.node("n2").await.labels[key.as_str()], "ssd");

    platform.scheduler.node_tag(&node.id, &BTreeMap::from([(key.clone(), None)])).await.unwrap();
    assert!(!platform.node("n2").await.labels.contains_key(key.as_str()));
    let unknown = "nosuch".parse().unwrap();
    let refused = platform.scheduler.node_tag(&unknown, &BTreeMap::new()).await.unwrap_err();
    assert!(matches!(refused, SchedulerError::NodeGone(_)), "{refused:?}");
}

pub(crate) async fn every_node_reaches_instances_on_the_network_of_their_app(platform: &Platform) {
    let server = platform.spec("exec python3 -m http.server 8080 --bind 0.0.0.0", 2);
    let instances = platform.started(&server).await;
    let network = platform.routers.0.lock().first().cloned().expect("the routers were told");
    for machine in ["n1", "n2", "n3"] {
        for instance in &instances {
            let endpoint = instance.endpoint.unwrap();
            let get = format!("import urllib.request as u; u.urlopen('http://{endpoint}/', timeout=3).read()");
            platform
                .wait_until(&format!("{machine} reaches {}", instance.name()), async || {
                    let words = ["run", "--rm", "--network", &network, IMAGE, "python3", "-c", &get];
                    docker(platform.machine(machine), &words).await.ok()
                })
                .await;
        }
    }
}
