//! `cargo xtask cluster`: machines to try a cluster on.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Command;

use ambo_lab::platform::{self, Access, DOMAIN, Programs};
use ambo_lab::{Lab, LabSettings};
use anyhow::{Context, bail};

/// The lab's name.
const NAME: &str = "cluster";
/// What a shell can source.
const ENV: &str = "target/cluster/env";
const USAGE: &str = "usage: cargo xtask cluster up [--nodes N | --disk MIB] | kill NODE | start NODE | partition NODE NODE | \
                     disconnect NODE | connect NODE | heal | status | down";

pub(crate) fn cluster(words: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["up"] => up(3, None),
        ["up", "--nodes", count] => up(count.parse().context("--nodes wants a number")?, None),
        ["up", "--disk", mib] => up(3, Some(mib.parse().context("--disk wants a number of MiB")?)),
        ["kill", node] => Lab::open(NAME)?.node(node).map(ambo_lab::Node::kill),
        ["start", node] => Lab::open(NAME)?.node(node)?.start(),
        ["disconnect", node] => Lab::open(NAME)?.node(node)?.disconnect(),
        ["connect", node] => Lab::open(NAME)?.node(node)?.connect(),
        ["partition", one, other] => {
            let lab = Lab::open(NAME)?;
            lab.partition(lab.node(one)?, lab.node(other)?)
        }
        ["heal"] => Lab::open(NAME).map(|lab| lab.heal()),
        ["status"] => status(),
        ["down"] => down(),
        _ => bail!("{USAGE}"),
    }
}

fn up(nodes: usize, disk_mib: Option<u64>) -> anyhow::Result<()> {
    anyhow::ensure!((1..=9).contains(&nodes), "--nodes wants 1 to 9: all of them run on this machine");
    let programs = programs()?;
    let lab = Lab::up(LabSettings { name: NAME.to_owned(), nodes, disk_mib, ..LabSettings::default() })?;
    // An odd number of managers, and no more than five.
    lab.swarm(if nodes < 3 { 1 } else { 3 })?;
    say(&format!("{nodes} machines are up; putting the platform on them"))?;
    let access = platform::install(&lab, &programs, &[])?;
    env_write(&lab, &access)?;
    drop(lab.keep());
    say(&format!("The platform is up: `source {ENV}`"))
}

/// Builds what is put on the machines, and makes this machine have what it takes.
fn programs() -> anyhow::Result<Programs> {
    let project = platform::project(env!("CARGO_MANIFEST_DIR"));
    for script in ["dev/engine.sh", "dev/bases.sh", "dev/object-stores.sh"] {
        let words: &[&str] = if script == "dev/engine.sh" { &["up"] } else { &[] };
        done(Command::new(project.join(script)).args(words))?;
    }
    done(Command::new(env!("CARGO")).args(["build", "--quiet", "-p", "ambod", "-p", "ambo"]).current_dir(&project))?;
    Ok(Programs { project, profile: "debug".to_owned() })
}

fn done(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("run {command:?}"))?;
    anyhow::ensure!(status.success(), "{command:?} failed");
    Ok(())
}

fn down() -> anyhow::Result<()> {
    Lab::down(NAME)?;
    match fs::remove_file(ENV) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context(format!("remove {ENV}")),
        _ => Ok(()),
    }
}

fn status() -> anyhow::Result<()> {
    for node in Lab::open(NAME)?.nodes() {
        let engine = node.docker(&["version", "--format", "{{.Server.Version}}"]);
        let engine = engine.map_or_else(|_| "off".to_owned(), |version| format!("engine {}", version.trim()));
        say(&format!("{}  {}  {engine}", node.name(), node.address()))?;
    }
    Ok(())
}

fn env_write(lab: &Lab, access: &Access) -> anyhow::Result<()> {
    let names: Vec<&str> = lab.nodes().iter().map(ambo_lab::Node::name).collect();
    let mut text = format!("export CLUSTER_NODES='{}'\n", names.join(" "));
    writeln!(text, "export AMBO_HOST='{}'", access.host)?;
    writeln!(text, "export AMBO_API_KEY='{}'", access.key)?;
    writeln!(text, "export AMBO_DOMAIN='{DOMAIN}'")?;
    for node in lab.nodes() {
        let name = node.name().to_uppercase();
        writeln!(text, "export NODE_{name}_ADDR='{}'", node.address())?;
        writeln!(text, "export NODE_{name}_DOCKER_HOST='{}'", node.docker_host())?;
        writeln!(text, "export NODE_{name}_NETNS='{}'", node.namespace())?;
    }
    fs::create_dir_all("target/cluster")?;
    fs::write(ENV, text).with_context(|| format!("write {ENV}"))
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
