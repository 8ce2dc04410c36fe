//! Interrupts and requests to terminate, as a worker, or who looks after workers, hears them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::{RunError, at};

/// Exit code after a second signal: 128 and the number of the interrupt, as shells give it.
const INTERRUPTED: i32 = 130;

/// Listens on a thread of its own until the process ends.
#[derive(Debug)]
pub struct Signals {
    told: Arc<AtomicBool>,
}

impl Signals {
    /// Begins to listen. From now on a first signal is only told, and a second one ends the process.
    /// `run` is only named in errors.
    ///
    /// # Errors
    /// If signals cannot be listened to.
    pub fn listen(run: &Path) -> Result<Self, RunError> {
        let failed = || at("listening to signals for", run);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(failed())?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            let listen = |kind: SignalKind| signal(kind).map_err(failed());
            (
                listen(SignalKind::interrupt())?,
                listen(SignalKind::terminate())?,
            )
        };
        let told = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&told);
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(hear(&mut interrupt, &mut terminate, &tell)))
            .map_err(failed())?;
        Ok(Self { told })
    }

    /// Whether one has come.
    #[must_use]
    pub fn told_to_stop(&self) -> bool {
        self.told.load(Ordering::Relaxed)
    }
}

async fn hear(interrupt: &mut Signal, terminate: &mut Signal, told: &AtomicBool) {
    loop {
        tokio::select! {
            heard = interrupt.recv() => if heard.is_none() { return },
            heard = terminate.recv() => if heard.is_none() { return },
        }
        if told.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
    }
}
