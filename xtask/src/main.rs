//! The project's own chores. `cargo xtask tidy` holds the tree to the style, `cargo xtask cluster` makes machines to try a
//! cluster on.

mod chaos;
mod cluster;
mod failover;
mod tidy;
mod trial;

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((verb, [])) if verb == "tidy" => tidy::tidy(),
        Some((verb, rest)) if verb == "cluster" => cluster::cluster(rest),
        Some((verb, rest)) if verb == "chaos" => chaos::chaos(rest),
        Some((verb, rest)) if verb == "failover" => failover::failover(rest),
        _ => bail!("usage: cargo xtask tidy | cluster … | chaos … | failover …"),
    }
}
