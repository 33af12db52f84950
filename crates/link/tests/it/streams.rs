use ambo_link::{Accepted, Authority, LinkClient, LinkError, Opening, Peer, Refusal, Role, Service, Services};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::*;

/// Gives everybody's bytes back; refuses engines to all but controllers.
struct Echo(mpsc::Sender<(Peer, Opening)>);

#[async_trait::async_trait]
impl Services for Echo {
    async fn serve(&self, accepted: Accepted) {
        if accepted.opening.service == Service::Engine && accepted.peer.role != Role::Controller {
            return accepted.refuse(Refusal::Forbidden).await;
        }
        self.0.try_send((accepted.peer.clone(), accepted.opening.clone())).unwrap();
        let mut stream = accepted.take().await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}

fn opening(service: Service) -> Opening {
    Opening { service, client: Some("203.0.113.9:4711".parse().unwrap()) }
}

#[tokio::test]
async fn a_stream_knows_its_peer_its_service_and_its_client() {
    let authority = Authority::generate("platform").unwrap();
    let (seen, mut asked) = mpsc::channel(8);
    let (address, _serving) = serve(identity(&authority, Role::Agent, "n1"), Echo(seen)).await;
    let client = LinkClient::new(identity(&authority, Role::Controller, "n2"));
    let mut stream = within(client.open(address, Role::Agent, &opening(Service::Engine))).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "hello");
    let (peer, opening) = asked.recv().await.unwrap();
    assert_eq!(peer, Peer { role: Role::Controller, node: "n2".to_owned() });
    assert_eq!(opening.client.unwrap().to_string(), "203.0.113.9:4711");
}

#[tokio::test]
async fn a_refusal_says_why() {
    let authority = Authority::generate("platform").unwrap();
    let (address, _serving) = serve(identity(&authority, Role::Agent, "n1"), Echo(mpsc::channel(8).0)).await;
    let client = LinkClient::new(identity(&authority, Role::Agent, "n2"));
    let refused = within(client.open(address, Role::Agent, &opening(Service::Engine))).await.unwrap_err();
    assert!(matches!(refused, LinkError::Refused { refusal: Refusal::Forbidden, .. }), "{refused}");
}

#[tokio::test]
async fn another_platform_another_role_and_no_certificate_get_no_stream() {
    let (authority, other) = (Authority::generate("platform").unwrap(), Authority::generate("platform").unwrap());
    let (address, _serving) = serve(identity(&authority, Role::Agent, "n1"), Echo(mpsc::channel(8).0)).await;
    let stranger = LinkClient::new(identity(&other, Role::Controller, "n2"));
    assert!(within(stranger.open(address, Role::Agent, &opening(Service::Api))).await.is_err());
    // An agent that says it is a controller is not believed by those who look for one.
    let client = LinkClient::new(identity(&authority, Role::Controller, "n2"));
    assert!(within(client.open(address, Role::Controller, &opening(Service::Api))).await.is_err());
    let mut plain = tokio::net::TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = within(plain.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP"), "nothing is said to who does not speak TLS");
}
