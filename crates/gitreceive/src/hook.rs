//! The hook: a thin relay that git starts and that asks the server.

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use crate::hook_wire::{
    HookCall, LINE_BYTES_MAX, MARK_EXIT, MARK_LINE, SECRET_VARIABLE, SOCKET_VARIABLE, UPDATE_BYTES_MAX, UPDATES_MAX,
};

/// The name under which git starts the hook.
pub const HOOK_NAME: &str = "pre-receive";

/// Whether a program that was started as `program` (the first argument) is to be the hook.
#[must_use]
pub fn is_hook(program: &OsStr) -> bool {
    Path::new(program).file_name() == Some(OsStr::new(HOOK_NAME))
}

/// Is git's `pre-receive` hook: hands the refs on standard input to the server, shows its lines on standard error as they
/// come and ends with its verdict. Blocks; needs no runtime.
///
/// If this is killed, the server sees the connection end and cancels the push; if the server goes, this ends with a failure
/// and git rejects the push.
#[must_use]
pub fn run_hook() -> ExitCode {
    match relay() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Nobody is left to tell when standard error is gone too.
            let _ = writeln!(io::stderr().lock(), " !     The push ended early: {error}. Push again.");
            ExitCode::FAILURE
        }
    }
}

fn relay() -> io::Result<u8> {
    let socket = env::var_os(SOCKET_VARIABLE).ok_or_else(|| io::Error::other("this hook runs only inside Ambo"))?;
    let mut stream = UnixStream::connect(socket).map_err(|_| io::Error::other("the platform is shutting down"))?;
    let mut call = serde_json::to_vec(&call_read()?)?;
    call.push(b'\n');
    stream.write_all(&call)?;
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut lines).take(LINE_BYTES_MAX as u64 + 2).read_until(b'\n', &mut line)?;
        match line.split_first() {
            Some((&MARK_LINE, text)) => {
                let mut out = io::stderr().lock();
                out.write_all(text)?;
                out.flush()?;
            }
            Some((&MARK_EXIT, code)) => {
                let code = std::str::from_utf8(code).ok().and_then(|code| code.trim_end().parse().ok());
                return code.ok_or_else(|| io::Error::other("the platform gave no verdict"));
            }
            _ => return Err(io::Error::other("the platform ended the push")),
        }
    }
}

fn call_read() -> io::Result<HookCall> {
    let mut updates = Vec::new();
    let mut update_count = 0;
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        // Git keeps a ref's line below its packet size of 64 KiB.
        if (&mut input).take(128 << 10).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        update_count += 1;
        if updates.len() < UPDATES_MAX {
            line.truncate(UPDATE_BYTES_MAX);
            updates.push(String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned());
        }
    }
    let variable = |name: &str| env::var(name).ok();
    Ok(HookCall {
        secret: variable(SECRET_VARIABLE).unwrap_or_default(),
        updates,
        update_count,
        object_directory: variable("GIT_OBJECT_DIRECTORY"),
        alternate_directories: variable("GIT_ALTERNATE_OBJECT_DIRECTORIES"),
        quarantine: variable("GIT_QUARANTINE_PATH"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_is_known_by_its_file_name() {
        assert!(is_hook(OsStr::new("/data/git/hooks/pre-receive")));
        assert!(is_hook(OsStr::new("hooks/pre-receive")));
        assert!(!is_hook(OsStr::new("/usr/bin/ambod")));
    }
}
