//! The engine child: started, fed with requests, listened to, ended with the app.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::executor::Surroundings;
use super::msg::Msg;
use crate::engine::protocol::{Answer, Request};

/// Most of what a dying engine wrote to its standard error that is kept, in bytes.
const LAST_WORDS: usize = 4096;

/// The app's end of the engine.
pub struct EngineClient {
    surroundings: Surroundings,
    news: UnboundedSender<Msg>,
    /// Lines for the child that lives now.
    requests: Option<UnboundedSender<String>>,
    minder: Option<JoinHandle<()>>,
}

impl EngineClient {
    /// No child yet.
    #[must_use]
    pub fn new(surroundings: &Surroundings, news: UnboundedSender<Msg>) -> Self {
        Self {
            surroundings: surroundings.clone(),
            news,
            requests: None,
            minder: None,
        }
    }

    /// Starts a child unless one lives.
    pub fn start(&mut self) {
        if self.minder.as_ref().is_some_and(|m| !m.is_finished()) {
            return;
        }
        let (requests, lines) = unbounded_channel();
        self.requests = Some(requests);
        let mut command = Command::new(&self.surroundings.program);
        command
            .args(["engine", "--stdio"])
            .args(&self.surroundings.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-Z stops the app, not the engine.
            .process_group(0)
            .kill_on_drop(true);
        let news = self.news.clone();
        self.minder = Some(tokio::spawn(async move {
            let reason = match command.spawn() {
                Ok(child) => mind(child, lines, &news).await,
                Err(error) => format!("it could not be started: {error}"),
            };
            // Nobody listens any more only while the app ends.
            let _ = news.send(Msg::EngineGone(reason));
        }));
    }

    /// Ends the child, whatever it does, and starts another.
    pub fn restart(&mut self) {
        self.end();
        self.start();
    }

    /// Sends a request. If no child lives, its end was or will be reported, and the request is
    /// lost with it.
    pub fn ask(&self, request: &Request) {
        let Ok(mut line) = serde_json::to_string(request) else {
            return;
        };
        line.push('\n');
        if let Some(requests) = &self.requests {
            let _ = requests.send(line);
        }
    }

    /// Ends the child without a report.
    pub fn end(&mut self) {
        self.requests = None;
        if let Some(minder) = self.minder.take() {
            // Dropping the child kills it.
            minder.abort();
        }
    }
}

/// Serves a child until it ends; gives the reason.
async fn mind(
    mut child: Child,
    lines: UnboundedReceiver<String>,
    news: &UnboundedSender<Msg>,
) -> String {
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return "it has no pipes".to_owned();
    };
    let writer = tokio::spawn(feed(stdin, lines));
    let errors = tokio::spawn(last_words(stderr));
    let foreign = listen(stdout, news).await;
    writer.abort();
    if foreign.is_some() {
        let _ = child.start_kill();
    }
    let status = child.wait().await;
    let words = errors.await.unwrap_or_default();
    match (foreign, words.is_empty(), status) {
        (Some(line), _, _) => format!("it said something else than an answer: {line}"),
        (None, false, _) => words,
        (None, true, Ok(status)) => status.to_string(),
        (None, true, Err(error)) => error.to_string(),
    }
}

/// Writes requests until the pipe breaks; dropping the pipe tells the child to end.
async fn feed(mut stdin: ChildStdin, mut lines: UnboundedReceiver<String>) {
    while let Some(line) = lines.recv().await {
        if stdin.write_all(line.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

/// Passes answers on until the child closes its output; gives the line that was none, if there was
/// one.
async fn listen(stdout: ChildStdout, news: &UnboundedSender<Msg>) -> Option<String> {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str::<Answer>(&line) {
            Ok(answer) => {
                let _ = news.send(Msg::Answer(Box::new(answer)));
            }
            Err(_) if line.trim().is_empty() => {}
            Err(_) => return Some(line.chars().take(80).collect()),
        }
    }
    None
}

/// The last line of what the child wrote to its standard error.
async fn last_words(mut stderr: tokio::process::ChildStderr) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut chunk = [0; 1024];
    while let Ok(n @ 1..) = stderr.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..n]);
        let surplus = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&kept);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or_default()
        .trim_start_matches("error: ")
        .to_owned()
}
