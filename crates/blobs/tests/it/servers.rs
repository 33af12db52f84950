//! Object stores of a test's own, on this machine: gone with the value. Stands on its own, so that other crates' tests can
//! include this file.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use ambo_blobs::{BlobSettings, Bucket, Variables};
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::HttpRequestBody;
use tempfile::TempDir;

const BUCKET: &str = "ambo-test";
const S3_KEY: &str = "test-key";
const S3_SECRET: &str = "test-secret";
/// Azurite's only account, and its key as everybody knows it.
const AZURE_ACCOUNT: &str = "devstoreaccount1";
const AZURE_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const AZURE_VERSION: &str = "2023-11-03";

/// A server that runs.
#[derive(Debug)]
pub(crate) struct ObjectServer {
    child: Child,
    /// As an operator would write it, with a prefix.
    pub(crate) settings: String,
    pub(crate) variables: Vec<(String, String)>,
    /// Where the S3 server keeps its objects.
    #[allow(dead_code, reason = "not every program that includes this file looks there")]
    pub(crate) scratch: TempDir,
}

impl Drop for ObjectServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl ObjectServer {
    /// One that speaks S3's protocol.
    pub(crate) fn s3() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::create_dir(scratch.path().join(BUCKET)).unwrap();
        let mut command = command(tools().join("bin/s3s-fs"));
        command.args(["--host", "127.0.0.1", "--port", "0", "--access-key", S3_KEY, "--secret-key", S3_SECRET]);
        command.arg(scratch.path()).env("RUST_LOG", "s3s_fs=info").env("NO_COLOR", "1");
        let (child, address) = start(command);
        let settings = format!("s3://{BUCKET}/some/prefix?endpoint=http://{address}&allow_http=true");
        let variables = [("AWS_ACCESS_KEY_ID", S3_KEY), ("AWS_SECRET_ACCESS_KEY", S3_SECRET)];
        Self { child, settings, variables: variables.map(owned).into(), scratch }
    }

    /// One that speaks Azure's.
    pub(crate) fn azure() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let mut command = command("node".into());
        command.arg(tools().join("azurite/node_modules/azurite/dist/src/blob/main.js"));
        command.args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence"]);
        command.args(["--skipApiVersionCheck", "--disableTelemetry"]);
        command.current_dir(scratch.path());
        let (child, address) = start(command);
        container_create(&address);
        let endpoint = format!("http://{address}/{AZURE_ACCOUNT}");
        let settings = format!("azure://{BUCKET}/some/prefix?endpoint={endpoint}&allow_http=true");
        let variables = [("AZURE_STORAGE_ACCOUNT", AZURE_ACCOUNT), ("AZURE_STORAGE_KEY", AZURE_KEY)];
        Self { child, settings, variables: variables.map(owned).into(), scratch }
    }

    /// Its bucket.
    pub(crate) fn bucket(&self) -> Bucket {
        let settings = BlobSettings::parse(&self.settings).unwrap();
        Bucket::open(&settings, &Variables::from_pairs(self.variables.clone())).unwrap()
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn tools() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools"))
}

/// A command that ends with this process, however that ends.
fn command(program: PathBuf) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// Runs a server until it says at which address it listens. It is a thread's child that lives as long as the server, since
/// the server ends with that thread.
#[allow(clippy::zombie_processes, reason = "whoever drops the server waits for it")]
fn start(mut command: Command) -> (Child, String) {
    let (sender, started) = std::sync::mpsc::sync_channel(1);
    let shown = format!("{command:?}");
    std::thread::spawn(move || {
        let mut child = command.spawn().expect("`setpriv` is missing: install package `util-linux`");
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            if let Some((_, address)) = line.split_once("http://127.0.0.1:") {
                let port: String = address.chars().take_while(char::is_ascii_digit).collect();
                sender.send((child, format!("127.0.0.1:{port}"))).unwrap();
                break;
            }
            line.clear();
        }
        drop(sender);
        // Whatever else it says is read, so that it can go on.
        std::io::copy(&mut lines, &mut std::io::sink())
    });
    let started = started.recv();
    started.unwrap_or_else(|_| panic!("{shown} does not run: install it with `dev/object-stores.sh`"))
}

fn container_create(address: &str) {
    let url = format!("http://{address}/{AZURE_ACCOUNT}/{BUCKET}?restype=container");
    let request = http::Request::put(url).header("x-ms-version", AZURE_VERSION).header("content-length", "0");
    let mut request = request.body(HttpRequestBody::empty()).unwrap();
    let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(AZURE_KEY).unwrap());
    AzureAuthorizer::new(&credential, AZURE_ACCOUNT).try_authorize(&mut request).unwrap();
    let mut head =
        format!("PUT {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n", request.uri().path_and_query().unwrap());
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}
