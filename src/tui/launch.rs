//! Starts fine-tuning as a process of its own, through the command line's own door.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::mpsc::UnboundedSender;

use super::executor::Surroundings;
use super::msg::Msg;

/// Runs `PROGRAM finetune ... --detach --json` and reports the run's directory from its answer, or
/// its message.
pub fn finetune(surroundings: &Surroundings, arguments: Vec<String>, news: UnboundedSender<Msg>) {
    let mut command = Command::new(&surroundings.program);
    command
        .args(arguments)
        .args(&surroundings.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    tokio::spawn(async move {
        let result = match command.output().await {
            Ok(output) if output.status.success() => run_in(&output.stdout),
            Ok(output) => Err(last_words(&output.stderr, output.status)),
            Err(error) => Err(format!("starting hyperscope finetune: {error}")),
        };
        let _ = news.send(Msg::Launched(result));
    });
}

/// The run's directory in the answer's last line.
fn run_in(answer: &[u8]) -> Result<PathBuf, String> {
    let text = String::from_utf8_lossy(answer);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    let value: Option<serde_json::Value> = last.and_then(|line| serde_json::from_str(line).ok());
    value
        .as_ref()
        .and_then(|v| v.get("run"))
        .and_then(serde_json::Value::as_str)
        .map(PathBuf::from)
        .ok_or_else(|| format!("finetune --detach answered without a run: {}", text.trim()))
}

/// What a failed child said last.
fn last_words(stderr: &[u8], status: std::process::ExitStatus) -> String {
    let text = String::from_utf8_lossy(stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.map_or_else(
        || format!("finetune ended with {status}"),
        |line| line.trim_start_matches("error: ").to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_is_in_the_last_line() {
        let answer = b"{\"kind\":\"note\"}\n{\"run\":\"/r/20261123-a\"}\n";
        assert_eq!(run_in(answer), Ok(PathBuf::from("/r/20261123-a")));
        assert!(run_in(b"hello").is_err());
    }
}
