//! A program in a real pseudo-terminal, and the screen it draws.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long a condition may take before the test fails. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Terminal {
    master: Option<Box<dyn MasterPty + Send>>,
    keyboard: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    /// Tells the reading thread to let go of the terminal with the next bytes.
    hung_up: Arc<AtomicBool>,
    screen: vt100::Parser,
    /// Everything the program ever wrote.
    pub raw: Vec<u8>,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

/// A screen has at least one row and one column.
fn side(cells: u16) -> NonZeroU16 {
    NonZeroU16::new(cells).expect("a size above zero")
}

impl Terminal {
    /// Runs `hyperscope` with these arguments in a terminal of this size.
    pub fn start(arguments: &[&str], home: &Path, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system()
            .openpty(size(columns, rows))
            .expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_hyperscope"));
        command.args(arguments);
        command.env("HYPERSCOPE_HOME", home);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env_remove("NO_COLOR");
        command.cwd(home);
        let child = pair
            .slave
            .spawn_command(command)
            .expect("the program starts");
        drop(pair.slave);
        let mut reader = pair
            .master
            .try_clone_reader()
            .expect("the terminal's output");
        let keyboard = pair.master.take_writer().expect("the terminal's input");
        let (sender, output) = channel();
        let hung_up = Arc::new(AtomicBool::new(false));
        let lets_go = Arc::clone(&hung_up);
        thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            while let Ok(n) = reader.read(&mut buffer) {
                if n == 0 || sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
                if lets_go.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        Self {
            master: Some(pair.master),
            keyboard: Some(keyboard),
            child,
            output,
            hung_up,
            screen: vt100::Parser::new(side(rows), side(columns), 0),
            raw: Vec::new(),
        }
    }

    /// Types `keys` as they are.
    pub fn press(&mut self, keys: &str) {
        let keyboard = self.keyboard.as_mut().expect("the terminal is open");
        keyboard.write_all(keys.as_bytes()).expect("typing");
        keyboard.flush().expect("typing");
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        let master = self.master.as_ref().expect("the terminal is open");
        master.resize(size(columns, rows)).expect("resizing");
        self.screen.screen_mut().set_size(side(rows), side(columns));
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Reads output until `wanted` holds for the screen's text.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(&self.text()) {
            assert!(
                Instant::now() < deadline,
                "waited in vain for {what}; the screen shows:\n{}",
                self.text()
            );
            self.read(Duration::from_millis(50));
        }
    }

    /// Reads output until `text` is on the screen.
    pub fn until_text(&mut self, text: &str) {
        self.until(text, |screen| screen.contains(text));
    }

    fn read(&mut self, patience: Duration) {
        if let Ok(bytes) = self.output.recv_timeout(patience) {
            self.screen.process(&bytes);
            self.raw.extend(bytes);
        }
    }

    /// Closes the terminal, as a dropped connection does. The terminal is open as long as anybody
    /// holds its other side, and the reading thread does so until it reads something: the app is made
    /// to redraw first.
    pub fn hang_up(&mut self) {
        self.hung_up.store(true, Ordering::Relaxed);
        self.resize(81, 25);
        self.keyboard = None;
        self.master = None;
    }

    /// Waits for the end of the program: its exit code, or `None` if it is alive after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<u32> {
        let deadline = Instant::now() + limit;
        loop {
            self.read(Duration::from_millis(10));
            if let Some(status) = self.child.try_wait().expect("the child's state") {
                while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
                    self.raw.extend(bytes);
                }
                return Some(status.exit_code());
            }
            if Instant::now() > deadline {
                return None;
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
