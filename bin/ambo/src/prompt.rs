//! Questions to the person at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::exit::{Exit, Failure, Outcome};

/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Whether there is somebody to ask.
pub(crate) fn is_possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks; the answer is seen as it is typed.
pub(crate) async fn line(question: &str) -> Outcome<String> {
    let question = question.to_owned();
    off_thread(move || {
        ask(&question)?;
        first_line()
    })
    .await
}

/// Asks for a secret; the answer is not seen.
pub(crate) async fn hidden(question: &str) -> Outcome<String> {
    let question = question.to_owned();
    off_thread(move || {
        ask(&question)?;
        let silence = Silence::begin()?;
        let answer = typed();
        drop(silence);
        ask("\n")?;
        answer
    })
    .await
}

/// The first line of standard input, for secrets that a program hands in.
pub(crate) async fn piped_line() -> Outcome<String> {
    off_thread(first_line).await
}

/// Reading blocks; on a thread of its own it leaves Ctrl-C its chance.
async fn off_thread<F>(question: F) -> Outcome<String>
where
    F: FnOnce() -> io::Result<String> + Send + 'static,
{
    let answer = tokio::task::spawn_blocking(question).await.map_err(|error| Failure::failed(error.to_string()))?;
    answer.map_err(|error| match error.kind() {
        io::ErrorKind::Interrupted => Failure::quiet(Exit::Interrupted),
        _ => Failure::io("cannot read the answer", &error),
    })
}

fn ask(text: &str) -> io::Result<()> {
    let mut err = io::stderr().lock();
    err.write_all(text.as_bytes())?;
    err.flush()
}

fn first_line() -> io::Result<String> {
    let mut answer = String::new();
    io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut answer)?;
    Ok(answer.trim_end_matches(['\n', '\r']).to_owned())
}

/// Reads keys one by one, since the terminal does not edit the line any more.
fn typed() -> io::Result<String> {
    let mut answer = Vec::new();
    for byte in io::stdin().lock().take(ANSWER_BYTES_MAX).bytes() {
        match byte? {
            b'\n' | b'\r' => break,
            // Ctrl-C, and Ctrl-D on an empty line.
            3 => return Err(io::ErrorKind::Interrupted.into()),
            4 if answer.is_empty() => return Err(io::ErrorKind::Interrupted.into()),
            4 => break,
            // Backspace: the whole of a character of several bytes.
            8 | 127 => while answer.pop().is_some_and(|byte: u8| byte & 0xC0 == 0x80) {},
            // Ctrl-U.
            21 => answer.clear(),
            byte => answer.push(byte),
        }
    }
    String::from_utf8(answer).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The terminal shows nothing and interprets no keys, until dropped.
struct Silence {
    before: Termios,
}

impl Silence {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(io::stdin(), OptionalActions::Drain, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // Nothing is left to be done when the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}
