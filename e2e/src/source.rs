//! An app's source in a git work tree.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::program::{Ran, run};
use crate::user::User;

/// A work tree that belongs to a user.
#[derive(Debug)]
pub struct Source<'u, 'p> {
    user: &'u User<'p>,
    dir: PathBuf,
}

impl<'u, 'p> Source<'u, 'p> {
    /// An empty work tree on branch `main`.
    ///
    /// # Panics
    /// When git is missing.
    #[must_use]
    pub fn empty(user: &'u User<'p>, name: &str) -> Self {
        let dir = user.home().join(name);
        fs::create_dir_all(&dir).expect("a directory");
        let source = Self { user, dir };
        source.git(&["init", "-q", "-b", "main"]).ok();
        source
    }

    /// A work tree with a copy of one of the examples, committed.
    ///
    /// # Panics
    /// When there is no such example.
    #[must_use]
    pub fn example(user: &'u User<'p>, example: &str, name: &str) -> Self {
        let source = Self::empty(user, name);
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        copy_tree(&examples.join(example), &source.dir);
        source.commit("First");
        source
    }

    /// A work tree with a web server in Python that answers every request with `text`, committed.
    #[must_use]
    pub fn web(user: &'u User<'p>, name: &str, text: &str) -> Self {
        let source = Self::empty(user, name);
        source.write(
            "Dockerfile",
            "FROM python:3.11-slim-bookworm\nCOPY server.py /server.py\nCMD [\"python3\", \"-u\", \"/server.py\"]\n",
        );
        source.write("server.py", &server(text));
        source.commit("First");
        source
    }

    /// Makes the web server of [`Source::web`] answer with another text, and commits.
    pub fn say(&self, text: &str) {
        self.write("server.py", &server(text));
        self.commit(text);
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Writes a file.
    ///
    /// # Panics
    /// When it cannot.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    }

    /// Commits everything, changes or none.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]).ok();
        self.git(&["commit", "-q", "--allow-empty", "-m", message]).ok();
    }

    /// Runs git here.
    #[must_use]
    pub fn git(&self, arguments: &[&str]) -> Ran {
        run(self.user.command("git").args(arguments).current_dir(&self.dir))
    }

    /// Runs `ambo` here.
    #[must_use]
    pub fn ambo(&self, arguments: &[&str]) -> Ran {
        self.user.ambo_in(&self.dir, arguments)
    }

    /// `ambo create NAME`, which adds the remote.
    pub fn create_app(&self, name: &str) {
        self.ambo(&["create", name]).ok();
    }

    /// `git push ambo main`.
    #[must_use]
    pub fn push(&self) -> Ran {
        self.git(&["push", "ambo", "main"])
    }
}

/// A web server that answers every request with `text`, after `/slow` only when a second has passed.
fn server(text: &str) -> String {
    format!(
        r#"import http.server, os, signal, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/slow":
            time.sleep(1)
        body = {text:?}.encode() if self.path != "/env" else "\n".join(f"{{k}}={{v}}" for k, v in sorted(os.environ.items())).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *arguments: sys.exit(0))
print("listening on", os.environ["PORT"], flush=True)
server.serve_forever()
"#
    )
}

fn copy_tree(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("an entry");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().expect("a type").is_dir() {
            fs::create_dir_all(&target).expect("a directory");
            copy_tree(&source, &target);
        } else {
            fs::copy(&source, &target).expect("a copy");
            let mode = fs::metadata(&source).expect("a file").permissions().mode();
            fs::set_permissions(&target, fs::Permissions::from_mode(mode)).expect("a mode");
        }
    }
}
