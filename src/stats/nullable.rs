//! Numbers that may be undefined: not a number in memory, `null` in JSON, which knows no other word
//! for it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes a number, or null if it is not finite.
///
/// # Errors
/// The serializer's own.
pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    value.is_finite().then_some(*value).serialize(serializer)
}

/// Reads a number; null is not a number.
///
/// # Errors
/// The deserializer's own.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
