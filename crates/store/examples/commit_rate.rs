//! Prints how many durable commits a second the store does. Takes the directory to measure in, so that it is the disk
//! that matters: `cargo run --release -p ambo-store --example commit_rate -- DIRECTORY`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ambo_store::{SqliteStore, Store, Transaction};

/// How long each measurement takes.
const MEASURED: Duration = Duration::from_secs(3);
/// The size of each value, in bytes.
const VALUE_BYTES: usize = 500;

#[tokio::main]
#[allow(clippy::print_stdout, reason = "what it prints is what it is for")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    for writers in [1_u64, 16, 64] {
        let directory = tempfile::tempdir_in(&directory)?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&directory.path().join("state.db"))?);
        let begun = Instant::now();
        let commits =
            futures::future::try_join_all((0..writers).map(|writer| commit(Arc::clone(&store), writer, begun))).await?;
        let elapsed = begun.elapsed();
        let total: u64 = commits.into_iter().sum();
        println!("{writers} writers: {:.0} commits/s", total as f64 / elapsed.as_secs_f64());
        let begun = Instant::now();
        let mut reads = 0_u64;
        while begun.elapsed() < MEASURED / 3 {
            store.get("0/1").await?;
            reads += 1;
        }
        println!("1 reader: {:.0} reads/s", reads as f64 / begun.elapsed().as_secs_f64());
    }
    Ok(())
}

async fn commit(store: Arc<dyn Store>, writer: u64, begun: Instant) -> Result<u64, ambo_store::StoreError> {
    let mut commits = 0;
    while begun.elapsed() < MEASURED {
        let put = Transaction::new().put(format!("{writer}/{}", commits % 1000), vec![7; VALUE_BYTES]);
        store.commit(put).await?;
        commits += 1;
    }
    Ok(commits)
}
