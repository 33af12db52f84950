//! Whoever answers DNS hears of the nodes.

use std::net::IpAddr;

use ambo_link::routing::{RoutedNode, nodes_hear, nodes_tell};
use tokio::sync::{mpsc, watch};

use crate::within;

fn node(number: u8) -> RoutedNode {
    let address = IpAddr::from([10, 0, 0, number]);
    RoutedNode { label: format!("n{number}"), address, public: vec![address], is_name_server: true, is_leaving: false }
}

#[tokio::test]
async fn nodes_are_told_at_once_and_when_they_change_but_never_as_none() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let (known, nodes) = watch::channel(Vec::new());
    let telling = tokio::spawn(nodes_tell(ours, nodes));
    let (sender, mut heard) = mpsc::channel(8);
    let hearing = tokio::spawn(nodes_hear(theirs, move |nodes| sender.try_send(nodes).unwrap()));
    known.send_replace(vec![node(1)]);
    assert_eq!(within(heard.recv()).await.unwrap(), [node(1)]);
    known.send_replace(vec![node(1), node(2)]);
    assert_eq!(within(heard.recv()).await.unwrap(), [node(1), node(2)]);
    hearing.abort();
    within(telling).await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_listens_learns_that_the_leader_has_gone() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let (known, nodes) = watch::channel(vec![node(1)]);
    let telling = tokio::spawn(nodes_tell(ours, nodes));
    let hearing = tokio::spawn(nodes_hear(theirs, drop));
    drop(known);
    within(telling).await.unwrap().unwrap();
    within(hearing).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stands_still_is_taken_for_gone_and_one_with_nothing_to_say_is_not() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let (known, nodes) = watch::channel(vec![node(1)]);
    let telling = tokio::spawn(nodes_tell(ours, nodes));
    let (sender, mut heard) = mpsc::channel(8);
    let hearing = tokio::spawn(nodes_hear(theirs, move |nodes| sender.try_send(nodes).unwrap()));
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_eq!(heard.recv().await.unwrap(), [node(1)]);
    assert!(!hearing.is_finished() && heard.is_empty(), "nothing has changed");
    drop((known, telling));
    hearing.abort();

    let (_frozen, theirs) = tokio::io::duplex(1024);
    let error = nodes_hear(theirs, drop).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}
