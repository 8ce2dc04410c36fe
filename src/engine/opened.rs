//! The GHN that was asked for last, kept open: a large checkpoint takes seconds to read.

use std::sync::{Arc, Mutex, PoisonError};

use crate::ghn::{Ghn, GhnError, Stamp};
use crate::nn::Device;

/// A GHN, for as long as its file stays the same. Its clones share it between threads: one that asks waits while
/// another opens.
#[derive(Clone, Default)]
pub struct Opened {
    at_hand: Arc<Mutex<Option<AtHand>>>,
    /// Where large ones predict.
    device: Device,
}

/// What was opened, and of which file it was made.
type AtHand = (Stamp, Arc<Ghn>);

impl Opened {
    /// Nothing is open yet.
    #[must_use]
    pub fn on(device: Device) -> Self {
        Self {
            device,
            ..Self::default()
        }
    }

    /// The GHN of this name, read only if it is not the one at hand, and its stamp.
    ///
    /// # Errors
    /// [`GhnError`] if there is no such GHN or it cannot be read.
    pub fn get(&self, name: &str, seed: u64) -> Result<AtHand, GhnError> {
        let stamp = Stamp::of(name, seed)?;
        let mut at_hand = self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, ghn)) = &*at_hand
            && *of == stamp
        {
            return Ok((stamp, Arc::clone(ghn)));
        }
        // Two large ones may not fit into memory.
        *at_hand = None;
        let mut ghn = Ghn::open(name, seed)?;
        if ghn.is_large() {
            ghn = ghn.on(self.device)?;
        }
        let ghn = Arc::new(ghn);
        *at_hand = Some((stamp.clone(), Arc::clone(&ghn)));
        Ok((stamp, ghn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ghn_is_opened_again_only_if_its_file_was_changed() {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ghn/weights");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let copy = |name: &str| std::fs::copy(format!("{fixtures}/{name}"), &path).unwrap();
        copy("ghn2_tiny.safetensors");
        let opened = Opened::default();
        let get = || opened.get(path.to_str().unwrap(), 1).unwrap().1;
        let first = get();
        assert!(Arc::ptr_eq(&first, &get()));
        copy("ghn3_tiny.safetensors");
        let second = get();
        assert_eq!((first.kind(), second.kind()), ("GHN-2", "GHN-3"));
    }
}
