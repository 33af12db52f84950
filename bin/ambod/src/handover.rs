//! Restarting without refusing a connection: the successor is started with our sockets, waits until we let go of the data
//! directory, and serves from the same queues. Requests that we have accepted we finish ourselves.

use std::os::fd::OwnedFd;
use std::process::Command;

use anyhow::Context;
use command_fds::{CommandFdExt, FdMapping};

/// Marks a process as the successor of a running one.
const SUCCESSOR: &str = "AMBO_SUCCESSOR";
/// The first inherited descriptor (sd_listen_fds(3)).
const FIRST_DESCRIPTOR: i32 = 3;

/// Whether this process was started by the `ambod` before it.
pub(crate) fn is_successor() -> bool {
    std::env::var_os(SUCCESSOR).is_some()
}

/// Starts the program file again, with the same arguments and our listening sockets.
pub(crate) fn start_successor(sockets: Vec<OwnedFd>) -> anyhow::Result<u32> {
    let program = std::env::current_exe().context("find this program's file")?;
    // A replaced program file is shown as deleted; the new one has its name.
    let program = program.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
    let count = sockets.len();
    let mappings = sockets
        .into_iter()
        .zip(FIRST_DESCRIPTOR..)
        .map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd })
        .collect();
    let mut command = Command::new(&program);
    command.args(std::env::args_os().skip(1)).env(SUCCESSOR, "1").env("LISTEN_FDS", count.to_string());
    command.env_remove("LISTEN_PID").fd_mappings(mappings).context("pass the sockets on")?;
    let child = command.spawn().with_context(|| format!("start {program}"))?;
    Ok(child.id())
}
