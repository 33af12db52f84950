//! The project's own chores. `cargo xtask tidy` holds the tree to the style.

mod tidy;

use anyhow::bail;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => tidy::tidy(),
        _ => bail!("usage: cargo run -p xtask -- tidy"),
    }
}
