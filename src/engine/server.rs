//! The engine child: reads requests, answers them one after another, and stops when the app that
//! asked is gone.

use std::io::{self, BufRead, Write};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::evaluate;
use super::opened::Opened;
use super::protocol::{Answer, Body, Command, EvaluationSpec, Request};
use super::session::{Session, SessionError, Surroundings};
use crate::nn::Device;

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

/// The pipe to the app, which threads write to line by line.
#[derive(Clone)]
struct Output(Arc<Mutex<Box<dyn Write + Send>>>);

impl Output {
    fn write(&self, answer: &Answer) -> io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(&line)?;
        output.flush()
    }
}

/// Where a request's answers go, and whether it is still wanted.
pub struct Reply {
    id: u64,
    cancelled: Cancelled,
    output: Output,
    /// The first failure to write: the app is gone.
    broken: Option<io::Error>,
}

impl Reply {
    /// Sends one answer. A failure to write is kept and ends the request.
    pub fn send(&mut self, body: Body) {
        let answer = Answer { id: self.id, body };
        if let Err(error) = self.output.write(&answer) {
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

    /// Says how the request ended.
    fn end(mut self, result: Result<(), SessionError>) -> io::Result<()> {
        self.send(match result {
            _ if self.cancelled.holds(self.id) => Body::Failed {
                message: "cancelled".to_owned(),
                cancelled: true,
            },
            Ok(()) => Body::Done,
            Err(error) => Body::Failed {
                message: error.to_string(),
                cancelled: false,
            },
        });
        self.broken.map_or(Ok(()), Err)
    }
}

/// Answers requests from `input` until it ends.
///
/// Requests are worked on in order, but for evaluations, which have a thread and an order of their own; `Cancel` takes
/// effect while another request is being worked on. If the app dies, the next answer cannot be written, and that
/// ends the work.
///
/// # Errors
/// If `output` cannot be written: then the app is gone.
pub fn serve(
    input: impl BufRead + Send + 'static,
    output: impl Write + Send + 'static,
    around: Surroundings,
) -> io::Result<()> {
    let output = Output(Arc::new(Mutex::new(Box::new(output))));
    let hello = Body::Hello {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        device: around.device.clone(),
    };
    output.write(&Answer { id: 0, body: hello })?;
    let cancelled = Cancelled::default();
    let (sender, requests) = channel();
    let reader = cancelled.clone();
    thread::spawn(move || read_requests(input, &sender, &reader));
    // Who has no GPU to run networks on can still predict.
    let device = around.placement.as_ref().map_or(Device::Cpu, |p| p.device);
    let server = Server {
        cancelled,
        output,
        opened: Opened::on(device),
        around,
    };
    server.answer_all(&requests)
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

/// What the threads that answer have in common.
#[derive(Clone)]
struct Server {
    cancelled: Cancelled,
    output: Output,
    opened: Opened,
    around: Surroundings,
}

impl Server {
    fn answer_all(&self, requests: &Receiver<Read>) -> io::Result<()> {
        let mut session = Session::new(self.opened.clone(), self.around.home.clone());
        let (evaluations, asked) = channel();
        let evaluator = self.clone();
        let evaluator = thread::spawn(move || evaluator.evaluate_all(&asked));
        for read in requests {
            match read {
                Ok(Request {
                    id,
                    command: Command::Evaluate(spec),
                }) => {
                    if evaluations.send((id, spec)).is_err() {
                        self.reply(id).end(Err(SessionError::Broken))?;
                    }
                }
                Ok(Request { id, command }) => {
                    let mut reply = self.reply(id);
                    let result = session.answer(command, &mut reply);
                    reply.end(result)?;
                }
                Err(message) => {
                    let body = Body::Failed {
                        message,
                        cancelled: false,
                    };
                    self.output.write(&Answer { id: 0, body })?;
                }
            }
        }
        // What was asked for is answered; if the app is gone, its next word cannot be written.
        drop(evaluations);
        match evaluator.join() {
            Ok(end) => end,
            Err(_) => Err(io::Error::other("the thread that evaluates GHNs broke off")),
        }
    }

    fn evaluate_all(&self, asked: &Receiver<(u64, EvaluationSpec)>) -> io::Result<()> {
        for (id, spec) in asked {
            let mut reply = self.reply(id);
            // A panic must not leave the app waiting.
            let result = catch_unwind(AssertUnwindSafe(|| {
                evaluate::answer(&spec, &self.opened, &self.around, &mut reply)
            }));
            reply.end(result.unwrap_or(Err(SessionError::Broken)))?;
        }
        Ok(())
    }

    fn reply(&self, id: u64) -> Reply {
        Reply {
            id,
            cancelled: self.cancelled.clone(),
            output: self.output.clone(),
            broken: None,
        }
    }
}
