//! The loop: wait for something, take in all that is there, draw at most once.

use std::io;
use std::time::{Duration, Instant};

use crossterm::event::Event;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;

use super::app::App;
use super::effect::Effect;
use super::executor::Executor;
use super::input;
use super::msg::Msg;
use super::output::{Output, Pace, Sent};
use super::terminal::{self, Screen};
use super::update::{start, update};

/// Why the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Asked for with a key.
    Quit,
    /// The terminal went away or a signal asked for it: nobody reads any more.
    HungUp,
}

/// What woke the loop.
enum Woken {
    Signal,
    Continued,
    Input(Option<io::Result<Event>>),
    News(Option<Msg>),
    Sent(Option<Sent>),
    Timer,
}

/// Everything that the loop waits on.
pub struct EventLoop {
    pub app: App,
    screen: Screen,
    output: Output,
    executor: Executor,
    input: UnboundedReceiver<io::Result<Event>>,
    news: UnboundedReceiver<Msg>,
    sent: UnboundedReceiver<Sent>,
    signals: Signals,
    started: Instant,
    pace: Pace,
    last_frame: Option<Instant>,
    last_tick: Instant,
    /// A key was pressed since the last frame: draw at once.
    pressed: bool,
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    resumed: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        const SIGCONT: i32 = 18;
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            resumed: signal(SignalKind::from_raw(SIGCONT))?,
        })
    }
}

impl EventLoop {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// If the terminal or the signals cannot be had.
    pub fn new(app: App, executor: Executor, news: UnboundedReceiver<Msg>) -> io::Result<Self> {
        let signals = Signals::new()?;
        let (report, sent) = tokio::sync::mpsc::unbounded_channel();
        let output = Output::start(report)?;
        let screen = Screen::take()?;
        Ok(Self {
            app,
            screen,
            output,
            executor,
            input: input::start()?,
            news,
            sent,
            signals,
            started: Instant::now(),
            pace: Pace::default(),
            last_frame: None,
            last_tick: Instant::now(),
            pressed: true,
        })
    }

    /// Runs until the app is left.
    ///
    /// # Errors
    /// If drawing fails for another reason than a terminal that went away.
    pub async fn run(&mut self, first: Vec<Msg>) -> io::Result<End> {
        let (columns, rows) = self.screen.size()?;
        let mut effects = start(&mut self.app, columns, rows);
        for msg in first {
            effects.extend(update(&mut self.app, msg));
        }
        if let Some(end) = self.carry_out(effects)? {
            return Ok(end);
        }
        loop {
            self.draw()?;
            let woken = self.wait().await;
            if let Some(end) = self.take_in(woken)? {
                return Ok(end);
            }
            while let Some(woken) = self.next_queued().await {
                if let Some(end) = self.take_in(woken)? {
                    return Ok(end);
                }
            }
        }
    }

    /// Ends what lives only with the app, and lets the frame under way leave, so that nothing is
    /// written after the screen was given back.
    pub async fn end(&mut self) {
        const PATIENCE: Duration = Duration::from_millis(100);
        self.executor.end();
        if self.output.busy {
            let _ = tokio::time::timeout(PATIENCE, self.sent.recv()).await;
        }
    }

    async fn wait(&mut self) -> Woken {
        let wake = self.next_timer();
        tokio::select! {
            biased;
            _ = self.signals.hangup.recv() => Woken::Signal,
            _ = self.signals.terminate.recv() => Woken::Signal,
            _ = self.signals.interrupt.recv() => Woken::Signal,
            _ = self.signals.resumed.recv() => Woken::Continued,
            event = self.input.recv() => Woken::Input(event),
            news = self.news.recv() => Woken::News(news),
            sent = self.sent.recv() => Woken::Sent(sent),
            () = sleep_until(wake) => Woken::Timer,
        }
    }

