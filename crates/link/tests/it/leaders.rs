use std::sync::Arc;

use ambo_link::{Accepted, Authority, Leader, LinkClient, Opening, Refusal, Role, Service, Services};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A controller that leads while its name is in the shared place.
struct Candidate(&'static str, Arc<Mutex<&'static str>>);

#[async_trait::async_trait]
impl Services for Candidate {
    async fn serve(&self, accepted: Accepted) {
        if *self.1.lock() != self.0 {
            return accepted.refuse(Refusal::Standby { leader: None }).await;
        }
        let mut stream = accepted.take().await.unwrap();
        stream.write_all(self.0.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}

async fn asked(leader: &Leader) -> String {
    let opening = Opening { service: Service::Api, client: None };
    let mut stream = within(leader.open(&opening)).await.unwrap();
    let mut name = String::new();
    within(stream.read_to_string(&mut name)).await.unwrap();
    name
}

#[tokio::test]
async fn the_leader_is_found_and_found_again_after_a_failover() {
    let authority = Authority::generate("platform").unwrap();
    let leads = Arc::new(Mutex::new("a"));
    let controller = |name| serve(identity(&authority, Role::Controller, name), Candidate(name, leads.clone()));
    let (a, a_serving) = controller("a").await;
    let (b, _b_serving) = controller("b").await;
    let (c, _c_serving) = controller("c").await;
    let client = LinkClient::new(identity(&authority, Role::Agent, "n"));
    let leader = Leader::among(client, vec![a, b, c]);
    assert_eq!(asked(&leader).await, "a");
    *leads.lock() = "c";
    assert_eq!(asked(&leader).await, "c");
    *leads.lock() = "nobody";
    drop(a_serving);
    // Who asks while nobody leads waits until somebody does.
    let electing = async {
        tokio::task::yield_now().await;
        *leads.lock() = "b";
    };
    let (name, ()) = tokio::join!(asked(&leader), electing);
    assert_eq!(name, "b");
}
