//! Keys from the terminal, on a thread of their own.
//!
//! Once a terminal has gone away, crossterm 0.29 reads it for ever and never returns: an error, or the end of
//! the input, counts as nothing there. Only this thread is lost then, for the moment that the loop takes to
//! hear the signal and end the process.

use std::io;

use crossterm::event::{Event, read};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Starts the thread; what it reads comes out of the channel.
///
/// # Errors
/// If no thread can be started.
pub fn start() -> io::Result<UnboundedReceiver<io::Result<Event>>> {
    let (events, input) = unbounded_channel();
    std::thread::Builder::new()
        .name("keys".to_owned())
        .spawn(move || {
            loop {
                let event = read();
                let is_last = event.is_err();
                if events.send(event).is_err() || is_last {
                    return;
                }
            }
        })?;
    Ok(input)
}
