//! The engine child: reads requests, answers them one after another, and stops when the app that
//! asked is gone.

use std::io::{self, BufRead, Write};
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::protocol::{Answer, Body, Command, Request};
use super::session::Session;

/// The ids of the requests that the app no longer wants.
#[derive(Clone, Default)]
struct Cancelled(Arc<Mutex<Vec<u64>>>);

impl Cancelled {
    fn add(&self, request: u64) {
        self.0.lock().expect("no holder panics").push(request);
    }

    fn holds(&self, request: u64) -> bool {
        self.0.lock().expect("no holder panics").contains(&request)
    }
}

/// Where a request's answers go, and whether it is still wanted.
pub struct Reply<'a> {
    id: u64,
    cancelled: &'a Cancelled,
    output: &'a mut dyn Write,
    /// The first failure to write: the app is gone.
    broken: Option<io::Error>,
}

impl Reply<'_> {
    /// Sends one answer. A failure to write is kept and ends the request.
    pub fn send(&mut self, body: Body) {
        let answer = Answer { id: self.id, body };
        if let Err(error) = write_line(self.output, &answer) {
            self.broken.get_or_insert(error);
        }
    }

    /// Reports progress; breaks if the request is no longer wanted.
    pub fn progress(&mut self, what: &str, done: u64, total: u64) -> ControlFlow<()> {
        self.send(Body::Progress {
            what: what.to_owned(),
            done,
            total,
        });
        self.wanted()
    }

    /// Breaks if the request was cancelled or the app is gone.
    pub fn wanted(&self) -> ControlFlow<()> {
        if self.broken.is_some() || self.cancelled.holds(self.id) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

fn write_line(output: &mut dyn Write, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

/// Answers requests from `input` until it ends.
///
/// `device` is said in the greeting. Requests are worked on in order; `Cancel` takes effect while
/// another request is being worked on. If the app dies, the next answer cannot be written, and that
/// ends the work.
///
/// # Errors
/// If `output` cannot be written: then the app is gone.
pub fn serve(
    input: impl BufRead + Send + 'static,
    mut output: impl Write,
    device: String,
) -> io::Result<()> {
    let hello = Body::Hello {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        device,
    };
    write_line(&mut output, &Answer { id: 0, body: hello })?;
    let cancelled = Cancelled::default();
    let (sender, requests) = channel();
    let reader = cancelled.clone();
    thread::spawn(move || read_requests(input, &sender, &reader));
    answer_all(&requests, &cancelled, &mut output)
}

/// What the reading thread found: a request, or a line that is none.
type Read = Result<Request, String>;

fn read_requests(input: impl BufRead, requests: &Sender<Read>, cancelled: &Cancelled) {
    for line in input.lines() {
        let Ok(line) = line else { break };
        let read = match serde_json::from_str::<Request>(&line) {
            Ok(Request {
                command: Command::Cancel { request },
                ..
            }) => {
                cancelled.add(request);
                continue;
            }
            Ok(request) => Ok(request),
            Err(error) => Err(format!("the engine cannot read this request: {error}")),
        };
        if requests.send(read).is_err() {
            break;
        }
    }
}

fn answer_all(
    requests: &Receiver<Read>,
    cancelled: &Cancelled,
    output: &mut dyn Write,
) -> io::Result<()> {
    let mut session = Session::default();
    for read in requests {
        let request = match read {
            Ok(request) => request,
            Err(message) => {
                let body = Body::Failed {
                    message,
                    cancelled: false,
                };
                write_line(output, &Answer { id: 0, body })?;
                continue;
            }
        };
        let mut reply = Reply {
            id: request.id,
            cancelled,
            output,
            broken: None,
        };
        let end = match session.answer(request.command, &mut reply) {
            _ if cancelled.holds(request.id) => Body::Failed {
                message: "cancelled".to_owned(),
                cancelled: true,
            },
            Ok(()) => Body::Done,
            Err(error) => Body::Failed {
                message: error.to_string(),
                cancelled: false,
            },
        };
        reply.send(end);
        if let Some(error) = reply.broken {
            return Err(error);
        }
    }
    Ok(())
}
