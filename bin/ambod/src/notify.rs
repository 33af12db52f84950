//! Tells systemd who the main process is and that it serves (sd_notify(3)). Without systemd nothing happens.

use std::os::unix::net::UnixDatagram;

/// This process serves.
pub(crate) fn ready() {
    send(&format!("READY=1\nMAINPID={}\n", std::process::id()));
}

/// This process is on its way out.
pub(crate) fn stopping() {
    send("STOPPING=1\n");
}

fn send(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told = UnixDatagram::unbound().and_then(|socket| socket.send_to(state.as_bytes(), path));
    if let Err(error) = told {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
