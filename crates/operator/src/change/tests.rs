use std::sync::Arc;

use ambo_engine_docker::{DockerSettings, Engine, EngineAddress};
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::install::{Installed, installed};

const WITHIN: Duration = Duration::from_secs(20);

/// A swarm of one manager and one worker, whose keepers are well at once. It counts what is changed; services of a rank may be
/// such that their nodes do not become healthy.
#[derive(Debug, Default)]
struct FakeSwarm {
    services: Vec<Value>,
    changes: usize,
    sick: Option<&'static str>,
}

impl FakeSwarm {
    /// As a platform is installed, with these labels for DNS: the managers', the workers'.
    async fn installed(labels: [Option<&str>; 2]) -> (Arc<Mutex<Self>>, Swarm) {
        let ranks = ["manager", "worker"].into_iter().zip(labels);
        let services = ranks.map(|(rank, dns)| service(rank, dns)).collect();
        let fake = Arc::new(Mutex::new(Self { services, ..Self::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let address = listener.local_addr().expect("an address").to_string();
        let served = Arc::clone(&fake);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&served)));
            }
        });
        let engine = Engine::connect(DockerSettings { socket: EngineAddress::Tcp(address) }).expect("a client");
        (fake, Swarm(engine))
    }

    fn told(&mut self, path: &str, body: &[u8]) -> Value {
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        match path.split('/').collect::<Vec<_>>()[..] {
            ["", "services"] => json!(self.services),
            ["", "services", id, "update"] => self.update(id, serde_json::from_slice(body).expect("a spec")),
            ["", "tasks"] => self.services.iter().map(task).collect(),
            ["", "nodes"] => json!([node("manager"), node("worker")]),
            _ => panic!("nobody asks for {path}"),
        }
    }

    fn update(&mut self, id: &str, spec: Value) -> Value {
        self.changes += 1;
        let is_sick = self.sick == Some(id);
        let service = self.services.iter_mut().find(|service| service["ID"] == id).expect("a service");
        if is_sick {
            service["UpdateStatus"] = json!({ "State": "rollback_completed", "Message": "the node is not well" });
        } else {
            service["Spec"] = spec;
        }
        service["Version"]["Index"] = json!(service["Version"]["Index"].as_u64().expect("an index") + 1);
        json!({})
    }

    fn environment(&self, rank: &str) -> Vec<String> {
        let service = self.services.iter().find(|service| service["ID"] == rank).expect("a service");
        serde_json::from_value(service["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"].clone()).expect("variables")
    }
}

fn service(rank: &str, dns: Option<&str>) -> Value {
    let mut labels = json!({ "ambo.platform": "p", "ambo.domain": "example.com" });
    if let Some(dns) = dns {
        labels[DNS_LABEL] = json!(dns);
    }
    let environment = ["AMBO_ROLE=keeper", "AMBO_KEEPER_IMAGE=ambo:1", "AMBO_KEEPER_MODE=run"];
    let container = json!({ "Image": "ambo:1", "Env": environment, "Secrets": ["kept"] });
    json!({
        "ID": rank,
        "Version": { "Index": 1 },
        "Spec": { "Name": format!("ambo-keeper-{rank}"), "Labels": labels, "TaskTemplate": { "ContainerSpec": container } },
    })
}

fn node(rank: &str) -> Value {
    json!({
        "ID": rank,
        "Spec": { "Role": rank, "Availability": "active" },
        "Description": { "Hostname": rank },
        "Status": { "State": "ready" },
    })
}

fn task(service: &Value) -> Value {
    json!({
        "NodeID": service["ID"],
        "Spec": { "ForceUpdate": service["Spec"]["TaskTemplate"]["ForceUpdate"].as_u64().unwrap_or(0) },
        "DesiredState": "running",
        "Status": { "State": "running" },
    })
}

/// One request, one answer.
async fn answer(stream: TcpStream, fake: Arc<Mutex<FakeSwarm>>) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.expect("reads") == 0 {
            return;
        }
    }
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.expect("reads");
    let path = head.split(' ').nth(1).expect("a path").to_owned();
    let told = fake.lock().told(&path, &body).to_string();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{told}",
        told.len()
    );
    stream.get_mut().write_all(answer.as_bytes()).await.expect("writes");
}

fn dns(dns: bool) -> Change {
    Change { dns: Some(dns), ..Change::default() }
}

