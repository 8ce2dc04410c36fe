//! The terminal: taken over at the start, given back at the end, whatever happens between.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{QueueableCommand as _, queue, style::ResetColor};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::app::App;
use super::view;

/// Whether the screen is ours now; the panic hook restores only then.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// Bytes that a frame usually stays below.
const FRAME_BYTES: usize = 64 * 1024;

/// Collects a frame's bytes, so that they leave in one write. Ratatui flushes in the middle of a
/// frame; that is ignored here.
#[derive(Clone, Debug)]
struct FrameBuffer(Rc<RefCell<Vec<u8>>>);

impl Write for FrameBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The terminal while it is ours.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<FrameBuffer>>,
    frame: FrameBuffer,
}

/// Opens a synchronized update in the frame's bytes and always closes it.
struct Synchronized<'a>(&'a mut FrameBuffer);

impl<'a> Synchronized<'a> {
    fn begin(frame: &'a mut FrameBuffer) -> io::Result<Self> {
        frame.queue(BeginSynchronizedUpdate)?;
        Ok(Self(frame))
    }
}

impl Drop for Synchronized<'_> {
    fn drop(&mut self) {
        let _ = self.0.queue(EndSynchronizedUpdate);
    }
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// As the terminal gives them; what was changed by then is undone.
    pub fn take() -> io::Result<Self> {
        install_hook();
        // Themes drop colours themselves; crossterm's own way of doing so also cancels bold.
        crossterm::style::force_color_output(true);
        claim()?;
        let frame = FrameBuffer(Rc::new(RefCell::new(Vec::with_capacity(FRAME_BYTES))));
        let terminal = Terminal::new(CrosstermBackend::new(frame.clone()))?;
        Ok(Self { terminal, frame })
    }

    /// Takes the terminal over again after a stop, and forgets what it showed. The shell may need a
    /// moment to hand it over, so this tries a few times.
    ///
    /// # Errors
    /// As the terminal gives them, if it stays unwilling.
    pub fn retake(&mut self) -> io::Result<()> {
        const TRIES: u32 = 5;
        let mut last = Ok(());
        for attempt in 0..TRIES {
            last = claim();
            if last.is_ok() {
                return self.forget();
            }
            std::thread::sleep(std::time::Duration::from_millis(20 << attempt));
        }
        last
    }

    /// Forgets what the terminal shows: the next frame is a full one.
    ///
    /// # Errors
    /// As the terminal gives them.
    pub fn forget(&mut self) -> io::Result<()> {
        self.terminal.clear()
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// As the terminal gives them.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        crossterm::terminal::size()
    }

    /// Draws the state; gives the bytes to send.
    ///
    /// # Errors
    /// As ratatui gives them.
    pub fn draw(&mut self, app: &App) -> io::Result<Vec<u8>> {
        let mut frame = self.frame.clone();
        {
            let _synchronized = Synchronized::begin(&mut frame)?;
            self.terminal.draw(|f| view::view(app, f.buffer_mut()))?;
        }
        let mut bytes = self.frame.0.borrow_mut();
        Ok(std::mem::replace(
            &mut bytes,
            Vec::with_capacity(FRAME_BYTES),
        ))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn claim() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let mut out = Vec::new();
    queue!(out, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
    let mut stdout = io::stdout().lock();
    let sent = stdout.write_all(&out).and_then(|()| stdout.flush());
    if sent.is_err() {
        give_back();
    }
    sent
}

/// Undoes everything that [`Screen::take`] did, in reverse, as far as the terminal still listens.
/// Does nothing if the screen is not ours.
pub fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = Vec::new();
    let _ = queue!(
        out,
        EndSynchronizedUpdate,
        ResetColor,
        Show,
        DisableBracketedPaste,
        LeaveAlternateScreen
    );
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(&out).and_then(|()| stdout.flush());
    let _ = disable_raw_mode();
}

/// A panic restores the terminal first, then says what it says.
fn install_hook() {
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            previous(info);
        }));
    });
}
