//! The `pre-receive` hook alone.

fn main() -> std::process::ExitCode {
    ambo_gitreceive::run_hook()
}
