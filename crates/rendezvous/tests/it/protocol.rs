//! The traps of Heroku's client.

use std::time::Duration;

use rustls::version::TLS12;
use tokio::io::AsyncWriteExt;

use crate::stage::{DEADLINE, SECRET, Stage};

const SENTINEL: &str = "\u{FFFF} heroku-command-exit-status: 42\n";

#[tokio::test]
async fn the_banner_has_a_record_of_its_own() {
    let (stage, mut program) = Stage::with_program(false).await;
    // Said before anybody has come: nothing of it may be in the record that is thrown away.
    program.say("first words").await;
    let mut client = stage.connect_with(SECRET, &TLS12).await;
    program.exit();
    assert_eq!(client.rest().await, "rendezvous\r\nfirst words");
    assert_eq!(client.records(), ["rendezvous\r\n", "first words"]);
}

#[tokio::test]
async fn the_exit_status_is_never_split() {
    for size in [1, 2, 3, 7, 1000] {
        let (stage, mut program) = Stage::with_program(false).await;
        let mut client = stage.connect_with(SECRET, &TLS12).await;
        for piece in format!("output without an end{SENTINEL}").into_bytes().chunks(size) {
            program.say(piece).await;
        }
        program.exit();
        client.rest().await;
        let records = client.records();
        assert_eq!(records.last().unwrap(), SENTINEL, "pieces of {size}");
        assert_eq!(records[1..records.len() - 1].concat(), "output without an end");
    }
}

#[tokio::test]
async fn the_end_of_input_closes_it_where_there_is_no_terminal() {
    let (stage, mut program) = Stage::with_program(false).await;
    let mut client = stage.connect(SECRET).await;
    client.until("rendezvous\r\n").await;
    client.send(b"lines\nof input\n").await;
    client.send(&[4]).await;
    assert_eq!(program.read_all().await, b"lines\nof input\n");
    // The user is still there and hears the answer.
    program.say("heard").await;
    program.exit();
    assert!(client.rest().await.ends_with("heard"));
}

#[tokio::test]
async fn the_same_byte_within_input_is_input() {
    let (stage, mut program) = Stage::with_program(false).await;
    let mut client = stage.connect(SECRET).await;
    client.until("rendezvous\r\n").await;
    client.send(b"\x04a\x04").await;
    client.send(b"b").await;
    client.send(&[4]).await;
    assert_eq!(program.read_all().await, b"\x04a\x04b");
}

#[tokio::test]
async fn a_terminal_is_given_the_byte_itself() {
    let (stage, mut program) = Stage::with_program(true).await;
    let mut client = stage.connect(SECRET).await;
    client.until("rendezvous\r\n").await;
    client.send(b"x\x04").await;
    assert_eq!(program.read(2).await, b"x\x04");
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_program() {
    let (stage, mut program) = Stage::with_program(true).await;
    let mut client = stage.connect(SECRET).await;
    client.until("rendezvous\r\n").await;
    drop(client);
    program.is_ended().await;
}

#[tokio::test]
async fn a_client_that_is_told_the_end_while_it_sends_loses_nothing() {
    let (stage, mut program) = Stage::with_program(false).await;
    let mut client = stage.connect(SECRET).await;
    client.until("rendezvous\r\n").await;
    client.send(&vec![b'y'; 300_000]).await;
    program.say("enough").await;
    program.exit();
    assert!(client.rest().await.ends_with("enough"));
}

#[tokio::test]
async fn a_client_without_input_can_say_so_after_the_program_has_ended() {
    let (stage, mut program) = Stage::with_program(false).await;
    let mut client = stage.connect(SECRET).await;
    program.say("quick").await;
    program.exit();
    client.until("rendezvous\r\nquick").await;
    client.send(&[4]).await;
    client.rest().await;
}

#[tokio::test]
async fn silence_ends_after_its_limit_and_not_before() {
    let (stage, mut program) = Stage::with_idle(true, Duration::from_millis(1500)).await;
    let mut client = stage.connect(SECRET).await;
    for word in ["one", "two", "three", "four"] {
        tokio::time::sleep(Duration::from_millis(500)).await;
        program.say(word).await;
        client.until(word).await;
    }
    client.rest().await;
    program.is_ended().await;
}

#[tokio::test]
async fn a_wrong_or_used_secret_is_told_nothing() {
    let (stage, _program) = Stage::with_program(false).await;
    for wrong in ["wrong", "", "s3cre", "s3crets", &"x".repeat(2000)] {
        let mut client = stage.connect(wrong).await;
        // Closed without a goodbye or with one: without a word in any case.
        let mut said = Vec::new();
        let _ = tokio::time::timeout(DEADLINE, tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut said))
            .await
            .expect("it is closed at once");
        assert_eq!(said, b"", "{wrong}");
    }
    let mut first = stage.connect(SECRET).await;
    first.until("rendezvous\r\n").await;
    let mut second = stage.connect(SECRET).await;
    let mut said = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut second.stream, &mut said).await;
    assert_eq!(said, b"");
}

#[tokio::test]
async fn what_cannot_start_says_why_after_the_banner() {
    let stage = Stage::start(Err("the engine is away".to_owned()), DEADLINE).await;
    let mut client = stage.connect_with(SECRET, &TLS12).await;
    client.rest().await;
    assert_eq!(client.records(), ["rendezvous\r\n", "the engine is away\r\n"]);
}

#[tokio::test]
async fn a_stopping_server_ends_programs_and_then_itself() {
    let (stage, mut program) = Stage::with_program(false).await;
    let mut client = stage.connect(SECRET).await;
    client.until("rendezvous\r\n").await;
    stage.stop.cancel();
    client.rest().await;
    client.stream.shutdown().await.unwrap();
    program.is_ended().await;
    drop(client);
    tokio::time::timeout(DEADLINE, stage.server).await.expect("it ends").unwrap();
}
