//! Named, seeded random streams.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// The generator that every random draw of the program comes from.
pub type Stream = ChaCha8Rng;

/// The stream of `seed` for one `purpose`, such as `"init/layer1.0.conv1.weight"`.
///
/// Streams of different purposes are independent, so the order in which work is done changes no
/// number.
#[must_use]
pub fn stream(seed: u64, purpose: &str) -> Stream {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(purpose.as_bytes());
    Stream::from_seed(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_depend_on_seed_and_purpose_only() {
        let draw = |seed, purpose| stream(seed, purpose).random::<u64>();
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }
}
