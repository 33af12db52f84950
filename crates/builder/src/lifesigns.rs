//! Whether the engine that works for us is still there. A machine that dies closes its connections, or its link says that it
//! is gone; an engine that hangs leaves them open, and would be waited for until the work's time is over.

use std::time::Duration;

use ambo_engine_docker::{Engine, EngineError};
use tokio::time::Instant;

use crate::failure::platform;
use crate::port::BuildError;

/// How long an engine may be silent while it works for us. The question needs no more of it than an answer, and one that is
/// busy to its limits gives it within a second; a machine that is moved to another host, or whose link is made anew, is away
/// for ten at the most. Whoever has pushed waits no longer than they would for a slow step.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Pause between two questions: several are lost before an engine counts as silent, and none is felt by one that builds.
const ASK_INTERVAL: Duration = Duration::from_secs(5);

/// Does the work, as long as the engine gives signs of life. Work that ends by itself ends as it does.
///
/// # Errors
/// The work's own; [`BuildError::Platform`] with the engine's silence when it has been silent for [`SILENCE_MAX`].
///
/// # Cancel safety
/// As the work's: dropping the future drops it, and so does silence.
pub(crate) async fn while_alive<T>(
    engine: &Engine,
    doing: &str,
    work: impl Future<Output = Result<T, BuildError>>,
) -> Result<T, BuildError> {
    let answers = || async { !matches!(engine.ping().await, Err(error) if error.is_down()) };
    tokio::select! {
        done = work => done,
        () = silence(answers) => {
            let said = format!("it has given no sign of life for {} s", SILENCE_MAX.as_secs());
            Err(platform(doing, EngineError::down(said)))
        }
    }
}

/// Ends when nobody has answered for [`SILENCE_MAX`].
async fn silence<A: Future<Output = bool>>(mut answers: impl FnMut() -> A) {
    let mut heard = Instant::now();
    loop {
        let end = heard + SILENCE_MAX;
        tokio::time::sleep_until(end.min(Instant::now() + ASK_INTERVAL)).await;
        match tokio::time::timeout_at(end, answers()).await {
            Ok(true) => heard = Instant::now(),
            Ok(false) | Err(_) if Instant::now() >= end => return,
            Ok(false) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use ambo_engine_docker::{Connector, EngineStream};
    use async_trait::async_trait;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    /// An engine in memory that answers what it is asked until it hangs. It takes connections all the same.
    #[derive(Debug, Default)]
    struct FakeEngine {
        hangs: AtomicBool,
    }

    /// The way to it.
    #[derive(Debug)]
    struct Way(Arc<FakeEngine>);

    #[async_trait]
    impl Connector for Way {
        async fn connect(&self) -> io::Result<Box<dyn EngineStream>> {
            let (near, far) = tokio::io::duplex(4096);
            tokio::spawn(answer(far, Arc::clone(&self.0)));
            Ok(Box::new(near))
        }
    }

    async fn answer(stream: DuplexStream, engine: Arc<FakeEngine>) {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.expect("reads") == 0 {
                return;
            }
        }
        if engine.hangs.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        let body = if head.contains("version") { "{\"ApiVersion\":\"1.41\"}" } else { "OK" };
        let kind = if head.contains("version") { "application/json" } else { "text/plain" };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.get_mut().write_all(answer.as_bytes()).await.expect("writes");
    }

    fn engine() -> (Arc<FakeEngine>, Engine) {
        let fake = Arc::new(FakeEngine::default());
        let engine = Engine::through(Arc::new(Way(Arc::clone(&fake)))).expect("a client");
        (fake, engine)
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_hangs_ends_the_work_and_is_told() {
        let (fake, engine) = engine();
        let since = Instant::now();
        let work = async {
            tokio::time::sleep(HOUR).await;
            fake.hangs.store(true, Ordering::SeqCst);
            std::future::pending::<Result<(), BuildError>>().await
        };
        let ended = while_alive(&engine, "build the image", work).await.expect_err("nothing was built");
        let took = since.elapsed() - HOUR;
        assert!((SILENCE_MAX - ASK_INTERVAL..=SILENCE_MAX + ASK_INTERVAL).contains(&took), "{took:?}");
        let BuildError::Platform { doing, source } = ended else { panic!("{ended:?}") };
        assert_eq!(doing, "build the image");
        let engine = source.downcast::<EngineError>().expect("an engine's fault");
        let silence = std::error::Error::source(&*engine).expect("a reason").to_string();
        assert_eq!(silence, "it has given no sign of life for 30 s");
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_answers_is_waited_for_and_one_that_comes_back_in_time_too() {
        let (fake, engine) = engine();
        let work = async {
            tokio::time::sleep(HOUR).await;
            fake.hangs.store(true, Ordering::SeqCst);
            tokio::time::sleep(SILENCE_MAX / 2).await;
            fake.hangs.store(false, Ordering::SeqCst);
            tokio::time::sleep(HOUR).await;
            Ok("built")
        };
        assert_eq!(while_alive(&engine, "build the image", work).await.expect("builds"), "built");
    }

    #[tokio::test(start_paused = true)]
    async fn one_question_that_is_lost_is_asked_again() {
        let mut asked = 0;
        let lost_now_and_then = || {
            asked += 1;
            std::future::ready(asked % 3 == 0)
        };
        let silent = tokio::time::timeout(HOUR, silence(lost_now_and_then)).await;
        assert!(silent.is_err() && asked > 100, "{asked}");
        let since = Instant::now();
        silence(|| std::future::ready(false)).await;
        assert_eq!(since.elapsed(), SILENCE_MAX);
        silence(std::future::pending).await;
        assert_eq!(since.elapsed(), SILENCE_MAX * 2);
    }
}