    /// What is already there, without waiting. It must be polled with the task's own waker, or the
    /// channels would wake nobody later.
    async fn next_queued(&mut self) -> Option<Woken> {
        tokio::select! {
            biased;
            _ = self.signals.hangup.recv() => Some(Woken::Signal),
            _ = self.signals.terminate.recv() => Some(Woken::Signal),
            _ = self.signals.interrupt.recv() => Some(Woken::Signal),
            event = self.input.recv() => Some(Woken::Input(event)),
            news = self.news.recv() => Some(Woken::News(news)),
            sent = self.sent.recv() => Some(Woken::Sent(sent)),
            () = std::future::ready(()) => None,
        }
    }

    /// When to wake without news: for a tick, or for a frame that waited its turn.
    fn next_timer(&self) -> Option<Instant> {
        let tick = self
            .app
            .wakes_every_ms()
            .map(|ms| self.last_tick + Duration::from_millis(ms));
        let frame = self
            .last_frame
            .filter(|_| self.app.shared.dirty && !self.output.busy)
            .map(|last| last + self.pace.interval);
        tick.into_iter().chain(frame).min()
    }

    fn take_in(&mut self, woken: Woken) -> io::Result<Option<End>> {
        let msg = match woken {
            Woken::Signal | Woken::Input(None | Some(Err(_))) => return Ok(Some(End::HungUp)),
            Woken::News(None) | Woken::Sent(None | Some(Err(_))) => return Ok(Some(End::HungUp)),
            Woken::Continued => return self.resume().map(|()| None),
            Woken::Sent(Some(Ok(took))) => {
                self.output.busy = false;
                self.pace.learn(took);
                return Ok(None);
            }
            Woken::Timer => return self.on_timer(),
            Woken::News(Some(msg)) => msg,
            Woken::Input(Some(Ok(event))) => match event {
                Event::Key(key) => {
                    self.pressed = true;
                    Msg::Key(key)
                }
                Event::Paste(text) => {
                    self.pressed = true;
                    Msg::Paste(text)
                }
                Event::Resize(columns, rows) => {
                    self.pressed = true;
                    Msg::Resize(columns, rows)
                }
                Event::Mouse(_) | Event::FocusGained | Event::FocusLost => return Ok(None),
            },
        };
        // Messages carry no time; work that they begin must know when.
        self.app.shared.now = self.started.elapsed();
        let effects = update(&mut self.app, msg);
        self.carry_out(effects)
    }

    fn on_timer(&mut self) -> io::Result<Option<End>> {
        let now = Instant::now();
        let due = self
            .app
            .wakes_every_ms()
            .is_some_and(|ms| now >= self.last_tick + Duration::from_millis(ms));
        if !due {
            return Ok(None);
        }
        self.last_tick = now;
        let effects = update(&mut self.app, Msg::Tick(self.started.elapsed()));
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> io::Result<Option<End>> {
        for effect in effects {
            match effect {
                Effect::Quit => return Ok(Some(End::Quit)),
                Effect::Suspend => self.suspend()?,
                Effect::Redraw => self.forget()?,
                other => self.executor.carry_out(other),
            }
        }
        Ok(None)
    }

    /// Hands the terminal back and stops the whole process group, as a shell expects of Ctrl-Z.
    fn suspend(&mut self) -> io::Result<()> {
        terminal::give_back();
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?;
        self.resume()
    }

    fn resume(&mut self) -> io::Result<()> {
        self.screen.retake()?;
        let (columns, rows) = self.screen.size()?;
        update(&mut self.app, Msg::Resize(columns, rows));
        self.pressed = true;
        Ok(())
    }

    fn forget(&mut self) -> io::Result<()> {
        self.screen.forget()?;
        self.app.shared.dirty = true;
        self.pressed = true;
        Ok(())
    }

    /// Draws if something changed, the last frame has left, and a key was pressed or the interval
    /// has passed.
    fn draw(&mut self) -> io::Result<()> {
        let due = self
            .last_frame
            .is_none_or(|last| last.elapsed() >= self.pace.interval);
        if !self.app.shared.dirty || self.output.busy || !(due || self.pressed) {
            return Ok(());
        }
        let frame = self.screen.draw(&self.app)?;
        self.output.send(frame);
        self.app.shared.dirty = false;
        self.pressed = false;
        self.last_frame = Some(Instant::now());
        Ok(())
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
