//! What SSH lets in.

use std::process::Output;

use tokio::process::Command;

use crate::platform::{DEADLINE, Platform, Transport};

/// Runs OpenSSH's client.
async fn ssh(platform: &Platform, who: &str, arguments: &[&str]) -> Output {
    let line = platform.ssh_command(who);
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg("-p").arg(platform.ssh.port().to_string()).args(arguments);
    command.stdin(std::process::Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(DEADLINE, command.output()).await.expect("ssh takes too long").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_kinds_of_keys_push() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    for kind in ["ed25519", "ecdsa", "rsa"] {
        platform.key_add(kind, kind, platform.fake.ann()).await;
        platform.commit(&source, kind, b"x").await;
        let answer = platform.git(kind, &source, &["push", &platform.url(Transport::Ssh, "ann", "shop"), "main"]).await;
        assert!(answer.ok, "{kind} {}", answer.text);
    }
    assert_eq!(platform.fake.received().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_keys_neither_push_nor_clone() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    platform.key_make("stranger", "ed25519").await;
    let url = platform.url(Transport::Ssh, "ann", "shop");
    for arguments in [["push", &url, "main"], ["clone", &url, "copy"]] {
        let answer = platform.git("stranger", &source, &arguments).await;
        assert!(!answer.ok && answer.text.contains("Permission denied (publickey)"), "{}", answer.text);
    }
    assert!(platform.fake.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_shell_but_a_greeting() {
    let platform = Platform::start().await;
    for arguments in [&["git@127.0.0.1"][..], &["git@127.0.0.1", "cat /etc/passwd"], &["-tt", "git@127.0.0.1"]] {
        let output = ssh(&platform, "ann", arguments).await;
        let text = String::from_utf8_lossy(&output.stderr);
        let greeting = "Hi ann@example.com! You have authenticated, but Ambo gives no shell access.";
        assert!(text.contains(greeting), "{arguments:?} {text}");
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
    }
    let sftp = ssh(&platform, "ann", &["git@127.0.0.1", "-s", "sftp"]).await;
    assert!(!sftp.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_not_forwarded() {
    let platform = Platform::start().await;
    let target = platform.http.to_string();
    let output = ssh(&platform, "ann", &["-W", &target, "git@127.0.0.1"]).await;
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("forwarding failed"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_short_forms_of_an_address_work() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    for path in ["/shop", "/shop.git", "/shop.git/", "/~/shop.git"] {
        let url = format!("ssh://git@{}{path}", platform.ssh);
        let answer = platform.git("ann", &source, &["ls-remote", &url]).await;
        assert!(answer.ok, "{path} {}", answer.text);
    }
}
