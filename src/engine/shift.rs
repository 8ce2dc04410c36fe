//! How far a network lies from those that GHNs are trained on; how a GHN sees these is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::protocol::Body;
use super::server::Reply;
use super::session::SessionError;
use crate::arch::Arch;
use crate::arch::deepnets::Split;
use crate::ghn::{Ghn, Stamp};
use crate::stats::shift::{Against, Embedding, Reference, Report, ShiftError};

/// Training networks that a GHN looks at.
const NETWORKS: usize = 500;
/// Between two words about how many it has looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// Which networks were looked at: the GHN's stamp, and the side of the images that they are made for.
type Key = (Stamp, usize);

/// Training networks being looked at, on a thread that goes on if nobody waits for it any more.
struct Looking {
    key: Key,
    done: Arc<AtomicUsize>,
    found: Receiver<Result<Embedding, ShiftError>>,
}

/// What is kept between questions.
#[derive(Default)]
pub struct Shifts {
    embedding: Option<(Key, Embedding)>,
    looking: Option<Looking>,
}

impl Shifts {
    /// Sends the report of an architecture at once, and again with what the GHN sees when that is known.
    ///
    /// # Errors
    /// [`SessionError`] if the architecture cannot be compared, or the question was cancelled.
    pub fn answer(
        &mut self,
        arch: &Arch,
        side: usize,
        ghn: Option<(Stamp, Arc<Ghn>)>,
        reply: &mut Reply,
    ) -> Result<(), SessionError> {
        let reference = Reference::carried(side);
        let published = reference.published_config();
        let against = Against {
            reference,
            split: Split::Train,
            config: ghn.as_ref().map_or(&published, |(_, ghn)| ghn.config()),
        };
        let mut report = Report::of(arch, against)?;
        reply.send(Body::Shift(Box::new(report.clone())));
        let Some((stamp, ghn)) = ghn else {
            return Ok(());
        };
        let embedding = self.embedding(&ghn, (stamp, reference.side), reply)?;
        report.add_embedding(embedding.shift(&ghn, arch));
        reply.send(Body::Shift(Box::new(report)));
        Ok(())
    }

    fn embedding(
        &mut self,
        ghn: &Arc<Ghn>,
        key: Key,
        reply: &mut Reply,
    ) -> Result<&Embedding, SessionError> {
        if self.embedding.as_ref().is_none_or(|(k, _)| *k != key) {
            let looking = match self.looking.take() {
                Some(looking) if looking.key == key => looking,
                _ => Looking::begin(ghn, key.clone()),
            };
            let found = self.wait(looking, reply)?;
            self.embedding = Some((key, found));
        }
        let (_, embedding) = self.embedding.as_ref().expect("it was found just now");
        Ok(embedding)
    }

    /// Waits, and says how far it is; what is cancelled is kept for the next question.
    fn wait(&mut self, looking: Looking, reply: &mut Reply) -> Result<Embedding, SessionError> {
        loop {
            match looking.found.recv_timeout(PAUSE) {
                Ok(found) => return Ok(found?),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(SessionError::Broken),
            }
            let done = looking.done.load(Ordering::Relaxed) as u64;
            let what = "the GHN looks at networks";
            if reply.progress(what, done, NETWORKS as u64).is_break() {
                self.looking = Some(looking);
                return Err(SessionError::Cancelled);
            }
        }
    }
}

impl Looking {
    fn begin(ghn: &Arc<Ghn>, key: Key) -> Self {
        let (sender, found) = channel();
        let done = Arc::new(AtomicUsize::new(0));
        let (ghn, side, count) = (Arc::clone(ghn), key.1, Arc::clone(&done));
        thread::spawn(move || {
            let made = || {
                count.fetch_add(1, Ordering::Relaxed);
            };
            // Nobody hears it if another GHN was asked for meanwhile.
            let _ = sender.send(Embedding::of(&ghn, Split::Train, side, NETWORKS, made));
        });
        Self { key, done, found }
    }
}
