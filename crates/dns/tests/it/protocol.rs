//! What is answered, and in which form.

use std::net::SocketAddr;

use ambo_dns::{ListedRouter, Probe};
use async_trait::async_trait;
use hickory_server::proto::op::{OpCode, ResponseCode};
use hickory_server::proto::rr::{DNSClass, RData, RecordType};
use tokio::net::UdpSocket;

use crate::stage::{Stage, addresses, public, question, router, with_edns};

/// Everybody is well.
#[derive(Debug)]
struct Well;

#[async_trait]
impl Probe for Well {
    async fn is_well(&self, _: SocketAddr) -> bool {
        true
    }
}

fn routers(count: u8) -> Vec<ListedRouter> {
    (1..=count).map(|number| router(number, SocketAddr::from(([10, 0, 0, number], 80)))).collect()
}

#[tokio::test]
async fn apps_and_the_domain_itself_have_the_routers_addresses_for_five_seconds() {
    let stage = Stage::with(routers(2), Well).await;
    for name in ["example.com.", "shop.example.com."] {
        for answer in [stage.ask(name, RecordType::A).await, stage.tcp(&question(name, RecordType::A)).await] {
            assert!(answer.metadata.authoritative && !answer.metadata.recursion_available, "{answer}");
            assert_eq!(addresses(&answer), [public(1), public(2)]);
            assert!(answer.answers.iter().all(|record| record.ttl == 5), "{answer}");
        }
    }
}

#[tokio::test]
async fn addresses_of_both_kinds_are_told_each_by_its_own_question() {
    let mut both = routers(1);
    both[0].addresses.push("2001:db8::1".parse().unwrap());
    let stage = Stage::with(both, Well).await;
    assert_eq!(addresses(&stage.ask("shop.example.com.", RecordType::A).await), [public(1)]);
    let answer = stage.ask("shop.example.com.", RecordType::AAAA).await;
    assert_eq!(addresses(&answer), ["2001:db8::1".parse::<std::net::IpAddr>().unwrap()]);
}

#[tokio::test]
async fn the_zone_names_its_servers_and_their_addresses() {
    let stage = Stage::with(routers(2), Well).await;
    let answer = stage.ask("example.com.", RecordType::NS).await;
    let names: Vec<String> = answer.answers.iter().map(|record| record.data.to_string()).collect();
    assert_eq!(names, ["n1.ns.example.com.", "n2.ns.example.com."]);
    assert_eq!(answer.additionals.len(), 2, "{answer}");
    assert_eq!(addresses(&stage.ask("n2.ns.example.com.", RecordType::A).await), [public(2)]);
    let answer = stage.ask("example.com.", RecordType::SOA).await;
    assert!(matches!(&answer.answers[0].data, RData::SOA(soa) if soa.minimum == 5), "{answer}");
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_right_words() {
    let stage = Stage::with(routers(2), Well).await;
    for (name, kind, code, is_ours) in [
        ("shop.example.com.", RecordType::AAAA, ResponseCode::NoError, true),
        ("example.com.", RecordType::MX, ResponseCode::NoError, true),
        ("n9.ns.example.com.", RecordType::A, ResponseCode::NXDomain, true),
        ("example.org.", RecordType::A, ResponseCode::Refused, false),
        ("com.", RecordType::NS, ResponseCode::Refused, false),
    ] {
        let answer = stage.ask(name, kind).await;
        assert_eq!((answer.metadata.response_code, answer.metadata.authoritative), (code, is_ours), "{answer}");
        assert!(answer.answers.is_empty(), "{answer}");
        let has_soa =
            answer.authorities.iter().any(|record| record.record_type() == RecordType::SOA && record.ttl == 5);
        assert_eq!(has_soa, is_ours, "{answer}");
    }
}

#[tokio::test]
async fn what_does_not_fit_into_a_datagram_comes_whole_over_tcp() {
    let stage = Stage::with(routers(60), Well).await;
    let plain = question("shop.example.com.", RecordType::A);
    for (question, fits) in
        [(plain.clone(), false), (with_edns(plain.clone(), 100, 0), false), (with_edns(plain.clone(), 1232, 0), true)]
    {
        let answer = stage.udp(&question).await;
        assert_eq!(
            (answer.metadata.truncation, addresses(&answer).len()),
            (!fits, if fits { 60 } else { 0 }),
            "{answer}"
        );
        assert_eq!(answer.edns.is_some(), question.edns.is_some(), "{answer}");
    }
    assert!(!stage.tcp(&plain).await.metadata.truncation);
    stage.routers.send_replace(routers(200));
    stage.whole(200).await;
    let answer = stage.udp(&with_edns(plain.clone(), 4096, 0)).await;
    assert!(answer.metadata.truncation, "more than what comes through every network in one piece");
}

#[tokio::test]
async fn what_is_no_question_for_us_is_refused_and_the_next_is_answered() {
    let stage = Stage::with(routers(1), Well).await;
    let asked = question("shop.example.com.", RecordType::A);
    let future = stage.udp(&with_edns(asked.clone(), 1232, 1)).await;
    // Which shares its number with another of TSIG's.
    assert_eq!(u16::from(future.metadata.response_code), u16::from(ResponseCode::BADVERS));
    let mut update = asked.clone();
    update.metadata.op_code = OpCode::Notify;
    assert_eq!(stage.udp(&update).await.metadata.response_code, ResponseCode::NotImp);
    let mut chaos = asked.clone();
    chaos.queries[0].set_query_class(DNSClass::CH);
    assert_eq!(stage.udp(&chaos).await.metadata.response_code, ResponseCode::Refused);
    let mut two = asked.clone();
    two.add_query(asked.queries[0].clone());
    assert_eq!(stage.udp(&two).await.metadata.response_code, ResponseCode::FormErr);
    assert_eq!(stage.ask("example.com.", RecordType::AXFR).await.metadata.response_code, ResponseCode::Refused);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for garbage in [&b""[..], b"x", &[0xff; 40], &[0; 12]] {
        socket.send_to(garbage, stage.address).await.unwrap();
    }
    assert_eq!(addresses(&stage.udp(&asked).await), [public(1)]);
}

#[tokio::test]
async fn capitals_come_back_as_they_were_written() {
    let stage = Stage::with(routers(1), Well).await;
    let answer = stage.ask("ShOp.eXample.com.", RecordType::A).await;
    assert_eq!(answer.queries[0].name().to_ascii(), "ShOp.eXample.com.");
    assert_eq!(answer.answers[0].name.to_ascii(), "ShOp.eXample.com.");
}

#[tokio::test]
async fn a_server_without_a_list_sends_resolvers_to_the_next() {
    let stage = Stage::with(Vec::new(), Well).await;
    let answer = stage.ask("shop.example.com.", RecordType::A).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    stage.routers.send_replace(routers(1));
    stage.until(|addresses| addresses == [public(1)]).await;
}
