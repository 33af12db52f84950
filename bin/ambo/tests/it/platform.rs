//! The operator's commands, as far as no engine is needed for them.

use insta::assert_snapshot;

use crate::world::World;

#[test]
fn an_upgrade_is_to_an_image_or_to_dns_on_or_off() {
    let world = World::new();
    assert_snapshot!(world.run("platform upgrade --help"), @r"
    exit: 0
    --- stdout
    Go from node to node with a new image, or with DNS on or off; goes back by itself when a node does
    not become healthy

    Usage: ambo platform upgrade [OPTIONS] <--image <IMAGE>|--dns|--no-dns>

    Options:
          --engine <ADDRESS>
              A manager's engine: unix:///path, tcp://HOST:PORT or ssh://USER@HOST [env: DOCKER_HOST]
          --engine-certificates <DIRECTORY>
              A directory with ca.pem, cert.pem and key.pem: TLS for tcp:// [env: DOCKER_CERT_PATH]
          --wait <SECONDS>
              How long to wait until every node is healthy, in seconds [default: 600]
          --image <IMAGE>
              The new image
          --dns
              Answer DNS for the domain on every node's port 53 from now on
          --no-dns
              Answer DNS no more; the zone above must not name the nodes as its servers by then
      -h, --help
              Print help

    Global options:
      -a, --app <NAME>       The app (else from the git remote)
      -r, --remote <REMOTE>  The git remote that names the app, or that is to be made
          --host <URL>       The server's address (else the app's remote, else where you logged in)
          --json             Print JSON, for programs
    ");
    assert_snapshot!(world.run("platform upgrade"), @r"
    exit: 2
    --- stderr
    error: the following required arguments were not provided:
      <--image <IMAGE>|--dns|--no-dns>

    Usage: ambo platform upgrade <--image <IMAGE>|--dns|--no-dns>

    For more information, try '--help'.
    ");
    assert_snapshot!(world.run("platform upgrade --dns --no-dns"), @r"
    exit: 2
    --- stderr
    error: the argument '--dns' cannot be used with '--no-dns'

    Usage: ambo platform upgrade <--image <IMAGE>|--dns|--no-dns>

    For more information, try '--help'.
    ");
}

#[test]
fn dns_alone_is_asked_of_the_engine() {
    let said = World::new().run("platform upgrade --dns --engine unix:///nowhere/docker.sock");
    assert!(said.starts_with("exit: 6\n") && said.contains("the Docker Engine does not answer"), "{said}");
}