#[tokio::test]
async fn dns_is_turned_on_and_off_on_a_platform_that_runs_and_nothing_else_changes() {
    let (fake, swarm) = FakeSwarm::installed([Some("false"); 2]).await;
    let said = Mutex::new(Vec::new());
    change(&swarm, &dns(true), WITHIN, &|line| said.lock().push(line)).await.expect("changes");
    for rank in ["manager", "worker"] {
        let environment = fake.lock().environment(rank);
        let expected = ["AMBO_ROLE=keeper", "AMBO_KEEPER_IMAGE=ambo:1", "AMBO_KEEPER_MODE=run", "AMBO_KEEPER_DNS=true"];
        assert_eq!(environment, expected);
    }
    assert_eq!(fake.lock().services[0]["Spec"]["TaskTemplate"]["ContainerSpec"]["Secrets"], json!(["kept"]));
    assert_eq!(said.lock()[0], "ambo-keeper-manager: ambo:1, answers DNS");
    let known = installed(&swarm).await.expect("is installed");
    assert_eq!(known, Installed { domain: Some("example.com".to_owned()), dns: true });

    change(&swarm, &dns(false), WITHIN, &drop).await.expect("changes");
    assert!(fake.lock().environment("worker").contains(&"AMBO_KEEPER_DNS=false".to_owned()));
    assert!(!installed(&swarm).await.expect("is installed").dns);
}

#[tokio::test]
async fn dns_that_is_as_it_should_be_starts_nothing_anew() {
    let (fake, swarm) = FakeSwarm::installed([Some("true"); 2]).await;
    change(&swarm, &dns(true), WITHIN, &drop).await.expect("there is nothing to do");
    assert_eq!(fake.lock().changes, 0);
}

#[tokio::test]
async fn what_was_cut_off_is_taken_up_and_until_then_dns_is_not_everywhere() {
    let (fake, swarm) = FakeSwarm::installed([Some("true"), Some("false")]).await;
    assert!(!installed(&swarm).await.expect("is installed").dns);
    change(&swarm, &dns(true), WITHIN, &drop).await.expect("changes");
    assert_eq!(fake.lock().changes, 1, "the managers have it already");
    assert!(installed(&swarm).await.expect("is installed").dns);
}

#[tokio::test]
async fn a_node_that_cannot_answer_dns_takes_the_change_back() {
    let (fake, swarm) = FakeSwarm::installed([Some("false"); 2]).await;
    fake.lock().sick = Some("manager");
    let ended = change(&swarm, &dns(true), WITHIN, &drop).await.expect_err("a node is not well");
    assert!(matches!(ended, InstallError::RolledBack { service, .. } if service == "ambo-keeper-manager"));
    assert_eq!(fake.lock().changes, 1, "the workers are not asked after that");
    assert!(!installed(&swarm).await.expect("is installed").dns);
}

#[tokio::test]
async fn an_upgrade_leaves_dns_as_it_was_and_may_turn_it_on_in_one_go() {
    let (fake, swarm) = FakeSwarm::installed([Some("false"); 2]).await;
    let upgrade = |image: &str, dns| Change { image: Some(image.to_owned()), mode: Some(Mode::Run), dns };
    change(&swarm, &upgrade("ambo:2", Some(true)), WITHIN, &drop).await.expect("changes");
    change(&swarm, &upgrade("ambo:3", None), WITHIN, &drop).await.expect("changes");
    let environment = fake.lock().environment("manager");
    assert_eq!(
        environment,
        ["AMBO_ROLE=keeper", "AMBO_KEEPER_DNS=true", "AMBO_KEEPER_IMAGE=ambo:3", "AMBO_KEEPER_MODE=run"]
    );
    assert!(installed(&swarm).await.expect("is installed").dns);
}

#[tokio::test]
async fn a_platform_of_which_nobody_noted_it_is_told_and_a_stopped_one_is_not_started() {
    let (fake, swarm) = FakeSwarm::installed([None; 2]).await;
    let stop = Change { mode: Some(Mode::Stop), ..Change::default() };
    change(&swarm, &stop, WITHIN, &drop).await.expect("changes");
    change(&swarm, &dns(false), WITHIN, &drop).await.expect("changes");
    let environment = fake.lock().environment("worker");
    assert_eq!(environment[2..], ["AMBO_KEEPER_MODE=stop", "AMBO_KEEPER_DNS=false"]);
    assert_eq!(fake.lock().changes, 4);
}
